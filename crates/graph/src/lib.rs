//! Networks as graphs of operations, read from ONNX, safetensors and TOML files, or taken from a catalogue of published ones.
//!
//! ```
//! use convstat_graph::{LoadOptions, load};
//!
//! let model = load("resnet50", &LoadOptions::default())?;
//! assert_eq!(model.graph.parameters(), 25_557_032);
//! # Ok::<(), convstat_graph::GraphError>(())
//! ```

#![forbid(unsafe_code)]
// No panic on a user's input; what cannot be reached says why.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented
)]

pub mod catalogue;
pub mod error;
pub mod graph;
pub mod load;
pub mod onnx;
pub mod operation;
pub mod safetensors_file;
pub mod toml_file;
pub mod weight;

pub use error::GraphError;
pub use graph::{Graph, Node, NodeId};
pub use load::{LoadOptions, Model, load};
pub use operation::{Conv, Linear, Op};
pub use weight::{Numbers, Weight};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, GraphError>;
