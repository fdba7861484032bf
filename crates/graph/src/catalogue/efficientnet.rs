//! EfficientNet (Tan and Le 2019).

use super::blocks::multiple_of_8;
use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use crate::Result;

/// Expansion, kernel, stride, channels and blocks of each stage of B0 (table 1).
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
];

const TAN: Network = IMAGENET.by("Tan and Le 2019, arXiv:1905.11946");

// Larger inputs are those of torchvision's weights.
pub(super) const NETWORKS: &[Network] = &[
    TAN.of("efficientnet_b0", "EfficientNet-B0", |b, x, n| build(b, x, n, 10, 10)),
    TAN.of("efficientnet_b1", "EfficientNet-B1", |b, x, n| build(b, x, n, 10, 11)).input(&[240, 240]),
    TAN.of("efficientnet_b2", "EfficientNet-B2", |b, x, n| build(b, x, n, 11, 12)).input(&[288, 288]),
    TAN.of("efficientnet_b3", "EfficientNet-B3", |b, x, n| build(b, x, n, 12, 14)).input(&[300, 300]),
    TAN.of("efficientnet_b4", "EfficientNet-B4", |b, x, n| build(b, x, n, 14, 18)).input(&[380, 380]),
    TAN.of("efficientnet_b5", "EfficientNet-B5", |b, x, n| build(b, x, n, 16, 22)).input(&[456, 456]),
    TAN.of("efficientnet_b6", "EfficientNet-B6", |b, x, n| build(b, x, n, 18, 26)).input(&[528, 528]),
    TAN.of("efficientnet_b7", "EfficientNet-B7", |b, x, n| build(b, x, n, 20, 31)).input(&[600, 600]),
];

/// B0 with channels and blocks multiplied by `width` and `depth` tenths.
fn build(b: &mut Builder, x: &Maps, classes: usize, width: usize, depth: usize) -> Result<Maps> {
    let wide = |channels: usize| multiple_of_8(channels * width, 10);
    let mut x = b.conv_norm_act("features.0", x, Filter::new(wide(32), 3).stride(2), "silu")?;
    for (stage, (expansion, kernel, stride, channels, count)) in (1..).zip(STAGES) {
        for i in 0..(count * depth).div_ceil(10) {
            let stride = if i == 0 { stride } else { 1 };
            let filter = Filter::depthwise(expansion * x.channels(), kernel).stride(stride);
            let residual = stride == 1 && x.channels() == wide(channels);
            let name = format!("features.{stage}.{i}");
            let y = mb_conv(b, &format!("{name}.block"), &x, expansion, filter, wide(channels))?;
            x = if residual { b.sum(format!("{name}.add"), &y, &x) } else { y };
        }
    }
    let last = Filter::new(4 * x.channels(), 1);
    let x = b.conv_norm_act("features.8", &x, last, "silu")?;
    Ok(b.head("classifier.1", &x, classes))
}

/// Expansion (unless it is 1), depthwise filter, squeeze and excitation, projection.
fn mb_conv(
    b: &mut Builder,
    name: &str,
    x: &Maps,
    expansion: usize,
    depthwise: Filter,
    channels: usize,
) -> Result<Maps> {
    let mut place = 0..;
    let mut next = || format!("{name}.{}", place.next().unwrap_or(0));
    let mut y = x.clone();
    if expansion > 1 {
        y = b.conv_norm_act(&next(), &y, Filter::new(expansion * x.channels(), 1), "silu")?;
    }
    y = b.conv_norm_act(&next(), &y, depthwise, "silu")?;
    y = b.squeeze_excitation(&next(), &y, (x.channels() / 4).max(1), ("silu", "sigmoid"))?;
    let last = next();
    b.conv_norm(&format!("{last}.0"), &format!("{last}.1"), &y, Filter::new(channels, 1))
}
