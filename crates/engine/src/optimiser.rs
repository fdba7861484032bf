//! The optimiser of an ablation file.

use convstat_tensor::optimisers::{Adam, Sgd};
use num_traits::Float;
use serde::{Deserialize, Serialize};

use crate::{EngineError, Result};

/// An optimiser and its settings; in TOML a table with `kind = "sgd"` or `kind = "adamw"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum OptimiserSpec {
    /// Stochastic gradient descent with momentum, as `torch.optim.SGD` (no dampening).
    Sgd {
        /// Learning rate, before the schedule; positive.
        rate: f64,
        /// Share of the momentum kept from step to step, in [0, 1); 0.9 by default.
        #[serde(default = "momentum")]
        momentum: f64,
        /// Whether to look ahead along the momentum; true by default.
        #[serde(default = "nesterov")]
        nesterov: bool,
        /// Multiple of the parameter added to the gradient; 5e-4 by default.
        #[serde(default = "sgd_decay")]
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019), as `torch.optim.AdamW` (no AMSGrad).
    Adamw {
        /// Learning rate, before the schedule; positive.
        rate: f64,
        /// Decay of the mean of the gradient, in [0, 1); 0.9 by default.
        #[serde(default = "beta1")]
        beta1: f64,
        /// Decay of the mean of its square, in [0, 1); 0.999 by default.
        #[serde(default = "beta2")]
        beta2: f64,
        /// Added to the root of that mean; positive, 1e-8 by default.
        #[serde(default = "epsilon")]
        epsilon: f64,
        /// The parameter shrinks by 1 - rate × this at each step; 0.05 by default.
        #[serde(default = "adamw_decay")]
        weight_decay: f64,
    },
}

/// The method of an optimiser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Gradient descent with momentum.
    Sgd(Sgd),
    /// Adam with decoupled weight decay.
    Adam(Adam),
}

// serde takes defaults of fields only as functions.
fn momentum() -> f64 {
    0.9
}
fn nesterov() -> bool {
    true
}
fn sgd_decay() -> f64 {
    5e-4
}
fn beta1() -> f64 {
    0.9
}
fn beta2() -> f64 {
    0.999
}
fn epsilon() -> f64 {
    1e-8
}
fn adamw_decay() -> f64 {
    0.05
}

impl OptimiserSpec {
    /// Whether the values make sense.
    ///
    /// # Errors
    /// [`EngineError::Bad`] with a key below `optimiser` for a value outside the range given at its field, infinite or NaN.
    pub fn check(&self) -> Result<()> {
        let positive = |key, value: f64, mend| demand(value > 0.0 && value.is_finite(), key, value, mend);
        let share = |key, value: f64, mend| demand((0.0..1.0).contains(&value), key, value, mend);
        positive("rate", self.rate(), "give a positive learning rate")?;
        let weight_decay = match *self {
            Self::Sgd { momentum, weight_decay, .. } => {
                share("momentum", momentum, "give a number from 0 (no momentum) to below 1; 0.9 is usual")?;
                weight_decay
            }
            Self::Adamw { beta1, beta2, epsilon, weight_decay, .. } => {
                share("beta1", beta1, "give a number from 0 to below 1; 0.9 is usual")?;
                share("beta2", beta2, "give a number from 0 to below 1; 0.999 is usual")?;
                positive("epsilon", epsilon, "give a small positive number; 1e-8 is usual")?;
                weight_decay
            }
        };
        let fits = weight_decay >= 0.0 && weight_decay.is_finite();
        demand(fits, "weight_decay", weight_decay, "give a number from 0 (no decay) up")
    }

    /// The method and its settings, the rate apart.
    pub fn method(&self) -> Method {
        match *self {
            Self::Sgd { momentum, nesterov, weight_decay, .. } => {
                Method::Sgd(Sgd { momentum, nesterov, weight_decay })
            }
            Self::Adamw { beta1, beta2, epsilon, weight_decay, .. } => {
                Method::Adam(Adam { beta1, beta2, epsilon, weight_decay })
            }
        }
    }

    /// Learning rate before the schedule.
    pub fn rate(&self) -> f64 {
        match *self {
            Self::Sgd { rate, .. } | Self::Adamw { rate, .. } => rate,
        }
    }

    /// Buffers a parameter needs, each as long as the parameter and zero at first: SGD 1 (momentum),
    /// `AdamW` 2 (mean of the gradient, mean of its square).
    pub fn moments(&self) -> usize {
        match self {
            Self::Sgd { .. } => 1,
            Self::Adamw { .. } => 2,
        }
    }
}

fn demand(fits: bool, key: &str, value: f64, mend: &str) -> Result<()> {
    // `{:?}` writes 1e-8 so, `{}` as 0.00000001.
    if fits { Ok(()) } else { Err(EngineError::bad(format!("optimiser.{key}"), format!("{value:?}"), mend)) }
}

/// One step on one parameter x with gradient g. `rate` η is the rate at this step, that of `spec` times the
/// schedule; `decays` whether the weight decay λ applies to this parameter (else λ = 0); `step` counts from
/// 1; `moments` are [`OptimiserSpec::moments`] buffers, kept between the steps and never exchanged.
///
/// Serial; parameters are independent of each other, so callers may update several at a time.
///
/// # Errors
/// Too few buffers.
///
/// # Panics
/// If lengths differ: a mistake of the caller, never of a file.
pub fn update<T: Float>(
    spec: &OptimiserSpec,
    rate: f64,
    decays: bool,
    step: u64,
    parameter: &mut [T],
    gradient: &[T],
    moments: &mut [Vec<T>],
) -> Result<()> {
    match (spec.method(), moments) {
        (Method::Sgd(sgd), [momentum]) => {
            let weight_decay = if decays { sgd.weight_decay } else { 0.0 };
            Sgd { weight_decay, ..sgd }.step(rate, parameter, gradient, momentum);
        }
        (Method::Adam(adam), [mean, square]) => {
            let weight_decay = if decays { adam.weight_decay } else { 0.0 };
            Adam { weight_decay, ..adam }.step(rate, step, parameter, gradient, mean, square);
        }
        (_, moments) => {
            let reason = format!("{} moments, not {}", moments.len(), spec.moments());
            return Err(EngineError::shape("optimiser", reason));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> OptimiserSpec {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn reads_toml() {
        let sgd = OptimiserSpec::Sgd { rate: 0.1, momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
        assert_eq!(parse("kind = 'sgd'\nrate = 0.1"), sgd);
        let adamw =
            OptimiserSpec::Adamw { rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.05 };
        assert_eq!(parse("rate = 1e-3\nkind = 'adamw'"), adamw);
        for spec in [sgd, adamw] {
            spec.check().unwrap();
            assert_eq!(parse(&toml::to_string(&spec).unwrap()), spec);
        }
        for (text, part) in [
            ("kind = 'sgd'\nrate = 0.1\nbeta1 = 0.9", "unknown field `beta1`"),
            ("kind = 'adamw'\nrate = 0.1\nnesterov = true", "unknown field `nesterov`"),
            ("kind = 'sgd'", "missing field `rate`"),
            ("rate = 0.1", "missing field `kind`"),
            ("kind = 'adam'\nrate = 0.1", "unknown variant `adam`"),
        ] {
            let message = toml::from_str::<OptimiserSpec>(text).unwrap_err().to_string();
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn errors() {
        for (text, start) in [
            ("kind = 'sgd'\nrate = 0.0", "optimiser.rate = 0.0: give a positive"),
            ("kind = 'adamw'\nrate = inf", "optimiser.rate = inf:"),
            ("kind = 'sgd'\nrate = 0.1\nmomentum = 1.0", "optimiser.momentum = 1.0:"),
            ("kind = 'sgd'\nrate = 0.1\nweight_decay = -1.0", "optimiser.weight_decay = -1.0:"),
            ("kind = 'adamw'\nrate = 0.1\nbeta1 = nan", "optimiser.beta1 = NaN:"),
            ("kind = 'adamw'\nrate = 0.1\nbeta2 = 1.5", "optimiser.beta2 = 1.5:"),
            ("kind = 'adamw'\nrate = 0.1\nepsilon = -1e-8", "optimiser.epsilon = -1e-8:"),
        ] {
            let message = parse(text).check().unwrap_err().to_string();
            assert!(message.starts_with(start), "{message}");
        }
    }
}
