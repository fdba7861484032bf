//! Candidates among which an estimator chooses, and which of them the replicates of a cell chose.

use std::collections::HashSet;

use convstat_cnn::Structure;

use crate::Result;
use crate::file::{Estimator, Setting};
use crate::selected::CellSelection;
use crate::setting::SettingContext;
use crate::statistics::mean;

/// Folds of cross-validation unless a study file says otherwise.
pub const FOLDS: usize = 10;

/// Candidates of an estimator in a setting: its structure with other values of some keys.
#[derive(Debug)]
pub struct Candidates {
    /// The structures, in the order of the grid.
    pub structures: Vec<Structure>,
    /// What rows call them: their names, or where two have one (networks written out) what the user would write.
    pub labels: Vec<String>,
    /// Which of them is the structure of the truth, if one is.
    pub truth: Option<usize>,
    /// The key that varies, if one alone does.
    pub key: Option<String>,
    /// Its value in each structure.
    pub values: Vec<usize>,
}

impl Candidates {
    /// Of an estimator in a setting; none if it does not select.
    pub(crate) fn new(
        estimator: &Estimator,
        setting: &Setting,
        context: &SettingContext,
    ) -> Result<Option<Self>> {
        if estimator.select.is_none() {
            return Ok(None);
        }
        let modes = context.geometry.output_modes(setting.structure.outputs()?);
        let specs = setting.structure.grid(&estimator.over)?;
        let structures = specs.iter().map(|s| Ok(s.build(&modes)?)).collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = structures.iter().map(|s| s.name().to_owned()).collect();
        let is_distinct = names.iter().collect::<HashSet<_>>().len() == names.len();
        let same = |s: &Structure| {
            let truth = &context.truth_structure;
            s.network() == truth.network() && s.sizes() == truth.sizes()
        };
        let single = estimator.over.iter().next().filter(|_| estimator.over.len() == 1);
        Ok(Some(Self {
            labels: if is_distinct { names } else { specs.iter().map(ToString::to_string).collect() },
            truth: structures.iter().position(same),
            structures,
            key: single.map(|(key, _)| key.clone()),
            values: single.map_or_else(Vec::new, |(_, values)| values.clone()),
        }))
    }
}

/// What was chosen, from the labels of the structures that the replicates of a cell chose.
pub(crate) fn selected(candidates: &Candidates, chosen: &[(u64, String)]) -> CellSelection {
    let n = chosen.len() as f64;
    let places: Vec<Option<usize>> =
        chosen.iter().map(|(_, label)| candidates.labels.iter().position(|l| l == label)).collect();
    let right = places.iter().filter(|p| p.is_some() && **p == candidates.truth).count() as f64 / n;
    let value = |place: Option<usize>| candidates.values.get(place?).copied();
    let values: Vec<f64> = places.iter().map(|p| value(*p).map_or(f64::NAN, |v| v as f64)).collect();
    CellSelection {
        right: (right, (right * (1.0 - right) / n).sqrt()),
        mean: mean(&values),
        key: candidates.key.clone().map(|key| (key, value(candidates.truth))),
    }
}
