//! Sizes that a file leaves open.

use convstat_graph::{GraphError, Result};

use std::str::FromStr;

/// What a user says of a model's inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnnxOptions {
    /// Shapes of inputs, or sizes of named modes.
    pub inputs: Vec<InputSize>,
}

/// A shape of an input, or the size of a mode that the file gives a name.
///
/// Written `1x3x224x224` (the first input), `name=1x3x224x224` (an input), or `height=224` (every mode of that name; an input
/// that is one whole number has it as its value).
///
/// ```
/// use convstat_onnx::InputSize;
/// let size: InputSize = "image=1x3x224x224".parse()?;
/// assert_eq!((size.name.as_deref(), &size.sizes[..]), (Some("image"), &[1, 3, 224, 224][..]));
/// # Ok::<(), convstat_graph::GraphError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputSize {
    /// Name of the input or of the mode; none for the first input.
    pub name: Option<String>,
    /// Its sizes, with or without the batch in front.
    pub sizes: Vec<usize>,
}

/// Largest size of a mode that can be asked for.
const MOST: usize = 1 << 24;

impl FromStr for InputSize {
    type Err = GraphError;

    fn from_str(text: &str) -> Result<Self> {
        let (name, sizes) = match text.rsplit_once('=') {
            Some((name, sizes)) => (Some(name.to_owned()), sizes),
            None => (None, text),
        };
        let size = |s: &str| s.trim().parse().ok().filter(|&n: &usize| (1..=MOST).contains(&n));
        let sizes: Option<Vec<usize>> = sizes.split(['x', ',']).map(size).collect();
        match sizes {
            Some(sizes) if sizes.len() <= 8 && name.as_deref() != Some("") => Ok(Self { name, sizes }),
            _ => Err(bad(text, "write 1x3x224x224, name=1x3x224x224 or mode=224".to_owned())),
        }
    }
}

/// An option that does not fit the file.
pub(crate) fn bad(value: &str, mend: String) -> GraphError {
    GraphError::BadOption { option: "--input", value: value.to_owned(), mend }
}

impl std::fmt::Display for InputSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(name) = &self.name {
            write!(f, "{name}=")?;
        }
        let sizes: Vec<String> = self.sizes.iter().map(ToString::to_string).collect();
        f.write_str(&sizes.join("x"))
    }
}
