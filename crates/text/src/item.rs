//! A TOML document as a tree of values with their places.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::Diagnostic;
use crate::path::{KeyPath, Step};

/// Tables and lists inside each other, more than any file has: values are read by recursion.
const MOST_NESTING: usize = 64;

/// A value and its place.
#[derive(Debug, Clone, Default)]
pub(crate) struct Item {
    /// Bytes of the value; of a table with a header, those of the header.
    pub span: Range<usize>,
    pub node: Node,
}

/// A value.
#[derive(Debug, Clone)]
pub(crate) enum Node {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
    Date(String),
    List(Vec<Item>),
    Table(Vec<(Name, Item)>),
}

impl Default for Node {
    fn default() -> Self {
        Self::Table(Vec::new())
    }
}

/// A key and its place.
#[derive(Debug, Clone)]
pub(crate) struct Name {
    pub text: String,
    pub span: Range<usize>,
}

impl Item {
    /// The root of a document.
    pub fn document(table: &Spanned<DeTable>) -> Result<Self, Diagnostic> {
        Ok(Self { span: table.span(), node: Node::Table(entries(table.get_ref(), 0)?) })
    }

    fn new(value: &Spanned<DeValue>, depth: usize) -> Result<Self, Diagnostic> {
        let span = value.span();
        let wrong = |message: &str| Diagnostic::new(message).at(Some(span.clone()));
        if depth > MOST_NESTING {
            return Err(wrong(&format!("more than {MOST_NESTING} tables and lists inside each other")));
        }
        let node = match value.get_ref() {
            DeValue::String(text) => Node::Text(text.clone().into_owned()),
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .map(Node::Integer)
                .map_err(|_| wrong("integer number overflowed"))?,
            DeValue::Float(number) => match number.as_str().parse::<f64>() {
                Ok(value) if value.is_finite() || !number.as_str().contains(|c: char| c.is_ascii_digit()) => {
                    Node::Float(value)
                }
                _ => return Err(wrong("floating-point number overflowed")),
            },
            DeValue::Boolean(value) => Node::Boolean(*value),
            DeValue::Datetime(date) => Node::Date(date.to_string()),
            DeValue::Array(list) => {
                Node::List(list.iter().map(|v| Self::new(v, depth + 1)).collect::<Result<_, _>>()?)
            }
            DeValue::Table(table) => Node::Table(entries(table, depth + 1)?),
        };
        Ok(Self { span, node })
    }

    /// A value without places.
    pub fn unplaced(value: toml::Value) -> Self {
        let node = match value {
            toml::Value::String(text) => Node::Text(text),
            toml::Value::Integer(number) => Node::Integer(number.into()),
            toml::Value::Float(number) => Node::Float(number),
            toml::Value::Boolean(value) => Node::Boolean(value),
            toml::Value::Datetime(date) => Node::Date(date.to_string()),
            toml::Value::Array(list) => Node::List(list.into_iter().map(Self::unplaced).collect()),
            toml::Value::Table(table) => Node::Table(
                table.into_iter().map(|(text, v)| (Name { text, span: 0..0 }, Self::unplaced(v))).collect(),
            ),
        };
        Self { span: 0..0, node }
    }

    /// The place of a path: its key with the value, or of the nearest part above it that is there. None at the root.
    pub fn place(&self, path: &KeyPath) -> Option<Range<usize>> {
        let (mut at, mut place) = (self, None);
        for step in path.steps() {
            let (next, span) = match (step, &at.node) {
                (Step::Key(key), Node::Table(entries)) => {
                    let Some((name, item)) = entries.iter().find(|(n, _)| n.text == *key) else { break };
                    (item, item.span_with(name))
                }
                (Step::Index(i), Node::List(list)) => {
                    let Some(item) = list.get(*i) else { break };
                    (item, item.span.clone())
                }
                _ => break,
            };
            (at, place) = (next, Some(span));
        }
        place
    }

    /// The value at a path.
    pub fn find(&self, path: &KeyPath) -> Option<&Self> {
        path.steps().iter().try_fold(self, |at, step| match (step, &at.node) {
            (Step::Key(key), Node::Table(entries)) => {
                entries.iter().find(|(n, _)| n.text == *key).map(|(_, item)| item)
            }
            (Step::Index(i), Node::List(list)) => list.get(*i),
            _ => None,
        })
    }

    /// From its key to the end of the value; of a table the key.
    fn span_with(&self, name: &Name) -> Range<usize> {
        match self.node {
            Node::Table(_) => name.span.clone(),
            _ => name.span.start..self.span.end.max(name.span.end),
        }
    }

    /// The path below this table or list to the first value that `is` finds.
    pub fn search(&self, is: &dyn Fn(&Node) -> bool) -> Option<KeyPath> {
        let deeper = |step: Step, item: &Self| {
            let mut path = if is(&item.node) { KeyPath::ROOT } else { item.search(is)? };
            path.prepend(step);
            Some(path)
        };
        match &self.node {
            Node::Table(entries) => entries.iter().find_map(|(n, v)| deeper(Step::Key(n.text.clone()), v)),
            Node::List(list) => list.iter().enumerate().find_map(|(i, v)| deeper(Step::Index(i), v)),
            _ => None,
        }
    }
}

fn entries(table: &DeTable, depth: usize) -> Result<Vec<(Name, Item)>, Diagnostic> {
    table
        .iter()
        .map(|(key, value)| {
            let name = Name { text: key.get_ref().clone().into_owned(), span: key.span() };
            Ok((name, Item::new(value, depth)?))
        })
        .collect()
}
