//! How far a run is, while it runs: cells, failures and the running Monte Carlo standard error.

use std::collections::HashMap;

use convstat_runner::{Table, Watch};
use serde::Serialize;

use crate::Result;
use crate::outcome::{TERMINATION, read_outcome};
use crate::plan::Plan;
use crate::row::Row;

/// Mean and variance of the squared errors of a cell, by Welford's recurrence.
#[derive(Debug, Clone, Copy, Default)]
struct Squares {
    /// Replicates, failures included.
    done: u64,
    count: f64,
    mean: f64,
    sum: f64,
}

impl Squares {
    fn add(&mut self, square: f64) {
        self.count += 1.0;
        let change = square - self.mean;
        self.mean += change / self.count;
        self.sum += change * (square - self.mean);
    }

    /// MCSE of the root mean squared error as a share of it; none below two replicates.
    fn relative_mcse(&self) -> Option<f64> {
        let known = self.count >= 2.0 && self.mean > 0.0;
        known.then(|| (self.sum / (self.count - 1.0) / self.count).sqrt() / (2.0 * self.mean))
    }
}

/// What is there of the cells of a plan.
#[derive(Debug)]
pub struct Running<'a> {
    plan: &'a Plan,
    cells: HashMap<&'a str, usize>,
    squares: Vec<Squares>,
    failures: u64,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RunProgress {
    /// Replicates done.
    pub done: u64,
    /// Replicates of the plan.
    pub planned: u64,
    /// Cells with all their replicates.
    pub cells_done: u64,
    /// Cells of the plan.
    pub cells: u64,
    /// Replicates that ended in an error.
    pub failures: u64,
    /// Largest MCSE of a cell's prediction error so far, as a share of the error; none before two replicates.
    pub largest_relative_mcse: Option<f64>,
}

impl<'a> Running<'a> {
    /// No rows yet.
    pub fn new(plan: &'a Plan) -> Self {
        let cells = plan.cells.iter().enumerate().map(|(i, c)| (c.id.as_str(), i)).collect();
        Self { plan, cells, squares: vec![Squares::default(); plan.cells.len()], failures: 0 }
    }

    /// Adds the rows of a part that are of the plan. No replicate may come twice.
    ///
    /// # Errors
    /// A column is missing, or has a word that is not known.
    pub fn add(&mut self, rows: &Table) -> Result<()> {
        let (cells, replicates) = (rows.texts("cell")?, rows.ints("replicate")?);
        let (errors, outcomes) = (rows.floats("err_pred")?, rows.texts(TERMINATION)?);
        for i in 0..rows.rows() {
            self.one(&cells[i], replicates[i] as u64, errors[i], read_outcome(&outcomes[i])?.is_failed());
        }
        Ok(())
    }

    fn one(&mut self, cell: &str, replicate: u64, error: f64, is_failed: bool) {
        let Some(&cell) = self.cells.get(cell).filter(|_| replicate < self.plan.replicates()) else { return };
        self.squares[cell].done += 1;
        if is_failed {
            self.failures += 1;
        } else {
            self.squares[cell].add(error * error);
        }
    }

    /// How far it is.
    pub fn progress(&self) -> RunProgress {
        let replicates = self.plan.replicates();
        let largest = self.squares.iter().filter_map(Squares::relative_mcse).max_by(f64::total_cmp);
        RunProgress {
            done: self.squares.iter().map(|s| s.done).sum(),
            planned: replicates * self.squares.len() as u64,
            cells_done: self.squares.iter().filter(|s| s.done == replicates).count() as u64,
            cells: self.squares.len() as u64,
            failures: self.failures,
            largest_relative_mcse: largest,
        }
    }
}

impl RunProgress {
    /// Cells and MCSE in a few words.
    pub fn text(&self) -> String {
        let mcse = self.largest_relative_mcse.map(|m| format!(", MCSE up to {:.2} %", 100.0 * m));
        format!("{}/{} cells{}", self.cells_done, self.cells, mcse.unwrap_or_default())
    }
}

impl Watch<Row> for Running<'_> {
    fn see(&mut self, row: &Row) {
        self.one(&row.cell, row.replicate, row.err_pred, row.outcome.is_failed());
    }

    fn text(&self) -> String {
        self.progress().text()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::root_mean;

    #[test]
    fn the_recurrence_agrees_with_the_summary() {
        let squares = [0.5, 2.0, 1e-3, 7.25, 3.0];
        let mut running = Squares::default();
        squares.iter().for_each(|s| running.add(*s));
        let (root, error) = root_mean(&squares);
        let found = running.relative_mcse().unwrap();
        assert!((found - error / root).abs() < 1e-14, "{found} {}", error / root);
    }
}
