//! Maps of other sizes.

use crate::call::Call;
use crate::operator::Operator;
use crate::value::{Shape, mode};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Resize", |call| Ok(vec![shape(call)])).moves(),
    Operator::new("Upsample", |call| Ok(vec![shape(call)])).moves(),
];

fn shape(call: &Call) -> Shape {
    let shape = call.shape(0)?;
    let open =
        Some([shape.get(..2).unwrap_or_default(), &vec![None; shape.len().saturating_sub(2)]].concat());
    // Operator set 10 and `Upsample` have scales second, later ones third.
    let late = call.kind == "Resize" && call.opset >= 11;
    let sizes = if late { call.input(3).and_then(|s| s.data.clone()) } else { None };
    let scales = match call.attribute("scales") {
        Some(a) => Some(a.floats.iter().map(|&v| Some(f64::from(v))).collect::<Vec<_>>()),
        None => call.input(if late { 2 } else { 1 }).and_then(|s| s.data.as_ref().map(|d| d.to_vec())),
    };
    let axes: Vec<usize> = match call.ints("axes").filter(|a| !a.is_empty()) {
        Some(axes) => axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?,
        None => (0..shape.len()).collect(),
    };
    let mut out = shape.clone();
    let set = |out: &mut Vec<Option<usize>>, values: &[Option<f64>], scaled: bool| {
        for (&at, value) in axes.iter().zip(values) {
            if let Some(size) = out.get_mut(at) {
                let factor = if scaled { size.map(|s| s as f64) } else { Some(1.0) };
                *size = factor
                    .zip(*value)
                    .map(|(f, v)| (f * v).floor())
                    .filter(|&v| v >= 1.0)
                    .map(|v| v as usize);
            }
        }
    };
    match (sizes, scales) {
        (Some(sizes), _) if sizes.len() == axes.len() => set(&mut out, &sizes, false),
        (_, Some(scales)) if scales.len() == axes.len() => set(&mut out, &scales, true),
        _ => return open,
    }
    Some(out)
}
