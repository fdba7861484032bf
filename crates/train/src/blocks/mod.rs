//! Blocks, one file a family. A new one is a file here and a line in [`BLOCKS`].
//!
//! Every block maps C channels to K and carries its rank R explicitly; [`Block::structure`] is the same block in crate
//! `cnn`, whose counts are those of its convolutions (THEORY §2).

mod basic;
mod bottleneck;
mod cp;
mod depthwise;
mod einsum;
mod r2plus1d;
mod standard;
mod t_net;
mod tensor_train;
mod tucker;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::layer::LayerPlan;
use crate::{Result, TrainError};

/// Where a block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Input channels C.
    pub channels: usize,
    /// Output channels K.
    pub kernels: usize,
    /// Rank R on the output channels.
    pub r: usize,
    /// Kernel taps a spatial axis.
    pub kernel: Vec<usize>,
    /// Steps a spatial axis.
    pub stride: Vec<usize>,
    /// Number of the block, and of all blocks.
    pub number: (usize, usize),
}

impl Place {
    /// Spatial axes.
    pub fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// Whether the block changes no shape.
    pub fn keeps_shape(&self) -> bool {
        self.channels == self.kernels && self.stride.iter().all(|s| *s == 1)
    }
}

/// What runs beside a block and is added to its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing.
    None,
    /// The input where shapes agree, nothing elsewhere (MobileNetV2).
    IfSame,
    /// The input where shapes agree, a pointwise convolution elsewhere (ResNet).
    Projected,
}

/// A block.
pub trait Block: std::fmt::Debug + Send + Sync {
    /// Its layers, in order; the activation of the last comes after the shortcut is added.
    ///
    /// # Errors
    /// Sizes that do not fit this block.
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>>;

    /// What runs beside it.
    fn shortcut(&self) -> Shortcut {
        Shortcut::None
    }

    /// The same block as a structure of crate `cnn` (an inline table), if it is one by itself.
    fn structure(&self, place: &Place) -> Option<String>;
}

type Read = fn(Table) -> std::result::Result<Box<dyn Block>, toml::de::Error>;

fn read<B: Block + DeserializeOwned + 'static>(
    keys: Table,
) -> std::result::Result<Box<dyn Block>, toml::de::Error> {
    Ok(Box::new(keys.try_into::<B>()?))
}

/// All kinds by the name an ablation file uses.
pub const BLOCKS: &[(&str, Read)] = &[
    ("standard", read::<standard::Standard>),
    ("basic", read::<basic::Basic>),
    ("bottleneck", read::<bottleneck::Bottleneck>),
    ("resnext", read::<bottleneck::ResNext>),
    ("shufflenet", read::<bottleneck::ShuffleNet>),
    ("depthwise-separable", read::<depthwise::DepthwiseSeparable>),
    ("inverted-residual", read::<depthwise::InvertedResidual>),
    ("tucker", read::<tucker::Tucker>),
    ("cp", read::<cp::Cp>),
    ("factorised-higher-order", read::<cp::Cp>),
    ("tensor-train", read::<tensor_train::TensorTrain>),
    ("einsum", read::<einsum::Network>),
    ("r2plus1d", read::<r2plus1d::R2Plus1D>),
    ("t-net", read::<t_net::TNet>),
];

/// A block as a user writes it: its name, or a table with `kind` and its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "expected the name of a block, or a table with kind and its keys")]
pub enum BlockSpec {
    /// `"bottleneck"`.
    Name(String),
    /// `{ kind = "tucker", ranks = [2, 2, 8] }`.
    Table(Table),
}

impl BlockSpec {
    /// Its kind.
    pub fn kind(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Table(table) => match table.get("kind") {
                Some(toml::Value::String(kind)) => kind,
                _ => "",
            },
        }
    }

    /// A label for tables: the kind and its keys.
    pub fn label(&self) -> String {
        match self {
            Self::Name(name) => name.clone(),
            Self::Table(table) => {
                let keys: Vec<String> =
                    table.iter().filter(|(k, _)| *k != "kind").map(|(k, v)| format!("{k}={v}")).collect();
                if keys.is_empty() {
                    self.kind().to_owned()
                } else {
                    format!("{}({})", self.kind(), keys.join(","))
                }
            }
        }
    }

    /// The block.
    ///
    /// # Errors
    /// An unknown kind or key, a missing key.
    pub fn build(&self) -> Result<Box<dyn Block>> {
        let kind = self.kind();
        let Some((_, read)) = BLOCKS.iter().find(|(name, _)| *name == kind) else {
            let names = BLOCKS.iter().map(|(name, _)| *name);
            let known = convstat_text::suggestion(kind, names);
            return Err(TrainError::bad("block", format!("\"{kind}\""), format!("unknown kind{known}")));
        };
        let mut keys = match self {
            Self::Name(_) => Table::new(),
            Self::Table(table) => table.clone(),
        };
        keys.remove("kind");
        read(keys).map_err(|e| TrainError::bad("block", self.label(), e.message()))
    }
}

/// `[1, 3]` as TOML.
fn list(values: &[usize]) -> String {
    format!("{values:?}")
}
