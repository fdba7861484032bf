//! SGD and `AdamW` on plain slices, with the arithmetic of PyTorch.

use num_traits::Float;
use serde::{Deserialize, Serialize};

use crate::{Result, TrainError};

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
    /// Errors: [`TrainError::Bad`] with a key below `optimiser` for a value outside the range given at its
    /// field, infinite or NaN.
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
    if fits { Ok(()) } else { Err(TrainError::bad(format!("optimiser.{key}"), format!("{value:?}"), mend)) }
}

/// A setting in the precision of the parameters.
fn cast<T: Float>(value: f64) -> T {
    // Between floats this always succeeds.
    T::from(value).unwrap_or_else(T::nan)
}

/// One step on one parameter x with gradient g. `rate` η is the rate at this step, that of `spec` times the
/// schedule; `decay` whether the weight decay λ applies to this parameter (else λ = 0); `step` counts from
/// 1; `moments` are [`OptimiserSpec::moments`] buffers, kept between the steps and never exchanged.
///
/// SGD with momentum μ: g ← g + λx, m ← μm + g, x ← x - η(g + μm) with Nesterov, else x ← x - ηm.
///
/// `AdamW`: x ← (1 - ηλ)x, m ← m + (1 - β₁)(g - m), v ← β₂v + (1 - β₂)g²,
/// x ← x - η/(1 - β₁^step) × m/(√v/√(1 - β₂^step) + ε).
///
/// Serial; parameters are independent of each other, so callers may update several at a time.
///
/// # Panics
/// If the buffers are too few or lengths differ: a mistake of the caller, never of a file.
#[expect(clippy::unreachable, reason = "the number of moments is that of the optimiser, as asserted")]
pub fn update<T: Float + Send + Sync>(
    spec: &OptimiserSpec,
    rate: f64,
    decay: bool,
    step: u64,
    parameter: &mut [T],
    gradient: &[T],
    moments: &mut [Vec<T>],
) {
    assert_eq!(parameter.len(), gradient.len(), "gradient as long as the parameter");
    assert!(moments.iter().all(|moment| moment.len() == parameter.len()), "moments as long as the parameter");
    assert_eq!(moments.len(), spec.moments(), "moments of the optimiser");
    match (spec, moments) {
        (&OptimiserSpec::Sgd { momentum, nesterov, weight_decay, .. }, [mean]) => {
            let shrink = cast::<T>(if decay { weight_decay } else { 0.0 });
            let (rate, momentum) = (cast::<T>(rate), cast::<T>(momentum));
            for ((x, &g), m) in parameter.iter_mut().zip(gradient).zip(mean) {
                let g = g + shrink * *x;
                *m = momentum * *m + g;
                *x = *x - rate * if nesterov { g + momentum * *m } else { *m };
            }
        }
        (&OptimiserSpec::Adamw { beta1, beta2, epsilon, weight_decay, .. }, [mean, square]) => {
            // Everything that does not depend on the entry in f64, as Python has it.
            let shrink = cast::<T>(if decay { 1.0 - rate * weight_decay } else { 1.0 });
            let size = cast::<T>(rate / (1.0 - beta1.powf(step as f64)));
            let correction = cast::<T>((1.0 - beta2.powf(step as f64)).sqrt());
            let (new1, new2) = (cast::<T>(1.0 - beta1), cast::<T>(1.0 - beta2));
            let (beta2, epsilon) = (cast::<T>(beta2), cast::<T>(epsilon));
            for (((x, &g), m), v) in parameter.iter_mut().zip(gradient).zip(mean).zip(square) {
                *m = *m + new1 * (g - *m);
                *v = beta2 * *v + new2 * g * g;
                *x = *x * shrink - size * (*m / (v.sqrt() / correction + epsilon));
            }
        }
        _ => unreachable!("the number of moments was checked"),
    }
}

/// Exponential moving average, entry by entry: mean ← decay × mean + (1 - decay) × value.
///
/// # Panics
/// If the lengths differ: a mistake of the caller.
pub fn average<T: Float + Send + Sync>(mean: &mut [T], value: &[T], decay: f64) {
    assert_eq!(mean.len(), value.len(), "mean as long as the value");
    let (old, new) = (cast::<T>(decay), cast::<T>(1.0 - decay));
    for (mean, &value) in mean.iter_mut().zip(value) {
        *mean = old * *mean + new * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRADIENTS: [[f64; 3]; 5] =
        [[0.5, -1.0, 2.0], [0.25, 0.75, -1.5], [-0.125, 0.5, 0.0], [1.0, -0.25, 0.375], [-0.5, 0.125, 3.0]];

    fn parse(text: &str) -> OptimiserSpec {
        toml::from_str(text).unwrap()
    }

    /// Five steps from (1, -2, 0.5).
    fn descend<T: Float + Send + Sync>(spec: &OptimiserSpec, decay: bool) -> [f64; 3] {
        let mut parameter = [1.0, -2.0, 0.5].map(cast::<T>);
        let mut moments = vec![vec![T::zero(); 3]; spec.moments()];
        for (step, gradient) in (1..).zip(GRADIENTS) {
            update(spec, spec.rate(), decay, step, &mut parameter, &gradient.map(cast::<T>), &mut moments);
        }
        parameter.map(|x| x.to_f64().unwrap())
    }

    #[test]
    fn matches_torch() {
        // torch 2.15.0, torch.float64: p = tensor([1., -2., .5]); five times p.grad = one of GRADIENTS,
        // o.step(); o = SGD or AdamW([p], lr=0.1, ...) with the options of the text, weight_decay=0 where
        // decay is false.
        let cases = [
            ("kind = 'sgd'", true, [0.5296118063055367, -1.9649140853362135, -0.49470300105114995]),
            ("kind = 'sgd'\nnesterov = false", false, [0.603145, -1.948915, -0.17442000000000007]),
            (
                "kind = 'sgd'\nmomentum = 0.0\nnesterov = false",
                true,
                [0.8872675240925281, -2.0120050491850408, 0.11239438562445625],
            ),
            (
                // torch refuses Nesterov without momentum, which is plain descent.
                "kind = 'sgd'\nmomentum = 0.0",
                true,
                [0.8872675240925281, -2.0120050491850408, 0.11239438562445625],
            ),
            ("kind = 'adamw'", true, [0.6214454905640701, -1.8719353361790028, 0.31033622604435246]),
            (
                "kind = 'adamw'\nbeta1 = 0.8\nbeta2 = 0.95\nepsilon = 1e-3",
                false,
                [0.6542669835865551, -1.9383564283569945, 0.3264935547346669],
            ),
        ];
        for (text, decay, expected) in cases {
            let spec = parse(&format!("rate = 0.1\n{text}"));
            for ((double, single), want) in
                descend::<f64>(&spec, decay).into_iter().zip(descend::<f32>(&spec, decay)).zip(expected)
            {
                assert!((double - want).abs() < 1e-12, "{text}: {double} instead of {want}");
                assert!((single - want).abs() < 1e-6, "{text}: {single} instead of {want}");
            }
        }
    }

    #[test]
    fn averages() {
        let mut mean = [1.0_f32, -2.0];
        average(&mut mean, &[3.0, 2.0], 0.75);
        assert_eq!(mean, [1.5, -1.0]);
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
