//! What a family of structures is.

use convstat_text::{Diagnostic, from_table};
use serde::de::DeserializeOwned;
use toml::Table;

use super::draft::Draft;
use crate::{Result, Structure};

/// A family of structures with its keys filled in.
pub trait Family {
    /// The structure over the output modes of `draft`.
    ///
    /// # Errors
    /// Sizes that do not fit the family, or a structure too large for the memory.
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

/// Reads the keys of a family.
pub type Read = fn(Table) -> std::result::Result<Box<dyn Family>, Diagnostic>;

/// The reader of one family.
pub(super) fn read<F: Family + DeserializeOwned + 'static>(
    keys: Table,
) -> std::result::Result<Box<dyn Family>, Diagnostic> {
    Ok(Box::new(from_table::<F>(keys)?))
}
