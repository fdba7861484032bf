//! Units: samples far from unit size are fitted at unit size.
//!
//! Squares of numbers beyond 1e±154 leave the range of `f64`. Multiplying by a power of two is exact, so the fit of
//! such a sample is the fit of the sample at unit size, times a power of two.

use convstat_cnn::Factors;
use ndarray::Array2;

use crate::Sample;

/// Binary digits by which data may be away from 1 and are fitted as they are: gradients are products of up to four
/// numbers of the size of the data, and their squares are far within the range of `f64` then.
const ROOM: i32 = 128;

/// Binary exponents of the units that features and responses are measured in: `Z = 2^z Z'`, `y = 2^y y'`.
///
/// They are whole multiples of the operands of a network, so that every factor has a power of two as its unit, and 0 for
/// data within 2^±64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    /// Of the features.
    pub z: i32,
    /// Of the responses.
    pub y: i32,
    operands: i32,
}

impl Scale {
    /// The units of a sample for a network of so many operands.
    pub fn of(sample: &Sample, operands: usize) -> Self {
        let operands = i32::try_from(operands.max(1)).unwrap_or(1);
        let quantum = operands * (ROOM / operands).max(1);
        let units = |a: &Array2<f64>| {
            let largest = a.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            let exponent = exponent(largest);
            if exponent.abs() <= ROOM / 2 {
                return 0;
            }
            (f64::from(exponent) / f64::from(quantum)).round() as i32 * quantum
        };
        Self { z: units(&sample.z), y: units(&sample.y), operands }
    }

    /// The units of data that are fitted as they are.
    pub(crate) fn one() -> Self {
        Self { z: 0, y: 0, operands: 1 }
    }

    /// The units of a sample that several networks share, of so many operands each.
    pub(crate) fn common(sample: &Sample, operands: impl Iterator<Item = usize>) -> Self {
        let gcd = |mut a: usize, mut b: usize| {
            while b > 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        Self::of(sample, operands.fold(1, |lcm, n| lcm / gcd(lcm, n.max(1)) * n.max(1)))
    }

    /// The same units for one of the networks that share them.
    pub(crate) fn with_operands(self, operands: usize) -> Self {
        Self { operands: i32::try_from(operands.max(1)).unwrap_or(1), ..self }
    }

    /// Whether there is nothing to do.
    pub fn is_one(&self) -> bool {
        (self.z, self.y) == (0, 0)
    }

    /// The sample in these units.
    pub fn to_unit(&self, sample: &Sample) -> Sample {
        Sample {
            z: sample.z.mapv(|v| times_power(v, -self.z)),
            y: sample.y.mapv(|v| times_power(v, -self.y)),
            rss: self.unit_square(sample.rss),
            n: sample.n,
        }
    }

    /// A square of responses, in these units.
    pub(crate) fn unit_square(&self, v: f64) -> f64 {
        times_power(times_power(v, -self.y), -self.y)
    }

    /// A square of responses, from these units: an objective or a variance. 0 or infinite where it leaves the range.
    pub fn square(&self, v: f64) -> f64 {
        times_power(times_power(v, self.y), self.y)
    }

    /// An entry of `W`, from these units.
    pub fn coefficient(&self, v: f64) -> f64 {
        times_power(v, self.y - self.z)
    }

    /// An entry of `W`, in these units.
    pub(crate) fn unit_coefficient(&self, v: f64) -> f64 {
        times_power(v, self.z - self.y)
    }

    /// A response, from these units.
    pub fn response(&self, v: f64) -> f64 {
        times_power(v, self.y)
    }

    /// A ridge penalty on the scale of `ZᵀZ`, in these units.
    pub fn unit_penalty(&self, v: f64) -> f64 {
        times_power(times_power(v, -self.z), -self.z)
    }

    /// Factors in these units.
    pub(crate) fn unit_factors(&self, factors: &Factors) -> Factors {
        self.times_factors(factors, -1)
    }

    /// Factors from these units.
    pub(crate) fn factors(&self, factors: &Factors) -> Factors {
        self.times_factors(factors, 1)
    }

    /// The exponent of each factor's unit.
    pub(crate) fn factor_exponent(&self) -> i32 {
        (self.y - self.z) / self.operands
    }

    fn times_factors(&self, factors: &Factors, sign: i32) -> Factors {
        let exponent = sign * self.factor_exponent();
        factors.iter().map(|f| f.mapv(|v| times_power(v, exponent))).collect()
    }
}

/// `⌊log2 v⌋` for a normal positive number; 0 for 0 and what is not finite.
fn exponent(v: f64) -> i32 {
    if v > 0.0 && v.is_finite() { v.log2().floor() as i32 } else { 0 }
}

/// `v · 2^exponent`, exact unless it leaves the normal range.
pub(crate) fn times_power(v: f64, exponent: i32) -> f64 {
    // Two steps: the power alone may be out of range where the result is not.
    let half = exponent / 2;
    v * power(half) * power(exponent - half)
}

/// `2^exponent`, saturating.
fn power(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent.clamp(-1022, 1023)) as u64) << 52)
}

/// Spread of the norms of columns, in binary digits, from which they are scaled before a factorisation.
const GRADED: i32 = 10;

/// Powers of two that bring the columns of `a` to norms in [1, 2), where these differ by more than 2^10; rounding errors
/// of small columns are then not those of large ones (van der Sluis 1969).
pub(crate) fn graded_columns(a: &Array2<f64>) -> Option<Vec<f64>> {
    let exponents: Vec<i32> = column_norms(a).into_iter().map(exponent).collect();
    let (low, high) = (exponents.iter().min()?, exponents.iter().max()?);
    (high - low > GRADED).then(|| exponents.iter().map(|&e| power(-e)).collect())
}

/// Norms of the columns.
pub(crate) fn column_norms(a: &Array2<f64>) -> Vec<f64> {
    a.columns()
        .into_iter()
        .map(|c| {
            let largest = c.iter().fold(0.0f64, |m, v| m.max(v.abs()));
            if largest == 0.0 {
                return 0.0;
            }
            largest * c.iter().map(|v| (v / largest).powi(2)).sum::<f64>().sqrt()
        })
        .collect()
}
