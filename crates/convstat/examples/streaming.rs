//! Data larger than memory: one pass over blocks of rows leaves the compressed sample, which every solver takes for the data.
//!
//! `cargo run --release --example streaming`

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use convstat::estimate::{EstimateError, compress};
use convstat::prelude::*;
use ndarray::{Array2, s};
use rand_distr::{Distribution, StandardNormal};

/// Features of a row; its response follows them in the file.
const FEATURES: usize = 20;
const ROWS: usize = 50_000;
const BLOCK: usize = 1024;

/// A file of rows, eight bytes a number, little-endian. The coefficient is a 4 × 5 matrix of ones, of rank 1.
fn write(path: &Path) -> std::io::Result<()> {
    let mut rng = convstat::runner::stream(1, "rows", "", 0);
    let mut file = BufWriter::new(File::create(path)?);
    for _ in 0..ROWS {
        let x: [f64; FEATURES] = std::array::from_fn(|_| StandardNormal.sample(&mut rng));
        let noise: f64 = StandardNormal.sample(&mut rng);
        for v in x.iter().chain([&(x.iter().sum::<f64>() + noise)]) {
            file.write_all(&v.to_le_bytes())?;
        }
    }
    file.flush()
}

/// Up to [`BLOCK`] rows; none at the end.
fn read_block(file: &mut impl Read) -> std::io::Result<Array2<f64>> {
    let mut bytes = Vec::new();
    file.take((BLOCK * (FEATURES + 1) * 8) as u64).read_to_end(&mut bytes)?;
    let number = |i: usize| f64::from_le_bytes(std::array::from_fn(|b| bytes[8 * i + b]));
    let rows = bytes.len() / (8 * (FEATURES + 1));
    Ok(Array2::from_shape_fn((rows, FEATURES + 1), |(i, j)| number(i * (FEATURES + 1) + j)))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::temp_dir().join(format!("convstat-streaming-{}.bin", std::process::id()));
    write(&path)?;

    // Called a second time where the first pass, by Gram matrices, turns out ill-conditioned: it has to begin anew.
    let feed = |sink: &mut convstat::estimate::compress::Compressor| {
        let failed = |e: std::io::Error| EstimateError::Data { reason: e.to_string() };
        let mut file = BufReader::new(File::open(&path).map_err(failed)?);
        loop {
            let block = read_block(&mut file).map_err(failed)?;
            if block.nrows() == 0 {
                return Ok(());
            }
            sink.add(&block.slice(s![.., ..FEATURES]), &block.slice(s![.., FEATURES..]))?;
        }
    };
    let sample = compress(FEATURES, 1, ROWS as f64, feed)?;
    std::fs::remove_file(&path)?;
    println!("{} rows became {} × {}", sample.n, sample.z.nrows(), sample.z.ncols());

    let spec = StructureSpec::parse("{ einsum = \"ar,br->ab\", sizes = { r = 1 } }")?;
    let structure = spec.build(&OutputModes::plain(&[4, 5], 1))?;
    let model = FittedModel::fit(&structure, &sample, &FitOptions::default())?;
    let error = model.coefficients().iter().map(|w| (w - 1.0).powi(2)).sum::<f64>().sqrt();
    println!("estimation error {error:.4}, by theory about {:.4}", (8.0 / ROWS as f64).sqrt());
    assert!(error < 3.0 * (8.0 / ROWS as f64).sqrt());
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
