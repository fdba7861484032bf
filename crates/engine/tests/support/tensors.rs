//! Tensors of tests: drawn, read, moved, compared for any number of threads.

#![cfg(test)]

use candle_core::{DType, Device, Tensor};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

/// One thread for BLAS, as programs have it.
pub fn single_thread() {
    convstat_tensor::blas::single_thread().unwrap();
}

/// Normal entries that depend on the seed only.
pub fn random(seed: &str, shape: &[usize]) -> Tensor {
    let seed = seed.bytes().fold(7u64, |s, b| s.wrapping_mul(31).wrapping_add(u64::from(b)));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let n: usize = shape.iter().product();
    let entries: Vec<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(entries, shape, &Device::Cpu).unwrap()
}

/// Entries in C order.
pub fn entries(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// The largest absolute value.
pub fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| v.abs().max(m))
}

/// `t` with an entry moved.
pub fn moved(t: &Tensor, at: usize, by: f64) -> Tensor {
    let mut all = entries(t);
    all[at] += by;
    Tensor::from_vec(all, t.dims(), &Device::Cpu).unwrap()
}

/// `n` entries spread over a tensor, all of a small one.
pub fn some(t: &Tensor, n: usize) -> impl Iterator<Item = usize> {
    let size = t.elem_count();
    let golden = move |i: usize| ((i as f64 * 0.618034).fract() * size as f64) as usize;
    (0..n.min(size)).map(move |i| if size <= n { i } else { golden(i) })
}

/// The bits of everything `run` gives are the same in pools of 1, 2 and 3 threads.
pub fn same_bits(what: &str, run: impl Fn() -> Vec<Tensor> + Sync) {
    single_thread();
    let results = [1, 2, 3].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let all = pool.install(&run);
        all.iter().map(|t| entries(t).into_iter().map(f64::to_bits).collect()).collect::<Vec<Vec<u64>>>()
    });
    assert!(results[0] == results[1] && results[0] == results[2], "{what}");
}
