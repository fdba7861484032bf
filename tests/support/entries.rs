//! Arrays of numbers in [−1, 1) that other programs make too: a linear congruential generator, in their reference scripts as well.

use ndarray::{ArrayD, IxDyn};

/// The array of a shape and a seed, in row-major order.
pub fn entries(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}
