//! `cifar10`: CIFAR-10 (Krizhevsky 2009), its binary version or Parquet files, read from a folder.

use std::io::ErrorKind;
use std::path::Path;

use super::cifar10_parquet;
use crate::dataset::Dataset;
use crate::images::Images;
use crate::spec::DataSpec;
use crate::{DataError, Result};

const PIXELS: usize = 32 * 32;
const RECORD: usize = 1 + 3 * PIXELS;
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];
const MEND: &str = "convstat-train fetch cifar10 --data FOLDER downloads it (by hand: cifar-10-binary.tar.gz from \
                    www.cs.toronto.edu/~kriz, unpacked in the --data folder)";

/// Pixels, channels last, and labels.
type Parts = (Vec<u8>, Vec<u32>);

/// Adds the records of a file (label; red, green and blue planes), channels last.
fn append((pixels, labels): &mut Parts, path: &Path) -> Result<()> {
    let bytes = std::fs::read(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => DataError::data(path, format!("no such file; {MEND}")),
        _ => DataError::io("read", path)(e),
    })?;
    if bytes.is_empty() {
        return Err(DataError::data(path, format!("the file is empty; {MEND}")));
    }
    let (records, rest) = bytes.as_chunks::<RECORD>();
    if !rest.is_empty() {
        let reason = format!(
            "{} bytes are not a whole number of records of {RECORD}: cut short, or not a CIFAR-10 batch; {MEND}",
            bytes.len()
        );
        return Err(DataError::data(path, reason));
    }
    pixels.reserve(bytes.len());
    for (i, [label, planes @ ..]) in records.iter().enumerate() {
        if *label > 9 {
            let reason = format!("record {i} has label {label}, above 9: not a CIFAR-10 batch; {MEND}");
            return Err(DataError::data(path, reason));
        }
        labels.push(u32::from(*label));
        let (planes, _) = planes.as_chunks::<PIXELS>();
        pixels.extend((0..PIXELS).flat_map(|p| planes.iter().filter_map(move |plane| plane.get(p))));
    }
    Ok(())
}

/// The data set; the split is the official one, whatever the seed.
pub(super) fn read(spec: &DataSpec, folder: Option<&Path>, _seed: u64) -> Result<Dataset> {
    spec.allow(&[])?;
    let folder = folder
        .ok_or_else(|| DataError::bad("--data", "(none)", format!("cifar10 needs a folder: {MEND}")))?;
    if !folder.is_dir() {
        return Err(DataError::data(folder, format!("no such folder; {MEND}")));
    }
    let inner = folder.join("cifar-10-batches-bin");
    let folder = if inner.is_dir() { inner.as_path() } else { folder };
    let binary = inner.is_dir()
        || ["data_batch_1.bin", "test_batch.bin"].iter().any(|name| folder.join(name).exists());
    if !binary && let Some((train, test)) = cifar10_parquet::read(folder)? {
        let classes = CLASSES.map(Into::into).to_vec();
        return Ok(Dataset { name: "cifar10".into(), classes, train, test, scale: 255.0 });
    }
    let images = |(pixels, labels): Parts| Images::new(vec![32, 32, 3], pixels, labels);
    let (mut train, mut test) = (Parts::default(), Parts::default());
    for batch in 1..=5 {
        append(&mut train, &folder.join(format!("data_batch_{batch}.bin")))?;
    }
    append(&mut test, &folder.join("test_batch.bin"))?;
    // The names are only for people: without a good file of them, the built-in ones do.
    let text = std::fs::read_to_string(folder.join("batches.meta.txt")).unwrap_or_default();
    let mut classes: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
    if classes.len() != CLASSES.len() {
        classes = CLASSES.map(Into::into).to_vec();
    }
    Ok(Dataset { name: "cifar10".into(), classes, train: images(train), test: images(test), scale: 255.0 })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::tests::pixels;
    use std::fs;

    fn read(folder: Option<&Path>, seed: u64) -> Result<Dataset> {
        super::read(&DataSpec::default(), folder, seed)
    }

    /// Value of channel `c` of pixel `p` of the `i`-th record of file `f`.
    fn value(f: usize, i: usize, p: usize, c: usize) -> u8 {
        ((f * 31 + i * 17 + p * 3 + c * 101) % 256) as u8
    }

    fn name(f: usize) -> String {
        if f == 0 { "test_batch.bin".into() } else { format!("data_batch_{f}.bin") }
    }

    /// Two records in each training file, three in the test file (file 0).
    fn write(folder: &Path) {
        for f in 0..6 {
            let mut bytes = Vec::new();
            for i in 0..if f == 0 { 3 } else { 2 } {
                bytes.push(((f + i) % 10) as u8);
                (0..3).for_each(|c| bytes.extend((0..PIXELS).map(|p| value(f, i, p, c))));
            }
            fs::write(folder.join(name(f)), bytes).unwrap();
        }
    }

    #[test]
    fn reads_every_pixel() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("cifar-10-batches-bin");
        fs::create_dir(&inner).unwrap();
        write(&inner);
        let set = read(Some(folder.path()), 0).unwrap();
        assert_eq!(set, read(Some(&inner), 1).unwrap());
        assert_eq!(set.train.labels().collect::<Vec<_>>(), [1, 2, 2, 3, 3, 4, 4, 5, 5, 6]);
        assert_eq!(set.test.labels().collect::<Vec<_>>(), [0, 1, 2]);
        for (images, records) in [
            (&set.test, vec![(0, 0), (0, 1), (0, 2)]),
            (&set.train, (1..6).flat_map(|f| [(f, 0), (f, 1)]).collect::<Vec<_>>()),
        ] {
            assert_eq!(images.shape, [32, 32, 3]);
            let expected: Vec<u8> = records
                .into_iter()
                .flat_map(|(f, i)| (0..PIXELS).flat_map(move |p| [0, 1, 2].map(|c| value(f, i, p, c))))
                .collect();
            assert!(pixels(images) == expected);
        }
    }

    #[test]
    fn class_names() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path());
        let classes = || read(Some(folder.path()), 0).unwrap().classes;
        assert_eq!(classes(), CLASSES);
        let meta = folder.path().join("batches.meta.txt");
        fs::write(&meta, "a\r\nb\nc\nd\ne\nf\ng\nh\ni\nj\n\n").unwrap();
        assert_eq!(classes().concat(), "abcdefghij");
        fs::write(&meta, "a\nb\n").unwrap();
        assert_eq!(classes(), CLASSES);
    }

    #[test]
    fn broken_files() {
        let folder = tempfile::tempdir().unwrap();
        let error = |mend: &str| {
            let error = read(Some(folder.path()), 0).unwrap_err().to_string();
            assert!(error.contains(mend) && error.contains("cifar-10-binary.tar.gz"), "{error}");
            error
        };
        assert!(error("no such file").contains("data_batch_1.bin"));
        write(folder.path());
        for f in 0..6 {
            let path = folder.path().join(name(f));
            let whole = fs::read(&path).unwrap();
            let mut html = b"<!DOCTYPE html>".to_vec();
            html.resize(RECORD, b' ');
            let mut label = whole.clone();
            label[RECORD] = 10;
            for (bytes, mend) in [
                (vec![], "empty"),
                (whole[..whole.len() - 1].to_vec(), "not a whole number of records"),
                (b"\x1f\x8b\x08".to_vec(), "not a whole number of records"),
                (html, "record 0 has label 60"),
                (label, "record 1 has label 10"),
            ] {
                fs::write(&path, bytes).unwrap();
                assert!(error(mend).contains(&name(f)));
            }
            fs::remove_file(&path).unwrap();
            assert!(error("no such file").contains(&name(f)));
            fs::write(&path, whole).unwrap();
        }
        assert!(read(Some(folder.path()), 0).is_ok());
    }

    #[test]
    fn no_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for path in [None, Some(folder.path().join("none")), Some(file)] {
            let error = read(path.as_deref(), 0).unwrap_err().to_string();
            assert!(error.contains("folder") && error.contains("cifar-10-binary.tar.gz"), "{error}");
            assert!(error.contains("convstat-train fetch cifar10 --data"), "{error}");
        }
    }
}
