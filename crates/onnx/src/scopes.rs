//! What names stand for, graph in graph.

use std::collections::HashMap;
use std::rc::Rc;

use crate::call::Bound;
use crate::value::Value;
use crate::wire::Reason;

/// Functions and graphs inside one another.
const DEEPEST: usize = 32;

/// Values by name.
struct Scope<'m> {
    values: HashMap<&'m str, Value>,
    bound: Rc<Bound<'m>>,
    /// Whether names of the scopes around it are hidden.
    closed: bool,
}

/// Scopes, the innermost last.
#[derive(Default)]
pub(crate) struct Scopes<'m>(Vec<Scope<'m>>);

impl<'m> Scopes<'m> {
    /// Opens a scope; of a function it hides the names around it, and has attributes of its own.
    pub(crate) fn open(&mut self, function: Option<Bound<'m>>) -> Result<(), Reason> {
        if self.0.len() >= DEEPEST {
            return Err(format!("functions or graphs more than {DEEPEST} deep inside one another"));
        }
        let closed = function.is_some();
        let bound = function.map_or_else(|| self.bound(), Rc::new);
        self.0.push(Scope { values: HashMap::new(), bound, closed });
        Ok(())
    }

    pub(crate) fn close(&mut self) {
        self.0.pop();
    }

    /// Whether the main graph's scope is the innermost.
    pub(crate) fn is_outermost(&self) -> bool {
        self.0.len() <= 1
    }

    /// Attributes of the function around.
    pub(crate) fn bound(&self) -> Rc<Bound<'m>> {
        self.0.last().map(|s| s.bound.clone()).unwrap_or_default()
    }

    pub(crate) fn define(&mut self, name: &'m str, value: Value) -> Result<(), Reason> {
        let Some(scope) = self.0.last_mut() else {
            return Err(format!("internal error: \"{name}\" is defined outside of any graph"));
        };
        if name.is_empty() {
            return Ok(());
        }
        match scope.values.insert(name, value) {
            Some(_) => Err(format!("two things are called \"{name}\"; names of values have to differ")),
            None => Ok(()),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        for scope in self.0.iter().rev() {
            if let Some(value) = scope.values.get(name) {
                return Some(value);
            }
            if scope.closed {
                return None;
            }
        }
        None
    }

    pub(crate) fn value(&self, name: &str) -> Result<Value, Reason> {
        self.find(name).cloned().ok_or_else(|| format!("nothing makes its input \"{name}\""))
    }
}
