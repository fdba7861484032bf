//! The portable backend: all processors of this machine, f32 or f64.

mod backend;
mod contract;
mod conv;
mod depthwise;
mod feed;
mod norm;
mod pointwise;
mod pool;
mod real;
mod simd;

pub use backend::Cpu;
