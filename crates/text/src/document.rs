//! TOML documents: values read from them, and places of their keys.

use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::de::DeTable;

use crate::deserialize::Value;
use crate::diagnostic::Diagnostic;
use crate::fault::Fault;
use crate::item::Item;
use crate::path::KeyPath;

/// A TOML document with the places of all its values.
#[derive(Debug, Clone)]
pub struct Document {
    root: Item,
}

impl Document {
    /// Reads TOML.
    ///
    /// # Errors
    /// What is not TOML, with its place.
    pub fn new(text: &str) -> Result<Self, Diagnostic> {
        let table = DeTable::parse(text).map_err(|e| Diagnostic::new(e.message().trim()).at(e.span()))?;
        Ok(Self { root: Item::document(&table)? })
    }

    /// Its value.
    ///
    /// # Errors
    /// What the type does not take, with its key and place, and the nearest known word.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Diagnostic> {
        T::deserialize(Value::new(self.root.clone(), Fault::below))
            .map_err(|fault| fault.diagnostic(&self.root))
    }

    /// Bytes of a key and its value; of a table those of its header, and of a key that is not there those of the nearest table or
    /// list above it. None where the document has no part of the path.
    pub fn place(&self, path: &KeyPath) -> Option<Range<usize>> {
        self.root.place(path)
    }

    /// Whether the document has a value at this path.
    pub fn has(&self, path: &KeyPath) -> bool {
        self.root.find(path).is_some()
    }
}

/// Reads a value from a TOML text.
///
/// # Errors
/// As [`Document::new`] and [`Document::read`].
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Diagnostic> {
    Document::new(text)?.read()
}

/// Reads a value from a table whose text is not at hand: errors have a key, and no place.
///
/// # Errors
/// As [`Document::read`].
pub fn from_table<T: DeserializeOwned>(table: toml::Table) -> Result<T, Diagnostic> {
    let root = Item::unplaced(toml::Value::Table(table));
    let read = T::deserialize(Value::new(root.clone(), Fault::below));
    read.map_err(|fault| fault.diagnostic(&root).at(None))
}

/// Line and column of a byte, from 1; columns count characters.
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    (line, before.rsplit('\n').next().unwrap_or_default().chars().count() + 1)
}
