//! ShuffleNetV2 (Ma et al. 2018).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use super::window::Window;
use crate::Result;

const SHUFFLENET: Network = IMAGENET.by("Ma et al. 2018, arXiv:1807.11164");

// Channels of stage 2 and of the last convolution are those of table 5.
pub(super) const NETWORKS: &[Network] = &[
    SHUFFLENET.of("shufflenet_v2_x0_5", "ShuffleNetV2 0.5×", |b, x, n| build(b, x, n, 48, 1024)),
    SHUFFLENET
        .of("shufflenet_v2_x1_0", "ShuffleNetV2 1.0×", |b, x, n| build(b, x, n, 116, 1024))
        .alias(&["shufflenet_v2"]),
    SHUFFLENET.of("shufflenet_v2_x1_5", "ShuffleNetV2 1.5×", |b, x, n| build(b, x, n, 176, 1024)),
    SHUFFLENET.of("shufflenet_v2_x2_0", "ShuffleNetV2 2.0×", |b, x, n| build(b, x, n, 244, 2048)),
];

fn build(b: &mut Builder, x: &Maps, classes: usize, width: usize, last: usize) -> Result<Maps> {
    let x = b.conv_norm_act("conv1", x, Filter::new(24, 3).stride(2), "relu")?;
    let mut x = b.pool("maxpool", &x, "max", Window::new(3).stride(2))?;
    for (stage, count, channels) in [(2, 4, width), (3, 8, 2 * width), (4, 4, 4 * width)] {
        for i in 0..count {
            let name = format!("stage{stage}.{i}");
            let half = channels / 2;
            let (left, right) = if i == 0 {
                (shortcut(b, &format!("{name}.branch1"), &x, half)?, branch(b, &name, &x, half, 2)?)
            } else {
                let (left, right) = b.split(&format!("{name}.chunk"), &x);
                (left, branch(b, &name, &right, half, 1)?)
            };
            x = b.concat(format!("{name}.cat"), &[&left, &right]);
            x = b.shuffle(format!("{name}.shuffle"), &x);
        }
    }
    let x = b.conv_norm_act("conv5", &x, Filter::new(last, 1), "relu")?;
    Ok(b.head("fc", &x, classes))
}

/// The left branch of a unit of stride 2 (figure 3 (d)).
fn shortcut(b: &mut Builder, name: &str, x: &Maps, channels: usize) -> Result<Maps> {
    let part = |i: usize| format!("{name}.{i}");
    let x = b.conv_norm(&part(0), &part(1), x, Filter::depthwise(x.channels(), 3).stride(2))?;
    let x = b.conv_norm(&part(2), &part(3), &x, Filter::new(channels, 1))?;
    Ok(b.relu(part(4), &x))
}

/// The right branch.
fn branch(b: &mut Builder, name: &str, x: &Maps, channels: usize, stride: usize) -> Result<Maps> {
    let part = |i: usize| format!("{name}.branch2.{i}");
    let x = b.conv_norm(&part(0), &part(1), x, Filter::new(channels, 1))?;
    let x = b.relu(part(2), &x);
    let x = b.conv_norm(&part(3), &part(4), &x, Filter::depthwise(channels, 3).stride(stride))?;
    let x = b.conv_norm(&part(5), &part(6), &x, Filter::new(channels, 1))?;
    Ok(b.relu(part(7), &x))
}
