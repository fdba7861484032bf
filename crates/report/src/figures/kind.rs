//! What a kind of figure is, and what its figures are drawn from.

use convstat_study::file::Figure;
use convstat_study::{StudyFile, Summary};

use crate::chapter::Chapter;
use crate::{Canvas, Result};

/// What a figure is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct FigureData<'a> {
    /// Name of the figure, and of its file.
    pub name: &'a str,
    /// Standard deviation of its noise.
    pub sigma: f64,
    /// What its risk is: exact, or first-order for labels and trained networks.
    pub risk: &'a str,
    /// Its summary, with the cells that the figure shows.
    pub summary: &'a Summary,
    /// How it is drawn.
    pub options: &'a Figure,
}

/// A kind of figure.
#[derive(Debug, Clone, Copy)]
pub struct FigureKind {
    /// Its name in study files.
    pub name: &'static str,
    /// Fails with the mend on a study for which it would be empty or wrong.
    pub requires: fn(&StudyFile) -> std::result::Result<(), String>,
    /// What a notebook of the study has in its place, if anything.
    pub notebook: fn(&StudyFile) -> Option<Chapter>,
    /// Draws it; none where the summary has no data for it.
    pub draw: fn(&FigureData) -> Result<Option<Canvas>>,
}
