//! Windows of convolutions and pools, and how many positions they take.

/// Sizes, one a spatial mode; a single one stands for all modes.
#[derive(Debug, Clone)]
pub(super) struct Sizes(Vec<usize>);

impl Sizes {
    /// One size for each of `modes` modes.
    pub fn expand(&self, modes: usize) -> Vec<usize> {
        self.0.iter().copied().cycle().take(modes).collect()
    }
}

impl From<usize> for Sizes {
    fn from(size: usize) -> Self {
        Self(vec![size])
    }
}

impl<const N: usize> From<[usize; N]> for Sizes {
    fn from(sizes: [usize; N]) -> Self {
        Self(sizes.to_vec())
    }
}

/// A sliding window.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub kernel: Sizes,
    pub stride: Sizes,
    /// Zeros on either side.
    pub padding: Sizes,
    /// Whether a last window that hangs over the end counts (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl Window {
    /// A window of stride 1 with padding `⌊kernel/2⌋`, which keeps the sizes if the kernel is odd.
    pub fn new(kernel: impl Into<Sizes>) -> Self {
        let kernel = kernel.into();
        let padding = Sizes(kernel.0.iter().map(|k| k / 2).collect());
        Self { kernel, stride: 1.into(), padding, ceil: false }
    }

    /// The same with another stride.
    pub fn stride(self, stride: impl Into<Sizes>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// The same with other padding.
    pub fn padding(self, padding: impl Into<Sizes>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// The same, rounding the number of positions up.
    pub fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }

    /// Positions along each mode of `sizes`; or the first kernel and padded size that it does not fit in.
    pub fn positions(&self, sizes: &[usize]) -> Result<Vec<usize>, (usize, usize)> {
        let modes = sizes.len();
        let (kernel, stride, padding) =
            (self.kernel.expand(modes), self.stride.expand(modes), self.padding.expand(modes));
        sizes
            .iter()
            .zip(kernel)
            .zip(stride)
            .zip(padding)
            .map(|(((&n, k), s), p)| positions(n, k, s, p, self.ceil).ok_or((k, n + 2 * p)))
            .collect()
    }
}

/// Positions of a window of `k` every `s` over `n` entries and `p` zeros on either side: `⌊(n + 2p − k)/s⌋ + 1`; or
/// rounded up, but without a window that starts behind the last entry (as PyTorch's `pooling_output_shape`).
fn positions(n: usize, k: usize, s: usize, p: usize, ceil: bool) -> Option<usize> {
    let room = (n + 2 * p).checked_sub(k)?;
    if !ceil {
        return Some(room.checked_div(s)? + 1);
    }
    let steps = room.checked_add(s.checked_sub(1)?)? / s;
    Some(if steps * s >= n + p { steps } else { steps + 1 })
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
                                positions(n, k, s, p, ceil),
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
