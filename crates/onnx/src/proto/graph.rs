//! Graphs, their nodes and attributes.

use bytes::Bytes;

use super::message::{Budget, Message, integers, message, text};
use super::shape::ValueInfo;
use super::tensor::{Sparse, TensorProto};
use crate::wire::{Field, Reason};

/// `GraphProto`.
#[derive(Default)]
pub(crate) struct GraphProto {
    pub nodes: Vec<NodeProto>,
    pub name: String,
    pub initializers: Vec<TensorProto>,
    pub inputs: Vec<ValueInfo>,
    pub outputs: Vec<ValueInfo>,
    pub values: Vec<ValueInfo>,
}

impl Message for GraphProto {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        let Field::Piece(b) = field else { return Ok(()) };
        match number {
            1 => self.nodes.push(message(b, budget)?),
            2 => self.name = text(&b)?,
            5 => self.initializers.push(message(b, budget)?),
            11 => self.inputs.push(message(b, budget)?),
            12 => self.outputs.push(message(b, budget)?),
            13 => self.values.push(message(b, budget)?),
            15 => self.initializers.push(message::<Sparse>(b, budget)?.dense()),
            _ => {}
        }
        Ok(())
    }
}

/// `NodeProto`.
#[derive(Default)]
pub(crate) struct NodeProto {
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub name: String,
    pub kind: String,
    pub domain: String,
    pub overload: String,
    pub attributes: Vec<Attribute>,
}

impl Message for NodeProto {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        let Field::Piece(b) = field else { return Ok(()) };
        match number {
            1 => self.inputs.push(text(&b)?),
            2 => self.outputs.push(text(&b)?),
            3 => self.name = text(&b)?,
            4 => self.kind = text(&b)?,
            5 => self.attributes.push(message(b, budget)?),
            7 => self.domain = text(&b)?,
            8 => self.overload = text(&b)?,
            _ => {}
        }
        Ok(())
    }
}

/// `AttributeProto`.
#[derive(Default)]
pub(crate) struct Attribute {
    pub name: String,
    pub float: Option<f32>,
    pub int: Option<i64>,
    pub bytes: Option<Bytes>,
    pub tensor: Option<Box<TensorProto>>,
    pub graph: Option<Box<GraphProto>>,
    pub floats: Vec<f32>,
    pub ints: Vec<i64>,
    /// The attribute of the function around it that it stands for.
    pub reference: String,
}

impl Message for Attribute {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Piece(b)) => self.name = text(&b)?,
            (2, Field::Fixed32(b)) => self.float = Some(f32::from_le_bytes(b)),
            (3, Field::Varint(v)) => self.int = Some(v.cast_signed()),
            (4, Field::Piece(b)) => self.bytes = Some(b),
            (5, Field::Piece(b)) => self.tensor = Some(Box::new(message(b, budget)?)),
            (6, Field::Piece(b)) => self.graph = Some(Box::new(message(b, budget)?)),
            (7, Field::Fixed32(b)) => self.floats.push(f32::from_le_bytes(b)),
            (7, Field::Piece(b)) => {
                let entry = |c: &[u8]| c.try_into().map_or(f32::NAN, f32::from_le_bytes);
                self.floats.extend(b.chunks_exact(4).map(entry));
            }
            (8, field) => integers(&mut self.ints, field)?,
            (21, Field::Piece(b)) => self.reference = text(&b)?,
            _ => {}
        }
        Ok(())
    }
}
