//! Where the entries of small constants come from when an operator moves them.

use super::call::Call;
use super::shapes;
use super::value::{Value, mode};

/// Place of an entry in a list, of each entry of the output in turn, for operators that move entries of their first input;
/// none inside for entries that are not known.
pub(super) fn sources(call: &Call, sizes: &[usize]) -> Option<Vec<Option<usize>>> {
    let input = call.input(0)?.sizes()?;
    let steps = strides(&input);
    let entries: usize = sizes.iter().product();
    match call.kind {
        "Transpose" => {
            let order = shapes::order(call, input.len())?;
            let steps: Vec<usize> = order.iter().map(|&i| steps.get(i).copied()).collect::<Option<_>>()?;
            let place = |at: Vec<usize>| Some(at.iter().zip(&steps).map(|(i, s)| i * s).sum());
            Some((0..entries).map(|i| place(position(i, sizes))).collect())
        }
        "Slice" => {
            let mut starts = vec![(0i64, 1i64); input.len()];
            for (at, range) in shapes::slices(call)? {
                let (start, _, step) = range?;
                *starts.get_mut(at)? = (start, step);
            }
            let one = |at: &[usize]| {
                at.iter().zip(&starts).zip(&steps).try_fold(0usize, |sum, ((&i, &(start, step)), &s)| {
                    let i = start.checked_add(step.checked_mul(i as i64)?)?;
                    sum.checked_add(usize::try_from(i).ok()?.checked_mul(s)?)
                })
            };
            Some((0..entries).map(|i| one(&position(i, sizes))).collect())
        }
        "Gather" => {
            let axis = mode(call.int("axis", 0), input.len())?;
            let (length, modes) = (*input.get(axis)?, call.input(1).and_then(Value::rank)?);
            let indices = call.input(1)?.data.clone()?;
            let inner = strides(&call.input(1)?.sizes()?);
            let one = |at: &[usize]| {
                let (before, rest) = at.split_at_checked(axis)?;
                let (index, after) = rest.split_at_checked(modes)?;
                let place: usize = index.iter().zip(&inner).map(|(i, s)| i * s).sum();
                let index = mode((*indices.get(place)?)? as i64, length)?;
                let at = before.iter().copied().chain([index]).chain(after.iter().copied());
                Some(at.zip(&steps).map(|(i, s)| i * s).sum())
            };
            Some((0..entries).map(|i| one(&position(i, sizes))).collect())
        }
        _ => None,
    }
}

/// Steps of each mode in C order.
fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut steps = vec![1usize; sizes.len()];
    let mut step = 1usize;
    for (place, &size) in steps.iter_mut().zip(sizes).rev() {
        *place = step;
        step = step.saturating_mul(size);
    }
    steps
}

/// Indices of an entry.
fn position(entry: usize, sizes: &[usize]) -> Vec<usize> {
    let steps = strides(sizes);
    steps.iter().zip(sizes).map(|(&step, &size)| (entry / step.max(1)) % size.max(1)).collect()
}
