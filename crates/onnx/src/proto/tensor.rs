//! Tensors: their entries stay pieces of the file.

use bytes::Bytes;

use super::message::{Budget, Message, integers, message, text};
use crate::wire::{Field, Reason};

/// `TensorProto`. Entries stay pieces of the file until they are asked for.
#[derive(Default)]
pub(crate) struct TensorProto {
    pub dims: Vec<i64>,
    pub kind: i64,
    pub name: String,
    /// `raw_data`, or the packed numbers of `float_data` and `double_data`, which are the same bytes.
    pub raw: Vec<Bytes>,
    /// Packed varints of `int32_data`, `int64_data` and `uint64_data`.
    pub numbers: Vec<Bytes>,
    /// Keys and values of `external_data`.
    pub external: Vec<(String, String)>,
    pub is_external: bool,
    /// Whether it was a sparse tensor; its entries are left out.
    pub sparse: bool,
}

impl Message for TensorProto {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, field) => integers(&mut self.dims, field)?,
            (2, Field::Varint(v)) => self.kind = v.cast_signed(),
            (4 | 9 | 10, Field::Piece(b)) => self.raw.push(b),
            // Numbers that are not packed: a valid encoding that no writer of large tensors uses.
            (4, Field::Fixed32(b)) => self.raw.push(Bytes::copy_from_slice(&b)),
            (10, Field::Fixed64(b)) => self.raw.push(Bytes::copy_from_slice(&b)),
            (5 | 7 | 11, Field::Piece(b)) => self.numbers.push(b),
            (5 | 7 | 11, Field::Varint(v)) => self.numbers.push(varint(v)),
            (8, Field::Piece(b)) => self.name = text(&b)?,
            (13, Field::Piece(b)) => {
                let entry: Entry = message(b, budget)?;
                self.external.push((entry.key, entry.value));
            }
            (14, Field::Varint(v)) => self.is_external = v == 1,
            _ => {}
        }
        Ok(())
    }
}

/// The bytes of a varint.
fn varint(mut v: u64) -> Bytes {
    let mut bytes = Vec::with_capacity(10);
    while v >= 0x80 {
        bytes.push(v as u8 | 0x80);
        v >>= 7;
    }
    bytes.push(v as u8);
    bytes.into()
}

/// `StringStringEntryProto`.
#[derive(Default)]
struct Entry {
    key: String,
    value: String,
}

impl Message for Entry {
    fn field(&mut self, number: u64, field: Field, _: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Piece(b)) => self.key = text(&b)?,
            (2, Field::Piece(b)) => self.value = text(&b)?,
            _ => {}
        }
        Ok(())
    }
}

/// `SparseTensorProto`: counted by its entries that are stored.
#[derive(Default)]
pub(super) struct Sparse {
    values: TensorProto,
    dims: Vec<i64>,
}

impl Sparse {
    /// The tensor with its full shape and no entries.
    pub(super) fn dense(self) -> TensorProto {
        TensorProto { dims: self.dims, sparse: true, raw: Vec::new(), numbers: Vec::new(), ..self.values }
    }
}

impl Message for Sparse {
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason> {
        match (number, field) {
            (1, Field::Piece(b)) => self.values = message(b, budget)?,
            (3, field) => integers(&mut self.dims, field)?,
            _ => {}
        }
        Ok(())
    }
}
