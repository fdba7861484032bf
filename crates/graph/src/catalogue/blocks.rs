//! Blocks that several families share, with the names of their parts as torchvision has them.

use super::builder::{Builder, Filter, Maps};
use crate::Result;

/// The number of channels next to `numerator/denominator` that is a multiple of 8 and not more than 10 % below
/// (`_make_divisible` of MobileNetV2).
pub(super) fn multiple_of_8(numerator: usize, denominator: usize) -> usize {
    let near = (numerator + 4 * denominator) / (8 * denominator) * 8;
    let near = near.max(8);
    if 10 * near * denominator < 9 * numerator { near + 8 } else { near }
}

impl Builder {
    /// Convolution and batch norm.
    pub fn conv_norm(&mut self, conv: &str, norm: &str, x: &Maps, filter: Filter) -> Result<Maps> {
        let x = self.conv(conv, x, filter)?;
        Ok(self.norm(norm, &x, "batch"))
    }

    /// Convolution, batch norm and activation: `name.0`, `name.1`, `name.2`.
    pub fn conv_norm_act(&mut self, name: &str, x: &Maps, filter: Filter, activation: &str) -> Result<Maps> {
        let x = self.conv_norm(&format!("{name}.0"), &format!("{name}.1"), x, filter)?;
        Ok(self.activation(format!("{name}.2"), &x, activation))
    }

    /// Convolution and ReLU without a norm; the ReLU is called `activation`.
    pub fn conv_relu(&mut self, name: &str, activation: &str, x: &Maps, filter: Filter) -> Result<Maps> {
        let x = self.conv(name, x, filter)?;
        Ok(self.relu(activation, &x))
    }

    /// Squeeze and excitation (Hu et al. 2018): a gate a channel from the means of all, through `squeezed` channels.
    pub fn squeeze_excitation(
        &mut self,
        name: &str,
        x: &Maps,
        squeezed: usize,
        (activation, gate): (&str, &str),
    ) -> Result<Maps> {
        let y = self.global_pool(&format!("{name}.avgpool"), x);
        let y = self.conv(&format!("{name}.fc1"), &y, Filter::new(squeezed, 1).bias())?;
        let y = self.activation(format!("{name}.activation"), &y, activation);
        let y = self.conv(&format!("{name}.fc2"), &y, Filter::new(x.channels(), 1).bias())?;
        let y = self.activation(format!("{name}.scale_activation"), &y, gate);
        Ok(self.gate(format!("{name}.mul"), &y, x))
    }

    /// Global mean and one linear layer.
    pub fn head(&mut self, name: &str, x: &Maps, classes: usize) -> Maps {
        let x = self.global_pool("avgpool", x);
        let x = self.flatten(&x);
        self.linear(name, &x, classes, true)
    }

    /// The classifier of AlexNet and VGG: three linear layers, whose places in torchvision's list of layers and
    /// dropouts are given.
    pub fn three_linear(&mut self, x: &Maps, [a, b, c]: [usize; 3], classes: usize) -> Maps {
        let mut x = self.flatten(x);
        for i in [a, b] {
            x = self.linear(&format!("classifier.{i}"), &x, 4096, true);
            x = self.relu(format!("classifier.{}", i + 1), &x);
        }
        self.linear(&format!("classifier.{c}"), &x, classes, true)
    }
}
