//! Windows of convolutions and pooling.

use convstat_cnn::SlidingWindow;

use crate::call::Call;
use crate::wire::Reason;

/// Windows of a convolution or a pooling, one entry a spatial mode.
pub(super) struct Windows {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub padding: Vec<(usize, usize)>,
    /// Sizes of the output.
    pub output: Vec<Option<usize>>,
}

/// Windows over modes of `sizes`.
pub(super) fn windows(call: &Call, kernel: Vec<usize>, sizes: &[Option<usize>]) -> Result<Windows, Reason> {
    let modes = kernel.len();
    let stride = call.positive("strides", modes)?;
    let dilation = call.positive("dilations", modes)?;
    let given = padding(call, modes)?;
    let auto = call.text("auto_pad").unwrap_or("NOTSET");
    let ceil = call.int("ceil_mode", 0) != 0;
    let (mut padding, mut output) = (Vec::new(), Vec::new());
    for i in 0..modes {
        let size = sizes.get(i).copied().flatten();
        let window = SlidingWindow {
            kernel: kernel[i],
            stride: stride[i],
            dilation: dilation[i],
            padding: given[i],
            ceil,
        };
        let (pad, out) = if auto.starts_with("SAME") {
            let out = size.map(|n| n.div_ceil(window.stride));
            let reach = |(n, out): (usize, usize)| {
                let last = out.saturating_sub(1).saturating_mul(window.stride);
                last.saturating_add(window.extent()).saturating_sub(n)
            };
            let total = size.zip(out).map_or(window.extent() - 1, reach);
            let (less, more) = (total / 2, total.div_ceil(2));
            (if auto == "SAME_LOWER" { (more, less) } else { (less, more) }, out)
        } else {
            let padding = if auto == "VALID" { (0, 0) } else { given[i] };
            (padding, size.and_then(|n| SlidingWindow { padding, ..window }.positions(n)))
        };
        padding.push(pad);
        output.push(out);
    }
    Ok(Windows { kernel, stride, dilation, padding, output })
}

/// The attribute `pads`: all fronts, then all ends.
pub(super) fn padding(call: &Call, modes: usize) -> Result<Vec<(usize, usize)>, Reason> {
    let Some(pads) = call.ints("pads").filter(|p| !p.is_empty()) else { return Ok(vec![(0, 0); modes]) };
    let size = |&p: &i64| usize::try_from(p).ok().filter(|&p| p < 1 << 32);
    let sizes: Option<Vec<usize>> = pads.iter().map(size).collect();
    let Some(sizes) = sizes.filter(|s| s.len() == 2 * modes) else {
        return Err(format!("pads = {pads:?}: it needs {} numbers from 0 up", 2 * modes));
    };
    let (front, end) = sizes.split_at(modes);
    Ok(front.iter().copied().zip(end.iter().copied()).collect())
}

/// Spatial sizes of the input; open ones if it has another number of modes.
pub(super) fn spatial(call: &Call, modes: usize) -> Vec<Option<usize>> {
    match call.shape(0) {
        Some(shape) if shape.len() == modes + 2 => shape.into_iter().skip(2).collect(),
        _ => vec![None; modes],
    }
}

/// Spatial sizes that a transposed convolution makes.
pub(super) fn transposed_sizes(call: &Call, kernel: &[usize]) -> Result<Vec<Option<usize>>, Reason> {
    let modes = kernel.len();
    let (stride, dilation) = (call.positive("strides", modes)?, call.positive("dilations", modes)?);
    let padding = padding(call, modes)?;
    let more = call.ints("output_padding").unwrap_or_default();
    let wanted = call.ints("output_shape").filter(|s| s.len() == modes);
    let same = call.text("auto_pad").is_some_and(|a| a.starts_with("SAME"));
    let sizes = spatial(call, modes);
    let output = |i: usize| {
        if let Some(&size) = wanted.and_then(|w| w.get(i)) {
            return usize::try_from(size).ok();
        }
        let size = sizes.get(i).copied().flatten()?;
        if same {
            return size.checked_mul(stride[i]);
        }
        let more = more.get(i).and_then(|&p| usize::try_from(p).ok()).unwrap_or(0);
        let (kernel, stride, dilation, padding) = (kernel[i], stride[i], dilation[i], padding[i]);
        SlidingWindow { kernel, stride, dilation, padding, ceil: false }.transposed(size, more)
    };
    Ok((0..modes).map(output).collect())
}
