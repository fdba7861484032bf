//! The gap of Li, Zhang & Arora (2021) for inputs of the size at hand.

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Kind};
use crate::error::TheoryError;
use crate::{ErrorNorm, Result, SettingTheory};

/// One of the two learners that they compare.
pub(super) enum LiZhangArora {
    /// Orthogonally equivariant, from below.
    Equivariant,
    /// Convolutional, from above.
    Convolutional,
}

const TASK: &str = "on the task of Li, Zhang & Arora 2021, Theorem 5.4";

impl Bound for LiZhangArora {
    fn name(&self) -> &'static str {
        match self {
            Self::Equivariant => "li_zhang_arora_equivariant",
            Self::Convolutional => "li_zhang_arora_convolutional",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Equivariant => "n of an equivariant learner on their task",
            Self::Convolutional => "n of a CNN on their task",
        }
    }

    fn source(&self) -> &'static str {
        "Li, Zhang & Arora (2021), Theorem 5.4"
    }

    fn kind(&self) -> Kind {
        Kind::Order
    }

    fn assumptions(&self, _: &SettingTheory, _: f64) -> Result<Assumptions> {
        Ok(Assumptions::new("Li, Zhang & Arora 2021").condition("the task is theirs", None))
    }

    fn formula(&self, _: &SettingTheory, _: ErrorNorm, _: f64) -> Result<BoundValue> {
        Ok(BoundValue::NOTHING)
    }

    /// None from an error of 1 on, which is no error of theirs.
    fn smallest_n(&self, setting: &SettingTheory, _: ErrorNorm, target: f64) -> Result<Option<f64>> {
        if target >= 1.0 {
            return Ok(None);
        }
        let (equivariant, convolutional) = equivariance_gap(setting.sizes.inputs, target)?;
        Ok(Some(match self {
            Self::Equivariant => equivariant,
            Self::Convolutional => convolutional,
        }))
    }

    fn explanation(&self, _: &SettingTheory) -> String {
        format!("an n {TASK}")
    }

    fn meaning(&self, _: &SettingTheory, target: f64) -> String {
        match self {
            Self::Equivariant => format!("any orthogonally equivariant learner at error {target} {TASK}"),
            Self::Convolutional => format!("a CNN {TASK}"),
        }
    }
}

/// Li, Zhang & Arora (2021), Theorem 5.4: to reach error `ε` on their task over `d` inputs, any orthogonally
/// equivariant learner (a fully connected network trained by gradient descent from a rotation-invariant start) needs
/// `n ≥ d(d + 3)/2 · (1 − ε) − 1`, while a convolutional network needs at most `d`. Returns both.
///
/// # Errors
/// An error that is not in `[0, 1)`.
pub fn equivariance_gap(inputs: usize, error: f64) -> Result<(f64, f64)> {
    if !(0.0..1.0).contains(&error) {
        return Err(TheoryError::OutOfRange {
            argument: "error",
            value: error,
            range: "at least 0 and below 1",
        });
    }
    let d = inputs as f64;
    Ok((d * (d + 3.0) / 2.0 * (1.0 - error) - 1.0, d))
}
