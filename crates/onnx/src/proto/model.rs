//! A model and its functions.

use bytes::Bytes;

use super::graph::{Attribute, GraphProto, NodeProto};
use super::message::{Budget, Message, message, text};
use crate::wire::{Field, Reason};

/// Reads a model.
pub(crate) fn model(bytes: Bytes) -> Result<Model, Reason> {
    message(bytes, &mut Budget::new())
}

/// `ModelProto`.
#[derive(Default)]
pub(crate) struct Model {
    pub ir_version: i64,
    pub producer: String,
    pub producer_version: String,
    pub graph: Option<GraphProto>,
    pub opsets: Vec<Opset>,
    pub functions: Vec<Function>,
}

impl Message for Model {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Varint(v)) => self.ir_version = v.cast_signed(),
            (2, Field::Piece(b)) => self.producer = text(&b)?,
            (3, Field::Piece(b)) => self.producer_version = text(&b)?,
            (7, Field::Piece(b)) => self.graph = Some(message(b, budget)?),
            (8, Field::Piece(b)) => self.opsets.push(message(b, budget)?),
            (25, Field::Piece(b)) => self.functions.push(message(b, budget)?),
            _ => {}
        }
        Ok(())
    }
}

/// `OperatorSetIdProto`.
#[derive(Default)]
pub(crate) struct Opset {
    pub domain: String,
    pub version: i64,
}

impl Message for Opset {
    fn field(&mut self, number: u64, field: Field, _: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Piece(b)) => self.domain = text(&b)?,
            (2, Field::Varint(v)) => self.version = v.cast_signed(),
            _ => {}
        }
        Ok(())
    }
}

/// `FunctionProto`.
#[derive(Default)]
pub(crate) struct Function {
    pub name: String,
    pub domain: String,
    pub overload: String,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub nodes: Vec<NodeProto>,
    /// Attributes with a default.
    pub defaults: Vec<Attribute>,
}

impl Message for Function {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        let Field::Piece(b) = field else { return Ok(()) };
        match number {
            1 => self.name = text(&b)?,
            4 => self.inputs.push(text(&b)?),
            5 => self.outputs.push(text(&b)?),
            7 => self.nodes.push(message(b, budget)?),
            10 => self.domain = text(&b)?,
            11 => self.defaults.push(message(b, budget)?),
            13 => self.overload = text(&b)?,
            _ => {}
        }
        Ok(())
    }
}
