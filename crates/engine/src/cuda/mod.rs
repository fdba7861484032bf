//! The CUDA backend: one NVIDIA GPU.
//!
//! Products by cuBLAS, convolutions by cuDNN, everything else by the kernels of `kernels.cu`. Parameters, their moments and
//! running statistics are f32 and change in place; activations are f32 or bf16. All work runs on one stream, in order, and
//! a training step becomes a CUDA graph.

mod backend;
mod contract;
mod conv;
mod device;
mod dnn;
mod feed;
mod gemm;
mod gpu;
mod norm;
mod optimiser;
mod record;

pub use device::Cuda;
