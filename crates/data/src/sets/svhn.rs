//! `svhn`: Street View House Numbers, cropped digits (Netzer et al. 2011), read from a folder.

use std::path::Path;

use super::mat::{self, Array};
use crate::dataset::Dataset;
use crate::images::Images;
use crate::spec::DataSpec;
use crate::{DataError, Result};

const SIDE: usize = 32;
const CHANNELS: usize = 3;
const VALUES: usize = SIDE * SIDE * CHANNELS;
const SITE: &str = "ufldl.stanford.edu/housenumbers";

/// Images of one or more files.
#[derive(Default)]
struct Part {
    pixels: Vec<u8>,
    labels: Vec<u32>,
}

impl Part {
    /// Adds the images of X (row, column, channel, image; the row fastest), channels last; their number.
    fn images(&mut self, x: &mut Array) -> Result<usize> {
        let n = match x.dims[..] {
            // MATLAB drops a last axis of size 1.
            [SIDE, SIDE, CHANNELS] => 1,
            [SIDE, SIDE, CHANNELS, n] if n > 0 => n,
            _ => return Err(x.bad(format!("sizes {:?}, where 32×32×3×N were expected", x.dims))),
        };
        let room = n.checked_mul(VALUES).is_some_and(|values| self.pixels.try_reserve_exact(values).is_ok());
        if !room {
            return Err(x.bad(format!("{n} images do not fit into memory")));
        }
        let mut image = [0; VALUES];
        for _ in 0..n {
            x.read(&mut image)?;
            let (columns, _) = image.as_chunks::<SIDE>();
            for row in 0..SIDE {
                let at =
                    |column: usize| columns.iter().skip(column).step_by(SIDE).filter_map(move |c| c.get(row));
                self.pixels.extend((0..SIDE).flat_map(at));
            }
        }
        Ok(n)
    }

    /// Adds the labels of y, a vector of 1 to 10, where 10 is the digit 0; their number.
    fn labels(&mut self, y: &mut Array) -> Result<usize> {
        let (&[n, 1] | &[1, n]) = &y.dims[..] else {
            return Err(y.bad(format!("sizes {:?}, where N×1 were expected", y.dims)));
        };
        let mut labels = vec![0; n];
        y.read(&mut labels)?;
        if let Some((i, label)) = labels.iter().enumerate().find(|(_, label)| !(1..=10).contains(*label)) {
            return Err(y.bad(format!("label {label} of image {}, where 1 to 10 were expected", i + 1)));
        }
        self.labels.extend(labels.iter().map(|label| u32::from(label % 10)));
        Ok(n)
    }

    /// Adds the images and labels of a file.
    fn append(&mut self, folder: &Path, name: &str) -> Result<()> {
        let path = folder.join(name);
        let set = if name.starts_with("extra") { "svhn-extra" } else { "svhn" };
        let fetch = format!("convstat-train fetch {set} --data FOLDER");
        let mend = format!("download {SITE}/{name} into the --data folder: {fetch}");
        let (mut images, mut labels) = (None, None);
        mat::read(&path, &mend, &mut |array| {
            let (count, n) = match array.name.as_str() {
                "X" => (&mut images, Self::images as fn(&mut Self, &mut Array) -> Result<usize>),
                "y" => (&mut labels, Self::labels as _),
                _ => return Ok(()),
            };
            if count.is_some() {
                return Err(array.bad("it comes twice"));
            }
            *count = Some(n(self, array)?);
            Ok(())
        })?;
        let reason = match (images, labels) {
            (Some(images), Some(labels)) if images == labels => return Ok(()),
            (Some(images), Some(labels)) => format!("{images} images in X and {labels} labels in y"),
            (None, _) => "no array X of images".into(),
            (_, None) => "no array y of labels".into(),
        };
        Err(DataError::data(&path, format!("{reason}; {mend}")))
    }

    fn finish(self) -> Images {
        Images::new(vec![SIDE, SIDE, CHANNELS], self.pixels, self.labels)
    }
}

/// The data set; the split is the official one. With `extra` the additional training images come after the others.
pub(super) fn read_parts(folder: Option<&Path>, extra: bool) -> Result<Dataset> {
    let set = if extra { "svhn-extra" } else { "svhn" };
    let mend = format!("convstat-train fetch {set} --data FOLDER downloads it from {SITE}");
    let folder =
        folder.ok_or_else(|| DataError::bad("--data", "(none)", format!("svhn needs a folder: {mend}")))?;
    if !folder.is_dir() {
        return Err(DataError::data(folder, format!("no such folder; {mend}")));
    }
    let inner = folder.join("svhn");
    let folder = if inner.is_dir() { inner.as_path() } else { folder };
    let (mut train, mut test) = (Part::default(), Part::default());
    train.append(folder, "train_32x32.mat")?;
    if extra {
        train.append(folder, "extra_32x32.mat")?;
    }
    test.append(folder, "test_32x32.mat")?;
    Ok(Dataset {
        name: "svhn".into(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        train: train.finish(),
        test: test.finish(),
        scale: 255.0,
    })
}

/// The data set, whatever the seed.
pub(super) fn read(spec: &DataSpec, folder: Option<&Path>, _seed: u64) -> Result<Dataset> {
    spec.allow(&["extra"])?;
    read_parts(folder, spec.extra)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rand::RngExt as _;

    use super::super::mat::build;
    use super::*;
    use crate::load;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/svhn");
    const FILES: [&str; 3] = ["train_32x32.mat", "extra_32x32.mat", "test_32x32.mat"];

    fn copy() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            fs::copy(Path::new(FOLDER).join(name), folder.path().join(name)).unwrap();
        }
        folder
    }

    fn check(images: &Images, numbers: &[usize]) {
        let pixel = |n: usize, i: usize| 7 * (i / 96) + 3 * (i / 3 % 32) + 101 * (i % 3) + 17 * n;
        let expected: Vec<u8> =
            numbers.iter().flat_map(|&n| (0..VALUES).map(move |i| (pixel(n, i) % 256) as u8)).collect();
        assert_eq!(images.shape, [32, 32, 3]);
        assert!(images.bytes() == expected.as_slice());
        assert_eq!(
            images.labels().collect::<Vec<_>>(),
            numbers.iter().map(|n| (n % 10) as u32).collect::<Vec<_>>()
        );
    }

    #[test]
    fn reads_every_pixel() {
        let folder = Path::new(FOLDER);
        let (train, extra, test) = ([5, 6, 7, 8, 9, 10, 11], [20, 21, 22, 23, 24], [40, 41, 42, 43, 44, 45]);
        let set = read_parts(Some(folder), false).unwrap();
        assert_eq!((set.classes.concat().as_str(), set.scale), ("0123456789", 255.0));
        check(&set.train, &train);
        check(&set.test, &test);
        assert_eq!(set, load("svhn", folder.parent(), 3).unwrap());
        let more = read_parts(Some(folder), true).unwrap();
        check(&more.train, &[&train[..], &extra[..]].concat());
        assert_eq!(more.test, set.test);
    }

    #[test]
    fn one_image_and_a_row_of_labels() {
        let folder = copy();
        let path = folder.path().join(FILES[0]);
        let y = build::array(6, 2, &[1, 1], "y", &[10]);
        for dims in [&[32, 32, 3][..], &[32, 32, 3, 1]] {
            let x = build::array(9, 2, dims, "X", &[7; VALUES]);
            fs::write(&path, build::file(&[y.clone(), x])).unwrap();
            let train = read_parts(Some(folder.path()), false).unwrap().train;
            assert_eq!(train.labels().collect::<Vec<_>>(), [0]);
            assert_eq!(train.bytes(), vec![7; VALUES]);
        }
    }

    #[test]
    fn other_contents() {
        let folder = copy();
        let x = |dims: &[i32]| {
            let values = dims.iter().product::<i32>() as usize;
            build::array(9, 2, dims, "X", &vec![0; values])
        };
        let y = |labels: &[u8]| build::array(9, 2, &[labels.len() as i32, 1], "y", labels);
        let two = || x(&[32, 32, 3, 2]);
        let matrix = build::array(9, 2, &[2, 2], "y", &[1; 4]);
        let other = build::array(9, 2, &[1, 1], "z", &[1]);
        for name in FILES {
            for (variables, mend) in [
                (vec![two(), y(&[1, 0])], "array y: label 0 of image 2, where 1 to 10 were expected"),
                (vec![two(), y(&[11, 1])], "array y: label 11 of image 1"),
                (vec![two(), y(&[1])], "2 images in X and 1 labels in y"),
                (vec![y(&[1, 2, 3]), two()], "2 images in X and 3 labels in y"),
                (vec![two(), matrix.clone()], "array y: sizes [2, 2], where N×1"),
                (vec![x(&[32, 32, 1, 2]), y(&[1, 1])], "array X: sizes [32, 32, 1, 2], where 32×32×3×N"),
                (vec![x(&[2, 32, 32, 3]), y(&[1, 1])], "sizes [2, 32, 32, 3]"),
                (vec![x(&[32, 32, 3, 0]), y(&[])], "sizes [32, 32, 3, 0]"),
                (vec![x(&[3072, 2]), y(&[1, 1])], "sizes [3072, 2]"),
                (vec![two(), y(&[1, 1]), two()], "array X: it comes twice"),
                (vec![y(&[1, 1]), y(&[1, 1])], "array y: it comes twice"),
                (vec![y(&[1, 1]), other.clone()], "no array X of images"),
                (vec![two()], "no array y of labels"),
                (vec![], "no array X"),
            ] {
                fs::write(folder.path().join(name), build::file(&variables)).unwrap();
                let error = read_parts(Some(folder.path()), true).unwrap_err().to_string();
                assert!(error.contains(mend) && error.contains(name), "{error}");
                assert!(
                    error.contains(&format!("download ufldl.stanford.edu/housenumbers/{name}")),
                    "{error}"
                );
            }
            fs::remove_file(folder.path().join(name)).unwrap();
            let error = read_parts(Some(folder.path()), true).unwrap_err().to_string();
            assert!(error.contains(&format!("{name}: no such file; download")), "{error}");
            fs::copy(Path::new(FOLDER).join(name), folder.path().join(name)).unwrap();
        }
    }

    #[test]
    fn damaged_files() {
        let folder = copy();
        let good = read_parts(Some(folder.path()), true).unwrap();
        for name in FILES {
            let path = folder.path().join(name);
            let whole = fs::read(&path).unwrap();
            // A new file each time: some file systems wait for the disk when a file is cut and written again.
            let write = |bytes: &[u8]| fs::remove_file(&path).and_then(|()| fs::write(&path, bytes)).unwrap();
            for length in (0..whole.len()).step_by(1 + whole.len() / 1000) {
                write(&whole[..length]);
                let error = read_parts(Some(folder.path()), true).unwrap_err().to_string();
                assert!(error.contains(name) && error.contains("housenumbers"), "{length}: {error}");
            }
            let mut positions = convstat_runner::stream(1, "damage", name, 0);
            for case in 0..1000 {
                let mut bytes = whole.clone();
                // The heads of the variables more often than the pixels.
                let most = if case % 2 == 0 { bytes.len() } else { 400 };
                let at = positions.random_range(0..most);
                bytes[at] ^= 1 << positions.random_range(0..8);
                write(&bytes);
                match read_parts(Some(folder.path()), true) {
                    // Compressed values have a check sum.
                    Ok(set) if name != FILES[2] => assert!(set == good, "{name}, byte {at}"),
                    Ok(set) => assert_eq!(set.train, good.train),
                    Err(error) => assert!(error.to_string().contains(name), "{error}"),
                }
            }
            write(&whole);
        }
    }

    #[test]
    fn no_folder() {
        let folder = tempfile::tempdir().unwrap();
        for path in [None, Some(folder.path().join("none"))] {
            let error = read_parts(path.as_deref(), false).unwrap_err().to_string();
            assert!(error.contains("folder") && error.contains("fetch svhn --data FOLDER"), "{error}");
        }
    }
}
