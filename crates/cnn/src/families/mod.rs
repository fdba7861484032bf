//! Named structures, one file each. A new one is a file here and a line in [`FAMILIES`].

mod bottleneck;
mod cnn;
mod cp;
mod deep;
mod dense;
mod depthwise;
pub mod draft;
pub(crate) mod einsum;
mod grouped;
mod kronecker;
mod r2plus1d;
mod t_net;
mod tensor_train;
mod tucker;

use convstat_text::{Diagnostic, from_table};
use serde::de::DeserializeOwned;
use toml::Table;

use crate::{CnnError, Result, Structure};
use draft::Draft;

/// A family of structures with its keys filled in.
pub trait Family {
    /// The structure over the output modes of `draft`.
    fn build(&self, draft: Draft) -> Result<Structure>;

    /// Whether the key `groups` means something to this family.
    fn takes_groups(&self) -> bool {
        false
    }

    /// Whether the key `head_ranks` means something to this family.
    fn takes_head_ranks(&self) -> bool {
        true
    }
}

type Read = fn(Table) -> std::result::Result<Box<dyn Family>, Diagnostic>;

fn read<F: Family + DeserializeOwned + 'static>(
    keys: Table,
) -> std::result::Result<Box<dyn Family>, Diagnostic> {
    Ok(Box::new(from_table::<F>(keys)?))
}

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

/// A wrong description.
fn bad<T>(reason: String) -> Result<T> {
    Err(CnnError::BadStructure { reason })
}
