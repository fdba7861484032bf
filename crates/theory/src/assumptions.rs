//! What each bound assumes, and whether it holds for a geometry, a design and an n.

use serde::Serialize;

use crate::{ExplicitBound, LiteratureBound, Result, StatisticalDimension, explicit_bound, literature_bound};

/// What theory asks of the law of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DesignLaw {
    /// All observations are jointly Gaussian.
    pub gaussian: bool,
    /// Observations are independent.
    pub independent: bool,
    /// Smallest and largest eigenvalue `c_x, C_x` of the joint covariance of all observations.
    pub spectrum: (f64, f64),
}

impl DesignLaw {
    /// Independent standard normal entries.
    pub const STANDARD: Self = Self { gaussian: true, independent: true, spectrum: (1.0, 1.0) };

    /// Independent Gaussian rows, as the finite-sample risk and the explicit bound assume.
    pub fn is_iid_gaussian(&self) -> bool {
        self.gaussian && self.independent
    }
}

/// One assumption.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumption {
    /// In words.
    pub text: String,
    /// Whether it holds; `None` where that cannot be known.
    pub holds: Option<bool>,
}

/// The assumptions of one bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumptions {
    /// The bound, with its source.
    pub of: &'static str,
    /// Its assumptions.
    pub list: Vec<Assumption>,
}

impl Assumptions {
    fn new(of: &'static str) -> Self {
        Self { of, list: Vec::new() }
    }

    fn and(mut self, text: impl Into<String>, holds: impl Into<Option<bool>>) -> Self {
        self.list.push(Assumption { text: text.into(), holds: holds.into() });
        self
    }
}

/// The circumstances that assumptions are held against.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// Law of the inputs.
    pub law: DesignLaw,
    /// `Σ_Z` is singular.
    pub singular: bool,
    /// The structure identifies W locally.
    pub identified: bool,
    /// Identified dimension.
    pub df: usize,
    /// Responses.
    pub outputs: usize,
    /// Standard deviation of the noise, normal and independent.
    pub sigma: f64,
}

impl Circumstances {
    /// Of the literature bound (THEORY §4.1) at n.
    pub fn literature(&self, bound: &LiteratureBound, n: f64) -> Result<Assumptions> {
        let value = literature_bound(bound, self.sigma, n)?;
        let ratio = bound.kappa_u / bound.kappa_l;
        let least = bound.c_condition * ratio * ratio * bound.d_m as f64;
        Ok(Assumptions::new("literature bound (Huang, Si & Li 2020)")
            .and("inputs are jointly Gaussian; rows may depend", self.law.gaussian)
            .and("noise is sub-Gaussian and independent of the inputs", true)
            .and("one response", self.outputs == 1)
            .and("kappa_L > 0: the second moment of Z is nonsingular", !self.singular)
            .and(
                format!(
                    "n >= c (kappa_U/kappa_L)^2 d_M = {least:.3e} with c = {} (not known)",
                    bound.c_condition
                ),
                value.condition_holds,
            )
            .and(
                format!(
                    "its probability, {:.3} with c_H = {} (not known), is above 0",
                    value.probability, bound.c_h
                ),
                value.probability > 0.0,
            ))
    }

    /// Of the explicit bound (THEORY §4.2) at n.
    pub fn explicit(
        &self,
        bound: &ExplicitBound,
        dimension: &StatisticalDimension,
        n: f64,
    ) -> Result<Assumptions> {
        let value = explicit_bound(bound, self.sigma, n)?;
        let exact = dimension.draws == 0;
        let width = if exact {
            "the statistical dimension is not underestimated (it is bounded by the rank of the inputs)"
                .to_owned()
        } else {
            format!(
                "the statistical dimension is at most {:.1}: {:.1} + 3 standard errors of {:.2}; its projections are the \
                 best of {} starts and not certified",
                bound.width.powi(2),
                dimension.estimate,
                dimension.standard_error,
                dimension.starts + 1
            )
        };
        Ok(Assumptions::new("explicit bound (Gaussian comparison)")
            .and("rows are independent and Gaussian", self.law.is_iid_gaussian())
            .and("noise is Gaussian and independent of the inputs", true)
            .and("one response", self.outputs == 1)
            .and("n/sqrt(n+1) > w + sqrt(2t)", value.condition_holds)
            .and("for the Frobenius norm: the second moment of Z is nonsingular", !self.singular)
            .and(width, if exact { Some(true) } else { None }))
    }

    /// Of the exact first-order risk and its quantiles (THEORY §4.3, §4.5), and of the local minimax bound (§4.4), at n.
    pub fn risk(&self, n: f64) -> Assumptions {
        Assumptions::new("exact risk, its quantiles and the local minimax bound")
            .and("W* is a regular point of the structure (full ranks, singular values above the noise)", None)
            .and("n is large for the curvature of the structure", None)
            .and("for the Frobenius norm: the structure identifies W", self.identified)
            .and(
                "for the Frobenius norm: no other W fits as well (sure where the second moment of Z is nonsingular)",
                if self.singular { None } else { Some(true) },
            )
            .and("finite-sample form: rows are independent and Gaussian", self.law.is_iid_gaussian())
            .and("finite-sample form: one response", self.outputs == 1)
            .and(format!("finite-sample form: n > df + 1 = {}", self.df + 1), n > self.df as f64 + 1.0)
    }
}
