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
pub mod canvas;
mod csv;
mod digits;
pub mod drawing;
pub mod error;
pub mod figures;
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

pub use bars::{Bar, draw_bars};
pub use canvas::{Canvas, Format};
pub use error::ReportError;
pub use figures::{FIGURES, draw, draw_one};
pub use notebook::{NotebookFormat, notebook};
pub use table::{
    PaperTable, TableFormat, TableOptions, Uncertainty, check_lines, paper_table, summary_table,
};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, ReportError>;
