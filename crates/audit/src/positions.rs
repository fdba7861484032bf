//! How many positions a window takes along a mode.

/// Positions of a window that reaches over `reach` entries, every `stride` entries, of a mode of `size` with padding before and
/// after: `⌊(padded − reach)/stride⌋ + 1`; or rounded up (`ceil`), but without a window that starts behind the last entry (as
/// PyTorch's `pooling_output_shape` and ONNX). None if not a single one fits.
pub(crate) fn positions(
    size: usize,
    reach: usize,
    stride: usize,
    (before, after): (usize, usize),
    ceil: bool,
) -> Option<usize> {
    let room = size.checked_add(before)?.checked_add(after)?.checked_sub(reach)?;
    if !ceil {
        return Some(room.checked_div(stride)? + 1);
    }
    let steps = room.checked_add(stride.checked_sub(1)?)? / stride;
    Some(if steps.checked_mul(stride)? >= size + before { steps } else { steps + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places windows one after another, as the definition says.
    fn count(n: usize, k: usize, s: usize, p: usize, ceil: bool) -> Option<usize> {
        let starts = (0..).map(|i| i * s);
        let fits = |start: usize| start + k <= n + 2 * p;
        if !fits(0) {
            return None;
        }
        let whole = starts.clone().take_while(|&start| fits(start)).count();
        // One more that hangs over, if entries are left over and it starts on an entry or on zeros before them.
        let last = (whole - 1) * s;
        let left_over = last + k < n + 2 * p;
        let next = last + s < n + p;
        Some(whole + usize::from(ceil && left_over && next))
    }

    #[test]
    fn positions_are_those_of_the_definition() {
        for n in 1..20 {
            for k in 1..8 {
                for s in 1..5 {
                    for p in 0..=k / 2 {
                        for ceil in [false, true] {
                            assert_eq!(
                                positions(n, k, s, (p, p), ceil),
                                count(n, k, s, p, ceil),
                                "{n} {k} {s} {p} {ceil}"
                            );
                        }
                    }
                }
            }
        }
    }
}
