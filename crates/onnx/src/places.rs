//! Where the entries of small constants come from when an operator moves them.

use crate::constants::{Constants, Data};

/// Entries of the first input at these places, for each entry of the output in turn; none where the place is not known.
pub(crate) fn gathered(c: &Constants, place: impl Fn(usize) -> Option<usize>) -> Data {
    let list = c.data(0)?;
    Some((0..c.entries).map(|entry| *list.get(place(entry)?)?).collect())
}

/// Steps of each mode in C order.
pub(crate) fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut steps = vec![1usize; sizes.len()];
    let mut step = 1usize;
    for (place, &size) in steps.iter_mut().zip(sizes).rev() {
        *place = step;
        step = step.saturating_mul(size);
    }
    steps
}

/// Indices of an entry.
pub(crate) fn position(entry: usize, sizes: &[usize]) -> Vec<usize> {
    let steps = strides(sizes);
    steps.iter().zip(sizes).map(|(&step, &size)| (entry / step.max(1)) % size.max(1)).collect()
}
