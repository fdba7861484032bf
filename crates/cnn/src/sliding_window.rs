//! A window that slides along one mode: how many positions it takes, and what a transposed convolution makes of them.

/// A window of a convolution or a pooling along one mode.
///
/// ```
/// use convstat_cnn::SlidingWindow;
///
/// // The first convolution of ResNet: 7 taps, stride 2, padding 3.
/// let window = SlidingWindow { stride: 2, padding: (3, 3), ..SlidingWindow::new(7) };
/// assert_eq!(window.positions(224), Some(112));
/// assert_eq!(SlidingWindow::new(7).positions(5), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlidingWindow {
    /// Taps `l`.
    pub kernel: usize,
    /// Stride `s`.
    pub stride: usize,
    /// Dilation `e`.
    pub dilation: usize,
    /// Padding `a` before the first entry and behind the last.
    pub padding: (usize, usize),
    /// Whether a last window that hangs over the end counts (`ceil_mode` of PyTorch and ONNX).
    pub ceil: bool,
}

impl SlidingWindow {
    /// A window of stride and dilation 1 without padding.
    pub fn new(kernel: usize) -> Self {
        Self { kernel, stride: 1, dilation: 1, padding: (0, 0), ceil: false }
    }

    /// Entries that it covers, `e (l − 1) + 1`; beyond what is counted, the largest number there is.
    pub fn extent(&self) -> usize {
        self.kernel.saturating_sub(1).saturating_mul(self.dilation).saturating_add(1)
    }

    /// Positions along a mode of `size` entries: `⌊(d + a + a' − extent)/s⌋ + 1`; or rounded up, but without a window that
    /// starts behind the last entry (as PyTorch's `pooling_output_shape` and ONNX). None if not one fits, or the stride is 0.
    pub fn positions(&self, size: usize) -> Option<usize> {
        let (before, after) = self.padding;
        let start = size.checked_add(before)?;
        let room = start.checked_add(after)?.checked_sub(self.extent())?;
        if !self.ceil {
            return Some(room.checked_div(self.stride)? + 1);
        }
        let steps = room.checked_add(self.stride.checked_sub(1)?)? / self.stride;
        Some(if steps.checked_mul(self.stride)? >= start { steps } else { steps + 1 })
    }

    /// Entries that a transposed convolution makes of `size` positions, `(d − 1) s + extent − a − a'` and `more` entries of
    /// output padding. None if nothing is left, or there are no positions.
    pub fn transposed(&self, size: usize, more: usize) -> Option<usize> {
        let steps = size.checked_sub(1)?.checked_mul(self.stride)?;
        let whole = steps.checked_add(self.extent())?.checked_add(more)?;
        whole.checked_sub(self.padding.0)?.checked_sub(self.padding.1).filter(|&n| n > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places windows one after another, as the definition says.
    fn count(n: usize, w: &SlidingWindow) -> Option<usize> {
        let (k, s, p) = (w.dilation * (w.kernel - 1) + 1, w.stride, w.padding.0);
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
        Some(whole + usize::from(w.ceil && left_over && next))
    }

    fn windows() -> impl Iterator<Item = SlidingWindow> {
        let sizes = (1..8).flat_map(|kernel| (1..5).map(move |stride| (kernel, stride)));
        let dilated =
            sizes.flat_map(|(kernel, stride)| (1..3).map(move |dilation| (kernel, stride, dilation)));
        dilated.flat_map(|(kernel, stride, dilation)| {
            (0..=kernel / 2).flat_map(move |p| {
                [false, true].map(|ceil| SlidingWindow { kernel, stride, dilation, padding: (p, p), ceil })
            })
        })
    }

    #[test]
    fn positions_are_those_of_the_definition() {
        for window in windows() {
            for n in 1..20 {
                assert_eq!(window.positions(n), count(n, &window), "{n} {window:?}");
            }
        }
    }

    /// A transposed convolution makes the least size that its convolution maps to as many positions.
    #[test]
    fn a_transposed_convolution_undoes_the_sizes() {
        for window in windows().filter(|w| !w.ceil) {
            for positions in 1..12 {
                let Some(size) = window.transposed(positions, 0) else { continue };
                assert_eq!(window.positions(size), Some(positions), "{positions} {window:?}");
                assert!(
                    size == 1 || window.positions(size - 1).is_none_or(|n| n < positions),
                    "{positions} {window:?}"
                );
            }
        }
    }

    #[test]
    fn sizes_beyond_any_machine_have_no_positions() {
        let window =
            SlidingWindow { dilation: usize::MAX, padding: (usize::MAX, 1), ..SlidingWindow::new(3) };
        assert_eq!((window.positions(5), window.transposed(5, 1)), (None, None));
        assert_eq!(SlidingWindow { stride: 0, ..SlidingWindow::new(1) }.positions(5), None);
    }
}
