//! Named structures, one file each. A new one is a file here and a line in [`FAMILIES`].

mod bottleneck;
mod cnn;
mod cp;
mod deep;
mod dense;
mod depthwise;
pub mod draft;
mod einsum;
mod family;
mod grouped;
mod kronecker;
mod r2plus1d;
mod t_net;
mod tensor_train;
mod tucker;

use family::read;
pub use family::{Family, Read};

/// All kinds by the name a study file uses.
pub const FAMILIES: &[(&str, Read)] = &[
    ("dense", read::<dense::Dense>),
    ("cnn", read::<cnn::Cnn>),
    ("tucker", read::<tucker::Tucker>),
    ("cp", read::<cp::Cp>),
    ("tensor-train", read::<tensor_train::TensorTrain>),
    ("kronecker", read::<kronecker::Kronecker>),
    ("standard", read::<cnn::Cnn>),
    ("bottleneck", read::<bottleneck::Bottleneck>),
    ("depthwise-separable", read::<depthwise::DepthwiseSeparable>),
    ("inverted-residual", read::<depthwise::InvertedResidual>),
    ("resnext", read::<grouped::ResNext>),
    ("shufflenet", read::<grouped::ShuffleNet>),
    ("r2plus1d", read::<r2plus1d::R2Plus1D>),
    ("factorised-higher-order", read::<cp::Cp>),
    ("deep", read::<deep::Deep>),
    ("t-net", read::<t_net::TNet>),
    ("einsum", read::<einsum::Network>),
];
