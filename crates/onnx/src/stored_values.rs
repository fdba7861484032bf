//! Constants: the file's tensors, and what is computed of them.

use std::path::Path;
use std::rc::Rc;

use crate::builder::Builder;
use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::Operator;
use crate::proto::TensorProto;
use crate::tensor::{Kind, Stored};
use crate::value::{MOST_DATA, Part, Shape, Value, product};
use crate::wire::Reason;

/// Entries of constants that are computed with, in all.
const MOST_COMPUTED: usize = 1 << 22;
/// Stored tensors that one constant is made of.
const MOST_ORIGINS: usize = 256;

/// Reads constants.
pub(crate) struct StoredValues<'m> {
    folder: &'m Path,
    /// Entries that may still be computed.
    left: usize,
    pub notes: Vec<String>,
}

impl<'m> StoredValues<'m> {
    /// Constants of a file in this folder.
    pub(crate) fn new(folder: &'m Path) -> Self {
        Self { folder, left: MOST_COMPUTED, notes: Vec::new() }
    }

    fn spend(&mut self, data: &Data) {
        self.left -= data.as_ref().map_or(0, |d| d.len()).min(self.left);
    }

    /// A node of constants is a constant.
    pub(crate) fn computed(
        &mut self,
        call: &Call,
        operator: &Operator,
        shapes: Vec<Shape>,
    ) -> Result<Vec<Value>, Reason> {
        let made_of = if operator.first_input_only { 1 } else { usize::MAX };
        let mut origins: Vec<usize> = Vec::new();
        for value in call.inputs.iter().flatten().take(made_of) {
            origins.extend_from_slice(&value.origins);
        }
        origins.sort_unstable();
        origins.dedup();
        origins.truncate(MOST_ORIGINS);
        let origins: Rc<[usize]> = origins.into();
        let fill = match call.attribute("value").and_then(|a| a.tensor.as_ref()) {
            Some(tensor) => Stored::new(tensor, true, self.folder, &mut self.notes)?
                .data(1)
                .and_then(|d| d.first().copied()),
            None => Some(0.0),
        };
        let numbers = (operator.numbers)(call);
        let mut values = Vec::with_capacity(shapes.len());
        for (i, shape) in shapes.into_iter().enumerate() {
            let mut value = Value { origins: origins.clone(), ..Value::constant(numbers, shape) };
            if i == 0 {
                value.data = value.sizes().and_then(|sizes| self.fold(call, operator, &sizes, fill));
                self.spend(&value.data);
                value.part =
                    call.input(0).and_then(|v| v.part.clone()).and_then(|p| (operator.part)(call, p, &value));
            }
            values.push(value);
        }
        Ok(values)
    }

    fn fold(&self, call: &Call, operator: &Operator, sizes: &[usize], fill: Option<f64>) -> Data {
        let entries = product(sizes).filter(|&n| n <= self.left.min(MOST_DATA))?;
        let constants = Constants { call, sizes, entries, fill };
        (operator.fold)(&constants).filter(|d| d.len() == entries)
    }

    /// Takes over a tensor of the file.
    pub(crate) fn store(
        &mut self,
        builder: &mut Builder,
        tensor: &TensorProto,
        literal: bool,
    ) -> Result<Value, Reason> {
        let stored = Stored::new(tensor, literal, self.folder, &mut self.notes)?;
        let data = stored.data(MOST_DATA.min(self.left)).map(|d| d.into_iter().map(Some).collect());
        self.spend(&data);
        Ok(Self::keep(builder, stored, data))
    }

    fn keep(builder: &mut Builder, stored: Stored, data: Data) -> Value {
        let shape = Some(stored.shape.iter().map(|&s| Some(s)).collect());
        let (kind, own) = (stored.kind, stored.shape.clone());
        let tensor = builder.keep(stored);
        let part = Some(Part { tensor, shape: own, order: None });
        Value { node: None, shape, kind, data, part, origins: Rc::new([tensor]) }
    }

    /// The value of a node `Constant`.
    pub(crate) fn literal(&mut self, builder: &mut Builder, call: &Call) -> Result<Value, Reason> {
        let attribute = |name: &str| call.attribute(name);
        if let Some(tensor) = attribute("value").and_then(|a| a.tensor.as_deref()) {
            return self.store(builder, tensor, true);
        }
        let (kind, numbers, list) = if let Some(v) = attribute("value_float").and_then(|a| a.float) {
            (Kind::FLOAT, vec![f64::from(v)], false)
        } else if let Some(v) = attribute("value_int").and_then(|a| a.int) {
            (Kind::INT64, vec![v as f64], false)
        } else if let Some(a) = attribute("value_floats") {
            (Kind::FLOAT, a.floats.iter().map(|&v| f64::from(v)).collect(), true)
        } else if let Some(a) = attribute("value_ints") {
            (Kind::INT64, a.ints.iter().map(|&v| v as f64).collect(), true)
        } else {
            return Ok(Value::constant(Kind::TEXT, None));
        };
        let shape = if list { vec![numbers.len()] } else { vec![] };
        let data: Data =
            (numbers.len() <= MOST_DATA.min(self.left)).then(|| numbers.into_iter().map(Some).collect());
        self.spend(&data);
        let name = call.node.outputs.first().map_or("", String::as_str);
        Ok(Self::keep(builder, Stored::literal(name, shape, kind), data))
    }
}
