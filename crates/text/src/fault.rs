//! The error of the deserialiser: what serde says, kept apart from its words, and the path to it.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::diagnostic::{Diagnostic, UnknownWord};
use crate::item::{Item, Node};
use crate::path::{KeyPath, Step};

/// A value of the wrong type or out of range.
#[derive(Debug, Clone, PartialEq)]
enum Value {
    Text(String),
    Integer(i128),
    Float(f64),
    Boolean(bool),
}

impl Value {
    fn new(unexpected: &Unexpected) -> Option<Self> {
        Some(match unexpected {
            Unexpected::Str(text) => Self::Text((*text).to_owned()),
            Unexpected::Signed(number) => Self::Integer((*number).into()),
            Unexpected::Unsigned(number) => Self::Integer((*number).into()),
            Unexpected::Float(number) => Self::Float(*number),
            Unexpected::Bool(value) => Self::Boolean(*value),
            _ => return None,
        })
    }

    fn is(&self, node: &Node) -> bool {
        match (self, node) {
            (Self::Text(a), Node::Text(b)) => a == b,
            (Self::Integer(a), Node::Integer(b)) => a == b,
            (Self::Float(a), Node::Float(b)) => a.total_cmp(b).is_eq(),
            (Self::Boolean(a), Node::Boolean(b)) => a == b,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Problem {
    UnknownField(UnknownWord),
    UnknownVariant(UnknownWord),
    WrongValue(Option<Value>),
    Other,
}

/// What serde says, and where.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fault {
    message: String,
    problem: Problem,
    path: KeyPath,
}

impl Fault {
    /// The same one step farther from the fault.
    pub fn below(mut self, step: Step) -> Self {
        self.path.prepend(step);
        self
    }

    /// With its place in a document. Tagged tables are read from a copy without places, so what is at fault inside one is looked
    /// up by its key or value.
    pub fn diagnostic(self, root: &Item) -> Diagnostic {
        let (mut path, mut help, mut unknown) = (self.path, None, None);
        let within = |path: &KeyPath, is: &dyn Fn(&Node) -> bool| {
            let deeper = root.find(path).and_then(|item| item.search(is));
            deeper.map_or_else(|| path.clone(), |p| path.clone().join(p))
        };
        match self.problem {
            Problem::UnknownField(u) => {
                path = path.key(u.word.clone());
                (help, unknown) = (Some(u.advice()), Some(u));
            }
            Problem::UnknownVariant(u) => {
                path = within(&path, &|node| matches!(node, Node::Text(text) if *text == u.word));
                (help, unknown) = (Some(u.advice()), Some(u));
            }
            Problem::WrongValue(Some(value)) => path = within(&path, &|node| value.is(node)),
            Problem::WrongValue(None) | Problem::Other => {}
        }
        let span = root.place(&path);
        Diagnostic { message: self.message, help, path, span, unknown }
    }

    fn new(message: String, problem: Problem) -> Self {
        Self { message, problem, path: KeyPath::ROOT }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(message.to_string(), Problem::Other)
    }

    fn invalid_type(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        let message = format!("invalid type: {unexpected}, expected {expected}");
        Self::new(message, Problem::WrongValue(Value::new(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected, expected: &dyn Expected) -> Self {
        let message = format!("invalid value: {unexpected}, expected {expected}");
        Self::new(message, Problem::WrongValue(Value::new(&unexpected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let message = match expected {
            [] => format!("unknown variant `{variant}`, there are no variants"),
            _ => format!("unknown variant `{variant}`, expected {}", one_of(expected)),
        };
        Self::new(message, Problem::UnknownVariant(UnknownWord::new(variant, expected)))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let message = match expected {
            [] => format!("unknown field `{field}`, there are no fields"),
            _ => format!("unknown field `{field}`, expected {}", one_of(expected)),
        };
        Self::new(message, Problem::UnknownField(UnknownWord::new(field, expected)))
    }
}

/// The names as serde lists them.
fn one_of(names: &[&str]) -> String {
    match names {
        [one] => format!("`{one}`"),
        [one, other] => format!("`{one}` or `{other}`"),
        _ => format!("one of `{}`", names.join("`, `")),
    }
}
