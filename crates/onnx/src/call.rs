//! One node of a file with what is known of its inputs.

use std::collections::HashMap;
use std::rc::Rc;

use crate::proto::{Attribute, NodeProto};
use crate::value::{Shape, Value, product};
use crate::wire::Reason;

/// Attributes of the call of a function, by name.
pub(crate) type Bound<'m> = HashMap<&'m str, &'m Attribute>;

/// A node to be read.
pub(crate) struct Call<'m> {
    pub node: &'m NodeProto,
    /// Its operator, quantised and fused ones by the name of the plain one.
    pub kind: &'m str,
    /// Its inputs in the order of the plain operator; none for those left out.
    pub inputs: Vec<Option<Value>>,
    /// Attributes of the function around it.
    pub bound: Rc<Bound<'m>>,
    /// Version of the operator set.
    pub opset: i64,
    /// Number of outputs.
    pub outputs: usize,
}

impl<'m> Call<'m> {
    pub(crate) fn attribute(&self, name: &str) -> Option<&'m Attribute> {
        attribute(self.node, name, &self.bound)
    }

    pub(crate) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|a| a.int).unwrap_or(default)
    }

    pub(crate) fn ints(&self, name: &str) -> Option<&'m [i64]> {
        self.attribute(name).map(|a| &a.ints[..])
    }

    pub(crate) fn text(&self, name: &str) -> Option<&'m str> {
        self.attribute(name)?.bytes.as_ref().and_then(|b| std::str::from_utf8(b).ok())
    }

    pub(crate) fn input(&self, place: usize) -> Option<&Value> {
        self.inputs.get(place)?.as_ref()
    }

    pub(crate) fn shape(&self, place: usize) -> Shape {
        self.input(place)?.shape.clone()
    }

    /// Whole numbers of an input, or of the attribute that older operator sets have in its place.
    pub(crate) fn list(&self, place: usize, name: &str) -> Option<Vec<i64>> {
        match self.ints(name) {
            Some(ints) => Some(ints.to_vec()),
            None => self.input(place)?.integers(),
        }
    }

    /// An attribute of one positive number a spatial mode.
    pub(crate) fn positive(&self, name: &str, modes: usize) -> Result<Vec<usize>, Reason> {
        match self.ints(name) {
            None | Some([]) => Ok(vec![1; modes]),
            Some(list) => {
                let size = |&v: &i64| usize::try_from(v).ok().filter(|&v| v > 0 && v < 1 << 32);
                let sizes: Option<Vec<usize>> = list.iter().map(size).collect();
                // No stride or dilation of a network is near this, and products of them stay numbers.
                let sizes = sizes.filter(|s| s.len() == modes && product(s).is_some());
                sizes.ok_or_else(|| format!("{name} = {list:?}: it needs {modes} positive numbers"))
            }
        }
    }
}

/// An attribute of a node, which may stand for one of the function around it.
pub(crate) fn attribute<'m>(node: &'m NodeProto, name: &str, bound: &Bound<'m>) -> Option<&'m Attribute> {
    let own = node.attributes.iter().find(|a| a.name == name)?;
    if own.reference.is_empty() { Some(own) } else { bound.get(own.reference.as_str()).copied() }
}
