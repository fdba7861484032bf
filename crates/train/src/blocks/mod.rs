//! Blocks, one file a family. A new one is a file here and a line in [`BLOCKS`].
//!
//! Every block maps C channels to K and carries its rank R explicitly; [`Block::structure`] is the same block in crate
//! `cnn`, whose counts are those of its convolutions (THEORY §2).

mod basic;
mod block;
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

pub use block::{Block, Place, Shortcut};

use crate::{Result, TrainError};

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
