//! MobileNetV1 (Howard et al. 2017, table 1), which torchvision lacks: depthwise separable convolutions
//! `features.N.0` (depthwise) and `features.N.1` (pointwise).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use crate::Result;

pub(super) const NETWORKS: &[Network] = &[IMAGENET
    .by("Howard et al. 2017, arXiv:1704.04861")
    .of("mobilenet_v1", "MobileNetV1 1.0", build)
    .alias(&["mobilenet"])];

/// Channels and stride of each block.
#[rustfmt::skip]
const BLOCKS: [(usize, usize); 13] = [
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2),
    (512, 1), (512, 1), (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1),
];

fn build(b: &mut Builder, x: &Maps, classes: usize) -> Result<Maps> {
    let mut x = b.conv_norm_act("features.0", x, Filter::new(32, 3).stride(2), "relu")?;
    for (i, (channels, stride)) in (1..).zip(BLOCKS) {
        let filter = Filter::depthwise(x.channels(), 3).stride(stride);
        x = b.conv_norm_act(&format!("features.{i}.0"), &x, filter, "relu")?;
        x = b.conv_norm_act(&format!("features.{i}.1"), &x, Filter::new(channels, 1), "relu")?;
    }
    Ok(b.head("fc", &x, classes))
}
