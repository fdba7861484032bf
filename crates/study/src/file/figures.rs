//! The figures of a study with their file names.

use super::figure::Figure;
use super::study::StudyFile;

/// Kinds that a study draws if it names none; the first takes the study's name as its file's.
const USUAL: [&str; 2] = ["rate", "bounds"];

impl StudyFile {
    /// The figures that the study draws, each with its file name: rate and bounds if it names none.
    pub fn figures(&self) -> Vec<(String, Figure)> {
        let mut figures = self.figure.clone();
        if figures.is_empty() {
            figures = USUAL.map(Figure::new).to_vec();
        }
        self.named(figures)
    }

    /// Figures with their file names: a single one and a rate take the study's.
    pub fn named(&self, figures: Vec<Figure>) -> Vec<(String, Figure)> {
        let single = figures.len() == 1;
        let name = |figure: &Figure| match &figure.name {
            Some(name) => name.clone(),
            None if single || figure.kind == USUAL[0] => self.study.name.clone(),
            None => format!("{}-{}", self.study.name, figure.kind),
        };
        figures.into_iter().map(|figure| (name(&figure), figure)).collect()
    }
}
