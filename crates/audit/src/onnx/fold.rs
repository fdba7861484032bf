//! Arithmetic on constants, as far as shapes need it: small tensors, entries of which some may be unknown.

use std::rc::Rc;

use super::call::Call;
use super::moved::sources;
use super::shapes;
use super::tensor::Kind;
use super::value::{MOST_DATA, mode, product};

type Data = Option<Rc<[Option<f64>]>>;

/// Entries of the first output of a node of constants, of shape `sizes`.
///
/// `fill` is the entry that a `ConstantOfShape` repeats.
pub(super) fn fold(call: &Call, sizes: &[usize], fill: Option<f64>) -> Data {
    let entries = product(sizes).filter(|&n| n <= MOST_DATA)?;
    let data = |i: usize| call.input(i).and_then(|v| v.data.clone());
    let folded: Vec<Option<f64>> = match call.kind {
        "Identity" | "Dropout" | "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
            return data(0).filter(|d| d.len() == entries);
        }
        "Cast" | "CastLike" => {
            let whole = !cast_kind(call).is_float();
            data(0)?.iter().map(|v| v.map(|v| if whole { v.trunc() } else { v })).collect()
        }
        "Concat" => {
            // Along the first mode entries follow one another; sizes are lists.
            if mode(call.int("axis", 0), sizes.len()) != Some(0) {
                return None;
            }
            let parts: Option<Vec<_>> = (0..call.inputs.len()).map(data).collect();
            parts?.iter().flat_map(|p| p.iter().copied()).collect()
        }
        "Gather" | "Slice" | "Transpose" => {
            let list = data(0)?;
            let places = sources(call, sizes)?;
            places.into_iter().map(|place| place.and_then(|p| *list.get(p)?)).collect()
        }
        "ConstantOfShape" => vec![fill; entries],
        "Range" => {
            let (from, step) = (call.input(0)?.number()?, call.input(2)?.number()?);
            (0..entries).map(|i| Some(from + step * i as f64)).collect()
        }
        "Expand" if call.input(0)?.entries() == Some(1) => vec![call.input(0)?.number(); entries],
        "Where" => {
            let at = |place: usize| entry(call, place, entries);
            let (condition, yes, no) = (at(0)?, at(1)?, at(2)?);
            condition
                .iter()
                .zip(yes.iter().zip(&no))
                .map(|(c, (y, n))| c.and_then(|c| if c == 0.0 { *n } else { *y }))
                .collect()
        }
        "ReduceProd" | "ReduceSum" | "ReduceMax" | "ReduceMin" if entries == 1 => {
            let all: Option<Vec<f64>> = data(0)?.iter().copied().collect();
            let all = all?.into_iter();
            vec![match call.kind {
                "ReduceProd" => Some(all.product()),
                "ReduceSum" => Some(all.sum()),
                "ReduceMax" => all.reduce(f64::max),
                _ => all.reduce(f64::min),
            }]
        }
        "Floor" | "Ceil" | "Round" | "Sqrt" | "Neg" | "Abs" | "Not" => {
            let one = |v: f64| match call.kind {
                "Floor" => v.floor(),
                "Ceil" => v.ceil(),
                "Round" => v.round_ties_even(),
                "Sqrt" => v.sqrt(),
                "Neg" => -v,
                "Abs" => v.abs(),
                _ => f64::from(v == 0.0),
            };
            data(0)?.iter().map(|v| v.map(one)).collect()
        }
        _ => {
            let (a, b) = (entry(call, 0, entries)?, entry(call, 1, entries)?);
            let whole = !call.input(0)?.kind.is_float();
            let pairs = a.iter().zip(&b).map(|(a, b)| a.zip(*b));
            pairs.map(|pair| pair.and_then(|(a, b)| binary(call.kind, a, b, whole))).collect()
        }
    };
    (folded.len() == entries).then(|| folded.into())
}

/// Entries of an input spread over `entries`: all of them, or one for all.
fn entry(call: &Call, place: usize, entries: usize) -> Option<Vec<Option<f64>>> {
    let data = call.input(place)?.data.clone()?;
    match data.len() {
        1 => Some(vec![*data.first()?; entries]),
        n if n == entries => Some(data.to_vec()),
        _ => None,
    }
}

fn binary(kind: &str, a: f64, b: f64, whole: bool) -> Option<f64> {
    let value = match kind {
        "Add" => a + b,
        "Sub" => a - b,
        "Mul" => a * b,
        "Div" if whole => (a / b).trunc(),
        "Div" => a / b,
        "Mod" => a - b * (a / b).floor(),
        "Pow" => a.powf(b),
        "Min" => a.min(b),
        "Max" => a.max(b),
        "Equal" => f64::from(a == b),
        "Greater" => f64::from(a > b),
        "Less" => f64::from(a < b),
        "GreaterOrEqual" => f64::from(a >= b),
        "LessOrEqual" => f64::from(a <= b),
        "And" => f64::from(a != 0.0 && b != 0.0),
        "Or" => f64::from(a != 0.0 || b != 0.0),
        "Xor" => f64::from((a != 0.0) != (b != 0.0)),
        _ => return None,
    };
    value.is_finite().then_some(value)
}

/// Sizes that `Shape` and `Size` give, of activations too.
pub(super) fn shape_of(call: &Call) -> Data {
    let shape = call.shape(0)?;
    if call.kind == "Size" {
        let entries = call.input(0)?.entries().map(|n| n as f64);
        return Some(Rc::new([entries]));
    }
    let range = shapes::shape_range(call, shape.len());
    Some(shape.get(range)?.iter().map(|s| s.map(|s| s as f64)).collect())
}

/// Kind of the numbers that a `Cast` makes.
pub(super) fn cast_kind(call: &Call) -> Kind {
    let like = call.input(1).map_or(Kind::FLOAT, |v| v.kind);
    call.attribute("to").and_then(|a| a.int).map_or(like, Kind)
}

/// Kind of the numbers of a node's first output.
pub(super) fn kind(call: &Call) -> Kind {
    match call.kind {
        "Cast" | "CastLike" => cast_kind(call),
        "DequantizeLinear" | "EyeLike" | "RandomNormal" | "RandomUniform" => Kind::FLOAT,
        "Shape" | "Size" | "NonZero" | "ArgMax" | "ArgMin" => Kind::INT64,
        "Equal" | "Greater" | "Less" | "GreaterOrEqual" | "LessOrEqual" | "Not" | "And" | "Or" | "Xor"
        | "IsNaN" | "IsInf" => Kind::BOOL,
        "Where" | "OneHot" => call.input(call.inputs.len().saturating_sub(1)).map_or(Kind::FLOAT, |v| v.kind),
        _ => call.input(0).map_or(Kind::FLOAT, |v| v.kind),
    }
}
