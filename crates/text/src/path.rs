//! Where in a document a value is.

use std::fmt;

/// One step of a [`KeyPath`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    /// Into a table.
    Key(String),
    /// Into a list, from 0.
    Index(usize),
}

/// A path from the root of a document to a value.
///
/// It is shown as users write it, without indices: `estimator.lambda`. A text becomes a path by its dots.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyPath(Vec<Step>);

impl KeyPath {
    /// The root.
    pub const ROOT: Self = Self(Vec::new());

    /// Its steps from the root on.
    pub fn steps(&self) -> &[Step] {
        &self.0
    }

    /// The key below this one.
    #[must_use]
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.0.push(Step::Key(key.into()));
        self
    }

    /// The entry with this index of the list at this path.
    #[must_use]
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Step::Index(index));
        self
    }

    /// `other` below this path.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// Puts a step before the first one.
    pub(crate) fn prepend(&mut self, step: Step) {
        self.0.insert(0, step);
    }

    /// Whether one of the two is at or below the other, where indices are left out.
    pub fn overlaps(&self, other: &Self) -> bool {
        let keys = |path: &Self| -> Vec<String> {
            path.0
                .iter()
                .filter_map(|s| match s {
                    Step::Key(key) => Some(key.clone()),
                    Step::Index(_) => None,
                })
                .collect()
        };
        keys(self).iter().zip(&keys(other)).all(|(a, b)| a == b)
    }
}

impl From<&str> for KeyPath {
    fn from(text: &str) -> Self {
        Self(text.split('.').map(|key| Step::Key(key.trim().to_owned())).collect())
    }
}

impl From<&String> for KeyPath {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for step in &self.0 {
            if let Step::Key(key) = step {
                write!(f, "{separator}{key}")?;
                separator = ".";
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_indices() {
        let path = KeyPath::from("estimator").index(1).key("lambda");
        assert_eq!(path.to_string(), "estimator.lambda");
        assert_eq!(KeyPath::from("estimator").index(1).join(KeyPath::from("lambda")), path);
        assert!(path.overlaps(&"estimator".into()) && path.overlaps(&"estimator.lambda.x".into()));
        assert!(!path.overlaps(&"estimator.steps".into()));
    }
}
