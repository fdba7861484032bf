//! Sizes of windows on spatial modes, and of what they leave.

use convstat_cnn::SlidingWindow;

use super::keys::{Padding, PaddingName, PerMode};

/// Largest size of a kernel, stride, dilation or padding.
const MOST: usize = 1 << 16;

/// Largest size of a mode, and number of channels.
pub(super) const MOST_CHANNELS: usize = 1 << 24;

/// Windows on all spatial modes.
#[derive(Debug, Clone)]
pub(super) struct Windows {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub padding: Vec<(usize, usize)>,
}

/// Keys of windows as the file has them.
pub(super) struct WindowKeys<'a> {
    pub kernel: &'a PerMode,
    pub stride: &'a PerMode,
    pub dilation: &'a PerMode,
    pub padding: &'a Padding,
}

impl PerMode {
    /// One size a mode, between `least` and the limit.
    pub fn sizes(&self, key: &str, modes: usize, least: usize) -> Result<Vec<usize>, String> {
        let sizes = match self {
            Self::All(n) => vec![*n; modes],
            Self::Each(list) if list.len() == modes => list.clone(),
            Self::Each(list) => {
                return Err(format!(
                    "{key} = {list:?} has {} sizes, but there are {modes} spatial modes; give one number or {modes}",
                    list.len()
                ));
            }
        };
        match sizes.iter().find(|&&n| !(least..=MOST).contains(&n)) {
            Some(n) => Err(format!("{key} = {n}: it has to be between {least} and {MOST}")),
            None => Ok(sizes),
        }
    }
}

impl WindowKeys<'_> {
    pub fn windows(&self, modes: usize) -> Result<Windows, String> {
        let kernel = self.kernel.sizes("kernel", modes, 1)?;
        let stride = self.stride.sizes("stride", modes, 1)?;
        let dilation = self.dilation.sizes("dilation", modes, 1)?;
        let each = |pads: Vec<usize>| pads.into_iter().map(|p| (p, p)).collect();
        let padding = match self.padding {
            Padding::Named(PaddingName::Valid) => vec![(0, 0); modes],
            // An odd one more goes behind, as in PyTorch.
            Padding::Named(PaddingName::Same) => kernel
                .iter()
                .zip(&dilation)
                .map(|(k, d)| d * (k - 1))
                .map(|all| (all / 2, all - all / 2))
                .collect(),
            Padding::All(n) => each(PerMode::All(*n).sizes("padding", modes, 0)?),
            Padding::Each(list) => each(PerMode::Each(list.clone()).sizes("padding", modes, 0)?),
        };
        Ok(Windows { kernel, stride, dilation, padding })
    }
}

impl Windows {
    /// 1×1 with a stride.
    pub fn pointwise(stride: Vec<usize>) -> Self {
        let modes = stride.len();
        Self { kernel: vec![1; modes], stride, dilation: vec![1; modes], padding: vec![(0, 0); modes] }
    }

    /// Sizes of the spatial modes after the windows.
    pub fn leave(&self, sizes: &[usize]) -> Result<Vec<usize>, String> {
        let mode = |i: usize| {
            let (n, window) = self.mode(sizes, i)?;
            window.positions(n).ok_or_else(|| {
                let ((before, after), extent) = (window.padding, window.extent());
                format!(
                    "the kernel reaches over {extent} places of spatial mode {i}, which has {n} and padding {before} + {after}; \
                     use a smaller kernel or dilation, more padding, or smaller strides before"
                )
            })
        };
        (0..sizes.len()).map(mode).collect()
    }

    /// Sizes of the spatial modes after transposed windows.
    pub fn leave_transposed(&self, sizes: &[usize], same: bool) -> Result<Vec<usize>, String> {
        let mode = |i: usize| {
            let (n, window) = self.mode(sizes, i)?;
            if same {
                // Padding "same" makes `stride` positions of one (by output padding where the kernel has an odd excess).
                return Ok(n * window.stride);
            }
            window.transposed(n, 0).ok_or_else(|| {
                let ((before, after), whole) = (window.padding, (n - 1) * window.stride + window.extent());
                format!("padding {before} + {after} takes all {whole} places of spatial mode {i}; use less")
            })
        };
        let left: Vec<usize> = (0..sizes.len()).map(mode).collect::<Result<_, String>>()?;
        match left.iter().find(|&&n| n > MOST_CHANNELS) {
            Some(n) => Err(format!("a spatial mode of {n} places; at most {MOST_CHANNELS} are possible")),
            None => Ok(left),
        }
    }

    /// Size and window of one mode.
    fn mode(&self, sizes: &[usize], i: usize) -> Result<(usize, SlidingWindow), String> {
        let of = |list: &[usize]| list.get(i).copied();
        let all =
            (of(sizes), of(&self.kernel), of(&self.stride), of(&self.dilation), self.padding.get(i).copied());
        match all {
            (Some(n), Some(kernel), Some(stride), Some(dilation), Some(padding))
                if n > 0 && kernel > 0 && stride > 0 =>
            {
                Ok((n, SlidingWindow { kernel, stride, dilation, padding, ceil: false }))
            }
            _ => Err(format!(
                "it needs {} spatial modes, and its input has {}",
                self.kernel.len(),
                sizes.len()
            )),
        }
    }
}
