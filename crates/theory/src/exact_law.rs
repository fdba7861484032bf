//! The law of the compressed sample of independent Gaussian rows, drawn without any data.
//!
//! The triangle of the QR factorisation of a standard normal matrix has independent entries (Bartlett 1933), so a
//! data set of any n costs `O(D³)` (THEORY §3 "Exact law").

use convstat_estimate::Sample;
use convstat_tensor::linalg::upper_product;
use ndarray::{Array2, Zip};
use rand::Rng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

/// Draws the compressed sample of n independent rows `z ~ N(0, CᵀC)` with responses `Wᵀz + σε`: `z = T C`,
/// `y = T C W + σε` and `rss ~ σ²χ²`, with T upper trapezoidal, `T_ii ~ χ_{n−i}`, standard normals to the right.
///
/// `root` is C, `r × D` with r the rank of the covariance: any Gaussian law of the inputs, singular ones too.
/// `w` is `D × M`. The law is that of QR compression for `n < r` as well (then T has n rows and `rss` is 0).
pub fn draw_compressed(
    root: &Array2<f64>,
    w: &Array2<f64>,
    sigma: f64,
    n: u64,
    rng: &mut ChaCha8Rng,
    noise_rng: &mut ChaCha8Rng,
) -> Sample {
    let (rank, outputs) = (root.nrows(), w.ncols());
    let rows = n.min(rank as u64) as usize;
    let mut t = Array2::zeros((rows, rank));
    for i in 0..rows {
        t[[i, i]] = chi_squared((n - i as u64) as f64, rng).sqrt();
        for j in i + 1..rank {
            t[[i, j]] = StandardNormal.sample(rng);
        }
    }
    let z = upper_product(&t, root);
    let mut y = z.dot(w);
    Zip::from(&mut y).for_each(|v| {
        let e: f64 = StandardNormal.sample(noise_rng);
        *v += sigma * e;
    });
    let left = (n - rows as u64) as f64 * outputs as f64;
    let rss = if left == 0.0 { 0.0 } else { sigma * sigma * chi_squared(left, noise_rng) };
    Sample { z, y, rss, n: n as f64 }
}

/// A draw of `χ²_k`, `k ≥ 1`.
fn chi_squared(k: f64, rng: &mut impl Rng) -> f64 {
    // Positive degrees of freedom are always valid.
    ChiSquared::new(k).map_or(f64::NAN, |law| law.sample(rng))
}
