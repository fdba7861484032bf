//! From a study file to cells.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use convstat_estimate::Method;
use convstat_runner::{Digest, shard_of};
use convstat_text::KeyPath;
use convstat_theory::{BOUNDS, Bounds};

use crate::candidates::Candidates;
use crate::file::{Estimator, Setting, StudyFile};
use crate::operations::operations;
use crate::setting::{SettingContext, canonical};
use crate::{Result, StudyError};

/// Replicates over all cells beyond which a study does not fit into memory.
const MOST_ROWS: u64 = 100_000_000;

/// Cells beyond which a plan does not fit into memory: each has its identity as a text.
const MOST_CELLS: usize = 1_000_000;

/// Numbers drawn for one replicate beyond which it takes hours.
const MOST_DRAWN: f64 = 1e12;

/// Setting × design × estimator × n.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Identity: a digest of everything that decides its rows.
    pub id: String,
    /// Index of the setting.
    pub setting: usize,
    /// Index of the design.
    pub design: usize,
    /// Index of the estimator.
    pub estimator: usize,
    /// Observations.
    pub n: u64,
}

/// A study ready to run.
#[derive(Debug)]
pub struct Plan {
    /// The file.
    pub file: StudyFile,
    /// Its settings.
    pub settings: Vec<SettingContext>,
    /// Its cells, in the order setting, design, estimator, n.
    pub cells: Vec<Cell>,
    /// The bounds of its summaries; all of the registry.
    pub bounds: Bounds,
    /// Candidates of each setting and estimator, the estimator fastest; none where it does not select.
    candidates: Vec<Option<Candidates>>,
    /// Place of each cell in the order of falling cost.
    cost_order: OnceLock<Vec<u64>>,
}

impl Plan {
    /// Plans a study.
    ///
    /// # Errors
    /// A setting that is wrong, with its name.
    pub fn new(file: StudyFile) -> Result<Self> {
        let mut shared: BTreeMap<&str, &Setting> = BTreeMap::new();
        for s in &file.setting {
            if let Some(key) = &s.truth {
                shared.entry(key).or_insert(s);
            }
        }
        let settings = file
            .setting
            .iter()
            .enumerate()
            .map(|(i, s)| {
                let owner = s.truth.as_deref().and_then(|k| shared.get(k)).copied().unwrap_or(s);
                SettingContext::new(&file, s, owner).map_err(|e| StudyError::in_setting(&s.name, Some(i), e))
            })
            .collect::<Result<Vec<_>>>()?;
        let candidates = candidates(&file, &settings)?;
        check_estimators(&file, &settings)?;
        let cells = cells(&file, &settings)?;
        let rows = (cells.len() as u64).saturating_mul(file.study.replicates);
        if rows > MOST_ROWS {
            let mend = format!(
                "over {} cells that makes {rows} replicates; at most {MOST_ROWS} are possible",
                cells.len()
            );
            return Err(StudyError::bad("study.replicates", file.study.replicates, &mend));
        }
        Ok(Self { file, settings, cells, bounds: BOUNDS, candidates, cost_order: OnceLock::new() })
    }

    /// Replicates a cell.
    pub fn replicates(&self) -> u64 {
        self.file.study.replicates
    }

    /// The setting of a cell.
    pub fn setting(&self, cell: &Cell) -> &SettingContext {
        &self.settings[cell.setting]
    }

    /// The estimator of a cell.
    pub fn estimator(&self, cell: &Cell) -> &Estimator {
        &self.file.estimator[cell.estimator]
    }

    /// The candidates among which the estimator of a cell chooses, if it does.
    pub fn candidates(&self, cell: &Cell) -> Option<&Candidates> {
        self.candidates.get(cell.setting * self.file.estimator.len() + cell.estimator)?.as_ref()
    }

    /// Key of a cell's data: cells that differ only in the estimator, and settings that share a truth and a geometry, see the
    /// same data.
    ///
    /// # Errors
    /// None but a fault of this program.
    pub fn data_key(&self, cell: &Cell) -> Result<String> {
        data_key(&self.file, self.setting(cell), cell.setting, cell.design, cell.n)
    }

    /// The text of which the identity of a cell is a digest: everything that decides its rows.
    ///
    /// # Errors
    /// None but a fault of this program.
    pub fn identity(&self, cell: &Cell) -> Result<String> {
        identity(&self.file, self.setting(cell), cell)
    }

    /// The shard of `of`, from 1, that holds a replicate of the cell with this index.
    pub fn shard_of(&self, cell: usize, replicate: u64, of: u64) -> u64 {
        let places = self.cost_order.get_or_init(|| {
            let costs: Vec<f64> = self
                .cells
                .iter()
                .map(|c| operations(&self.file, self.setting(c), c.design, c.estimator, c.n))
                .collect();
            let mut order: Vec<usize> = (0..costs.len()).collect();
            order.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]));
            let mut places = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, &cell)| places[cell] = place as u64);
            places
        });
        shard_of(places[cell] * self.replicates() + replicate, of)
    }

    /// The cell with this identity (or the start of it), or with this number in the plan.
    ///
    /// # Errors
    /// There is none.
    pub fn find_cell(&self, name: &str) -> Result<&Cell> {
        // Short numbers are places in the plan, never the beginning of an identity.
        let number = name.parse::<usize>().ok().filter(|_| name.len() < 8);
        let by_number = number.and_then(|i| self.cells.get(i));
        let by_id =
            self.cells.iter().find(|c| number.is_none() && !name.is_empty() && c.id.starts_with(name));
        by_number.or(by_id).ok_or_else(|| {
            StudyError::NoSuchCell(format!(
                "the study has no cell \"{name}\"; give a number from 0 to {} or the identity that the parts name",
                self.cells.len().saturating_sub(1)
            ))
        })
    }
}

/// Key of the data of a setting, a design and a number of observations.
fn data_key(
    file: &StudyFile,
    context: &SettingContext,
    setting: usize,
    design: usize,
    n: u64,
) -> Result<String> {
    let response = match &file.response {
        Some(response) => format!("|{}", canonical(response)?),
        None => String::new(),
    };
    Ok(format!(
        "{}|{}|{}|{}|{}|{}|{n}{response}",
        canonical(&file.setting[setting].geometry)?,
        context.structure.outputs(),
        context.truth_key(),
        canonical(&file.design[design])?,
        canonical(&file.noise)?,
        canonical(&file.truth)?,
    ))
}

/// Everything that decides the rows of a cell, as text.
fn identity(file: &StudyFile, context: &SettingContext, cell: &Cell) -> Result<String> {
    let Cell { setting: s, design: d, estimator: e, n, .. } = *cell;
    let inference = match &file.inference {
        Some(inference) => format!("|{}", canonical(inference)?),
        None => String::new(),
    };
    // The version changes where the rows of a cell would.
    Ok(format!(
        "v3|{}|{}|{}|{}|{}{inference}",
        file.study.seed,
        file.setting[s].name,
        data_key(file, context, s, d, n)?,
        file.setting[s].structure,
        file.estimator[e].identity()?
    ))
}

/// Candidates of each setting and estimator.
fn candidates(file: &StudyFile, settings: &[SettingContext]) -> Result<Vec<Option<Candidates>>> {
    let mut all = Vec::with_capacity(settings.len() * file.estimator.len());
    for (setting, context) in file.setting.iter().zip(settings) {
        for (i, estimator) in file.estimator.iter().enumerate() {
            let at = KeyPath::from("estimator").index(i).key("over");
            let candidates = Candidates::new(estimator, setting, context);
            all.push(candidates.map_err(|e| StudyError::in_setting(&setting.name, None, e.about(at)))?);
        }
    }
    Ok(all)
}

/// Fails on estimators that could fit no replicate of a setting.
fn check_estimators(file: &StudyFile, settings: &[SettingContext]) -> Result<()> {
    let Some(i) = file.estimator.iter().position(|e| matches!(e.method, Method::NuclearNorm(_))) else {
        return Ok(());
    };
    for (setting, context) in file.setting.iter().zip(settings) {
        if context.structure.unfolding()?.is_none() {
            let mend = format!(
                "\"{}\" has no unfolding (one operand with a part of the output labels)",
                context.structure.name()
            );
            let at = KeyPath::from("estimator").index(i).key("solver");
            return Err(StudyError::in_setting(
                &setting.name,
                None,
                StudyError::bad(at, "nuclear-norm", &mend),
            ));
        }
    }
    Ok(())
}

fn cells(file: &StudyFile, settings: &[SettingContext]) -> Result<Vec<Cell>> {
    let mut cells = Vec::new();
    for (s, context) in settings.iter().enumerate() {
        let setting = &file.setting[s];
        let sizes = file
            .samples
            .sizes(context.structure.d_m())
            .map_err(|e| StudyError::in_setting(&setting.name, None, e))?;
        let more = sizes.len().saturating_mul(file.design.len()).saturating_mul(file.estimator.len());
        if cells.len().saturating_add(more) > MOST_CELLS {
            let mend =
                format!("at most {MOST_CELLS} cells (sample sizes x designs x estimators) are possible");
            return Err(StudyError::bad(KeyPath::from("setting").index(s), &setting.name, &mend));
        }
        for (d, design) in file.design.iter().enumerate() {
            for (e, estimator) in file.estimator.iter().enumerate() {
                for &n in &sizes {
                    if let Some(folds) = estimator.folds.filter(|f| *f as u64 > n) {
                        let mend =
                            format!("setting \"{}\" has n = {n}; use at most as many folds", setting.name);
                        return Err(StudyError::bad(
                            KeyPath::from("estimator").index(e).key("folds"),
                            folds,
                            &mend,
                        ));
                    }
                    let drawn = n as f64 * context.geometry.inputs() as f64;
                    if drawn > MOST_DRAWN && !design.design().is_exact_law() {
                        let mend = format!(
                            "setting \"{}\" would draw {drawn:.1e} numbers a replicate; at most {MOST_DRAWN:.0e} are possible; design \"normal-exact\" has no such limit",
                            setting.name
                        );
                        return Err(StudyError::bad("samples.n", n, &mend));
                    }
                    let mut cell = Cell { id: String::new(), setting: s, design: d, estimator: e, n };
                    cell.id = Digest::of(&identity(file, context, &cell)?).short();
                    cells.push(cell);
                }
            }
        }
    }
    Ok(cells)
}
