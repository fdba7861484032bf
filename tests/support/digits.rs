//! The 8×8 digits that come with the training program.

use std::io::Read as _;

use ndarray::{Array1, ArrayD, IxDyn};

/// Images from 0 to 1 of the digits that have a class, and their classes.
pub fn digits(class: impl Fn(u8) -> Option<u8>) -> (ArrayD<f64>, Array1<f64>) {
    let packed: &[u8] = include_bytes!("../../crates/data/data/optdigits.csv.gz");
    let mut text = String::new();
    flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for line in text.lines() {
        let row: Vec<u8> = line.split(',').map(|v| v.trim().parse().unwrap()).collect();
        if let Some(class) = class(row[64]) {
            x.extend(row[..64].iter().map(|v| f64::from(*v) / 16.0));
            y.push(f64::from(class));
        }
    }
    (ArrayD::from_shape_vec(IxDyn(&[y.len(), 8, 8]), x).unwrap(), y.into())
}
