//! SqueezeNet (Iandola et al. 2016).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use super::window::Window;
use crate::Result;

/// A layer after the first convolution.
enum Layer {
    /// Fire module: `squeezed` channels, then `expanded` from each of two branches.
    Fire {
        squeezed: usize,
        expanded: usize,
    },
    Pool,
}
use Layer::Pool;

const fn fire(squeezed: usize, expanded: usize) -> Layer {
    Layer::Fire { squeezed, expanded }
}

const V1_0: &[Layer] = &[
    Pool,
    fire(16, 64),
    fire(16, 64),
    fire(32, 128),
    Pool,
    fire(32, 128),
    fire(48, 192),
    fire(48, 192),
    fire(64, 256),
    Pool,
    fire(64, 256),
];
const V1_1: &[Layer] = &[
    Pool,
    fire(16, 64),
    fire(16, 64),
    Pool,
    fire(32, 128),
    fire(32, 128),
    Pool,
    fire(48, 192),
    fire(48, 192),
    fire(64, 256),
    fire(64, 256),
];

const SQUEEZENET: Network = IMAGENET.by("Iandola et al. 2016, arXiv:1602.07360");

pub(super) const NETWORKS: &[Network] = &[
    SQUEEZENET
        .of("squeezenet1_0", "SqueezeNet 1.0", |b, x, n| build(b, x, n, Filter::new(96, 7), V1_0))
        .alias(&["squeezenet"]),
    SQUEEZENET.of("squeezenet1_1", "SqueezeNet 1.1", |b, x, n| build(b, x, n, Filter::new(64, 3), V1_1)),
];

fn build(b: &mut Builder, x: &Maps, classes: usize, stem: Filter, layers: &[Layer]) -> Result<Maps> {
    let mut x = b.conv_relu("features.0", "features.1", x, stem.stride(2).padding(0).bias())?;
    for (i, layer) in layers.iter().enumerate() {
        let name = format!("features.{}", i + 2);
        x = match *layer {
            Layer::Pool => b.pool(&name, &x, "max", Window::new(3).stride(2).padding(0).ceil())?,
            Layer::Fire { squeezed, expanded } => fire_module(b, &name, &x, squeezed, expanded)?,
        };
    }
    let x = b.conv_relu("classifier.1", "classifier.2", &x, Filter::new(classes, 1).bias())?;
    let x = b.global_pool("classifier.3", &x);
    Ok(b.flatten(&x))
}

fn fire_module(b: &mut Builder, name: &str, x: &Maps, squeezed: usize, expanded: usize) -> Result<Maps> {
    let mut unit = |part: &str, x: &Maps, filter: Filter| {
        b.conv_relu(&format!("{name}.{part}"), &format!("{name}.{part}_activation"), x, filter.bias())
    };
    let x = unit("squeeze", x, Filter::new(squeezed, 1))?;
    let one = unit("expand1x1", &x, Filter::new(expanded, 1))?;
    let three = unit("expand3x3", &x, Filter::new(expanded, 3))?;
    Ok(b.concat(format!("{name}.cat"), &[&one, &three]))
}
