//! The ablation file and the cells it asks for.

use convstat_runner::Digest;
use convstat_text::{Diagnostic, UnknownWord};
use serde::{Deserialize, Serialize};

use crate::blocks::BlockSpec;
use crate::network::{Network, NetworkCounts, NetworkSpec};
use crate::training::TrainingSpec;
use crate::{Result, TrainError};
pub use convstat_data::DataSpec;
use convstat_engine::Precision;

/// An ablation file (TOML).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AblationFile {
    /// Name, aim, seeds.
    pub ablation: Header,
    /// The data set.
    pub data: DataSpec,
    /// The network.
    pub network: NetworkSpec,
    /// What is varied.
    pub grid: Grid,
    /// How each network is trained.
    pub training: TrainingSpec,
}

/// Name, aim, seeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// Its name.
    pub name: String,
    /// What it is to show.
    #[serde(default)]
    pub aim: String,
    /// Seed of everything random.
    #[serde(default)]
    pub seed: u64,
    /// Networks trained for each cell, each with its own seed.
    #[serde(default = "three")]
    pub seeds: u64,
}

/// Seeds beyond which a number is a mistake.
pub const MOST_SEEDS: u64 = 100_000;

fn three() -> u64 {
    3
}

/// What is varied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// K/R ratios.
    #[serde(default = "ratios")]
    pub kr: Vec<f64>,
    /// What stays fixed while K/R varies; each makes a series.
    #[serde(default = "fixed")]
    pub fixed: Vec<Fixed>,
    /// The K/R ratio at fixed R whose parameters or MACs are the budget (default 4, ResNet's).
    #[serde(default = "four")]
    pub reference: f64,
    /// Blocks; default the network's.
    #[serde(default)]
    pub blocks: Vec<BlockSpec>,
}

fn ratios() -> Vec<f64> {
    vec![1.0, 2.0, 4.0, 8.0, 16.0]
}

fn fixed() -> Vec<Fixed> {
    vec![Fixed::R]
}

fn four() -> f64 {
    4.0
}

/// What stays fixed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fixed {
    /// The ranks R of the stages.
    R,
    /// The number of parameters, by scaling R.
    Parameters,
    /// The multiply–accumulates, by scaling R.
    Macs,
}

impl Fixed {
    /// Its name in files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::R => "r",
            Self::Parameters => "parameters",
            Self::Macs => "macs",
        }
    }
}

/// One network and the series it belongs to.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Digest of everything its results depend on.
    pub id: String,
    /// Block, as a table shows it.
    pub block: String,
    /// K/R of the stages.
    pub kr: f64,
    /// Series it belongs to: the reference network is in all of them.
    pub fixed: Vec<Fixed>,
    /// The network.
    pub network: NetworkSpec,
    /// Its counts.
    pub counts: NetworkCounts,
}

impl Cell {
    /// Ranks R of the stages.
    pub fn ranks(&self) -> Vec<usize> {
        self.network.stages.iter().map(|s| s.r).collect()
    }
}

/// The cells of an ablation.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The file.
    pub file: AblationFile,
    /// The cells.
    pub cells: Vec<Cell>,
    /// Shape of an image: spatial sizes and channels.
    pub input: Vec<usize>,
    /// Classes.
    pub classes: usize,
}

impl AblationFile {
    /// Reads an ablation file.
    ///
    /// # Errors
    /// TOML that does not parse, unknown keys, values that make no sense.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Self = convstat_text::parse(text).map_err(|e| TrainError::Toml(advised(e)))?;
        file.training.check()?;
        if !(1..=MOST_SEEDS).contains(&file.ablation.seeds) {
            let mend = format!("give 1 to {MOST_SEEDS}");
            return Err(TrainError::bad("ablation.seeds", file.ablation.seeds, mend));
        }
        let name = &file.ablation.name;
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric())
            || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        {
            let mend = "use letters, digits, hyphens, a letter or digit first: it names folders and figures";
            return Err(TrainError::bad("ablation.name", format!("{name:?}"), mend));
        }
        let grid = &file.grid;
        for (key, empty) in [("grid.kr", grid.kr.is_empty()), ("grid.fixed", grid.fixed.is_empty())] {
            if empty {
                return Err(TrainError::bad(key, "[]", "give at least one"));
            }
        }
        let all = grid.kr.iter().map(|k| ("grid.kr", k)).chain([("grid.reference", &grid.reference)]);
        for (key, kr) in all {
            if !(kr.is_finite() && *kr > 0.0) {
                return Err(TrainError::bad(key, kr, "a K/R ratio has to be a finite number above 0"));
            }
        }
        Ok(file)
    }
}

/// Tables that only the files of studies have.
const OF_STUDIES: [&str; 8] =
    ["study", "setting", "design", "noise", "samples", "estimator", "theory", "check"];

/// The error, with better advice where the file is a study.
fn advised(mut error: Diagnostic) -> Diagnostic {
    let is_study = |word: &UnknownWord| {
        word.known.iter().any(|k| k == "ablation") && OF_STUDIES.contains(&word.word.as_str())
    };
    if error.unknown.as_ref().is_some_and(is_study) {
        error.help = Some("this is a study: convstat study run FILE".to_owned());
    }
    error
}

impl Plan {
    /// The cells for images of shape `input` of `classes` classes.
    ///
    /// # Errors
    /// A network that cannot be built.
    pub fn new(file: AblationFile, input: &[usize], classes: usize) -> Result<Self> {
        let blocks = if file.grid.blocks.is_empty() {
            vec![file.network.block.clone()]
        } else {
            file.grid.blocks.clone()
        };
        let mut cells: Vec<Cell> = Vec::new();
        for block in blocks {
            let base = NetworkSpec { block, ..file.network.clone() };
            for &fixed in &file.grid.fixed {
                for &kr in &file.grid.kr {
                    let network = match fixed {
                        Fixed::R => base.clone(),
                        _ if kr == file.grid.reference => base.clone(),
                        _ => budgeted(&base, fixed, kr, file.grid.reference, input, classes)?,
                    };
                    let counts = Network::new(&network, input, classes, kr)?.counts().clone();
                    let key = (&file.data, &network, &file.training, kr, file.ablation.seed);
                    let key = serde_json::to_string(&key)
                        .map_err(|e| TrainError::bad("ablation", &file.ablation.name, e.to_string()))?;
                    let id = Digest::of(&key).short();
                    if let Some(same) = cells.iter_mut().find(|c| c.id == id) {
                        if !same.fixed.contains(&fixed) {
                            same.fixed.push(fixed);
                        }
                        continue;
                    }
                    let block = network.block.label();
                    cells.push(Cell { id, block, kr, fixed: vec![fixed], network, counts });
                }
            }
        }
        Ok(Self { file, cells, input: input.to_vec(), classes })
    }

    /// The same for networks trained in another arithmetic than f32, which are other cells.
    pub fn in_precision(mut self, precision: Precision) -> Self {
        if precision != Precision::F32 {
            for cell in &mut self.cells {
                cell.id = Digest::of(&format!("{} {}", cell.id, precision.name())).short();
            }
        }
        self
    }

    /// The network of a cell.
    ///
    /// # Errors
    /// Sizes that do not fit.
    pub fn network(&self, cell: &Cell) -> Result<Network> {
        Network::new(&cell.network, &self.input, self.classes, cell.kr)
    }
}

/// The network whose ranks are scaled, all stages alike, so that its count is nearest to the reference's.
fn budgeted(
    base: &NetworkSpec,
    fixed: Fixed,
    kr: f64,
    reference: f64,
    input: &[usize],
    classes: usize,
) -> Result<NetworkSpec> {
    let size = |spec: &NetworkSpec, kr: f64| -> Result<f64> {
        let network = Network::new(spec, input, classes, kr)?;
        let counts = network.counts();
        Ok(if fixed == Fixed::Macs { counts.macs as f64 } else { counts.parameters as f64 })
    };
    let budget = size(base, reference)?;
    let first = base.stages[0].r;
    let scaled = |r: usize| {
        let mut spec = base.clone();
        for stage in &mut spec.stages {
            stage.r = ((stage.r * r) as f64 / first as f64).round().max(1.0) as usize;
        }
        spec
    };
    // Counts grow with the ranks, but some ranks do not divide into groups, and some ratios make no whole K.
    let mut nearest: Option<(f64, usize)> = None;
    let (mut low, mut high) = (1, 8 * first + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match (middle..high).find_map(|r| Some((r, size(&scaled(r), kr).ok()?))) {
            None => high = middle,
            Some((r, found)) => {
                let distance = (found - budget).abs();
                // Of two ranks as near the smaller.
                if nearest.is_none_or(|(d, n)| distance < d || distance == d && r < n) {
                    nearest = Some((distance, r));
                }
                if found > budget { high = middle } else { low = r + 1 }
            }
        }
    }
    match nearest {
        Some((_, r)) => Ok(scaled(r)),
        None => size(&scaled(first), kr).map(|_| base.clone()),
    }
}
