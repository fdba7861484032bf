//! Structures as a user writes them: `{ kind = "cnn", kernels = 3 }` or `{ einsum = "…", sizes = { … } }`.

use convstat_text::suggestion;
use serde::{Deserialize, Serialize};
use toml::Table;

use crate::families::{FAMILIES, Family, draft::Draft};
use crate::{CnnError, OutputModes, Result, Structure};

/// A structure read from TOML; [`StructureSpec::build`] gives it sizes. One that a larger file holds is read as it stands, so
/// that [`StructureSpec::check`] can name the key at fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StructureSpec {
    table: Table,
}

impl TryFrom<Table> for StructureSpec {
    type Error = CnnError;

    fn try_from(table: Table) -> Result<Self> {
        let spec = Self { table };
        spec.check()?;
        Ok(spec)
    }
}

fn bad(reason: String) -> CnnError {
    CnnError::BadStructure { reason }
}

fn wrong_key(key: &str, reason: String) -> CnnError {
    CnnError::StructureKey { key: key.to_owned(), reason, help: None }
}

impl StructureSpec {
    /// Reads an inline table, for instance `{ kind = "cnn", kernels = 3 }`.
    ///
    /// # Errors
    /// A text that is no table, or keys that no structure has.
    pub fn parse(text: &str) -> Result<Self> {
        let document: Table = toml::from_str(&format!("structure = {text}"))
            .map_err(|e| bad(format!("{text}: {}", e.message())))?;
        match document.get("structure") {
            Some(toml::Value::Table(t)) => Self::try_from(t.clone()),
            _ => Err(bad(format!("{text} is not a table; write {{ kind = \"cnn\", kernels = 3 }}"))),
        }
    }

    /// Fails on a kind that there is not, and on keys that its kind has not.
    ///
    /// # Errors
    /// The key at fault.
    pub fn check(&self) -> Result<()> {
        self.family().map(drop)
    }

    /// Its keys.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// `kind`, or `einsum` for a network written out.
    pub fn kind(&self) -> &str {
        match self.table.get("kind") {
            Some(toml::Value::String(s)) => s,
            _ => "einsum",
        }
    }

    /// The number of responses asked for (default 1).
    ///
    /// # Errors
    /// Another value than a whole number of at least 1.
    pub fn outputs(&self) -> Result<usize> {
        match self.table.get("outputs") {
            None => Ok(1),
            Some(toml::Value::Integer(m)) if *m >= 1 => Ok(*m as usize),
            Some(v) => {
                Err(wrong_key("outputs", format!("outputs = {v}; it has to be a whole number of at least 1")))
            }
        }
    }

    fn family(&self) -> Result<Box<dyn Family>> {
        self.outputs()?;
        let mut keys = self.table.clone();
        for common in ["outputs", "groups", "head_ranks"] {
            keys.remove(common);
        }
        let kind = match keys.remove("kind") {
            Some(toml::Value::String(kind)) => kind,
            Some(other) => {
                return Err(wrong_key("kind", format!("kind = {other}; it has to be a text")));
            }
            None if keys.contains_key("einsum") => "einsum".to_owned(),
            None => {
                return Err(bad("give kind = \"…\" or einsum = \"…\"".to_owned()));
            }
        };
        let Some((_, read)) = FAMILIES.iter().find(|(name, _)| *name == kind) else {
            let names = FAMILIES.iter().map(|(name, _)| *name);
            return Err(wrong_key("kind", format!("unknown kind \"{kind}\"{}", suggestion(&kind, names))));
        };
        read(keys).map_err(|e| CnnError::StructureKey {
            key: e.path.to_string(),
            reason: format!("kind \"{kind}\": {}", e.message),
            help: e.help,
        })
    }

    /// The structure over the given output modes (their `outputs` counts).
    ///
    /// # Errors
    /// Keys that the kind does not take, or sizes that do not fit the modes.
    pub fn build(&self, modes: &OutputModes) -> Result<Structure> {
        let family = self.family()?;
        if modes.layers > 1 && family.takes_groups() {
            return Err(bad(format!(
                "kind \"{}\" factors the kernels of one layer but the geometry has {}; use kind \"deep\", or remove deeper",
                self.kind(),
                modes.layers
            )));
        }
        let groups: Option<Vec<Vec<usize>>> = self.common("groups", family.takes_groups())?;
        let head_ranks: Option<Vec<usize>> = self.common("head_ranks", family.takes_head_ranks())?;
        family.build(Draft::new(modes, groups.as_deref(), head_ranks.as_deref())?)
    }

    /// A key that several families share.
    fn common<T: serde::de::DeserializeOwned>(&self, key: &str, taken: bool) -> Result<Option<T>> {
        let Some(value) = self.table.get(key) else { return Ok(None) };
        if !taken {
            return Err(wrong_key(key, format!("kind \"{}\" has no key {key}", self.kind())));
        }
        let read = value.clone().try_into().map(Some);
        read.map_err(|e: toml::de::Error| wrong_key(key, format!("{key} = {value}: {}", e.message())))
    }
}

impl std::fmt::Display for StructureSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pairs: Vec<String> = self.table.iter().map(|(k, v)| format!("{k} = {v}")).collect();
        write!(f, "{{ {} }}", pairs.join(", "))
    }
}
