//! Audit of real networks: how much redundancy is left, block by block.
//!
//! A model file or a name → [`Graph`] → blocks → figures, advice, table and picture.

#![forbid(unsafe_code)]

pub mod error;
pub mod graph;
pub mod onnx;

pub use error::AuditError;
pub use graph::{Conv, Graph, Linear, Node, NodeId, Op, Weight};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, AuditError>;
