//! From a study file to cells.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use convstat_cnn::{Factors, Geometry, Structure, Windows};
use convstat_estimate::nearest::{CONTAINED, nearest};
use convstat_estimate::{Method, Start};
use convstat_runner::{Digest, shard_of, stream};
use convstat_tensor::algebra::{entries, shaped};
use convstat_tensor::linalg::echelon_root;
use convstat_theory::{Identification, TangentRisk};
use ndarray::Array2;
use rand_distr::{Distribution, StandardNormal};

use crate::activated::Activated;
use crate::estimate_cost::operations;
use crate::file::{Estimator, Setting, StudyFile, TruthDraw};
use crate::selection::Candidates;
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

/// A true coefficient and its tangent space.
#[derive(Debug, Clone)]
pub struct TrueCoefficient {
    /// `W*` as `D × M`.
    pub w: Array2<f64>,
    /// Factors of the fitted structure that give `W*`, or come nearest to it.
    pub factors: Factors,
    /// First-order risk at `W*` for the fitted structure.
    pub risk: TangentRisk,
    /// The fitted structure contains `W*`.
    pub is_contained: bool,
    /// And `W*` is a regular point of it: the tangent space has its generic dimension, so the first-order risk
    /// applies.
    pub is_regular: bool,
}

/// A setting with everything that its replicates share.
#[derive(Debug)]
pub struct SettingContext {
    /// Its name.
    pub name: String,
    /// Its geometry.
    pub geometry: Geometry,
    /// The map `X → Z`.
    pub windows: Windows,
    /// The fitted structure.
    pub structure: Structure,
    /// The structure of the truth (the fitted one, unless shared).
    pub truth_structure: Structure,
    /// Generic dimension of the fitted structure.
    pub dimension: usize,
    /// Size of the truth's linear predictors, where labels are to be neither certain nor random.
    scale: Option<f64>,
    /// Key of the stream the truth is drawn from.
    truth_key: String,
    /// A root of `Σ_Z`, made when it is first asked for.
    root: OnceLock<Array2<f64>>,
    /// The networks, where there is an activation.
    pub activated: Option<Activated>,
    /// The truth, if it is drawn once.
    fixed_truth: Option<TrueCoefficient>,
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
            .map(|s| {
                let owner = s.truth.as_deref().and_then(|k| shared.get(k)).copied().unwrap_or(s);
                SettingContext::new(&file, s, owner)
                    .map_err(|e| StudyError::Setting { setting: s.name.clone(), source: Box::new(e) })
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
        Ok(Self { file, settings, cells, candidates, cost_order: OnceLock::new() })
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
    pub fn data_key(&self, cell: &Cell) -> String {
        data_key(&self.file, self.setting(cell), cell.setting, cell.design, cell.n)
    }

    /// The text of which the identity of a cell is a digest: everything that decides its rows.
    pub fn identity(&self, cell: &Cell) -> String {
        identity(&self.file, self.setting(cell), (cell.setting, cell.design, cell.estimator, cell.n))
    }

    /// The shard of `of`, from 1, that holds a replicate of the cell with this index.
    pub fn shard_of(&self, cell: usize, replicate: u64, of: u64) -> u64 {
        let places = self.cost_order.get_or_init(|| {
            let costs: Vec<f64> = self.cells.iter().map(|c| operations(self, c)).collect();
            let mut order: Vec<usize> = (0..costs.len()).collect();
            order.sort_by(|&a, &b| costs[b].total_cmp(&costs[a]));
            let mut places = vec![0; order.len()];
            order.iter().enumerate().for_each(|(place, &cell)| places[cell] = place as u64);
            places
        });
        shard_of(places[cell] * self.replicates() + replicate, of)
    }

    /// The cell with this identity (or the start of it), or with this number in the plan.
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

impl SettingContext {
    fn new(file: &StudyFile, setting: &Setting, truth_owner: &Setting) -> Result<Self> {
        let geometry = Geometry::new(&setting.geometry())?;
        let modes = geometry.output_modes(setting.structure.outputs()?);
        let structure = setting.structure.build(&modes)?;
        let owner_geometry = Geometry::new(&truth_owner.geometry())?;
        let truth_structure =
            truth_owner.structure.build(&owner_geometry.output_modes(truth_owner.structure.outputs()?))?;
        if owner_geometry.output_modes(truth_structure.outputs()) != modes {
            return Err(StudyError::bad(
                "truth",
                setting.truth.clone().unwrap_or_default(),
                &format!("setting \"{}\" with the same key has other modes of W", truth_owner.name),
            ));
        }
        if setting.activation != truth_owner.activation {
            return Err(StudyError::bad(
                "truth",
                setting.truth.clone().unwrap_or_default(),
                &format!("setting \"{}\" with the same key has another activation", truth_owner.name),
            ));
        }
        let activated = match setting.activation {
            Some(activation) => Some(Activated::new(&geometry, &structure, &truth_structure, activation)?),
            None => None,
        };
        if let (Some(a), true) =
            (&activated, file.estimator.iter().any(|e| e.method.starts().contains(&Start::Oracle)))
        {
            a.embed(&truth_structure.generic_point(), || 1.0)?;
        }
        let mut context = Self {
            name: setting.name.clone(),
            windows: geometry.windows(),
            dimension: match &activated {
                Some(a) => a.dimension()?,
                None => structure.df()?,
            },
            activated,
            geometry,
            structure,
            truth_structure,
            root: OnceLock::new(),
            scale: file.response.as_ref().map(|r| r.scale),
            truth_key: match &setting.truth {
                Some(key) => format!("shared {key} {}", describe_setting(truth_owner)),
                None => describe_setting(setting),
            },
            fixed_truth: None,
        };
        if file.truth.draw == TruthDraw::Setting && context.activated.is_none() {
            context.fixed_truth = Some(context.draw_truth(file.study.seed, 0)?);
        }
        Ok(context)
    }

    /// The root `C` of `Σ_Z = CᵀC`, `rank × D`, in row echelon form.
    ///
    /// # Errors
    /// So many features that it does not fit into memory.
    pub fn root(&self) -> Result<&Array2<f64>> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = echelon_root(&self.geometry.second_moment()?.view())?;
        Ok(self.root.get_or_init(|| root))
    }

    /// What the inputs leave identified, at a generic point.
    pub fn identification(&self) -> Result<Identification> {
        let risk = TangentRisk::under(&self.structure, &self.structure.generic_point(), |w| self.image(w))?;
        Ok(Identification::new(&risk, self.structure.features(), self.geometry.feature_rank()?))
    }

    /// Coefficients `D M × k` (the response fastest) pulled back to the input, whose covariance is the identity: there the
    /// Euclidean norm is the prediction norm.
    pub fn image(&self, w: &Array2<f64>) -> Array2<f64> {
        let (d, m, k) = (self.structure.features(), self.structure.outputs(), w.ncols());
        let wide = shaped((d, m * k), entries(w));
        shaped((self.geometry.inputs() * m, k), entries(&self.windows.pull_back(&wide.view())))
    }

    /// The truth of a replicate.
    pub fn truth(&self, seed: u64, replicate: u64) -> Result<std::borrow::Cow<'_, TrueCoefficient>> {
        match &self.fixed_truth {
            Some(t) => Ok(std::borrow::Cow::Borrowed(t)),
            None => self.draw_truth(seed, replicate).map(std::borrow::Cow::Owned),
        }
    }

    /// Factors of the truth's own structure, of a replicate.
    pub fn truth_factors(&self, seed: u64, draw: TruthDraw, replicate: u64) -> Factors {
        let replicate = if draw == TruthDraw::Setting { 0 } else { replicate };
        let mut rng = stream(seed, "truth", &self.truth_key, replicate);
        self.truth_structure.random_point(|| StandardNormal.sample(&mut rng))
    }

    /// Whether one truth serves all replicates.
    pub fn has_fixed_truth(&self) -> bool {
        self.fixed_truth.is_some()
    }

    fn draw_truth(&self, seed: u64, replicate: u64) -> Result<TrueCoefficient> {
        let mut rng = stream(seed, "truth", &self.truth_key, replicate);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut own = self.truth_structure.random_point(&mut normal);
        let mut w = self.truth_structure.coefficient_matrix(&own)?;
        if let Some(scale) = self.scale {
            let flat = shaped((w.len(), 1), entries(&w));
            let size = self.image(&flat).iter().map(|v| v * v).sum::<f64>() / self.structure.outputs() as f64;
            let operands = self.truth_structure.owners().len() as f64;
            let by = (scale / size.sqrt()).powf(1.0 / operands);
            own.iter_mut().for_each(|f| *f *= by);
            w = self.truth_structure.coefficient_matrix(&own)?;
        }
        let same = self.truth_structure.network() == self.structure.network()
            && self.truth_structure.sizes() == self.structure.sizes();
        let factors = if same { own } else { nearest(&self.structure, &w, normal)?.factors };
        let risk = TangentRisk::under(&self.structure, &factors, |w| self.image(w))?;
        let again = self.structure.coefficient_matrix(&factors)?;
        let squares = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
        let is_contained = squares(&(&again - &w)) <= CONTAINED * CONTAINED * squares(&w);
        let is_regular = is_contained && risk.tangent_dimension == self.dimension;
        Ok(TrueCoefficient { w, factors, risk, is_contained, is_regular })
    }
}

/// Everything about a setting that decides its rows, as text.
fn describe_setting(s: &Setting) -> String {
    let activation = s.activation.map_or_else(String::new, |a| format!(" {}", a.name()));
    format!("{} {}{activation}", canonical(&s.geometry()), s.structure)
}

/// JSON: keys that a study file leaves out stay out, so that a new optional key changes no identity.
fn canonical(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Key of the data of a setting, a design and a number of observations.
fn data_key(file: &StudyFile, context: &SettingContext, setting: usize, design: usize, n: u64) -> String {
    let response = file.response.as_ref().map_or_else(String::new, |r| format!("|{}", canonical(r)));
    format!(
        "{}|{}|{}|{}|{}|{}|{n}{response}",
        canonical(&file.setting[setting].geometry()),
        context.structure.outputs(),
        context.truth_key,
        canonical(&file.design[design]),
        canonical(&file.noise),
        canonical(&file.truth),
    )
}

/// Everything that decides the rows of a cell (setting, design, estimator, n), as text.
fn identity(file: &StudyFile, context: &SettingContext, (s, d, e, n): (usize, usize, usize, u64)) -> String {
    let inference = file.inference.as_ref().map_or_else(String::new, |i| format!("|{}", canonical(i)));
    // The version changes where the rows of a cell would.
    format!(
        "v3|{}|{}|{}|{}|{}{inference}",
        file.study.seed,
        file.setting[s].name,
        data_key(file, context, s, d, n),
        file.setting[s].structure,
        file.estimator[e].identity()
    )
}

/// Candidates of each setting and estimator.
fn candidates(file: &StudyFile, settings: &[SettingContext]) -> Result<Vec<Option<Candidates>>> {
    let mut all = Vec::with_capacity(settings.len() * file.estimator.len());
    for (setting, context) in file.setting.iter().zip(settings) {
        for estimator in &file.estimator {
            let candidates = Candidates::new(estimator, setting, context);
            all.push(
                candidates.map_err(|e| StudyError::Setting {
                    setting: setting.name.clone(),
                    source: Box::new(e),
                })?,
            );
        }
    }
    Ok(all)
}

/// Fails on estimators that could fit no replicate of a setting.
fn check_estimators(file: &StudyFile, settings: &[SettingContext]) -> Result<()> {
    let penalised = file.estimator.iter().any(|e| matches!(e.method, Method::NuclearNorm(_)));
    for s in settings.iter().filter(|_| penalised) {
        if s.structure.unfolding()?.is_none() {
            let mend = format!(
                "\"{}\" has no unfolding (one operand with a part of the output labels)",
                s.structure.name()
            );
            let source = Box::new(StudyError::bad("estimator.solver", "nuclear-norm", &mend));
            return Err(StudyError::Setting { setting: s.name.clone(), source });
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
            .map_err(|e| StudyError::Setting { setting: setting.name.clone(), source: Box::new(e) })?;
        let more = sizes.len().saturating_mul(file.design.len()).saturating_mul(file.estimator.len());
        if cells.len().saturating_add(more) > MOST_CELLS {
            let mend =
                format!("at most {MOST_CELLS} cells (sample sizes x designs x estimators) are possible");
            return Err(StudyError::bad("setting", &setting.name, &mend));
        }
        for (d, design) in file.design.iter().enumerate() {
            for (e, estimator) in file.estimator.iter().enumerate() {
                for &n in &sizes {
                    if let Some(folds) = estimator.folds.filter(|f| *f as u64 > n) {
                        let mend =
                            format!("setting \"{}\" has n = {n}; use at most as many folds", setting.name);
                        return Err(StudyError::bad("estimator.folds", folds, &mend));
                    }
                    let drawn = n as f64 * context.geometry.inputs() as f64;
                    if drawn > MOST_DRAWN && !design.design().is_exact_law() {
                        let mend = format!(
                            "setting \"{}\" would draw {drawn:.1e} numbers a replicate; at most {MOST_DRAWN:.0e} are possible; design \"normal-exact\" has no such limit",
                            setting.name
                        );
                        return Err(StudyError::bad("samples.n", n, &mend));
                    }
                    let identity = identity(file, context, (s, d, e, n));
                    cells.push(Cell {
                        id: Digest::of(&identity).short(),
                        setting: s,
                        design: d,
                        estimator: e,
                        n,
                    });
                }
            }
        }
    }
    Ok(cells)
}
