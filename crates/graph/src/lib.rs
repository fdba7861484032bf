//! Networks as graphs of operations: what they are, and how they are read from architecture files (TOML), safetensors files and
//! a catalogue of published ones. The crate `convstat-onnx` reads ONNX files.
//!
//! ```
//! use convstat_graph::catalogue::{CatalogueOptions, network};
//!
//! let graph = network("resnet50", &CatalogueOptions::default())?;
//! assert_eq!((graph.parameters(), graph.macs()), (25_557_032, 4_089_184_256));
//! # Ok::<(), convstat_graph::GraphError>(())
//! ```

#![forbid(unsafe_code)]

pub mod catalogue;
pub mod error;
pub mod graph;
pub mod operation;
pub mod safetensors_file;
pub mod toml_file;
pub mod weight;

pub use error::{GraphError, Result};
pub use graph::{Graph, Node, NodeId};
pub use operation::{Conv, Linear, Op};
pub use weight::{Numbers, Weight};
