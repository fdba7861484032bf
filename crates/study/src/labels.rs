//! Labels of classes, drawn at linear predictors.

use ndarray::ArrayViewMut2;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;

/// Draws labels at the linear predictors `eta` (`M × b`, an observation a column), in place: the indicators of classes 1 to
/// M. One uniform number an observation.
pub(crate) fn draw_labels(mut eta: ArrayViewMut2<f64>, rng: &mut ChaCha8Rng) {
    for mut column in eta.columns_mut() {
        let largest = column.fold(0.0f64, |a, &b| a.max(b));
        let reference = (-largest).exp();
        let total = reference + column.iter().map(|e| (e - largest).exp()).sum::<f64>();
        // What is left of the uniform number after each class.
        let mut left = rng.random::<f64>() * total - reference;
        for v in &mut column {
            let is_open = left >= 0.0;
            left -= (*v - largest).exp();
            *v = f64::from(u8::from(is_open && left < 0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn labels_have_their_law() {
        let eta = array![[0.5], [-1.0], [2.0]];
        let n = 200_000;
        let mut block = Array2::from_shape_fn((3, n), |(i, _)| eta[[i, 0]]);
        draw_labels(block.view_mut(), &mut ChaCha8Rng::seed_from_u64(3));
        assert!(
            block.columns().into_iter().all(|c| c.sum() <= 1.0 && c.iter().all(|v| *v == 0.0 || *v == 1.0))
        );
        let total = 1.0 + eta.iter().map(|e| e.exp()).sum::<f64>();
        for (row, e) in block.outer_iter().zip(&eta) {
            let p = e.exp() / total;
            let off = row.sum() / n as f64 - p;
            assert!(off.abs() < 4.0 * (p * (1.0 - p) / n as f64).sqrt(), "{off} of {p}");
        }
    }
}
