//! Coefficients without the structure: ridge and least squares, exact or as a pilot.

use convstat_tensor::algebra::entries;
use convstat_tensor::linalg::{
    cholesky_in_place, lstsq, rank, rank_tolerance, solve_upper, solve_upper_transposed, svd,
};
use ndarray::{Array1, Array2, Axis};

use crate::scale::graded_columns;
use crate::{Result, Sample};

/// Share of the mean eigenvalue that the pilot ridge adds for each feature per observation.
const PILOT_RIDGE: f64 = 0.1;

/// The pilot: ridge with penalty `0.1 · (D/n) · mean eigenvalue` of `ZᵀZ`, flat `D M`; from `ZᵀZ` where it is given, else
/// by conjugate gradients.
pub(crate) fn pilot(sample: &Sample, moment: Option<&Array2<f64>>) -> Result<Array1<f64>> {
    let d = sample.features() as f64;
    let mean = sample.z.iter().map(|v| v * v).sum::<f64>() / d;
    if mean == 0.0 {
        return Ok(Array1::zeros(sample.features() * sample.outputs()));
    }
    let lambda = PILOT_RIDGE * mean * d / sample.n.max(1.0);
    let matched = sample.z.t().dot(&sample.y);
    let w = match moment {
        Some(moment) => {
            let mut normal = moment.clone();
            normal.diag_mut().mapv_inplace(|v| v + lambda);
            // The solves read the upper triangle alone.
            cholesky_in_place(&mut normal)?;
            solve_upper(&normal.view(), &solve_upper_transposed(&normal.view(), &matched.view()).view())
        }
        None => conjugate_gradients(&sample.z, lambda, matched),
    };
    Ok(entries(&w).into())
}

/// Relative residual at which conjugate gradients end, and their most iterations: the pilot only leads to a start.
const PILOT_TOLERANCE: f64 = 1e-3;
const PILOT_ITERATIONS: usize = 100;

/// `(ZᵀZ + λI)^{-1} B`, column by column, in passes over Z (Hestenes & Stiefel 1952).
fn conjugate_gradients(z: &Array2<f64>, lambda: f64, mut b: Array2<f64>) -> Array2<f64> {
    for mut column in b.columns_mut() {
        let mut residual = column.to_owned();
        let mut x = Array1::zeros(residual.len());
        let mut direction = residual.clone();
        let mut size = residual.dot(&residual);
        let enough = PILOT_TOLERANCE * PILOT_TOLERANCE * size;
        for _ in 0..PILOT_ITERATIONS {
            if size <= enough {
                break;
            }
            let mut image = z.t().dot(&z.dot(&direction));
            image.scaled_add(lambda, &direction);
            let step = size / direction.dot(&image);
            x.scaled_add(step, &direction);
            residual.scaled_add(-step, &image);
            let before = std::mem::replace(&mut size, residual.dot(&residual));
            direction *= size / before;
            direction += &residual;
        }
        column.assign(&x);
    }
    b
}

/// Ridge estimate `(ZᵀZ + λI)^{-1} Zᵀy`, `D × M`; minimum-norm least squares for `λ = 0`.
pub(crate) fn ridge(sample: &Sample, lambda: f64) -> Result<Array2<f64>> {
    if lambda == 0.0 {
        return least_squares(sample);
    }
    let (u, sv, vt) = svd(&sample.z.view())?;
    let mut c = u.t().dot(&sample.y);
    for (mut row, &v) in c.outer_iter_mut().zip(&sv) {
        row *= v / (v * v + lambda);
    }
    Ok(vt.t().dot(&c))
}

/// Minimum-norm least squares. Columns of very different sizes (units) are scaled by powers of two where they are
/// independent: their solution does not depend on units, but the rank of the matrix would.
fn least_squares(sample: &Sample) -> Result<Array2<f64>> {
    let (z, y) = (&sample.z, &sample.y.view());
    if let Some(scales) = graded_columns(z).filter(|_| z.nrows() >= z.ncols()) {
        let scales = Array1::from(scales);
        let even = z * &scales;
        if rank(&even.view(), rank_tolerance(even.dim()))? == even.ncols() {
            return Ok(lstsq(&even.view(), y)? * &scales.insert_axis(Axis(1)));
        }
    }
    Ok(lstsq(&z.view(), y)?)
}
