//! Declared types and shapes.

use super::message::{Budget, Message, message, text};
use crate::wire::{Field, Reason};

/// One size of a declared shape.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dim {
    /// Said nothing of.
    #[default]
    Unknown,
    /// A number.
    Size(i64),
    /// A name.
    Symbol(String),
}

impl Message for Dim {
    fn field(&mut self, number: u64, field: Field, _: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Varint(v)) => *self = Self::Size(v.cast_signed()),
            (2, Field::Piece(b)) => *self = Self::Symbol(text(&b)?),
            _ => {}
        }
        Ok(())
    }
}

/// `ValueInfoProto` with its `TypeProto` of a tensor.
#[derive(Default)]
pub(crate) struct ValueInfo {
    pub name: String,
    /// Kind of its numbers; 0 if it is no tensor.
    pub kind: i64,
    /// Its shape; none if it has none or is no tensor.
    pub dims: Option<Vec<Dim>>,
}

impl Message for ValueInfo {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Piece(b)) => self.name = text(&b)?,
            (2, Field::Piece(b)) => {
                let tensor: Type = message(b, budget)?;
                (self.kind, self.dims) = (tensor.kind, tensor.dims);
            }
            _ => {}
        }
        Ok(())
    }
}

/// `TypeProto`.
#[derive(Default)]
struct Type {
    kind: i64,
    dims: Option<Vec<Dim>>,
}

impl Message for Type {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        if let (1, Field::Piece(b)) = (number, field) {
            let tensor: TensorType = message(b, budget)?;
            (self.kind, self.dims) = (tensor.kind, tensor.shape.map(|s| s.dims));
        }
        Ok(())
    }
}

/// `TypeProto.Tensor`.
#[derive(Default)]
struct TensorType {
    kind: i64,
    shape: Option<Shape>,
}

impl Message for TensorType {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Varint(v)) => self.kind = v.cast_signed(),
            (2, Field::Piece(b)) => self.shape = Some(message(b, budget)?),
            _ => {}
        }
        Ok(())
    }
}

/// `TensorShapeProto`.
#[derive(Default)]
struct Shape {
    dims: Vec<Dim>,
}

impl Message for Shape {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        if let (1, Field::Piece(b)) = (number, field) {
            self.dims.push(message(b, budget)?);
        }
        Ok(())
    }
}
