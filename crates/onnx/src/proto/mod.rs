//! The messages of `onnx.proto3` (IR versions 3 to 13), as far as an audit reads them.

mod graph;
mod message;
mod model;
mod shape;
mod tensor;

pub(crate) use graph::{Attribute, GraphProto, NodeProto};
pub(crate) use model::{Function, Model, model};
pub(crate) use shape::{Dim, ValueInfo};
pub(crate) use tensor::TensorProto;
