//! Table `[samples]`.

use convstat_text::KeyPath;
use serde::{Deserialize, Serialize};

use crate::{Result, StudyError};

/// Table `[samples]`: one of its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Sample sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<Vec<u64>>,
    /// Equally spaced values of `√(d_M/n)`; n is rounded to the nearest whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqrt_dm_over_n: Option<Grid>,
}

/// Equally spaced values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// First value.
    pub from: f64,
    /// Last value.
    pub to: f64,
    /// Number of values.
    pub steps: usize,
}

/// Largest n: whole numbers up to it are exact as floats.
const MOST_N: u64 = 1 << 53;

/// Sample sizes of one grid.
const MOST_STEPS: usize = 10_000;

impl Samples {
    pub(crate) fn check(&self) -> Result<()> {
        match (&self.n, &self.sqrt_dm_over_n) {
            (Some(n), None) => match n.iter().position(|n| !(1..=MOST_N).contains(n)) {
                Some(i) => Err(StudyError::bad(
                    KeyPath::from("samples.n").index(i),
                    n[i],
                    "sample sizes have to be between 1 and 2^53",
                )),
                None if n.is_empty() => {
                    Err(StudyError::bad("samples.n", "[]", "give at least one sample size"))
                }
                None => Ok(()),
            },
            (None, Some(g)) => {
                if g.steps > MOST_STEPS {
                    let mend = format!("at most {MOST_STEPS}");
                    return Err(StudyError::bad("samples.sqrt_dm_over_n.steps", g.steps, &mend));
                }
                let fine =
                    g.from > 0.0 && g.to > 0.0 && g.from.is_finite() && g.to.is_finite() && g.steps > 0;
                if fine {
                    return Ok(());
                }
                let value = format!("{{ from = {}, to = {}, steps = {} }}", g.from, g.to, g.steps);
                Err(StudyError::bad(
                    "samples.sqrt_dm_over_n",
                    value,
                    "both ends have to be above 0, steps at least 1",
                ))
            }
            _ => Err(StudyError::bad(
                "samples",
                "{}",
                "give either n = […] or sqrt_dm_over_n = { from, to, steps }",
            )),
        }
    }

    /// Sample sizes for a structure with sample complexity `d_m`.
    ///
    /// # Errors
    /// An n that is not between 1 and 2^53.
    pub fn sizes(&self, d_m: usize) -> Result<Vec<u64>> {
        if let Some(n) = &self.n {
            return Ok(n.clone());
        }
        let Some(g) = &self.sqrt_dm_over_n else { return Ok(Vec::new()) };
        let sizes: Result<Vec<u64>> = (0..g.steps)
            .map(|i| {
                let share = if g.steps == 1 { 0.0 } else { i as f64 / (g.steps - 1) as f64 };
                let x = g.from + share * (g.to - g.from);
                let n = (d_m as f64 / (x * x)).round();
                if (1.0..=MOST_N as f64).contains(&n) {
                    return Ok(n as u64);
                }
                Err(StudyError::bad(
                    "samples.sqrt_dm_over_n",
                    x,
                    &format!("with d_M = {d_m} it asks for n = {n}; n has to be between 1 and 2^53"),
                ))
            })
            .collect();
        // Neighbours on a fine grid may round to one n.
        sizes.map(|mut sizes| {
            sizes.dedup();
            sizes
        })
    }
}
