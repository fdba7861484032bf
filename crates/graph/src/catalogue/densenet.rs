//! DenseNet (Huang et al. 2017).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use super::window::Window;
use crate::Result;

const DENSENET: Network = IMAGENET.by("Huang et al. 2017, arXiv:1608.06993");

pub(super) const NETWORKS: &[Network] = &[
    DENSENET.of("densenet121", "DenseNet-121", |b, x, n| build(b, x, n, 64, 32, [6, 12, 24, 16])),
    DENSENET.of("densenet161", "DenseNet-161", |b, x, n| build(b, x, n, 96, 48, [6, 12, 36, 24])),
    DENSENET.of("densenet169", "DenseNet-169", |b, x, n| build(b, x, n, 64, 32, [6, 12, 32, 32])),
    DENSENET.of("densenet201", "DenseNet-201", |b, x, n| build(b, x, n, 64, 32, [6, 12, 48, 32])),
];

/// `growth` channels a layer, after `stem` of the first convolution.
fn build(
    b: &mut Builder,
    x: &Maps,
    classes: usize,
    stem: usize,
    growth: usize,
    layers: [usize; 4],
) -> Result<Maps> {
    let x = b.conv_norm("features.conv0", "features.norm0", x, Filter::new(stem, 7).stride(2))?;
    let x = b.relu("features.relu0", &x);
    let mut x = b.pool("features.pool0", &x, "max", Window::new(3).stride(2))?;
    for (i, count) in (1..).zip(layers) {
        if i > 1 {
            x = transition(b, &format!("features.transition{}", i - 1), &x)?;
        }
        x = dense_block(b, &format!("features.denseblock{i}"), &x, growth, count)?;
    }
    let x = b.norm("features.norm5", &x, "batch");
    let x = b.relu("relu", &x);
    Ok(b.head("classifier", &x, classes))
}

/// Each layer reads the outputs of all before it.
fn dense_block(b: &mut Builder, name: &str, x: &Maps, growth: usize, count: usize) -> Result<Maps> {
    let mut features = vec![x.clone()];
    for i in 1..=count {
        let layer = format!("{name}.denselayer{i}");
        let x = b.concat(format!("{layer}.cat"), &features.iter().collect::<Vec<_>>());
        let x = b.norm(format!("{layer}.norm1"), &x, "batch");
        let x = b.relu(format!("{layer}.relu1"), &x);
        let x = b.conv_norm(
            &format!("{layer}.conv1"),
            &format!("{layer}.norm2"),
            &x,
            Filter::new(4 * growth, 1),
        )?;
        let x = b.relu(format!("{layer}.relu2"), &x);
        features.push(b.conv(&format!("{layer}.conv2"), &x, Filter::new(growth, 3))?);
    }
    Ok(b.concat(format!("{name}.cat"), &features.iter().collect::<Vec<_>>()))
}

/// Half the channels on half the sizes.
fn transition(b: &mut Builder, name: &str, x: &Maps) -> Result<Maps> {
    let x = b.norm(format!("{name}.norm"), x, "batch");
    let x = b.relu(format!("{name}.relu"), &x);
    let x = b.conv(&format!("{name}.conv"), &x, Filter::new(x.channels() / 2, 1))?;
    b.pool(&format!("{name}.pool"), &x, "average", Window::new(2).stride(2).padding(0))
}
