//! Tables: aligned text for the terminal, and those of papers.

mod columns;
mod csv;
mod escape;
mod format;
mod latex;
mod markdown;
mod shown;
mod text;

use convstat_study::{Plan, Summary};

use crate::Result;

pub use crate::digits::Uncertainty;
pub use escape::escape_latex;
pub use format::{PaperTable, TableFormat, TableOptions};
pub use text::{align, align_within, check_lines, summary_table};

/// All formats; the first is the usual one. A new one is a file here and a line.
pub const TABLE_FORMATS: &[TableFormat] = &[latex::FORMAT, markdown::FORMAT, csv::FORMAT];

/// The format of a name, or of the ending of a file.
pub fn table_format(name: &str) -> Option<&'static TableFormat> {
    TABLE_FORMATS.iter().find(|format| [format.name, format.extension].contains(&name))
}

/// The summary of a study as a table for a paper.
///
/// # Errors
/// A column that the summary does not have.
pub fn paper_table(
    plan: &Plan,
    summary: &Summary,
    format: &TableFormat,
    options: &TableOptions,
) -> Result<PaperTable> {
    let columns = columns::extended(&summary.to_table(plan))?;
    (format.write)(&format::TableData { plan, summary, columns: &columns, options })
}
