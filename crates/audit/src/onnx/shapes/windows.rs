//! Shapes of convolutions and pooling.

use super::super::call::Call;
use super::super::value::Shape;
use super::super::wire::Reason;
use crate::positions::positions;

/// Windows of a convolution or a pooling, one entry a spatial mode.
pub(in super::super) struct Windows {
    pub kernel: Vec<usize>,
    pub stride: Vec<usize>,
    pub dilation: Vec<usize>,
    pub padding: Vec<(usize, usize)>,
    /// Sizes of the output.
    pub output: Vec<Option<usize>>,
}

/// Extent of a window.
fn extent(kernel: usize, dilation: usize) -> usize {
    kernel.saturating_sub(1).saturating_mul(dilation).saturating_add(1)
}

/// Windows over modes of `sizes`.
pub(in super::super) fn windows(
    call: &Call,
    kernel: Vec<usize>,
    sizes: &[Option<usize>],
) -> Result<Windows, Reason> {
    let modes = kernel.len();
    let stride = call.positive("strides", modes)?;
    let dilation = call.positive("dilations", modes)?;
    let given = padding(call, modes)?;
    let auto = call.text("auto_pad").unwrap_or("NOTSET");
    let ceil = call.int("ceil_mode", 0) != 0;
    let (mut padding, mut output) = (Vec::new(), Vec::new());
    for i in 0..modes {
        let (Some(&k), Some(&s), Some(&d), Some(&given)) =
            (kernel.get(i), stride.get(i), dilation.get(i), given.get(i))
        else {
            continue;
        };
        let size = sizes.get(i).copied().flatten();
        let window = extent(k, d);
        let (pad, out) = if auto.starts_with("SAME") {
            let out = size.map(|n| n.div_ceil(s));
            let reach = |(n, out): (usize, usize)| {
                out.saturating_sub(1).saturating_mul(s).saturating_add(window).saturating_sub(n)
            };
            let total = size.zip(out).map_or(window.saturating_sub(1), reach);
            let (less, more) = (total / 2, total.div_ceil(2));
            (if auto == "SAME_LOWER" { (more, less) } else { (less, more) }, out)
        } else {
            let pad = if auto == "VALID" { (0, 0) } else { given };
            (pad, size.and_then(|n| positions(n, window, s, pad, ceil)))
        };
        padding.push(pad);
        output.push(out);
    }
    Ok(Windows { kernel, stride, dilation, padding, output })
}

/// The attribute `pads`: all fronts, then all ends.
pub(in super::super) fn padding(call: &Call, modes: usize) -> Result<Vec<(usize, usize)>, Reason> {
    let Some(pads) = call.ints("pads").filter(|p| !p.is_empty()) else { return Ok(vec![(0, 0); modes]) };
    let size = |&p: &i64| usize::try_from(p).ok().filter(|&p| p < 1 << 32);
    let sizes: Option<Vec<usize>> = pads.iter().map(size).collect();
    let Some(sizes) = sizes.filter(|s| s.len() == 2 * modes) else {
        return Err(format!("pads = {pads:?}: it needs {} numbers from 0 up", 2 * modes));
    };
    let (front, end) = sizes.split_at(modes);
    Ok(front.iter().copied().zip(end.iter().copied()).collect())
}

fn assemble(
    batch: Option<usize>,
    channels: Option<usize>,
    spatial: Vec<Option<usize>>,
) -> Vec<Option<usize>> {
    [vec![batch, channels], spatial].concat()
}

/// Spatial sizes of the input; open ones if it has another number of modes.
pub(in super::super) fn spatial(call: &Call, modes: usize) -> Vec<Option<usize>> {
    match call.shape(0) {
        Some(shape) if shape.len() == modes + 2 => shape.into_iter().skip(2).collect(),
        _ => vec![None; modes],
    }
}

/// Sizes of the weight, if all are known.
pub(in super::super) fn weight(call: &Call) -> Option<Vec<usize>> {
    call.input(1)?.sizes().filter(|w| w.len() >= 3)
}

pub(super) fn conv(call: &Call) -> Result<Shape, Reason> {
    let Some(weight) = weight(call) else { return Ok(None) };
    let kernel = weight.get(2..).unwrap_or_default().to_vec();
    let sizes = spatial(call, kernel.len());
    let windows = windows(call, kernel, &sizes)?;
    let batch = call.input(0).and_then(|x| x.size(0));
    Ok(Some(assemble(batch, weight.first().copied(), windows.output)))
}

pub(super) fn conv_transpose(call: &Call) -> Result<Shape, Reason> {
    let Some(weight) = weight(call) else { return Ok(None) };
    let kernel = weight.get(2..).unwrap_or_default();
    let modes = kernel.len();
    let (stride, dilation) = (call.positive("strides", modes)?, call.positive("dilations", modes)?);
    let padding = padding(call, modes)?;
    let more = call.ints("output_padding").unwrap_or_default();
    let wanted = call.ints("output_shape").filter(|s| s.len() == modes);
    let same = call.text("auto_pad").is_some_and(|a| a.starts_with("SAME"));
    let sizes = spatial(call, modes);
    let output = (0..modes).map(|i| {
        if let Some(&size) = wanted.and_then(|w| w.get(i)) {
            return usize::try_from(size).ok();
        }
        let size = sizes.get(i).copied().flatten()?;
        let (&k, &s, &d, &(front, end)) = (kernel.get(i)?, stride.get(i)?, dilation.get(i)?, padding.get(i)?);
        if same {
            return size.checked_mul(s);
        }
        let more = more.get(i).and_then(|&p| usize::try_from(p).ok()).unwrap_or(0);
        let full = size.checked_sub(1)?.checked_mul(s)?.checked_add(extent(k, d))?.checked_add(more)?;
        full.checked_sub(front)?.checked_sub(end).filter(|&n| n > 0)
    });
    let output = output.collect();
    let groups = usize::try_from(call.int("group", 1)).unwrap_or(1);
    let channels = weight.get(1).and_then(|c| c.checked_mul(groups));
    Ok(Some(assemble(call.input(0).and_then(|x| x.size(0)), channels, output)))
}

pub(super) fn pool(call: &Call) -> Result<Shape, Reason> {
    let modes = call.ints("kernel_shape").map_or(0, <[i64]>::len);
    let kernel = call.positive("kernel_shape", modes)?;
    let sizes = spatial(call, modes);
    let windows = windows(call, kernel, &sizes)?;
    let size = |mode| call.input(0).and_then(|x| x.size(mode));
    Ok(Some(assemble(size(0), size(1), windows.output)))
}
