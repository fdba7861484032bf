//! Two types that share one table.
//!
//! `#[serde(flatten)]` does not go with `#[serde(deny_unknown_fields)]`: a misspelt key would pass, or be reported without the keys
//! that there are.

use std::fmt;

use serde::de::{DeserializeOwned, Deserializer, Error, Visitor};
use serde::forward_to_deserialize_any;

use crate::deserialize::Value;
use crate::item::Item;

/// Keys of a type that is read from a table, as serde knows them; none of other types.
pub fn keys_of<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // The probe reads nothing: that this fails is how it ends.
    let _ = T::deserialize(Probe { keys: &mut keys });
    keys
}

/// Reads a table as two types. `known` are the keys of both, which the error of another key lists; see [`keys_of`].
///
/// # Errors
/// A key that neither has, or a value that does not fit.
pub fn flattened<'de, D, A, B>(deserializer: D, known: &'static [&'static str]) -> Result<(A, B), D::Error>
where
    D: Deserializer<'de>,
    A: DeserializeOwned,
    B: DeserializeOwned,
{
    let table = <toml::Table as serde::Deserialize>::deserialize(deserializer)?;
    if let Some(key) = table.keys().find(|k| !known.contains(&k.as_str())) {
        return Err(D::Error::unknown_field(key, known));
    }
    let (first, second): (toml::Table, toml::Table) =
        table.into_iter().partition(|(key, _)| keys_of::<A>().contains(&key.as_str()));
    Ok((read_part(first)?, read_part(second)?))
}

/// Reads a part of a table inside a `Deserialize` of one's own: errors stay what serde says, whatever the format.
///
/// # Errors
/// A value that does not fit.
pub fn read_part<T: DeserializeOwned, E: Error>(table: toml::Table) -> Result<T, E> {
    T::deserialize(Value::new(Item::unplaced(toml::Value::Table(table)), |error: E, _| error))
}

struct Probe<'a> {
    keys: &'a mut &'static [&'static str],
}

#[derive(Debug)]
struct Probed;

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the keys are known")
    }
}

impl std::error::Error for Probed {}

impl Error for Probed {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Probe<'_> {
    type Error = Probed;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Probed> {
        Err(Probed)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Probed> {
        *self.keys = fields;
        Err(Probed)
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq bytes byte_buf map unit option
        ignored_any unit_struct newtype_struct tuple_struct tuple identifier enum
    }
}
