//! AlexNet, in one column (Krizhevsky 2014).

use super::builder::{Builder, Filter, Maps};
use super::network::{IMAGENET, Network};
use super::window::Window;
use crate::Result;

pub(super) const NETWORKS: &[Network] =
    &[IMAGENET.by("Krizhevsky 2014, arXiv:1404.5997").of("alexnet", "AlexNet", build)];

fn build(b: &mut Builder, x: &Maps, classes: usize) -> Result<Maps> {
    let pool = || Window::new(3).stride(2).padding(0);
    let x = b.conv_relu("features.0", "features.1", x, Filter::new(64, 11).stride(4).padding(2).bias())?;
    let x = b.pool("features.2", &x, "max", pool())?;
    let x = b.conv_relu("features.3", "features.4", &x, Filter::new(192, 5).bias())?;
    let x = b.pool("features.5", &x, "max", pool())?;
    let x = b.conv_relu("features.6", "features.7", &x, Filter::new(384, 3).bias())?;
    let x = b.conv_relu("features.8", "features.9", &x, Filter::new(256, 3).bias())?;
    let x = b.conv_relu("features.10", "features.11", &x, Filter::new(256, 3).bias())?;
    let x = b.pool("features.12", &x, "max", pool())?;
    let x = b.adaptive_pool("avgpool", &x, 6);
    Ok(b.three_linear(&x, [1, 4, 6], classes))
}
