//! What the parts of a run say beyond their summary: which replicates failed and how, how many each cell has, who computed
//! them, and how long it took.

use std::collections::{BTreeMap, HashMap};

use convstat_runner::{Provenance, RunDir, Table};

use crate::Result;
pub use crate::outcome::FailureKind;
use crate::outcome::{ReplicateOutcome, TERMINATION, failures, outcome_text, read_outcome};
use crate::plan::Plan;
use crate::row::tabulate;
use crate::study::Study;

/// Replicates of one cell that failed in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CellFailure {
    /// Number of the cell in the plan.
    pub cell: usize,
    /// How.
    pub kind: FailureKind,
    /// How many.
    pub count: u64,
    /// The first of them.
    pub replicate: u64,
    /// How the first of them ended.
    pub outcome: ReplicateOutcome,
}

impl CellFailure {
    /// How the first of them ended, as its row says it.
    pub fn termination(&self) -> String {
        outcome_text(&self.outcome)
    }
}

/// What the parts of a run say beyond their summary.
#[derive(Debug, Default)]
pub struct Record {
    /// Replicates there, a number a cell of the plan.
    pub replicates: Vec<u64>,
    /// Failures, by cell and kind.
    pub failures: Vec<CellFailure>,
    /// Programs and machines that computed the rows, with the number of rows, the most first; none for rows that do not say.
    pub origins: Vec<(Option<Provenance>, usize)>,
    /// Time of all replicates one after another, seconds.
    pub seconds: f64,
    /// Parts that cannot be read; their replicates count as missing.
    pub damaged: Vec<String>,
}

impl Record {
    /// Reads the parts of a run.
    ///
    /// # Errors
    /// Parts that the system does not let read.
    pub fn new(study: &Study, run: &RunDir) -> Result<Self> {
        let plan = &study.plan;
        let cells = plan.cells.iter().enumerate().map(|(i, c)| (c.id.as_str(), i)).collect();
        let mut record = Self { replicates: vec![0; plan.cells.len()], ..Self::default() };
        let mut failed = BTreeMap::new();
        let like = tabulate(&plan.file, &[]);
        let walked = run.walk(&like, |rows, _| record.add(plan, &cells, rows, &mut failed))?;
        record.failures = failed.into_values().collect();
        record.damaged = walked.damaged.iter().map(ToString::to_string).collect();
        record.origins = walked.origins.into_iter().collect();
        let name = |o: &Option<Provenance>| o.as_ref().map(|p| (p.processor.clone(), p.commit.clone()));
        record.origins.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| name(&a.0).cmp(&name(&b.0))));
        Ok(record)
    }

    fn add(
        &mut self,
        plan: &Plan,
        places: &HashMap<&str, usize>,
        rows: &Table,
        failed: &mut BTreeMap<(usize, FailureKind), CellFailure>,
    ) -> Result<()> {
        let (cells, replicates, sizes) = (rows.texts("cell")?, rows.ints("replicate")?, rows.ints("n")?);
        let (gaps, objectives) = (rows.floats("oracle_gap")?, rows.floats("objective")?);
        let (terminations, seconds) = (rows.texts(TERMINATION)?, rows.floats("seconds")?);
        for i in 0..rows.rows() {
            let replicate = replicates[i] as u64;
            let Some(&cell) = places.get(cells[i].as_str()).filter(|_| replicate < plan.replicates()) else {
                continue;
            };
            self.replicates[cell] += 1;
            self.seconds += seconds[i];
            let outcome = read_outcome(&terminations[i])?;
            for kind in failures(&outcome, gaps[i], objectives[i], sizes[i] as f64) {
                let first = || CellFailure { cell, kind, count: 0, replicate, outcome: outcome.clone() };
                let failure = failed.entry((cell, kind)).or_insert_with(first);
                failure.count += 1;
                if replicate < failure.replicate {
                    failure.replicate = replicate;
                    failure.outcome.clone_from(&outcome);
                }
            }
        }
        Ok(())
    }
}
