//! Theory beside the measurement of one cell: numbers by the names of their columns in the summary.

use std::collections::BTreeMap;

use convstat_theory::{Bound, Bounds, ErrorNorm, bounds::Kind};

/// The columns of the risk, which the study computes for designs, labels and networks that have no closed form too.
const RISK: &str = "risk";
/// The columns of the risk without its finite-sample factor, also the local minimax bound.
const FIRST_ORDER: &str = "first_order";

/// Norms, not squares; NaN where there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CellTheory {
    values: BTreeMap<String, f64>,
}

impl CellTheory {
    /// The number in a column.
    pub fn value(&self, column: &str) -> f64 {
        self.values.get(column).copied().unwrap_or(f64::NAN)
    }

    /// Sets it.
    pub fn set(&mut self, column: impl Into<String>, value: f64) {
        self.values.insert(column.into(), value);
    }

    /// Root of the risk, in finite-sample form, or from drawn designs if rows depend or responses are labels; and its standard
    /// error, 0 for a closed form.
    pub fn risk(&self, norm: ErrorNorm) -> (f64, f64) {
        let column = format!("{RISK}_{}", norm.suffix());
        (self.value(&column), self.value(&format!("{column}_se")))
    }

    /// Sets it.
    pub fn set_risk(&mut self, norm: ErrorNorm, (value, error): (f64, f64)) {
        let column = format!("{RISK}_{}", norm.suffix());
        self.set(format!("{column}_se"), error);
        self.set(column, value);
    }

    /// First-order form `σ√(df/n)`, also the local minimax lower bound; for labels with the mean information of the drawn
    /// designs, where one truth serves all replicates.
    pub fn first_order(&self, norm: ErrorNorm) -> f64 {
        self.value(&format!("{FIRST_ORDER}_{}", norm.suffix()))
    }

    /// Sets it.
    pub fn set_first_order(&mut self, norm: ErrorNorm, value: f64) {
        self.set(format!("{FIRST_ORDER}_{}", norm.suffix()), value);
    }

    /// A bound; infinite where its condition fails.
    pub fn bound(&self, bound: &dyn Bound, norm: ErrorNorm) -> f64 {
        self.value(&bound.column(norm))
    }

    /// Whether the condition on n of a bound whose constants are not known holds with those of the study file.
    pub fn condition_holds(&self, bound: &dyn Bound) -> bool {
        // A flag is 0 or 1.
        bound.condition_column().is_none_or(|column| self.value(&column) == 1.0)
    }
}

/// A theory column of the summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TheoryColumn {
    /// Its name.
    pub name: String,
    /// It says yes or no.
    pub is_flag: bool,
}

/// The theory columns of bounds, in their order.
pub fn columns(bounds: Bounds) -> Vec<TheoryColumn> {
    let mut columns = Vec::new();
    let mut push = |name: String, is_flag: bool| columns.push(TheoryColumn { name, is_flag });
    for bound in bounds.iter().filter(|b| b.kind().has_columns()) {
        for &norm in bound.norms() {
            push(bound.column(norm), false);
            if bound.kind() == Kind::Risk {
                push(format!("{}_se", bound.column(norm)), false);
            }
        }
        for detail in bound.details() {
            push(detail.column.to_owned(), false);
        }
        if let Some(name) = bound.condition_column() {
            push(name, true);
        }
    }
    columns
}
