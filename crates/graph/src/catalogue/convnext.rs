//! ConvNeXt (Liu et al. 2022). Its linear layers on the last mode are pointwise convolutions here, channels first;
//! the layer scale is a norm of kind `scale`.

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use crate::Result;

const CONVNEXT: Network = IMAGENET.by("Liu et al. 2022, arXiv:2201.03545");

pub(super) const NETWORKS: &[Network] = &[
    CONVNEXT.of("convnext_tiny", "ConvNeXt-T", |b, x, n| build(b, x, n, 96, [3, 3, 9, 3])),
    CONVNEXT.of("convnext_small", "ConvNeXt-S", |b, x, n| build(b, x, n, 96, [3, 3, 27, 3])),
    CONVNEXT.of("convnext_base", "ConvNeXt-B", |b, x, n| build(b, x, n, 128, [3, 3, 27, 3])),
    CONVNEXT.of("convnext_large", "ConvNeXt-L", |b, x, n| build(b, x, n, 192, [3, 3, 27, 3])),
];

/// `width` channels in the first stage, twice as many in each after it.
fn build(b: &mut Builder, x: &Maps, classes: usize, width: usize, blocks: [usize; 4]) -> Result<Maps> {
    let x = b.conv("features.0.0", x, Filter::new(width, 4).stride(4).padding(0).bias())?;
    let mut x = b.norm("features.0.1", &x, "layer");
    for (stage, count) in blocks.into_iter().enumerate() {
        if stage > 0 {
            let filter = Filter::new(2 * x.channels(), 2).stride(2).padding(0).bias();
            x = b.norm(format!("features.{}.0", 2 * stage), &x, "layer");
            x = b.conv(&format!("features.{}.1", 2 * stage), &x, filter)?;
        }
        for i in 0..count {
            x = block(b, &format!("features.{}.{i}", 2 * stage + 1), &x)?;
        }
    }
    let x = b.global_pool("avgpool", &x);
    let x = b.norm("classifier.0", &x, "layer");
    let x = b.flatten(&x);
    Ok(b.linear("classifier.2", &x, classes, true))
}

fn block(b: &mut Builder, name: &str, x: &Maps) -> Result<Maps> {
    let channels = x.channels();
    let y = b.conv(&format!("{name}.block.0"), x, Filter::depthwise(channels, 7).bias())?;
    let y = b.norm(format!("{name}.block.2"), &y, "layer");
    let y = b.conv(&format!("{name}.block.3"), &y, Filter::new(4 * channels, 1).bias())?;
    let y = b.activation(format!("{name}.block.4"), &y, "gelu");
    let y = b.conv(&format!("{name}.block.5"), &y, Filter::new(channels, 1).bias())?;
    let y = b.scale(format!("{name}.layer_scale"), &y);
    Ok(b.sum(format!("{name}.add"), &y, x))
}
