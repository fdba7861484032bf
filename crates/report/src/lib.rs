//! Figures and tables of studies.
//!
//! * [`figures`]: the standard figures, one file each; [`draw`] writes those that a study has data for.
//! * [`canvas`]: one SVG from plotters with real mathematical labels, saved as SVG, PNG and PDF with the
//!   same content and no system font.
//! * [`table`]: aligned text tables, and the summary as LaTeX, Markdown and CSV.
//! * [`mod@notebook`]: Jupyter notebooks and Quarto documents that read a run.

#![forbid(unsafe_code)]

mod axis;
pub mod bars;
mod bounds;
pub mod canvas;
pub mod chapter;
mod csv;
mod digits;
pub mod drawing;
pub mod error;
pub mod figures;
mod font;
pub mod grid;
pub mod html;
mod legend;
mod lettering;
pub mod math;
mod missing;
pub mod notebook;
pub mod palette;
pub mod panel;
mod shapes;
pub mod table;
mod ticks;
mod units;

pub use bars::{Bar, draw_bars};
pub use canvas::{Canvas, Format};
pub use error::ReportError;
pub use figures::{FIGURES, draw, draw_one};
pub use notebook::{NOTEBOOK_FORMATS, NotebookFormat, notebook, notebook_format};
pub use table::{
    PaperTable, TABLE_FORMATS, TableFormat, TableOptions, Uncertainty, check_lines, paper_table,
    summary_table, table_format,
};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, ReportError>;
