//! VGG (Simonyan and Zisserman 2015).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use super::window::Window;
use crate::Result;

/// Convolutions in the five stages of 64, 128, 256, 512 and 512 channels.
type Depths = [usize; 5];

const D11: Depths = [1, 1, 2, 2, 2];
const D13: Depths = [2, 2, 2, 2, 2];
const D16: Depths = [2, 2, 3, 3, 3];
const D19: Depths = [2, 2, 4, 4, 4];

const VGG: Network = IMAGENET.by("Simonyan and Zisserman 2015, arXiv:1409.1556");

pub(super) const NETWORKS: &[Network] = &[
    VGG.of("vgg11", "VGG-11", |b, x, n| build(b, x, n, D11, false)),
    VGG.of("vgg13", "VGG-13", |b, x, n| build(b, x, n, D13, false)),
    VGG.of("vgg16", "VGG-16", |b, x, n| build(b, x, n, D16, false)),
    VGG.of("vgg19", "VGG-19", |b, x, n| build(b, x, n, D19, false)),
    VGG.of("vgg11_bn", "VGG-11 with batch norm", |b, x, n| build(b, x, n, D11, true)),
    VGG.of("vgg13_bn", "VGG-13 with batch norm", |b, x, n| build(b, x, n, D13, true)),
    VGG.of("vgg16_bn", "VGG-16 with batch norm", |b, x, n| build(b, x, n, D16, true)),
    VGG.of("vgg19_bn", "VGG-19 with batch norm", |b, x, n| build(b, x, n, D19, true)),
];

fn build(b: &mut Builder, x: &Maps, classes: usize, depths: Depths, norm: bool) -> Result<Maps> {
    let mut x = x.clone();
    let mut place = 0..;
    let mut next = || format!("features.{}", place.next().unwrap_or(0));
    for (channels, depth) in [64, 128, 256, 512, 512].into_iter().zip(depths) {
        for _ in 0..depth {
            x = b.conv(&next(), &x, Filter::new(channels, 3).bias())?;
            if norm {
                x = b.norm(next(), &x, "batch");
            }
            x = b.relu(next(), &x);
        }
        x = b.pool(&next(), &x, "max", Window::new(2).stride(2).padding(0))?;
    }
    let x = b.adaptive_pool("avgpool", &x, 7);
    Ok(b.three_linear(&x, [0, 3, 6], classes))
}
