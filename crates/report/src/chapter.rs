//! What a figure says and does in a notebook: a text, and code in both languages.

/// The same in Python and in R.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// Python (polars, matplotlib).
    pub python: &'static str,
    /// R (arrow, ggplot2).
    pub r: &'static str,
}

/// A part of a notebook.
#[derive(Debug, Clone, Copy)]
pub struct Chapter {
    /// Markdown.
    pub text: &'static str,
    /// What draws the figure from the run's tables.
    pub code: Code,
}

/// The code in `notebook/python/NAME.py` and `notebook/r/NAME.R`.
macro_rules! code {
    ($name:literal) => {
        $crate::chapter::Code {
            python: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/notebook/python/", $name, ".py")),
            r: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/notebook/r/", $name, ".R")),
        }
    };
}
pub(crate) use code;
