//! `digits`: 1797 handwritten digits of 8×8 pixels (UCI "Optical Recognition of Handwritten Digits", test part),
//! built in.

use std::io::Read as _;
use std::path::Path;

use flate2::read::GzDecoder;
use rand::seq::SliceRandom as _;

use crate::dataset::Dataset;
use crate::images::Images;
use crate::spec::DataSpec;
use crate::{DataError, Result};

const FILE: &str = "optdigits.csv.gz";
const TABLE: &[u8] = include_bytes!("../../data/optdigits.csv.gz");

/// All rows: 64 pixels from 0 to 16, then the label.
fn rows() -> Result<Images> {
    let mut text = String::new();
    GzDecoder::new(TABLE).read_to_string(&mut text).map_err(DataError::io("unpack", Path::new(FILE)))?;
    let (mut all, mut labels) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate() {
        let row: Option<Vec<u8>> = line.split(',').map(|value| value.trim().parse().ok()).collect();
        match row.as_deref().and_then(<[u8]>::split_last) {
            Some((&label, pixels)) if label < 10 && pixels.len() == 64 && pixels.iter().all(|&p| p <= 16) => {
                all.extend_from_slice(pixels);
                labels.push(u32::from(label));
            }
            _ => return Err(DataError::data(Path::new(FILE), format!("row {} is broken", i + 1))),
        }
    }
    Ok(Images::new(vec![8, 8, 1], all, labels))
}

/// The data set; a fifth of each class (rounded) is the test part, drawn by `seed`.
pub(super) fn read(spec: &DataSpec, _folder: Option<&Path>, seed: u64) -> Result<Dataset> {
    spec.allow(&[])?;
    let images = rows()?;
    let mut room = [0; 10];
    let labels: Vec<u32> = images.labels().collect();
    labels.iter().for_each(|&label| room[label as usize] += 1);
    room.iter_mut().for_each(|count| *count = (*count + 2) / 5);
    // One shuffle of all rows shuffles each class, and leaves the classes mixed in both parts.
    let mut order: Vec<usize> = (0..images.len()).collect();
    order.shuffle(&mut convstat_runner::stream(seed, "split", "digits", 0));
    let (test, train): (Vec<usize>, Vec<usize>) = order.into_iter().partition(|&i| {
        let room = &mut room[labels[i] as usize];
        let free = *room > 0;
        *room -= usize::from(free);
        free
    });
    Ok(Dataset {
        name: "digits".into(),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
        train: images.subset(&train),
        test: images.subset(&test),
        scale: 16.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::tests::pixels;

    fn read(folder: Option<&Path>, seed: u64) -> Result<Dataset> {
        super::read(&DataSpec::default(), folder, seed)
    }

    const COUNTS: [usize; 10] = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180];

    fn counts(images: &Images) -> [usize; 10] {
        let mut counts = [0; 10];
        images.labels().for_each(|label| counts[label as usize] += 1);
        counts
    }

    fn sorted(images: &Images) -> Vec<(Vec<u8>, u32)> {
        let mut all: Vec<_> = pixels(images).chunks(64).map(<[u8]>::to_vec).zip(images.labels()).collect();
        all.sort();
        all
    }

    #[test]
    fn known_sums() {
        let images = rows().unwrap();
        assert_eq!(counts(&images), COUNTS);
        assert_eq!(images.bytes().len(), 1797 * 64);
        assert_eq!(images.bytes().iter().map(|&p| u64::from(p)).sum::<u64>(), 561718);
        assert_eq!(images.bytes()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
    }

    #[test]
    fn stratified_and_disjoint() {
        let set = read(None, 1).unwrap();
        assert_eq!(counts(&set.test), COUNTS.map(|n| (n as f64 / 5.0).round() as usize));
        let mut parts = [sorted(&set.train), sorted(&set.test)].concat();
        parts.sort();
        assert_eq!(parts, sorted(&rows().unwrap()));
        // Mixed, so that the first images of the training part are of all classes.
        assert!(counts(&set.train.take(200).unwrap()).iter().all(|&n| n > 0));
    }

    #[test]
    fn fixed_by_the_seed() {
        assert_eq!(read(None, 1).unwrap(), read(None, 1).unwrap());
        assert_ne!(read(None, 1).unwrap().test, read(None, 2).unwrap().test);
    }
}
