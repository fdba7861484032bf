//! Audit of real networks: how much redundancy is left, block by block.
//!
//! A model file or a name → [`Graph`] → blocks → figures, advice, table and picture.

#![forbid(unsafe_code)]

pub mod advice;
pub mod audit;
pub mod block;
pub mod catalogue;
pub mod chain;
pub mod error;
pub mod figures;
pub mod graph;
pub mod load;
pub mod onnx;
pub mod output;
mod positions;
pub mod safetensors_file;
pub mod spectrum;
pub mod toml_file;

pub use advice::Advice;
pub use audit::{Audit, BlockAudit, Totals};
pub use error::AuditError;
pub use graph::{Conv, Graph, Linear, Node, NodeId, Op, Weight};
pub use load::{LoadOptions, Model, load};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, AuditError>;
