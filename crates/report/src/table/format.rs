//! What a format of tables is, and what a table is made from.

use convstat_runner::Table;
use convstat_study::{Plan, Summary};

use crate::Result;
use crate::digits::Uncertainty;

/// What a table shows, and how.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Names of columns of the summary, or `failures`, `ratio_pred`, `ratio_frob`; the usual ones if there are none (in CSV: all).
    pub columns: Vec<String>,
    /// How Monte Carlo standard errors are written.
    pub uncertainty: Uncertainty,
    /// Caption (LaTeX); the study's aim if there is none.
    pub caption: Option<String>,
    /// Label (LaTeX); `tab:` and the study's name if there is none.
    pub label: Option<String>,
}

/// A table for a paper.
#[derive(Debug, Clone)]
pub struct PaperTable {
    /// In its format.
    pub text: String,
    /// What is wrong with it, for its reader.
    pub warning: Option<String>,
}

impl From<String> for PaperTable {
    fn from(text: String) -> Self {
        Self { text, warning: None }
    }
}

/// What a table is made from.
#[derive(Debug)]
pub(super) struct TableData<'a> {
    pub plan: &'a Plan,
    pub summary: &'a Summary,
    /// The summary as columns, those that follow from it included.
    pub columns: &'a Table,
    pub options: &'a TableOptions,
}

/// A format of tables.
#[derive(Debug)]
pub struct TableFormat {
    /// Its name.
    pub name: &'static str,
    /// The ending of its files.
    pub extension: &'static str,
    /// Writes a table.
    pub(super) write: fn(&TableData) -> Result<PaperTable>,
}
