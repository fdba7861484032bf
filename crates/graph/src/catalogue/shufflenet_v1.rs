//! ShuffleNet (Zhang et al. 2018), which torchvision lacks: units `stageN.i` of a grouped pointwise convolution, a
//! shuffle of channels, a depthwise convolution and a grouped pointwise convolution.

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use super::window::Window;
use crate::Result;

const SHUFFLENET: Network = IMAGENET.by("Zhang et al. 2018, arXiv:1707.01083");

// Channels of stage 2 are those of table 1.
pub(super) const NETWORKS: &[Network] = &[
    SHUFFLENET.of("shufflenet_v1_g1", "ShuffleNet 1×, 1 group", |b, x, n| build(b, x, n, 1, 144)),
    SHUFFLENET.of("shufflenet_v1_g2", "ShuffleNet 1×, 2 groups", |b, x, n| build(b, x, n, 2, 200)),
    SHUFFLENET
        .of("shufflenet_v1_g3", "ShuffleNet 1×, 3 groups", |b, x, n| build(b, x, n, 3, 240))
        .alias(&["shufflenet_v1", "shufflenet"]),
    SHUFFLENET.of("shufflenet_v1_g4", "ShuffleNet 1×, 4 groups", |b, x, n| build(b, x, n, 4, 272)),
    SHUFFLENET.of("shufflenet_v1_g8", "ShuffleNet 1×, 8 groups", |b, x, n| build(b, x, n, 8, 384)),
];

fn build(b: &mut Builder, x: &Maps, classes: usize, groups: usize, width: usize) -> Result<Maps> {
    let x = b.conv_norm_act("conv1", x, Filter::new(24, 3).stride(2), "relu")?;
    let mut x = b.pool("maxpool", &x, "max", Window::new(3).stride(2))?;
    for (stage, count, channels) in [(2, 4, width), (3, 8, 2 * width), (4, 4, 4 * width)] {
        for i in 0..count {
            // "We do not apply group convolution on the first pointwise layer because the number of input
            // channels is relatively small."
            let first = if (stage, i) == (2, 0) { 1 } else { groups };
            let stride = if i == 0 { 2 } else { 1 };
            x = unit(b, &format!("stage{stage}.{i}"), &x, (first, groups), channels, stride)?;
        }
    }
    let x = b.global_pool("avgpool", &x);
    let x = b.flatten(&x);
    // Without a bias, as in the authors' implementation; the paper does not say.
    Ok(b.linear("fc", &x, classes, false))
}

/// Figure 2 (b), or (c) for stride 2, where the branch brings the channels that the shortcut lacks.
fn unit(
    b: &mut Builder,
    name: &str,
    x: &Maps,
    (first, groups): (usize, usize),
    channels: usize,
    stride: usize,
) -> Result<Maps> {
    let part = |p: &str| format!("{name}.{p}");
    let middle = channels / 4;
    let y = b.conv_norm(&part("conv1"), &part("bn1"), x, Filter::new(middle, 1).groups(first))?;
    let mut y = b.relu(part("relu1"), &y);
    if groups > 1 {
        y = b.shuffle(part("shuffle"), &y);
    }
    let y = b.conv_norm(&part("conv2"), &part("bn2"), &y, Filter::depthwise(middle, 3).stride(stride))?;
    let branch = if stride > 1 { channels.saturating_sub(x.channels()) } else { channels };
    let y = b.conv_norm(&part("conv3"), &part("bn3"), &y, Filter::new(branch, 1).groups(groups))?;
    let y = if stride > 1 {
        let x = b.pool(&part("pool"), x, "average", Window::new(3).stride(stride))?;
        b.concat(part("cat"), &[&x, &y])
    } else {
        b.sum(part("add"), x, &y)
    };
    Ok(b.relu(part("relu"), &y))
}
