//! Laws of the responses, and the responses of a file in their form.

use clap::ValueEnum;
use convstat::prelude::*;
use ndarray::{Array2, Axis, Slice};

use crate::failure::Failure;

/// Most classes of a response: more are a mistake for class numbers.
const MOST_CLASSES: f64 = 10_000.0;

/// Laws of the responses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FamilyName {
    /// Least squares
    Gaussian,
    /// Labels 0 and 1
    Logistic,
    /// Classes 0, 1, … (or indicators, n x classes); class 0 is the reference
    Multinomial,
}

impl FamilyName {
    /// The law.
    pub fn family(self) -> Family {
        match self {
            Self::Gaussian => Family::Gaussian,
            Self::Logistic => Family::Logistic,
            Self::Multinomial => Family::Multinomial,
        }
    }

    /// Responses as a file has them (n x columns) in the form of the law: classes become indicators without the reference's.
    pub fn responses(self, y: Array2<f64>) -> Result<Array2<f64>, Failure> {
        if self == Self::Gaussian {
            return Ok(y);
        }
        if let Some(first) = y.column(0).first().filter(|f| y.ncols() == 1 && y.iter().all(|v| v == *f)) {
            return Err(Failure::new(format!(
                "all rows are of class {first}: there is nothing to tell apart"
            )));
        }
        if self == Self::Logistic {
            return Ok(y);
        }
        let fail = |m: String| {
            let help =
                "y holds the class of each row, 0, 1, … without gaps, or n x classes indicators of 0 and 1";
            Err(Failure::new(m).help(help))
        };
        if y.ncols() > 1 {
            if let Some(row) =
                y.outer_iter().position(|r| r.iter().any(|v| *v != 0.0 && *v != 1.0) || r.sum() != 1.0)
            {
                return fail(format!("row {row} of y names no class: {}", y.row(row)));
            }
            if let Some(empty) = y.columns().into_iter().position(|c| c.sum() == 0.0) {
                return fail(format!("class {empty} of {} has no observation", y.ncols()));
            }
            return Ok(from_column(&y, 1));
        }
        if let Some(bad) = y.iter().find(|v| !(v.fract() == 0.0 && (0.0..MOST_CLASSES).contains(*v))) {
            return fail(format!("y has {bad}, which is no class (0 to {})", MOST_CLASSES - 1.0));
        }
        let classes = y.fold(0.0f64, |m, v| m.max(*v)) as usize + 1;
        let mut counts = vec![0u64; classes];
        y.iter().for_each(|v| counts[*v as usize] += 1);
        if let Some(empty) = counts.iter().position(|c| *c == 0) {
            return fail(format!("class {empty} of {classes} has no observation"));
        }
        convstat::tensor::memory::check("the indicators of the classes", &[y.len(), classes])?;
        Ok(Array2::from_shape_fn((y.len(), classes - 1), |(i, j)| {
            f64::from(u8::from(y[[i, 0]] == (j + 1) as f64))
        }))
    }
}

/// All columns from this one.
pub(super) fn from_column(a: &Array2<f64>, first: usize) -> Array2<f64> {
    a.slice_axis(Axis(1), Slice::from(first..)).to_owned()
}
