//! One trained network as a row of a run.

use convstat_runner::{Column, Outcome, Table};

use super::plan::Cell;

/// The column that says how training ended.
pub(super) const TERMINATION: &str = "termination";

/// One trained network.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub cell: String,
    pub block: String,
    pub kr: f64,
    pub ranks: String,
    pub replicate: u64,
    pub parameters: usize,
    pub macs: u64,
    pub d_m: usize,
    pub accuracy: f64,
    pub clip_accuracy: f64,
    pub loss: f64,
    pub train_loss: f64,
    pub epochs: u64,
    pub outcome: Outcome<Ending>,
    pub seconds: f64,
}

/// How the training of a network that did not diverge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// After all epochs.
    Done,
    /// Before: validation had not improved for long.
    StoppedEarly,
}

impl Ending {
    pub const ALL: [Self; 2] = [Self::Done, Self::StoppedEarly];

    pub fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::StoppedEarly => "stopped early",
        }
    }
}

/// The rows as they are stored.
pub(super) fn tabulate(rows: &[Row]) -> Table {
    let text = |f: &dyn Fn(&Row) -> &String| Column::Text(rows.iter().map(|r| f(r).clone()).collect());
    let int = |f: &dyn Fn(&Row) -> u64| Column::Int(rows.iter().map(|r| f(r) as i64).collect());
    let float = |f: &dyn Fn(&Row) -> f64| Column::Float(rows.iter().map(f).collect());
    Table::new(vec![
        ("cell", text(&|r| &r.cell)),
        ("block", text(&|r| &r.block)),
        ("kr", float(&|r| r.kr)),
        ("ranks", text(&|r| &r.ranks)),
        ("replicate", int(&|r| r.replicate)),
        ("parameters", int(&|r| r.parameters as u64)),
        ("macs", int(&|r| r.macs)),
        ("d_m", int(&|r| r.d_m as u64)),
        ("accuracy", float(&|r| r.accuracy)),
        ("clip_accuracy", float(&|r| r.clip_accuracy)),
        ("loss", float(&|r| r.loss)),
        ("train_loss", float(&|r| r.train_loss)),
        ("epochs", int(&|r| r.epochs)),
        (TERMINATION, Column::Text(rows.iter().map(|r| r.outcome.text(Ending::name)).collect())),
        ("seconds", float(&|r| r.seconds)),
    ])
}

/// The row of a network without results.
pub(super) fn empty_row(cell: &Cell, replicate: u64, outcome: Outcome<Ending>) -> Row {
    let ranks: Vec<String> = cell.ranks().iter().map(ToString::to_string).collect();
    Row {
        cell: cell.id.clone(),
        block: cell.block.clone(),
        kr: cell.kr,
        ranks: ranks.join(","),
        replicate,
        parameters: cell.counts.parameters,
        macs: cell.counts.macs,
        d_m: cell.counts.d_m,
        accuracy: f64::NAN,
        clip_accuracy: f64::NAN,
        loss: f64::NAN,
        train_loss: f64::NAN,
        epochs: 0,
        outcome,
        seconds: 0.0,
    }
}
