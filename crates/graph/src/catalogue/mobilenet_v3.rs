//! MobileNetV3 (Howard et al. 2019).

use super::blocks::multiple_of_8;
use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use crate::Result;

/// An inverted residual: kernel, expanded channels, channels, squeeze and excitation or not, activation, stride.
type Row = (usize, usize, usize, bool, &'static str, usize);

const RE: &str = "relu";
const HS: &str = "hardswish";

/// Table 1.
const LARGE: &[Row] = &[
    (3, 16, 16, false, RE, 1),
    (3, 64, 24, false, RE, 2),
    (3, 72, 24, false, RE, 1),
    (5, 72, 40, true, RE, 2),
    (5, 120, 40, true, RE, 1),
    (5, 120, 40, true, RE, 1),
    (3, 240, 80, false, HS, 2),
    (3, 200, 80, false, HS, 1),
    (3, 184, 80, false, HS, 1),
    (3, 184, 80, false, HS, 1),
    (3, 480, 112, true, HS, 1),
    (3, 672, 112, true, HS, 1),
    (5, 672, 160, true, HS, 2),
    (5, 960, 160, true, HS, 1),
    (5, 960, 160, true, HS, 1),
];

/// Table 2.
const SMALL: &[Row] = &[
    (3, 16, 16, true, RE, 2),
    (3, 72, 24, false, RE, 2),
    (3, 88, 24, false, RE, 1),
    (5, 96, 40, true, HS, 2),
    (5, 240, 40, true, HS, 1),
    (5, 240, 40, true, HS, 1),
    (5, 120, 48, true, HS, 1),
    (5, 144, 48, true, HS, 1),
    (5, 288, 96, true, HS, 2),
    (5, 576, 96, true, HS, 1),
    (5, 576, 96, true, HS, 1),
];

const MOBILENET: Network = IMAGENET.by("Howard et al. 2019, arXiv:1905.02244");

pub(super) const NETWORKS: &[Network] = &[
    MOBILENET.of("mobilenet_v3_large", "MobileNetV3 large", |b, x, n| build(b, x, n, LARGE, 1280)),
    MOBILENET.of("mobilenet_v3_small", "MobileNetV3 small", |b, x, n| build(b, x, n, SMALL, 1024)),
];

fn build(b: &mut Builder, x: &Maps, classes: usize, rows: &[Row], hidden: usize) -> Result<Maps> {
    let mut x = b.conv_norm_act("features.0", x, Filter::new(16, 3).stride(2), HS)?;
    for (i, row) in (1..).zip(rows) {
        x = inverted_residual(b, &format!("features.{i}"), &x, *row)?;
    }
    let last = Filter::new(6 * x.channels(), 1);
    let x = b.conv_norm_act(&format!("features.{}", rows.len() + 1), &x, last, HS)?;
    let x = b.head("classifier.0", &x, hidden);
    let x = b.activation("classifier.1", &x, HS);
    Ok(b.linear("classifier.3", &x, classes, true))
}

fn inverted_residual(b: &mut Builder, name: &str, x: &Maps, row: Row) -> Result<Maps> {
    let (kernel, expanded, channels, excited, activation, stride) = row;
    let mut place = 0..;
    let mut next = || format!("{name}.block.{}", place.next().unwrap_or(0));
    let mut y = x.clone();
    if expanded != x.channels() {
        y = b.conv_norm_act(&next(), &y, Filter::new(expanded, 1), activation)?;
    }
    y = b.conv_norm_act(&next(), &y, Filter::depthwise(expanded, kernel).stride(stride), activation)?;
    if excited {
        y = b.squeeze_excitation(&next(), &y, multiple_of_8(expanded, 4), (RE, "hardsigmoid"))?;
    }
    let last = next();
    y = b.conv_norm(&format!("{last}.0"), &format!("{last}.1"), &y, Filter::new(channels, 1))?;
    let residual = stride == 1 && x.channels() == channels;
    Ok(if residual { b.sum(format!("{name}.add"), &y, x) } else { y })
}
