//! Means over seeds with their standard errors, as a table and as Parquet.

use convstat_runner::{Column, Table};

use super::plan::{Fixed, Plan};
use crate::Result;

/// One network over its seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSummary {
    /// The cell.
    pub cell: String,
    /// Block.
    pub block: String,
    /// K/R of the stages.
    pub kr: f64,
    /// Series it belongs to.
    pub fixed: Vec<Fixed>,
    /// Ranks R of the stages.
    pub ranks: Vec<usize>,
    /// Trained numbers.
    pub parameters: usize,
    /// Multiply–accumulates for one input.
    pub macs: u64,
    /// Sample complexity.
    pub d_m: usize,
    /// Networks that ended well.
    pub seeds: usize,
    /// Networks that did not.
    pub failures: usize,
    /// Mean test accuracy and its standard error over seeds (NaN with one seed).
    pub accuracy: (f64, f64),
    /// The same by clip; of images it is the accuracy.
    pub clip_accuracy: (f64, f64),
    /// Mean test loss and its standard error.
    pub loss: (f64, f64),
}

/// All cells in the plan's order.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Name of the ablation.
    pub name: String,
    /// Networks a cell that the file asks for.
    pub wanted: usize,
    /// Whether the samples are clips of videos.
    pub clips: bool,
    /// The cells.
    pub cells: Vec<CellSummary>,
}

/// Mean and standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|v| (v - mean) * (v - mean)).sum();
    (mean, if values.len() < 2 { f64::NAN } else { (squares / (n - 1.0) / n).sqrt() })
}

impl Summary {
    /// Of the rows of a run.
    ///
    /// # Errors
    /// Rows without the columns of an ablation.
    pub fn new(plan: &Plan, rows: &Table) -> Result<Self> {
        let mut cells = Vec::new();
        for cell in &plan.cells {
            let (mut accuracy, mut clips, mut loss, mut failures) = (Vec::new(), Vec::new(), Vec::new(), 0);
            if rows.rows() > 0 {
                let columns = (rows.texts("cell")?, rows.ints("replicate")?, rows.floats("accuracy")?);
                let (clip, losses) = (rows.floats("clip_accuracy")?, rows.floats("loss")?);
                for (i, id) in columns.0.iter().enumerate() {
                    if *id != cell.id || columns.1[i] >= plan.file.ablation.seeds as i64 {
                        continue;
                    }
                    if columns.2[i].is_finite() {
                        accuracy.push(columns.2[i]);
                        clips.push(clip[i]);
                        loss.push(losses[i]);
                    } else {
                        failures += 1;
                    }
                }
            }
            cells.push(CellSummary {
                cell: cell.id.clone(),
                block: cell.block.clone(),
                kr: cell.kr,
                fixed: cell.fixed.clone(),
                ranks: cell.ranks(),
                parameters: cell.counts.parameters,
                macs: cell.counts.macs,
                d_m: cell.counts.d_m,
                seeds: accuracy.len(),
                failures,
                accuracy: mean(&accuracy),
                clip_accuracy: mean(&clips),
                loss: mean(&loss),
            });
        }
        Ok(Self {
            name: plan.file.ablation.name.clone(),
            wanted: plan.file.ablation.seeds as usize,
            clips: plan.input.len() == 4,
            cells,
        })
    }

    /// One row a cell.
    pub fn table(&self) -> Table {
        let float = |f: &dyn Fn(&CellSummary) -> f64| Column::Float(self.cells.iter().map(f).collect());
        let int =
            |f: &dyn Fn(&CellSummary) -> u64| Column::Int(self.cells.iter().map(|c| f(c) as i64).collect());
        let text = |f: &dyn Fn(&CellSummary) -> String| Column::Text(self.cells.iter().map(f).collect());
        Table::new(vec![
            ("cell", text(&|c| c.cell.clone())),
            ("block", text(&|c| c.block.clone())),
            ("kr", float(&|c| c.kr)),
            ("fixed", text(&|c| names(&c.fixed))),
            ("ranks", text(&|c| list(&c.ranks))),
            ("parameters", int(&|c| c.parameters as u64)),
            ("macs", int(&|c| c.macs)),
            ("d_m", int(&|c| c.d_m as u64)),
            ("seeds", int(&|c| c.seeds as u64)),
            ("failures", int(&|c| c.failures as u64)),
            ("accuracy", float(&|c| c.accuracy.0)),
            ("accuracy_se", float(&|c| c.accuracy.1)),
            ("clip_accuracy", float(&|c| c.clip_accuracy.0)),
            ("clip_accuracy_se", float(&|c| c.clip_accuracy.1)),
            ("loss", float(&|c| c.loss.0)),
            ("loss_se", float(&|c| c.loss.1)),
        ])
    }

    /// Networks that are missing.
    pub fn missing(&self) -> usize {
        self.cells.iter().map(|c| self.wanted.saturating_sub(c.seeds + c.failures)).sum()
    }

    /// A Markdown table of the cells with results, accuracy in per cent; of videos also that by clip.
    pub fn markdown(&self) -> String {
        let with_clips = self.clips;
        let (head, rule) = if with_clips { (" by clip % ± SE |", "---|") } else { ("", "") };
        let mut text = format!(
            "| block | fixed | K/R | R | parameters | MACs | d_M | seeds | accuracy % ± SE |{head}\n\
             |---|---|---|---|---|---|---|---|---|{rule}\n"
        );
        for c in self.cells.iter().filter(|c| c.seeds + c.failures > 0) {
            let failed = if c.failures > 0 { format!(" ({} failed)", c.failures) } else { String::new() };
            let clips =
                if with_clips { format!(" {} |", percent(c.seeds, c.clip_accuracy)) } else { String::new() };
            text += &format!(
                "| {} | {} | {} | {} | {} | {} | {} | {}{failed} | {} |{clips}\n",
                c.block,
                names(&c.fixed),
                c.kr,
                list(&c.ranks),
                c.parameters,
                c.macs,
                c.d_m,
                c.seeds,
                percent(c.seeds, c.accuracy),
            );
        }
        text
    }
}

/// A mean and its standard error in per cent.
fn percent(seeds: usize, (mean, error): (f64, f64)) -> String {
    match (seeds, error.is_nan()) {
        (0, _) => "—".to_owned(),
        (_, true) => format!("{:.2}", 100.0 * mean),
        (_, false) => format!("{:.2} ± {:.2}", 100.0 * mean, 100.0 * error),
    }
}

fn names(fixed: &[Fixed]) -> String {
    fixed.iter().map(|f| f.name()).collect::<Vec<_>>().join(", ")
}

fn list(values: &[usize]) -> String {
    values.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
