//! Shapes of operators that move entries.

use super::super::call::Call;
use super::super::value::{Shape, Value, broadcast, mode};

pub(super) fn shape(call: &Call) -> Shape {
    match call.kind {
        "Reshape" => reshape(call),
        "Flatten" => {
            let shape = call.shape(0)?;
            let axis = call.int("axis", 1);
            let at = if axis == shape.len() as i64 { shape.len() } else { mode(axis, shape.len())? };
            Some(vec![all(shape.get(..at)?), all(shape.get(at..)?)])
        }
        "Squeeze" => squeeze(call),
        "Unsqueeze" => {
            let (shape, axes) = (call.shape(0)?, call.list(1, "axes")?);
            let rank = shape.len() + axes.len();
            let modes: Vec<usize> = axes.iter().map(|&a| mode(a, rank)).collect::<Option<_>>()?;
            let mut old = shape.into_iter();
            (0..rank).map(|i| if modes.contains(&i) { Some(Some(1)) } else { old.next() }).collect()
        }
        "Transpose" => {
            let shape = call.shape(0)?;
            let order = order(call, shape.len())?;
            order.iter().map(|&i| shape.get(i).copied()).collect()
        }
        "Concat" => concat(call),
        "Slice" => slice(call),
        "Gather" => {
            let (shape, indices) = (call.shape(0)?, call.shape(1)?);
            let at = mode(call.int("axis", 0), shape.len())?;
            Some([shape.get(..at)?, &indices, shape.get(at + 1..)?].concat())
        }
        "GatherElements" => call.shape(1),
        "GatherND" => {
            let (shape, mut indices) = (call.shape(0)?, call.shape(1)?);
            let batch = usize::try_from(call.int("batch_dims", 0)).ok()?;
            let deep = indices.pop()??;
            indices.extend_from_slice(shape.get(batch.checked_add(deep)?..)?);
            Some(indices)
        }
        "Expand" => {
            let shape = call.shape(0);
            broadcast(&shape, &wanted(call.input(1)?))
        }
        "ConstantOfShape" => wanted(call.input(0)?),
        "Range" => {
            let at = |i| call.input(i).and_then(Value::number);
            let count =
                at(0).zip(at(1)).zip(at(2)).map(|((from, to), step)| ((to - from) / step).ceil().max(0.0));
            Some(vec![count.filter(|n| n.is_finite()).map(|n| n as usize)])
        }
        "Tile" => {
            let (shape, times) = (call.shape(0)?, call.input(1)?.data.clone()?);
            let one = |(s, t): (&Option<usize>, &Option<f64>)| {
                s.zip(*t).and_then(|(s, t)| s.checked_mul(t as usize))
            };
            (shape.len() == times.len()).then(|| shape.iter().zip(times.iter()).map(one).collect())
        }
        "Pad" => pad(call),
        "Resize" | "Upsample" => resize(call),
        "DepthToSpace" | "SpaceToDepth" => {
            let block = usize::try_from(call.int("blocksize", 1)).ok().filter(|&b| b > 0)?;
            let shape = call.shape(0)?;
            let &[n, c, h, w] = &shape[..] else { return None };
            let square = block.checked_mul(block)?;
            let less = |s: Option<usize>, by: usize| s.map(|s| s / by);
            let more = |s: Option<usize>, by: usize| s.and_then(|s| s.checked_mul(by));
            Some(if call.kind == "DepthToSpace" {
                vec![n, less(c, square), more(h, block), more(w, block)]
            } else {
                vec![n, more(c, square), less(h, block), less(w, block)]
            })
        }
        "OneHot" => {
            let mut shape = call.shape(0)?;
            let at = mode(call.int("axis", -1), shape.len() + 1)?;
            let depth = call.input(1).and_then(Value::number).map(|d| d as usize);
            shape.insert(at, depth);
            Some(shape)
        }
        "GridSample" => {
            let (x, grid) = (call.shape(0)?, call.shape(1)?);
            let end = grid.len().checked_sub(1)?;
            Some([x.get(..2)?, grid.get(1..end)?].concat())
        }
        _ => None,
    }
}

/// Product of sizes, if all are known.
fn all(sizes: &[Option<usize>]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |n, s| n.checked_mul((*s)?))
}

/// The shape that a list of numbers gives.
fn wanted(list: &Value) -> Shape {
    let size = |v: &Option<f64>| v.filter(|&v| v >= 0.0).map(|v| v as usize);
    match &list.data {
        Some(data) => Some(data.iter().map(size).collect()),
        None => match list.sizes()?[..] {
            [modes] if modes <= 64 => Some(vec![None; modes]),
            _ => None,
        },
    }
}

fn reshape(call: &Call) -> Shape {
    let shape = call.shape(0);
    let target: Vec<Option<f64>> = match call.ints("shape") {
        Some(list) => list.iter().map(|&v| Some(v as f64)).collect(),
        None => match &call.input(1)?.data {
            Some(data) => data.to_vec(),
            None => return wanted(call.input(1)?),
        },
    };
    let keep_zero = call.int("allowzero", 0) != 0;
    let kept = |i: usize| shape.as_ref().and_then(|s| s.get(i).copied().flatten());
    let mut sizes: Vec<Option<usize>> = target
        .iter()
        .enumerate()
        .map(|(i, v)| match v {
            Some(v) if *v == 0.0 && !keep_zero => kept(i),
            Some(v) if *v >= 0.0 => Some(*v as usize),
            _ => None,
        })
        .collect();
    // One open size follows from the others, be it -1 or unknown.
    let open: Vec<usize> = sizes.iter().enumerate().filter(|(_, s)| s.is_none()).map(|(i, _)| i).collect();
    if let (&[i], Some(entries)) = (&open[..], shape.as_ref().and_then(|s| all(s))) {
        let rest = sizes.iter().flatten().try_fold(1usize, |n, &s| n.checked_mul(s));
        let size = rest.filter(|&r| r > 0 && entries % r == 0).map(|r| entries / r);
        if let Some(place) = sizes.get_mut(i) {
            *place = size;
        }
    }
    Some(sizes)
}

fn squeeze(call: &Call) -> Shape {
    let shape = call.shape(0)?;
    let modes: Vec<usize> = match call.list(1, "axes") {
        Some(axes) => axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?,
        None if call.input(1).is_some() || shape.contains(&None) => return None,
        None => shape.iter().enumerate().filter(|(_, s)| **s == Some(1)).map(|(i, _)| i).collect(),
    };
    Some(shape.into_iter().enumerate().filter(|(i, _)| !modes.contains(i)).map(|(_, s)| s).collect())
}

/// Order of modes of a `Transpose`; none if it is no order.
pub(in super::super) fn order(call: &Call, rank: usize) -> Option<Vec<usize>> {
    let Some(perm) = call.ints("perm").filter(|p| !p.is_empty()) else {
        return Some((0..rank).rev().collect());
    };
    let order: Vec<usize> = perm.iter().map(|&p| mode(p, rank)).collect::<Option<_>>()?;
    let mut seen = order.clone();
    seen.sort_unstable();
    seen.iter().copied().eq(0..rank).then_some(order)
}

fn concat(call: &Call) -> Shape {
    let mut shapes = call.inputs.iter().map(|v| v.as_ref().and_then(|v| v.shape.clone()));
    let mut shape = shapes.next()??;
    let at = mode(call.int("axis", 1), shape.len())?;
    for next in shapes {
        let next = next.filter(|n| n.len() == shape.len())?;
        for (i, (size, other)) in shape.iter_mut().zip(next).enumerate() {
            *size =
                if i == at { size.zip(other).and_then(|(a, b)| a.checked_add(b)) } else { size.or(other) };
        }
    }
    Some(shape)
}

/// Entries of each mode that a `Slice` takes: start, end, step; none where they are not known.
pub(in super::super) fn ranges(call: &Call) -> Option<Vec<(usize, Option<(i64, i64, i64)>)>> {
    let shape = call.shape(0)?;
    let (starts, ends) = (call.list(1, "starts")?, call.list(2, "ends")?);
    let every: Vec<i64> = (0..starts.len() as i64).collect();
    let axes =
        if call.input(3).is_some() || call.ints("axes").is_some() { call.list(3, "axes")? } else { every };
    let steps = if call.input(4).is_some() { call.input(4)?.integers()? } else { vec![1; starts.len()] };
    let mut found = Vec::new();
    for (((&start, &end), &axis), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
        let at = mode(axis, shape.len())?;
        let range = shape.get(at).copied().flatten().filter(|_| step != 0).map(|size| {
            let size = size as i64;
            let from_end = |v: i64| if v < 0 { v.saturating_add(size) } else { v };
            if step > 0 {
                (from_end(start).clamp(0, size), from_end(end).clamp(0, size), step)
            } else {
                (from_end(start).clamp(0, size - 1), from_end(end).clamp(-1, size - 1), step)
            }
        });
        found.push((at, range));
    }
    Some(found)
}

fn slice(call: &Call) -> Shape {
    let mut shape = call.shape(0)?;
    let Some(ranges) = ranges(call) else { return Some(vec![None; shape.len()]) };
    for (at, range) in ranges {
        let count = range.map(|(start, end, step)| {
            let length = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
            (length.max(0) as u64).div_ceil(step.unsigned_abs()) as usize
        });
        if let Some(size) = shape.get_mut(at) {
            *size = count;
        }
    }
    Some(shape)
}

/// Modes of which `Shape` takes the sizes.
pub(in super::super) fn shape_range(call: &Call, rank: usize) -> std::ops::Range<usize> {
    let clamp =
        |v: i64| if v < 0 { v.saturating_add(rank as i64).max(0) } else { v.min(rank as i64) } as usize;
    let (start, end) = (clamp(call.int("start", 0)), clamp(call.int("end", i64::MAX)));
    start..end.max(start)
}

fn pad(call: &Call) -> Shape {
    let mut shape = call.shape(0)?;
    let open = Some(vec![None; shape.len()]);
    let Some(pads) = call.list(1, "pads").or_else(|| call.ints("paddings").map(<[i64]>::to_vec)) else {
        return open;
    };
    let axes: Vec<usize> = match call.input(3) {
        Some(axes) => match axes.integers() {
            Some(axes) => axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?,
            None => return open,
        },
        None => (0..shape.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return open;
    }
    let (front, end) = pads.split_at(axes.len());
    for ((&at, &front), &end) in axes.iter().zip(front).zip(end) {
        if let Some(size) = shape.get_mut(at) {
            let sum = size.and_then(|s| i64::try_from(s).ok()?.checked_add(front)?.checked_add(end));
            *size = sum.and_then(|s| usize::try_from(s).ok());
        }
    }
    Some(shape)
}

fn resize(call: &Call) -> Shape {
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

/// Shape after modes are taken together.
pub(super) fn reduce(call: &Call, axes: &[i64], keep: bool) -> Shape {
    let shape = call.shape(0)?;
    let modes: Vec<usize> = axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?;
    let sizes = shape.into_iter().enumerate().map(|(i, s)| if modes.contains(&i) { Some(1) } else { s });
    if keep {
        return Some(sizes.collect());
    }
    Some(sizes.enumerate().filter(|(i, _)| !modes.contains(i)).map(|(_, s)| s).collect())
}

pub(super) fn split(call: &Call) -> Vec<Shape> {
    let outputs = call.outputs;
    let open = vec![None; outputs];
    let Some(shape) = call.shape(0) else { return open };
    let Some(at) = mode(call.int("axis", 0), shape.len()) else { return open };
    let size = shape.get(at).copied().flatten();
    let parts: Vec<Option<usize>> = match call.list(1, "split") {
        Some(parts) => parts.iter().map(|&p| usize::try_from(p).ok()).collect(),
        None if call.input(1).is_some() => vec![None; outputs],
        None => {
            let part = size.map(|s| s.div_ceil(outputs.max(1)));
            let one = |i: usize| size.zip(part).map(|(s, p)| p.min(s.saturating_sub(p.saturating_mul(i))));
            (0..outputs).map(one).collect()
        }
    };
    let with = |part: &Option<usize>| {
        let mut shape = shape.clone();
        if let Some(size) = shape.get_mut(at) {
            *size = *part;
        }
        Some(shape)
    };
    parts.iter().take(outputs).map(with).collect()
}
