//! Named structures, one file each. A new one is a file here and a line in [`FAMILIES`].

mod cnn;
mod dense;
pub(crate) mod draft;
pub(crate) mod einsum;

use serde::de::DeserializeOwned;
use toml::Table;

use crate::{OutputModes, Result, Structure};

/// A family of structures with its keys filled in.
pub trait Family {
    /// The structure over these output modes.
    fn build(&self, modes: &OutputModes) -> Result<Structure>;
}

type Read = fn(Table) -> std::result::Result<Box<dyn Family>, toml::de::Error>;

fn read<F: Family + DeserializeOwned + 'static>(
    keys: Table,
) -> std::result::Result<Box<dyn Family>, toml::de::Error> {
    Ok(Box::new(keys.try_into::<F>()?))
}

/// All kinds by the name a study file uses.
pub const FAMILIES: &[(&str, Read)] =
    &[("dense", read::<dense::Dense>), ("cnn", read::<cnn::Cnn>), ("einsum", read::<einsum::Network>)];
