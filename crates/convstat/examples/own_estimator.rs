//! An estimator of one's own beside that of the toolkit: ordinary least squares, cut to rank 1 by a singular value
//! decomposition, against least squares over matrices of rank 1.
//!
//! `cargo run --release --example own_estimator`

use convstat::assert::{BoxError, ErrorNorm, Estimator, Replicates, Sample, Simulation, StructureFit};
use convstat::prelude::*;
use convstat::tensor::linalg::{lstsq, svd};
use ndarray::Array2;

const ROWS: usize = 6;
const COLUMNS: usize = 5;

/// Least squares without the structure, then the nearest matrix of rank 1.
fn cut(sample: &Sample) -> Result<Array2<f64>, BoxError> {
    let w = lstsq(&sample.z.view(), &sample.y.view())?;
    let (u, s, vt) = svd(&w.to_shape((ROWS, COLUMNS))?.view())?;
    Ok(Array2::from_shape_fn((ROWS * COLUMNS, 1), |(f, _)| u[[f / COLUMNS, 0]] * s[0] * vt[[0, f % COLUMNS]]))
}

/// Root mean square of the prediction errors of 300 replicates, and its Monte Carlo standard error.
fn measured(estimator: impl Estimator + 'static, n: u64) -> Result<(f64, f64), BoxError> {
    let truth = Array2::from_shape_fn((ROWS * COLUMNS, 1), |(f, _)| (1.0 + (f / COLUMNS) as f64) * 0.2);
    // Standard normal features, noise of standard deviation 0.5.
    let simulation = Simulation::new(Array2::eye(ROWS * COLUMNS), truth, 0.5, estimator)?.seed(1);
    let squares: Vec<f64> = (0..300)
        .map(|replicate| Ok(simulation.error(ErrorNorm::Prediction, n, replicate)?.powi(2)))
        .collect::<Result<_, BoxError>>()?;
    Ok(convstat::study::statistics::root_mean(&squares))
}

fn main() -> Result<(), BoxError> {
    let modes = OutputModes::plain(&[ROWS, COLUMNS], 1);
    let rank_one = StructureSpec::parse("{ einsum = \"ar,br->ab\", sizes = { r = 1 } }")?.build(&modes)?;
    println!("{:>5}  {:>17}  {:>17}", "n", "least squares cut", "least squares over rank 1");
    for n in [60, 240, 960] {
        let (own, fitted) = (measured(cut, n)?, measured(StructureFit::new(&rank_one), n)?);
        println!("{n:>5}  {:.4} ± {:.4}    {:.4} ± {:.4}", own.0, own.1, fitted.0, fitted.1);
        // Equal at large n, where the cut is a projection on the tangent space; apart at small n.
        assert!(fitted.0 < own.0 + 3.0 * own.1.hypot(fitted.1));
    }
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
