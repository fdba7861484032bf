//! What all first-order theory assumes (THEORY §4.3).

use super::assumption::Assumptions;
use crate::{ErrorNorm, SettingTheory};

pub(super) const ROWS: &str = "rows are independent and Gaussian";
pub(super) const NOT_IID: &str = "given for independent Gaussian rows and one response only";

/// A regular and identified truth, and n large.
pub(super) fn first_order(of: &'static str, setting: &SettingTheory) -> Assumptions {
    Assumptions::new(of)
        .premise(
            "W* is a regular point of the structure (full ranks, singular values above the noise)",
            setting.is_regular,
            "W* is no regular point of the structure: no risk",
        )
        .condition("n is large for the curvature of the structure", None)
        .premise_in(
            ErrorNorm::Frobenius,
            "for the Frobenius norm: the structure identifies W",
            setting.is_identified,
            "W is not identified: no risk in this norm",
        )
        .condition_in(
            ErrorNorm::Frobenius,
            "for the Frobenius norm: no other W fits as well (sure where the second moment of Z is nonsingular)",
            if setting.is_singular() { None } else { Some(true) },
        )
}

/// And what the finite-sample form needs besides.
pub(super) fn finite_sample(of: &'static str, setting: &SettingTheory) -> Assumptions {
    first_order(of, setting)
        .premise(
            "finite-sample form: rows are independent and Gaussian",
            setting.law.is_iid_gaussian(),
            NOT_IID,
        )
        .premise("finite-sample form: one response", setting.sizes.outputs == 1, NOT_IID)
}
