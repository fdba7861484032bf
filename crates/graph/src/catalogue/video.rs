//! Networks of video clips in torchvision: R3D, MC3 and R(2+1)D with 18 layers (Tran et al. 2018).

use super::builder::{Builder, Filter, Maps};
use super::network::{KINETICS, Network};
use crate::Result;

/// What stands where a ResNet has a 3×3 convolution.
#[derive(Clone, Copy)]
enum Kind {
    /// 3×3×3.
    Full,
    /// 1×3×3: frames apart.
    Frames,
    /// 1×3×3, then 3×1×1, with as many parameters as 3×3×3.
    Factored,
}
use Kind::{Factored, Frames, Full};

const TRAN: Network = KINETICS.by("Tran et al. 2018, arXiv:1711.11248");

pub(super) const NETWORKS: &[Network] = &[
    TRAN.of("r3d_18", "R3D-18", |b, x, n| build(b, x, n, [Full; 4])),
    TRAN.of("mc3_18", "MC3-18", |b, x, n| build(b, x, n, [Full, Frames, Frames, Frames])),
    TRAN.of("r2plus1d_18", "R(2+1)D-18", |b, x, n| build(b, x, n, [Factored; 4])),
];

fn build(b: &mut Builder, x: &Maps, classes: usize, kinds: [Kind; 4]) -> Result<Maps> {
    let mut x = if matches!(kinds, [Factored, ..]) {
        let x = b.conv_norm("stem.0", "stem.1", x, Filter::new(45, [1, 7, 7]).stride([1, 2, 2]))?;
        let x = b.relu("stem.2", &x);
        let x = b.conv_norm("stem.3", "stem.4", &x, Filter::new(64, [3, 1, 1]))?;
        b.relu("stem.5", &x)
    } else {
        b.conv_norm_act("stem", x, Filter::new(64, [3, 7, 7]).stride([1, 2, 2]), "relu")?
    };
    for (stage, (planes, kind)) in [64, 128, 256, 512].into_iter().zip(kinds).enumerate() {
        for i in 0..2 {
            let stride = if stage > 0 && i == 0 { 2 } else { 1 };
            x = block(b, &format!("layer{}.{i}", stage + 1), &x, kind, planes, stride)?;
        }
    }
    Ok(b.head("fc", &x, classes))
}

fn block(b: &mut Builder, name: &str, x: &Maps, kind: Kind, planes: usize, stride: usize) -> Result<Maps> {
    // Of a factored convolution from `inputs` to `planes` channels, the same in both layers of the block.
    let middle = (27 * x.channels() * planes) / (9 * x.channels() + 3 * planes);
    let y = layer(b, &format!("{name}.conv1"), x, (kind, middle), planes, stride)?;
    let y = b.relu(format!("{name}.conv1.2"), &y);
    let y = layer(b, &format!("{name}.conv2"), &y, (kind, middle), planes, 1)?;
    let shortcut = if stride > 1 || x.channels() != planes {
        let filter = Filter::new(planes, 1);
        let filter =
            if matches!(kind, Frames) { filter.stride([1, stride, stride]) } else { filter.stride(stride) };
        b.conv_norm(&format!("{name}.downsample.0"), &format!("{name}.downsample.1"), x, filter)?
    } else {
        x.clone()
    };
    let x = b.sum(format!("{name}.add"), &y, &shortcut);
    Ok(b.relu(format!("{name}.relu"), &x))
}

/// A convolution of the given kind and its norm.
fn layer(
    b: &mut Builder,
    name: &str,
    x: &Maps,
    (kind, middle): (Kind, usize),
    planes: usize,
    stride: usize,
) -> Result<Maps> {
    let (conv, norm) = (format!("{name}.0"), format!("{name}.1"));
    match kind {
        Full => b.conv_norm(&conv, &norm, x, Filter::new(planes, 3).stride(stride)),
        Frames => b.conv_norm(&conv, &norm, x, Filter::new(planes, [1, 3, 3]).stride([1, stride, stride])),
        Factored => {
            let x = b.conv_norm_act(
                &conv,
                x,
                Filter::new(middle, [1, 3, 3]).stride([1, stride, stride]),
                "relu",
            )?;
            b.conv_norm(
                &format!("{conv}.3"),
                &norm,
                &x,
                Filter::new(planes, [3, 1, 1]).stride([stride, 1, 1]),
            )
        }
    }
}
