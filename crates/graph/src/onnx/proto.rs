//! The messages of `onnx.proto3` (IR versions 3 to 13), as far as an audit reads them.

use bytes::Bytes;

use super::wire::{Field, Fields, Reason, varints};

/// Messages inside one another: subgraphs of control flow count four each.
const DEEPEST: usize = 100;
/// Messages of one file. Every message takes at most some 250 bytes of memory and at least 2 of the file, so this bounds what
/// a hostile file can ask for; the largest exports have some hundred thousands.
const MOST_MESSAGES: usize = 1 << 21;

/// What is left to spend on one file.
pub(super) struct Budget {
    messages: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { messages: MOST_MESSAGES, depth: DEEPEST }
    }
}

/// A message that can be read.
trait Message: Default {
    /// Takes over one field; those that an audit does not read are left.
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason>;
}

fn message<M: Message>(bytes: Bytes, budget: &mut Budget) -> Result<M, Reason> {
    let most = format!(
        "more than {MOST_MESSAGES} parts, or parts more than {DEEPEST} deep; no network needs that many"
    );
    budget.messages = budget.messages.checked_sub(1).ok_or_else(|| most.clone())?;
    budget.depth = budget.depth.checked_sub(1).ok_or(most)?;
    let mut message = M::default();
    for field in Fields::new(bytes) {
        let (number, field) = field?;
        message.field(number, field, budget)?;
    }
    budget.depth += 1;
    Ok(message)
}

/// Reads a model.
pub(super) fn model(bytes: Bytes) -> Result<Model, Reason> {
    message(bytes, &mut Budget::new())
}

fn text(bytes: &Bytes) -> Result<String, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a name is no UTF-8 text".to_owned())?;
    Ok(text.to_owned())
}

/// Appends one number or packed ones.
fn integers(list: &mut Vec<i64>, field: Field) -> Result<(), Reason> {
    match field {
        Field::Varint(v) => list.push(v.cast_signed()),
        Field::Piece(piece) => {
            for number in varints(piece) {
                list.push(number?);
            }
        }
        _ => {}
    }
    Ok(())
}

/// `ModelProto`.
#[derive(Default)]
pub(super) struct Model {
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
pub(super) struct Opset {
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

/// `GraphProto`.
#[derive(Default)]
pub(super) struct GraphProto {
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

/// `SparseTensorProto`: counted by its entries that are stored.
#[derive(Default)]
struct Sparse {
    values: TensorProto,
    dims: Vec<i64>,
}

impl Sparse {
    /// The tensor with its full shape and no entries.
    fn dense(self) -> TensorProto {
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

/// `NodeProto`.
#[derive(Default)]
pub(super) struct NodeProto {
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
pub(super) struct Attribute {
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

/// `TensorProto`. Entries stay pieces of the file until they are asked for.
#[derive(Default)]
pub(super) struct TensorProto {
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

/// One size of a declared shape.
#[derive(Default, Clone, Debug, PartialEq, Eq)]
pub(super) enum Dim {
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
pub(super) struct ValueInfo {
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

/// `FunctionProto`.
#[derive(Default)]
pub(super) struct Function {
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
