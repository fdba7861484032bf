//! The member of a structure nearest to given coefficients.

use convstat_cnn::{Factors, Structure};
use ndarray::Array2;

use crate::fitting::{FitOptions, Fitting};
use crate::outcome::{Fit, Start};
use crate::solvers::LevenbergMarquardt;
use crate::{Result, Sample};

/// A member within this relative distance is the coefficients themselves.
pub const CONTAINED: f64 = 1e-5;

/// Most random starts that look for a nearer one.
const STARTS: usize = 40;

/// What was found.
#[derive(Debug, Clone)]
pub struct Nearest {
    /// Its factors.
    pub factors: Factors,
    /// `‖W − W'‖_F / ‖W‖_F`.
    pub distance: f64,
    /// Whether it is within [`CONTAINED`].
    pub is_contained: bool,
}

/// Fits `w` (`D × M`) itself: from the spectral start, then from random ones until one gives it.
///
/// # Errors
/// Coefficients of another size than the structure's.
pub fn nearest(structure: &Structure, w: &Array2<f64>, mut normal: impl FnMut() -> f64) -> Result<Nearest> {
    let sample = Sample { z: Array2::eye(w.nrows()), y: w.clone(), rss: 0.0, n: w.nrows() as f64 };
    let total = w.iter().map(|v| v * v).sum::<f64>();
    let mut from = |start| -> Result<Fit> {
        let options = FitOptions::bare(LevenbergMarquardt::from_starts(vec![start]));
        Ok(Fitting::new(structure, &options).normal(&mut normal).fit(&sample)?.fit)
    };
    let mut best = from(Start::Spectral)?;
    for _ in 0..STARTS {
        if best.best.objective <= CONTAINED * CONTAINED * total {
            break;
        }
        let next = from(Start::Random)?;
        if next.best.objective < best.best.objective {
            best = next;
        }
    }
    let objective = best.best.objective;
    Ok(Nearest {
        factors: best.factors,
        distance: (objective / total).sqrt(),
        is_contained: objective <= CONTAINED * CONTAINED * total,
    })
}
