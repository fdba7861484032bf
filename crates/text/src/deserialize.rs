//! A serde deserialiser over [`Item`]s. Unlike that of the crate `toml` its errors keep what serde says apart from the words, and
//! the path to it.

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::fault::Fault;
use crate::item::{Item, Name, Node};
use crate::path::Step;

/// Reads one value.
pub(crate) struct Value(pub Item);

type Result<T> = std::result::Result<T, Fault>;

impl<'de> Deserializer<'de> for Value {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0.node {
            Node::Text(text) => visitor.visit_string(text),
            Node::Integer(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => visitor.visit_i128(number),
            },
            Node::Float(number) => visitor.visit_f64(number),
            Node::Boolean(value) => visitor.visit_bool(value),
            Node::Date(date) => {
                Err(Fault::invalid_type(Unexpected::Other(&format!("date {date}")), &visitor))
            }
            Node::List(list) => visitor.visit_seq(List { rest: list.into_iter(), next: 0 }),
            Node::Table(entries) => visitor.visit_map(Table::new(entries)),
        }
    }

    // A key that is there has a value.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.0.node {
            Node::Text(text) => {
                let word: StringDeserializer<Fault> = text.into_deserializer();
                visitor.visit_enum(word)
            }
            Node::Table(entries) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Table::new(entries)))
            }
            Node::Table(entries) => {
                let found = if entries.is_empty() { "found 0 elements" } else { "more than 1 element" };
                Err(Fault::custom(format!("wanted exactly 1 element, {found}")))
            }
            _ => Err(Fault::custom("wanted string or table")),
        }
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq bytes byte_buf map unit struct
        ignored_any unit_struct tuple_struct tuple identifier
    }
}

struct List {
    rest: std::vec::IntoIter<Item>,
    next: usize,
}

impl<'de> SeqAccess<'de> for List {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(item) = self.rest.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        seed.deserialize(Value(item)).map(Some).map_err(|e| e.below(Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Table {
    rest: std::vec::IntoIter<(Name, Item)>,
    /// The entry whose key was read last.
    open: Option<(Name, Item)>,
}

impl Table {
    fn new(entries: Vec<(Name, Item)>) -> Self {
        Self { rest: entries.into_iter(), open: None }
    }
}

impl<'de> MapAccess<'de> for Table {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some((name, item)) = self.rest.next() else { return Ok(None) };
        let key: StringDeserializer<Fault> = name.text.clone().into_deserializer();
        self.open = Some((name, item));
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let Some((name, item)) = self.open.take() else {
            return Err(Fault::custom("internal error: a value was asked for before its key"));
        };
        seed.deserialize(Value(item)).map_err(|e| e.below(Step::Key(name.text)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
