//! Ranges of modes.

use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::Operator;
use crate::places::{gathered, position, strides};
use crate::value::{Shape, mode};

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Slice", |call| Ok(vec![shape(call)])).moves().fold(fold).first_input_only()];

/// Entries of a mode that are taken.
#[derive(Clone, Copy)]
struct Range {
    start: i64,
    end: i64,
    step: i64,
}

/// The range of each mode that is cut; none where it is not known.
fn ranges(call: &Call) -> Option<Vec<(usize, Option<Range>)>> {
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
            // Backwards the end may lie before the first entry.
            let (least, most) = if step > 0 { (0, size) } else { (-1, size - 1) };
            let start = from_end(start).clamp(0, most.max(0));
            Range { start, end: from_end(end).clamp(least, most), step }
        });
        found.push((at, range));
    }
    Some(found)
}

fn shape(call: &Call) -> Shape {
    let mut shape = call.shape(0)?;
    let Some(ranges) = ranges(call) else { return Some(vec![None; shape.len()]) };
    for (at, range) in ranges {
        let count = range.map(|Range { start, end, step }| {
            let length = if step > 0 { end.saturating_sub(start) } else { start.saturating_sub(end) };
            (length.max(0) as u64).div_ceil(step.unsigned_abs()) as usize
        });
        if let Some(size) = shape.get_mut(at) {
            *size = count;
        }
    }
    Some(shape)
}

fn fold(c: &Constants) -> Data {
    let input = c.call.input(0)?.sizes()?;
    let steps = strides(&input);
    let mut starts = vec![(0i64, 1i64); input.len()];
    for (at, range) in ranges(c.call)? {
        let range = range?;
        *starts.get_mut(at)? = (range.start, range.step);
    }
    let one = |at: &[usize]| {
        at.iter().zip(&starts).zip(&steps).try_fold(0usize, |sum, ((&i, &(start, step)), &s)| {
            let i = start.checked_add(step.checked_mul(i as i64)?)?;
            sum.checked_add(usize::try_from(i).ok()?.checked_mul(s)?)
        })
    };
    gathered(c, |entry| one(&position(entry, c.sizes)))
}
