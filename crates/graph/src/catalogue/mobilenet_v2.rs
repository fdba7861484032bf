//! MobileNetV2 (Sandler et al. 2018).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use crate::Result;

pub(super) const NETWORKS: &[Network] =
    &[IMAGENET.by("Sandler et al. 2018, arXiv:1801.04381").of("mobilenet_v2", "MobileNetV2 1.0", build)];

/// Expansion, channels, blocks and stride of each stage (table 2).
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

fn build(b: &mut Builder, x: &Maps, classes: usize) -> Result<Maps> {
    let mut x = b.conv_norm_act("features.0", x, Filter::new(32, 3).stride(2), "relu6")?;
    let mut place = 1;
    for (expansion, channels, count, stride) in STAGES {
        for i in 0..count {
            let stride = if i == 0 { stride } else { 1 };
            x = inverted_residual(b, &format!("features.{place}"), &x, expansion, channels, stride)?;
            place += 1;
        }
    }
    let x = b.conv_norm_act(&format!("features.{place}"), &x, Filter::new(1280, 1), "relu6")?;
    Ok(b.head("classifier.1", &x, classes))
}

fn inverted_residual(
    b: &mut Builder,
    name: &str,
    x: &Maps,
    expansion: usize,
    channels: usize,
    stride: usize,
) -> Result<Maps> {
    let mut y = x.clone();
    let mut place = 0;
    if expansion > 1 {
        let filter = Filter::new(expansion * x.channels(), 1);
        y = b.conv_norm_act(&format!("{name}.conv.{place}"), &y, filter, "relu6")?;
        place += 1;
    }
    let filter = Filter::depthwise(y.channels(), 3).stride(stride);
    y = b.conv_norm_act(&format!("{name}.conv.{place}"), &y, filter, "relu6")?;
    let (conv, norm) = (format!("{name}.conv.{}", place + 1), format!("{name}.conv.{}", place + 2));
    y = b.conv_norm(&conv, &norm, &y, Filter::new(channels, 1))?;
    let residual = stride == 1 && x.channels() == channels;
    Ok(if residual { b.sum(format!("{name}.add"), x, &y) } else { y })
}
