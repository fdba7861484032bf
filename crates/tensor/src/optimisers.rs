//! First-order optimisers on slices, in single or double precision: one step each. Rates, schedules and the end of a descent are
//! the caller's.
//!
//! ```
//! use convstat_tensor::optimisers::Adam;
//! // Downhill on x²/2 from 1.
//! let adam = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 };
//! let (mut x, mut mean, mut square) = ([1.0f64], [0.0], [0.0]);
//! for step in 1..=100 {
//!     let gradient = x;
//!     adam.step(0.05, step, &mut x, &gradient, &mut mean, &mut square);
//! }
//! assert!(x[0].abs() < 0.05);
//! ```

use num_traits::Float;

/// A setting in the precision of the parameters.
fn cast<T: Float>(value: f64) -> T {
    // Between floats this always succeeds.
    T::from(value).unwrap_or_else(T::nan)
}

/// Stochastic gradient descent with momentum, as `torch.optim.SGD` (no dampening).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sgd {
    /// Share μ of the momentum that is kept from step to step.
    pub momentum: f64,
    /// Whether to look ahead along the momentum.
    pub nesterov: bool,
    /// Multiple λ of the parameter that is added to the gradient.
    pub weight_decay: f64,
}

impl Sgd {
    /// One step at rate η on parameters x with gradient g; the momentum m is zero before the first step:
    /// g ← g + λx, m ← μm + g, x ← x − η(g + μm) with Nesterov, else x ← x − ηm.
    ///
    /// # Panics
    /// If the lengths differ: a mistake of the caller.
    pub fn step<T: Float>(&self, rate: f64, parameters: &mut [T], gradient: &[T], momentum: &mut [T]) {
        assert_eq!(parameters.len(), gradient.len(), "gradient as long as the parameters");
        assert_eq!(parameters.len(), momentum.len(), "momentum as long as the parameters");
        let (rate, shrink, kept) = (cast::<T>(rate), cast::<T>(self.weight_decay), cast::<T>(self.momentum));
        for ((x, &g), m) in parameters.iter_mut().zip(gradient).zip(momentum) {
            let g = g + shrink * *x;
            *m = kept * *m + g;
            *x = *x - rate * if self.nesterov { g + kept * *m } else { *m };
        }
    }
}

/// Adam (Kingma & Ba 2015) with decoupled weight decay (Loshchilov & Hutter 2019), as `torch.optim.AdamW` (no AMSGrad).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay β₁ of the mean of the gradient.
    pub beta1: f64,
    /// Decay β₂ of the mean of its square.
    pub beta2: f64,
    /// Number ε that keeps the ratio of both finite.
    pub epsilon: f64,
    /// The parameters shrink by 1 − ηλ, λ this, at each step.
    pub weight_decay: f64,
}

/// What Adam multiplies and divides by at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamFactors {
    /// Factor 1 − ηλ of the parameters.
    pub shrink: f64,
    /// Divisor 1 − β₁ᵗ of the mean, which starts at zero.
    pub mean: f64,
    /// Divisor 1 − β₂ᵗ of the mean square.
    pub square: f64,
}

impl Adam {
    /// The factors at step `number`, from 1, at this rate.
    pub fn factors(&self, rate: f64, number: u64) -> AdamFactors {
        AdamFactors {
            shrink: 1.0 - rate * self.weight_decay,
            mean: 1.0 - self.beta1.powf(number as f64),
            square: 1.0 - self.beta2.powf(number as f64),
        }
    }

    /// Step t = `number`, from 1, at rate η on parameters x with gradient g; the means m and v are zero before the first step:
    /// m ← β₁m + (1 − β₁)g, v ← β₂v + (1 − β₂)g², x ← (1 − ηλ)x − η m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε).
    ///
    /// # Panics
    /// If the lengths differ: a mistake of the caller.
    pub fn step<T: Float>(
        &self,
        rate: f64,
        number: u64,
        parameters: &mut [T],
        gradient: &[T],
        mean: &mut [T],
        square: &mut [T],
    ) {
        assert_eq!(parameters.len(), gradient.len(), "gradient as long as the parameters");
        assert_eq!(parameters.len(), mean.len(), "mean as long as the parameters");
        assert_eq!(parameters.len(), square.len(), "mean square as long as the parameters");
        // What does not depend on the entry is computed in double precision.
        let factors = self.factors(rate, number);
        let [rate, shrink, first, second, epsilon] =
            [rate, factors.shrink, factors.mean, factors.square, self.epsilon].map(cast::<T>);
        let [beta1, new1, beta2, new2] =
            [self.beta1, 1.0 - self.beta1, self.beta2, 1.0 - self.beta2].map(cast::<T>);
        for (((x, &g), m), v) in parameters.iter_mut().zip(gradient).zip(mean).zip(square) {
            *m = beta1 * *m + new1 * g;
            *v = beta2 * *v + new2 * g * g;
            *x = *x * shrink - rate * (*m / first) / ((*v / second).sqrt() + epsilon);
        }
    }
}

/// Exponential moving average, entry by entry: mean ← decay × mean + (1 − decay) × value.
///
/// # Panics
/// If the lengths differ: a mistake of the caller.
pub fn average<T: Float>(mean: &mut [T], value: &[T], decay: f64) {
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

    /// Five steps from (1, -2, 0.5).
    fn descend<T: Float>(mut step: impl FnMut(u64, &mut [T], &[T])) -> [f64; 3] {
        let mut x = [1.0, -2.0, 0.5].map(cast::<T>);
        for (number, gradient) in (1..).zip(GRADIENTS) {
            step(number, &mut x, &gradient.map(cast::<T>));
        }
        x.map(|x| x.to_f64().unwrap())
    }

    fn sgd<T: Float>(sgd: Sgd) -> [f64; 3] {
        let mut m = [T::zero(); 3];
        descend(|_, x, g| sgd.step(0.1, x, g, &mut m))
    }

    fn adam<T: Float>(adam: Adam) -> [f64; 3] {
        let (mut m, mut v) = ([T::zero(); 3], [T::zero(); 3]);
        descend(|number, x, g| adam.step(0.1, number, x, g, &mut m, &mut v))
    }

    #[test]
    fn steps_are_those_of_torch() {
        // torch 2.15.0, torch.float64: p = tensor([1., -2., .5]); five times p.grad = one of GRADIENTS, o.step();
        // o = SGD or AdamW([p], lr=0.1, ...) with these options.
        let plain = Sgd { momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
        let usual = Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.05 };
        let fast = Adam { beta1: 0.8, beta2: 0.95, epsilon: 1e-3, weight_decay: 0.0 };
        let without = Sgd { momentum: 0.0, nesterov: false, ..plain };
        let heavy = Sgd { nesterov: false, weight_decay: 0.0, ..plain };
        // torch refuses Nesterov without momentum, which is plain descent.
        let ahead = Sgd { nesterov: true, ..without };
        let descent = [0.8872675240925281, -2.0120050491850408, 0.11239438562445625];
        for (double, single, expected) in [
            (
                sgd::<f64>(plain),
                sgd::<f32>(plain),
                [0.5296118063055367, -1.9649140853362135, -0.49470300105114995],
            ),
            (sgd::<f64>(heavy), sgd::<f32>(heavy), [0.603145, -1.948915, -0.17442000000000007]),
            (sgd::<f64>(without), sgd::<f32>(without), descent),
            (sgd::<f64>(ahead), sgd::<f32>(ahead), descent),
            (
                adam::<f64>(usual),
                adam::<f32>(usual),
                [0.6214454905640701, -1.8719353361790028, 0.31033622604435246],
            ),
            (
                adam::<f64>(fast),
                adam::<f32>(fast),
                [0.6542669835865551, -1.9383564283569945, 0.3264935547346669],
            ),
        ] {
            for ((double, single), expected) in double.into_iter().zip(single).zip(expected) {
                assert!((double - expected).abs() < 1e-12, "{double} instead of {expected}");
                assert!((single - expected).abs() < 1e-6, "{single} instead of {expected}");
            }
        }
    }

    #[test]
    fn averages() {
        let mut mean = [1.0_f32, -2.0];
        average(&mut mean, &[3.0, 2.0], 0.75);
        assert_eq!(mean, [1.5, -1.0]);
    }
}
