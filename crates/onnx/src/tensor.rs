//! Tensors that a file holds.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path};

use bytes::Bytes;
use convstat_graph::{Numbers, Weight};

use crate::proto::TensorProto;
use crate::wire::{Reason, varints};

/// Entries of the largest tensor that is believed: 2⁴⁰, a trillion.
const MOST_ENTRIES: usize = 1 << 40;
/// Modes of a tensor that is believed.
const MOST_MODES: usize = 64;

/// Kinds of numbers, by `TensorProto.DataType`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kind(pub i64);

impl Kind {
    pub(crate) const UNKNOWN: Self = Self(0);
    pub(crate) const FLOAT: Self = Self(1);
    pub(crate) const INT64: Self = Self(7);
    pub(crate) const TEXT: Self = Self(8);
    pub(crate) const BOOL: Self = Self(9);

    pub(crate) fn is_float(self) -> bool {
        matches!(self.0, 1 | 10 | 11 | 16..=20 | 23 | 24 | 27 | 28)
    }

    /// Whether it is of the kinds of quantised weights.
    fn is_narrow(self) -> bool {
        matches!(self.0, 2 | 3 | 21 | 22 | 25 | 26)
    }

    fn bits(self) -> Option<usize> {
        Some(match self.0 {
            1 | 6 | 12 => 32,
            2 | 3 | 9 | 17..=20 | 24 => 8,
            4 | 5 | 10 | 16 => 16,
            7 | 11 | 13 | 14 => 64,
            15 => 128,
            21..=23 => 4,
            25 | 26 => 2,
            27 | 28 => 6,
            _ => return None,
        })
    }

    fn numbers(self) -> Option<Numbers> {
        Some(match self.0 {
            1 => Numbers::F32,
            2 => Numbers::U8,
            3 => Numbers::I8,
            10 => Numbers::F16,
            11 => Numbers::F64,
            16 => Numbers::BF16,
            _ => return None,
        })
    }
}

/// A tensor of a file.
pub(crate) struct Stored {
    pub shape: Vec<usize>,
    pub kind: Kind,
    /// Whether it stands in a node `Constant` and not among the initialisers.
    pub literal: bool,
    pub name: String,
    /// Little-endian entries; none if they are left out.
    bytes: Option<Bytes>,
}

impl Stored {
    /// Reads a tensor; external data lies beside the file, in `folder`.
    pub(crate) fn new(
        proto: &TensorProto,
        literal: bool,
        folder: &Path,
        notes: &mut Vec<String>,
    ) -> Result<Self, Reason> {
        let at = |reason: Reason| format!("tensor \"{}\": {reason}", proto.name);
        let kind = Kind(proto.kind);
        let size = |&d: &i64| usize::try_from(d).map_err(|_| format!("a size of {d}"));
        let shape: Vec<usize> = proto.dims.iter().map(size).collect::<Result<_, _>>().map_err(at)?;
        let entries =
            shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s.max(1))).filter(|&n| n <= MOST_ENTRIES);
        let Some(entries) = entries.filter(|_| shape.len() <= MOST_MODES) else {
            return Err(at(format!("the shape {:?} is larger than any network's", proto.dims)));
        };
        let entries = if shape.contains(&0) { 0 } else { entries };
        let bytes = bytes(proto, kind, entries, folder, notes).map_err(at)?;
        Ok(Self { shape, kind, literal, name: proto.name.clone(), bytes })
    }

    /// A tensor of numbers that stand in attributes.
    pub(crate) fn literal(name: &str, shape: Vec<usize>, kind: Kind) -> Self {
        Self { shape, kind, literal: true, name: name.to_owned(), bytes: None }
    }

    pub(crate) fn entries(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it can be a trained parameter: floats, or narrow integers of quantised weights.
    pub(crate) fn may_train(&self) -> bool {
        self.kind.is_float() || self.kind.is_narrow()
    }

    /// Its entries as numbers, for those of at most `most`.
    pub(crate) fn data(&self, most: usize) -> Option<Vec<f64>> {
        if self.entries() > most {
            return None;
        }
        let bytes = self.bytes.as_ref()?;
        let read = |c: &[u8]| -> Option<f64> {
            Some(match self.kind.0 {
                1 => f64::from(f32::from_le_bytes(c.try_into().ok()?)),
                2 | 9 => f64::from(*c.first()?),
                3 => f64::from(c.first()?.cast_signed()),
                4 => f64::from(u16::from_le_bytes(c.try_into().ok()?)),
                5 => f64::from(i16::from_le_bytes(c.try_into().ok()?)),
                6 => f64::from(i32::from_le_bytes(c.try_into().ok()?)),
                7 => i64::from_le_bytes(c.try_into().ok()?) as f64,
                10 => half::f16::from_le_bytes(c.try_into().ok()?).to_f64(),
                11 => f64::from_le_bytes(c.try_into().ok()?),
                12 => f64::from(u32::from_le_bytes(c.try_into().ok()?)),
                13 => u64::from_le_bytes(c.try_into().ok()?) as f64,
                16 => half::bf16::from_le_bytes(c.try_into().ok()?).to_f64(),
                _ => return None,
            })
        };
        let width = self.kind.bits().filter(|b| b % 8 == 0)? / 8;
        bytes.chunks_exact(width).map(read).collect()
    }

    /// Its entries as a weight of `shape`, with the modes in another order.
    pub(crate) fn weight(&self, shape: Vec<usize>, order: Option<Vec<usize>>) -> Option<Weight> {
        let weight = Weight::new(&self.name, shape, self.kind.numbers()?, self.bytes.clone()?).ok()?;
        Some(match order {
            None => weight,
            Some(order) => weight.permuted(order),
        })
    }
}

/// The little-endian entries of a tensor, without a copy where the file has them so; none for texts, sparse tensors and
/// external files that are absent.
fn bytes(
    proto: &TensorProto,
    kind: Kind,
    entries: usize,
    folder: &Path,
    notes: &mut Vec<String>,
) -> Result<Option<Bytes>, Reason> {
    if kind == Kind::TEXT || proto.sparse {
        return Ok(None);
    }
    let Some(bits) = kind.bits() else {
        return Err(format!("its data_type {} is none of ONNX's", kind.0));
    };
    let expected = entries.checked_mul(bits).map(|n| n.div_ceil(8));
    let expected = expected.ok_or_else(|| "larger than any file".to_owned())?;
    if proto.is_external {
        return external(proto, expected, folder, notes);
    }
    let bytes = match (&proto.raw[..], &proto.numbers[..]) {
        ([one], []) => one.clone(),
        (pieces, []) => pieces.concat().into(),
        (_, numbers) => widths(numbers, bits, expected)?,
    };
    if bytes.len() != expected {
        let found = bytes.len();
        return Err(format!("{found} bytes of data, but its shape and data_type need {expected}"));
    }
    Ok(Some(bytes))
}

/// Numbers of `int32_data` and its like, each cut to the width of its kind.
fn widths(numbers: &[Bytes], bits: usize, expected: usize) -> Result<Bytes, Reason> {
    let width = (bits / 8).clamp(1, 8);
    let length: usize = numbers.iter().map(Bytes::len).sum();
    // A varint is a byte at least.
    let mut bytes = Vec::with_capacity(expected.min(length.saturating_mul(width)));
    for piece in numbers {
        for number in varints(piece.clone()) {
            bytes.extend(number?.to_le_bytes().iter().take(width));
        }
    }
    Ok(bytes.into())
}

fn external(
    proto: &TensorProto,
    expected: usize,
    folder: &Path,
    notes: &mut Vec<String>,
) -> Result<Option<Bytes>, Reason> {
    let key = |key: &str| proto.external.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    let location = key("location").ok_or_else(|| "external data without a location".to_owned())?;
    let number = |name: &str| {
        let parse = |v: &str| v.parse::<u64>().map_err(|_| format!("external data with {name} \"{v}\""));
        key(name).map(parse).transpose()
    };
    let (offset, length) = (number("offset")?.unwrap_or(0), number("length")?);
    if length.is_some_and(|n| n != expected as u64) {
        return Err(format!(
            "external data of {length:?} bytes, but its shape and data_type need {expected}"
        ));
    }
    let relative = Path::new(location);
    let inside = relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir));
    if !inside || location.is_empty() {
        return Err(format!("external data at \"{location}\", which is outside the model's folder"));
    }
    let path = folder.join(relative);
    let in_file = |e: std::io::Error| format!("external data at \"{location}\": {e}");
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match (path.canonicalize(), folder.canonicalize()) {
        // A link may point elsewhere.
        (Ok(path), Ok(folder)) if !path.starts_with(&folder) => {
            return Err(format!(
                "external data at \"{location}\", which links to outside the model's folder"
            ));
        }
        (Ok(_), Ok(_)) => {}
        _ => {
            let note = format!("the file \"{location}\" of weights is absent: counts only, no weights");
            if !notes.contains(&note) {
                notes.push(note);
            }
            return Ok(None);
        }
    }
    let mut file = File::open(&path).map_err(in_file)?;
    let metadata = file.metadata().map_err(in_file)?;
    if !metadata.is_file() {
        return Err(format!("external data at \"{location}\", which is no file"));
    }
    let length = metadata.len();
    if offset.checked_add(expected as u64).is_none_or(|end| end > length) {
        return Err(format!(
            "external data at {offset} of \"{location}\" needs {expected} bytes; the file has {length}"
        ));
    }
    file.seek(SeekFrom::Start(offset)).map_err(in_file)?;
    let mut bytes = vec![0; expected];
    file.read_exact(&mut bytes).map_err(in_file)?;
    Ok(Some(bytes.into()))
}
