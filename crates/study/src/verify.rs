//! Repeats a random share of a run's replicates and compares them with what is stored.

use std::collections::{BinaryHeap, HashMap};

use convstat_runner::{Digest, Provenance, RunDir, Table, thread_pool};
use convstat_tensor::blas;
use rayon::prelude::*;
use serde::Serialize;

use crate::plan::Plan;
use crate::replicate::run_replicate;
use crate::row::tabulate;
use crate::study::Study;
use crate::{Result, StudyError};

/// Largest difference of a column, relative to its value, that another BLAS kernel, processor or program version may make:
/// fits end where the decrease left is at most 1e-8 of the residual variance, so estimates of two roundings differ by up to
/// the root of that in units of their standard errors.
pub const ROUNDING: f64 = 1e-4;

/// Objectives below this share of the noise's sum of squares are those of exact fits.
const EXACT: f64 = 1e-12;

/// Share of the repeated replicates that may end in another local optimum under another arithmetic.
const MOST_OTHER: f64 = 0.01;

/// Fewest replicates that a verification repeats.
const LEAST: u64 = 20;

/// What to repeat.
#[derive(Debug, Clone, Copy)]
pub struct VerifyOptions {
    /// Share of the replicates, above 0 and at most 1.
    pub share: f64,
    /// Which ones are drawn.
    pub seed: u64,
    /// Threads; 0: one a processor.
    pub threads: usize,
}

/// A stored value that repetition did not give.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Cell.
    pub cell: String,
    /// Replicate.
    pub replicate: u64,
    /// Column.
    pub column: String,
    /// Value in the store.
    pub stored: String,
    /// Value found now.
    pub found: String,
}

/// What a verification found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verification {
    /// Replicates stored.
    pub stored: u64,
    /// Replicates repeated.
    pub repeated: usize,
    /// With the same bits in every column but `seconds`.
    pub identical: usize,
    /// Of another program version, BLAS kernel or processor, and the same up to [`ROUNDING`].
    pub rounding: usize,
    /// Largest relative difference of an error or objective among those.
    pub largest: f64,
    /// Of another arithmetic, too, and farther away: rounding has led the iterations to another local optimum.
    pub other_optimum: usize,
    /// The others.
    pub different: Vec<Difference>,
    /// Parts that cannot be read.
    pub damaged: Vec<String>,
}

impl Verification {
    /// Whether the stored results hold: all can be read, none differs but by rounding, and at most one in a hundred of those by other
    /// arithmetic (or a single one) ends in another optimum.
    pub fn holds(&self) -> bool {
        self.damaged.is_empty()
            && self.different.is_empty()
            && self.other_optimum as f64 <= (MOST_OTHER * self.repeated as f64).max(1.0)
    }
}

/// A row of the store, drawn by its place in a random order.
struct Drawn {
    key: Digest,
    cell: usize,
    replicate: u64,
    row: Table,
    origin: Option<Provenance>,
}

impl PartialEq for Drawn {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Drawn {}

impl PartialOrd for Drawn {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Drawn {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

/// Repeats a share of the stored replicates of a run (at least 20 where there are as many) and compares every column
/// but `seconds`: bit for bit where the same program, BLAS kernel and kind of processor computed them, else up to
/// [`ROUNDING`].
///
/// # Errors
/// A share outside (0, 1], nothing stored, a run that cannot be read.
pub fn verify(study: &Study, run: &RunDir, options: VerifyOptions) -> Result<Verification> {
    blas::single_thread()?;
    if !(options.share > 0.0 && options.share <= 1.0) {
        return Err(StudyError::bad("--share", options.share, "it has to be above 0 and at most 1"));
    }
    let plan = &study.plan;
    let planned = plan.cells.len() as u64 * plan.replicates();
    let most = ((planned as f64 * options.share).ceil() as u64).max(LEAST) as usize;
    let cells: HashMap<&str, usize> =
        plan.cells.iter().enumerate().map(|(i, c)| (c.id.as_str(), i)).collect();
    // The first in a random order, so that memory does not grow with the run.
    let mut drawn: BinaryHeap<Drawn> = BinaryHeap::new();
    let mut found = Verification::default();
    let walked = run.walk(&tabulate(&plan.file, &[]), |table, origin| {
        let (ids, replicates) = (table.texts("cell")?, table.ints("replicate")?);
        for i in 0..table.rows() {
            let replicate = replicates[i] as u64;
            let Some(&cell) = cells.get(ids[i].as_str()).filter(|_| replicate < plan.replicates()) else {
                continue;
            };
            found.stored += 1;
            let key = Digest::of(&format!("{} {} {replicate}", options.seed, ids[i]));
            if drawn.len() < most || drawn.peek().is_some_and(|d| key < d.key) {
                drawn.push(Drawn { key, cell, replicate, row: table.row(i), origin: origin.cloned() });
                if drawn.len() > most {
                    drawn.pop();
                }
            }
        }
        Ok::<_, StudyError>(())
    })?;
    found.damaged = walked.damaged.iter().map(ToString::to_string).collect();
    if drawn.is_empty() && found.damaged.is_empty() {
        return Err(StudyError::bad("run", run.path().display(), "it holds no replicates of its study yet"));
    }
    let here = Provenance::here(&blas::description());
    let verdicts: Vec<Verdict> = thread_pool(options.threads)?
        .install(|| drawn.into_vec().into_par_iter().map(|d| compare(plan, &d, &here)).collect());
    found.repeated = verdicts.len();
    for verdict in verdicts {
        match verdict {
            Verdict::Identical => found.identical += 1,
            Verdict::Rounding(distance) => {
                found.rounding += 1;
                found.largest = found.largest.max(distance);
            }
            Verdict::OtherOptimum => found.other_optimum += 1,
            Verdict::Different(difference) => found.different.push(difference),
        }
    }
    Ok(found)
}

/// The first column but `seconds` in which a stored row (table and index) differs from the one found now.
pub fn first_difference(stored: (&Table, usize), found: (&Table, usize)) -> Option<Difference> {
    let (a, b) = (stored.0.record(stored.1), found.0.record(found.1));
    let text = |name: &str| a.iter().find(|c| c.0 == name).map_or_else(String::new, |c| c.1.clone());
    let differs = |(a, b): &(&(&str, String), &(&str, String))| a.0 != "seconds" && a != b;
    let (stored, found) = a.iter().zip(&b).find(differs)?;
    Some(Difference {
        cell: text("cell"),
        replicate: text("replicate").parse().unwrap_or(0),
        column: stored.0.to_owned(),
        stored: stored.1.clone(),
        found: found.1.clone(),
    })
}

enum Verdict {
    Identical,
    Rounding(f64),
    OtherOptimum,
    Different(Difference),
}

fn compare(plan: &Plan, drawn: &Drawn, here: &Provenance) -> Verdict {
    let again = tabulate(&plan.file, &[run_replicate(plan, &plan.cells[drawn.cell], drawn.replicate)]);
    let Some(difference) = first_difference((&drawn.row, 0), (&again, 0)) else { return Verdict::Identical };
    if drawn.origin.as_ref().is_none_or(|o| o.has_same_arithmetic(here)) {
        return Verdict::Different(difference);
    }
    // Objectives of exact fits are rounding alone.
    let noise = EXACT * plan.file.noise.sigma.powi(2) * plan.cells[drawn.cell].n as f64;
    let mut largest = 0.0f64;
    for (column, least) in [("err_frob", 0.0), ("err_pred", 0.0), ("objective", noise)] {
        let (Ok([a]), Ok([b])) = (drawn.row.floats(column), again.floats(column)) else {
            return Verdict::Different(difference);
        };
        let size = a.abs().max(b.abs()).max(least);
        let distance = if a.is_nan() && b.is_nan() || a == b { 0.0 } else { (a - b).abs() / size };
        if distance.is_nan() {
            return Verdict::Different(difference);
        }
        if distance > ROUNDING {
            return Verdict::OtherOptimum;
        }
        largest = largest.max(distance);
    }
    Verdict::Rounding(largest)
}
