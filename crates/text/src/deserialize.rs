//! A serde deserialiser over [`Item`]s. Unlike that of the crate `toml` its errors keep what serde says apart from the words, and
//! the path to it.

use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{
    DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::item::{Item, Name, Node};
use crate::path::Step;

/// Reads one value; `below` tells an error the step to the value that it is in.
pub(crate) struct Value<E> {
    item: Item,
    below: fn(E, Step) -> E,
}

impl<E: Error> Value<E> {
    pub fn new(item: Item, below: fn(E, Step) -> E) -> Self {
        Self { item, below }
    }
}

impl<'de, E: Error> Deserializer<'de> for Value<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        match self.item.node {
            Node::Text(text) => visitor.visit_string(text),
            Node::Integer(number) => match (i64::try_from(number), u64::try_from(number)) {
                (Ok(number), _) => visitor.visit_i64(number),
                (_, Ok(number)) => visitor.visit_u64(number),
                _ => visitor.visit_i128(number),
            },
            Node::Float(number) => visitor.visit_f64(number),
            Node::Boolean(value) => visitor.visit_bool(value),
            Node::Date(date) => Err(E::invalid_type(Unexpected::Other(&format!("date {date}")), &visitor)),
            Node::List(list) => {
                visitor.visit_seq(List { rest: list.into_iter(), next: 0, below: self.below })
            }
            Node::Table(entries) => visitor.visit_map(Table::new(entries, self.below)),
        }
    }

    // A key that is there has a value.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, E> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, E> {
        match self.item.node {
            Node::Text(text) => {
                let word: StringDeserializer<E> = text.into_deserializer();
                visitor.visit_enum(word)
            }
            Node::Table(entries) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(Table::new(entries, self.below)))
            }
            Node::Table(entries) => {
                let found = if entries.is_empty() { "found 0 elements" } else { "more than 1 element" };
                Err(E::custom(format!("wanted exactly 1 element, {found}")))
            }
            _ => Err(E::custom("wanted string or table")),
        }
    }

    forward_to_deserialize_any! {
        bool u8 u16 u32 u64 u128 i8 i16 i32 i64 i128 f32 f64 char str string seq bytes byte_buf map unit struct
        ignored_any unit_struct tuple_struct tuple identifier
    }
}

struct List<E> {
    rest: std::vec::IntoIter<Item>,
    next: usize,
    below: fn(E, Step) -> E,
}

impl<'de, E: Error> SeqAccess<'de> for List<E> {
    type Error = E;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, E> {
        let Some(item) = self.rest.next() else { return Ok(None) };
        let index = self.next;
        self.next += 1;
        let read = seed.deserialize(Value::new(item, self.below));
        read.map(Some).map_err(|e| (self.below)(e, Step::Index(index)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}

struct Table<E> {
    rest: std::vec::IntoIter<(Name, Item)>,
    /// The entry whose key was read last.
    open: Option<(Name, Item)>,
    below: fn(E, Step) -> E,
}

impl<E> Table<E> {
    fn new(entries: Vec<(Name, Item)>, below: fn(E, Step) -> E) -> Self {
        Self { rest: entries.into_iter(), open: None, below }
    }
}

impl<'de, E: Error> MapAccess<'de> for Table<E> {
    type Error = E;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, E> {
        let Some((name, item)) = self.rest.next() else { return Ok(None) };
        let key: StringDeserializer<E> = name.text.clone().into_deserializer();
        self.open = Some((name, item));
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, E> {
        let Some((name, item)) = self.open.take() else {
            return Err(E::custom("internal error: a value was asked for before its key"));
        };
        let read = seed.deserialize(Value::new(item, self.below));
        read.map_err(|e| (self.below)(e, Step::Key(name.text)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.rest.len())
    }
}
