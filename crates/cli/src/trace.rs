//! The steps of a fit as a table.

use convstat::prelude::TracePoint;

/// A line a step.
pub fn trace_table(steps: &[TracePoint]) -> String {
    let lines: String = steps.iter().map(|step| format!("{step}\n")).collect();
    format!("{}\n{lines}\n", TracePoint::HEADER)
}
