//! Options of figures.

use std::collections::HashSet;

use convstat_text::{KeyPath, suggestion};

use super::name::check_file_name;
use crate::designs::DesignSpec;
use crate::file::{Figure, FigureWidth, StudyFile, kind_of};
use crate::{Result, StudyError};

/// Sizes of labels that can be read and leave room for the data, points.
const FONT_SIZES: [f64; 2] = [4.0, 36.0];
/// Widths that hold a panel, millimetres.
const WIDTHS: [f64; 2] = [40.0, 1000.0];

impl Figure {
    /// Fails on a size outside its range and on names that the study does not have.
    ///
    /// # Errors
    /// The key, its value and the names there are.
    pub fn check(&self, file: &StudyFile) -> Result<()> {
        if let Some(name) = &self.name {
            check_file_name("name", name)?;
        }
        let within = |key: &str, value: f64, [low, high]: [f64; 2], unit: &str| {
            if value >= low && value <= high {
                return Ok(());
            }
            Err(StudyError::bad(key, value, &format!("it has to be from {low} to {high} {unit}")))
        };
        if let Some(FigureWidth::Millimetres(width)) = self.width {
            within("width", width, WIDTHS, "millimetres, or \"column\" or \"page\"")?;
        }
        if let Some(size) = self.font_size {
            within("font_size", size, FONT_SIZES, "points")?;
        }
        let settings: Vec<String> = file.setting.iter().map(|s| s.name.clone()).collect();
        let labels: Vec<String> = file.design.iter().map(DesignSpec::label).collect();
        let designs = labels.iter().flat_map(|l| [l.clone(), kind_of(l).to_owned()]);
        let mut designs: Vec<String> = designs.collect();
        let mut seen = HashSet::new();
        designs.retain(|d| seen.insert(d.clone()));
        let estimators: Vec<String> = file.estimator.iter().map(|e| e.label().to_owned()).collect();
        for (key, wanted, known) in [
            ("settings", &self.settings, settings),
            ("designs", &self.designs, designs),
            ("estimators", &self.estimators, estimators),
        ] {
            let Some(wanted) = wanted else { continue };
            if wanted.is_empty() {
                return Err(StudyError::bad(key, "[]", "name at least one, or leave the key out"));
            }
            if let Some((i, name)) = wanted.iter().enumerate().find(|(_, n)| !known.contains(n)) {
                let hint = suggestion(name, known.iter().map(String::as_str));
                let mend = format!("the study has none of this name{hint}");
                return Err(StudyError::bad(KeyPath::from(key).index(i), format!("\"{name}\""), &mend));
            }
        }
        Ok(())
    }
}

/// Fails on options outside their range and on two figures with one file name.
pub(super) fn check(file: &StudyFile) -> Result<()> {
    let mut seen = HashSet::new();
    for (i, (name, figure)) in file.figures().into_iter().enumerate() {
        let at = KeyPath::from("figure").index(i);
        figure.check(file).map_err(|e| e.inside(at.clone()))?;
        if !seen.insert(name.clone()) {
            let mend = "two figures would have this file name; give one of them its own name";
            return Err(StudyError::bad(at.key("name"), format!("{name:?}"), mend));
        }
    }
    Ok(())
}
