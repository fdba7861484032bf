//! Residual networks: ResNet, ResNeXt, Wide ResNet, and the 3-D ResNets of Hara et al., which have the same blocks
//! with windows of three modes and shortcuts of type B (a projection where shapes differ).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, KINETICS, Network};
use super::window::{Sizes, Window};
use crate::Result;

struct Config {
    /// Blocks in each stage.
    blocks: [usize; 4],
    kind: Block,
    /// Stride of the first convolution.
    stem: Sizes,
}

#[derive(Clone, Copy)]
enum Block {
    Basic,
    /// `groups` groups of `width` channels each in the middle of the first stage.
    Bottleneck {
        groups: usize,
        width: usize,
    },
}
use Block::Basic;

const PLAIN: Block = Block::Bottleneck { groups: 1, width: 64 };

const fn grouped(groups: usize, width: usize) -> Block {
    Block::Bottleneck { groups, width }
}

const D18: [usize; 4] = [2, 2, 2, 2];
const D50: [usize; 4] = [3, 4, 6, 3];
const D101: [usize; 4] = [3, 4, 23, 3];
const D152: [usize; 4] = [3, 8, 36, 3];
const D200: [usize; 4] = [3, 24, 36, 3];

const RESNET: Network = IMAGENET.by("He et al. 2016, arXiv:1512.03385");
const RESNEXT: Network = IMAGENET.by("Xie et al. 2017, arXiv:1611.05431");
const WIDE: Network = IMAGENET.by("Zagoruyko and Komodakis 2016, arXiv:1605.07146");
const HARA: Network = KINETICS.by("Hara et al. 2018, arXiv:1711.09577 (shortcuts B)");

pub(super) const NETWORKS: &[Network] = &[
    RESNET.of("resnet18", "ResNet-18", |b, x, n| image(b, x, n, D18, Basic)),
    RESNET.of("resnet34", "ResNet-34", |b, x, n| image(b, x, n, D50, Basic)),
    RESNET.of("resnet50", "ResNet-50", |b, x, n| image(b, x, n, D50, PLAIN)),
    RESNET.of("resnet101", "ResNet-101", |b, x, n| image(b, x, n, D101, PLAIN)),
    RESNET.of("resnet152", "ResNet-152", |b, x, n| image(b, x, n, D152, PLAIN)),
    RESNEXT
        .of("resnext50_32x4d", "ResNeXt-50 32×4d", |b, x, n| image(b, x, n, D50, grouped(32, 4)))
        .alias(&["resnext50"]),
    RESNEXT
        .of("resnext101_32x8d", "ResNeXt-101 32×8d", |b, x, n| image(b, x, n, D101, grouped(32, 8)))
        .alias(&["resnext101"]),
    RESNEXT.of("resnext101_64x4d", "ResNeXt-101 64×4d", |b, x, n| image(b, x, n, D101, grouped(64, 4))),
    WIDE.of("wide_resnet50_2", "Wide ResNet-50-2", |b, x, n| image(b, x, n, D50, grouped(1, 128)))
        .alias(&["wide_resnet50"]),
    WIDE.of("wide_resnet101_2", "Wide ResNet-101-2", |b, x, n| image(b, x, n, D101, grouped(1, 128)))
        .alias(&["wide_resnet101"]),
];

pub(super) const NETWORKS_3D: &[Network] = &[
    HARA.of("resnet3d_18", "3-D ResNet-18", |b, x, n| video(b, x, n, D18, Basic)),
    HARA.of("resnet3d_34", "3-D ResNet-34", |b, x, n| video(b, x, n, D50, Basic)),
    HARA.of("resnet3d_50", "3-D ResNet-50", |b, x, n| video(b, x, n, D50, PLAIN)).alias(&["r3d_50"]),
    HARA.of("resnet3d_101", "3-D ResNet-101", |b, x, n| video(b, x, n, D101, PLAIN)).alias(&["r3d_101"]),
    HARA.of("resnet3d_152", "3-D ResNet-152", |b, x, n| video(b, x, n, D152, PLAIN)).alias(&["r3d_152"]),
    HARA.of("resnet3d_200", "3-D ResNet-200", |b, x, n| video(b, x, n, D200, PLAIN)).alias(&["r3d_200"]),
];

fn image(b: &mut Builder, x: &Maps, classes: usize, blocks: [usize; 4], kind: Block) -> Result<Maps> {
    build(b, x, classes, Config { blocks, kind, stem: 2.into() })
}

/// The first convolution keeps all frames.
fn video(b: &mut Builder, x: &Maps, classes: usize, blocks: [usize; 4], kind: Block) -> Result<Maps> {
    build(b, x, classes, Config { blocks, kind, stem: [1, 2, 2].into() })
}

fn build(b: &mut Builder, x: &Maps, classes: usize, config: Config) -> Result<Maps> {
    let x = b.conv_norm("conv1", "bn1", x, Filter::new(64, 7).stride(config.stem))?;
    let x = b.relu("relu", &x);
    let mut x = b.pool("maxpool", &x, "max", Window::new(3).stride(2))?;
    for (stage, (planes, count)) in [64, 128, 256, 512].into_iter().zip(config.blocks).enumerate() {
        for i in 0..count {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            x = block(b, &format!("layer{}.{i}", stage + 1), &x, config.kind, planes, stride)?;
        }
    }
    Ok(b.head("fc", &x, classes))
}

/// Convolutions with norms, the last without an activation; the shortcut; their sum; ReLU.
fn block(b: &mut Builder, name: &str, x: &Maps, kind: Block, planes: usize, stride: usize) -> Result<Maps> {
    let filters = match kind {
        Basic => vec![Filter::new(planes, 3).stride(stride), Filter::new(planes, 3)],
        Block::Bottleneck { groups, width } => {
            let width = planes * width / 64 * groups;
            let middle = Filter::new(width, 3).stride(stride).groups(groups);
            vec![Filter::new(width, 1), middle, Filter::new(4 * planes, 1)]
        }
    };
    let mut y = x.clone();
    for (i, filter) in (1..).zip(filters) {
        if i > 1 {
            y = b.relu(format!("{name}.relu{}", i - 1), &y);
        }
        y = b.conv_norm(&format!("{name}.conv{i}"), &format!("{name}.bn{i}"), &y, filter)?;
    }
    let shortcut = if stride > 1 || x.channels() != y.channels() {
        let filter = Filter::new(y.channels(), 1).stride(stride);
        b.conv_norm(&format!("{name}.downsample.0"), &format!("{name}.downsample.1"), x, filter)?
    } else {
        x.clone()
    };
    let x = b.sum(format!("{name}.add"), &y, &shortcut);
    Ok(b.relu(format!("{name}.relu"), &x))
}
