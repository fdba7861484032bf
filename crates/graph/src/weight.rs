//! Weights as files hold them.

use bytes::Bytes;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

use crate::{GraphError, Result};

/// Kinds of numbers that files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// 8-byte floats.
    F64,
    /// 4-byte floats.
    F32,
    /// IEEE half floats.
    F16,
    /// bfloat16.
    BF16,
    /// Signed bytes (quantised; the scale is left out).
    I8,
    /// Unsigned bytes (quantised).
    U8,
}

impl Numbers {
    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }
}

/// A weight as its file holds it: a piece of the file's bytes, converted when it is read.
#[derive(Debug, Clone)]
pub struct Weight {
    shape: Vec<usize>,
    numbers: Numbers,
    bytes: Bytes,
    /// Modes in the order of the operation, as places in `shape`; none if they stand so.
    order: Option<Vec<usize>>,
}

impl Weight {
    /// A weight of `shape` in little-endian C order.
    ///
    /// # Errors
    /// The bytes are not as many as the shape says.
    pub fn new(name: &str, shape: Vec<usize>, numbers: Numbers, bytes: Bytes) -> Result<Self> {
        let entries = shape.iter().try_fold(numbers.size(), |n, &s| n.checked_mul(s));
        if entries != Some(bytes.len()) {
            let reason = format!(
                "its weight has {} bytes, shape {shape:?} of {} bytes an entry needs another number",
                bytes.len(),
                numbers.size()
            );
            return Err(GraphError::BadGraph { node: name.to_owned(), reason });
        }
        Ok(Self { shape, numbers, bytes, order: None })
    }

    /// The same with its modes in another order (`order[i]` is the place of mode i in the file), for matrices that are stored
    /// transposed.
    #[must_use]
    pub fn permuted(self, order: Vec<usize>) -> Self {
        Self { order: Some(order), ..self }
    }

    /// Its shape, in the order of the operation.
    pub fn shape(&self) -> Vec<usize> {
        match &self.order {
            None => self.shape.clone(),
            Some(order) => order.iter().map(|&i| self.shape[i]).collect(),
        }
    }

    /// The kind of its numbers.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Whether its numbers are the weights themselves, not quantised ones.
    pub fn is_float(&self) -> bool {
        !matches!(self.numbers, Numbers::I8 | Numbers::U8)
    }

    /// Its entries, in the order of the operation.
    ///
    /// # Errors
    /// [`GraphError::Internal`] if the constructor let bytes through that are no array of this shape.
    pub fn to_array(&self) -> Result<ArrayD<f32>> {
        let entries = match self.numbers {
            Numbers::F64 => self.convert(|b| f64::from_le_bytes(b) as f32),
            Numbers::F32 => self.convert(f32::from_le_bytes),
            Numbers::F16 => self.convert(|b| f16::from_le_bytes(b).to_f32()),
            Numbers::BF16 => self.convert(|b| bf16::from_le_bytes(b).to_f32()),
            Numbers::I8 => self.convert(|[b]| f32::from(b.cast_signed())),
            Numbers::U8 => self.convert(|[b]| f32::from(b)),
        };
        let stored =
            ArrayD::from_shape_vec(IxDyn(&self.shape), entries).map_err(|e| GraphError::Internal {
                what: format!("a weight of {} bytes and shape {:?}: {e}", self.bytes.len(), self.shape),
            })?;
        Ok(match &self.order {
            None => stored,
            Some(order) => stored.permuted_axes(IxDyn(order)),
        })
    }

    fn convert<const N: usize>(&self, number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        self.bytes.as_chunks().0.iter().map(|&bytes| number(bytes)).collect()
    }
}
