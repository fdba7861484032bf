//! Fits of arrays in memory, timed for `benches/rivals.py`: reads `cases.json` in the folder given and prints one line of
//! JSON a case. Without a folder it does nothing, so that `cargo bench` may run it.

use std::path::Path;
use std::time::Instant;

use convstat::estimate::solvers::LevenbergMarquardt;
use convstat::prelude::*;
use ndarray::Array2;
use ndarray_npy::read_npy;
use serde_json::{Value, json};

/// Seconds for which a case is repeated.
const SECONDS: f64 = 1.0;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    convstat::tensor::blas::single_thread()?;
    match std::env::args().nth(1).filter(|a| !a.starts_with('-')) {
        Some(folder) => run(Path::new(&folder)),
        None => Ok(()),
    }
}

fn run(folder: &Path) -> Result<(), Failure> {
    let cases: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(folder.join("cases.json"))?)?;
    for case in cases {
        let name = case["name"].as_str().unwrap_or_default();
        let sizes = |key: &str| -> Vec<usize> {
            case[key].as_array().into_iter().flatten().filter_map(Value::as_u64).map(|v| v as usize).collect()
        };
        let modes = OutputModes::plain(&sizes("shape"), 1);
        let structure =
            StructureSpec::parse(case["structure"].as_str().unwrap_or_default())?.build(&modes)?;
        let z: Array2<f64> = read_npy(folder.join(format!("{name}-z.npy")))?;
        let y: Array2<f64> = read_npy(folder.join(format!("{name}-y.npy")))?;
        let sample = Sample::new(z, y)?;
        let starts = case["starts"].as_u64().unwrap_or(0) as usize;
        let method = LevenbergMarquardt::from_starts(Start::spectral_and_random(starts));
        let options = FitOptions::bare(method);
        let (mut times, begin) = (Vec::new(), Instant::now());
        let mut objective = f64::NAN;
        while times.is_empty() || begin.elapsed().as_secs_f64() < SECONDS {
            let start = Instant::now();
            let mut i = 0.0f64;
            let mut normal = || {
                i += 1.0;
                (i * i).sin() * 1.4
            };
            let fitting = Fitting::new(&structure, &options).normal(&mut normal);
            objective = fitting.fit(&sample)?.fit.best.objective;
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        println!("{}", json!({ "name": name, "seconds": times[times.len() / 2], "objective": objective }));
    }
    Ok(())
}
