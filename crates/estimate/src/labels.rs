//! Samples of labels: logistic and multinomial responses.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayView2};

use crate::family::{Family, evaluate};
use crate::{EstimateError, Result, RowMemory, Rows, Sample};

/// Raw rows `(Z, y)` whose responses are labels of classes; every function that takes [`Rows`] fits them by maximum
/// likelihood, with the deviance `−2 log-likelihood` as objective.
///
/// Rows are never compressed: the weights of a likelihood depend on `W`.
#[derive(Debug, Clone)]
pub struct LabelledSample {
    sample: Sample,
    family: Family,
}

impl LabelledSample {
    /// From `n × D` features and `n × M` labels as [`Family`] says: one column of 0 and 1 for [`Family::Logistic`], the
    /// indicators of classes 1 to M for [`Family::Multinomial`], all 0 in a row of the reference class.
    ///
    /// # Errors
    /// As [`Sample::new`]; labels that are no indicators, more than one column for the logistic law, the Gaussian family.
    pub fn new(z: Array2<f64>, y: Array2<f64>, family: Family) -> Result<Self> {
        let bad = |value: String, mend| Err(EstimateError::BadOption { option: "family", value, mend });
        if !family.is_labels() {
            return bad(family.name().to_owned(), "it has no labels: give a Sample itself");
        }
        if family == Family::Logistic && y.ncols() != 1 {
            let value = format!("logistic with {} responses", y.ncols());
            return bad(value, "give one column of 0 and 1, or use multinomial");
        }
        let sample = Sample::new(z, y)?;
        for (row, labels) in sample.y.outer_iter().enumerate() {
            let wrong = labels.iter().find(|v| **v != 0.0 && **v != 1.0).copied();
            if let Some(value) = wrong.or_else(|| Some(labels.sum()).filter(|v| *v > 1.0)) {
                return Err(EstimateError::BadLabel { row, value });
            }
        }
        Ok(Self { sample, family })
    }

    /// Multinomial labels from the class of every observation, of classes 0 (the reference) to `classes − 1`.
    ///
    /// # Errors
    /// As [`LabelledSample::new`]; fewer than two classes, or a class that is not below `classes`.
    pub fn from_classes(z: Array2<f64>, class: &[usize], classes: usize) -> Result<Self> {
        if classes < 2 {
            return Err(EstimateError::BadOption {
                option: "classes",
                value: classes.to_string(),
                mend: "labels need at least 2",
            });
        }
        if let Some(row) = class.iter().position(|&c| c >= classes) {
            return Err(EstimateError::BadClass { row, class: class[row], classes });
        }
        let y = Array2::from_shape_fn((class.len(), classes - 1), |(i, j)| {
            f64::from(u8::from(class[i] == j + 1))
        });
        Self::new(z, y, Family::Multinomial)
    }

    /// A sample in other units of the features.
    pub(crate) fn of(sample: Sample, family: Family) -> Self {
        Self { sample, family }
    }

    /// The rows; `y` holds the labels.
    pub fn sample(&self) -> &Sample {
        &self.sample
    }

    /// Classes `M + 1`, the reference included.
    pub fn classes(&self) -> usize {
        self.sample.outputs() + 1
    }

    /// `−2 log-likelihood` at `w` of `D × M`.
    pub fn deviance(&self, w: &ArrayView2<f64>) -> f64 {
        evaluate(&self.sample.y, &mut self.predictors(w), None)
    }

    /// Probabilities of all classes, `n × (M + 1)` with the reference first, at `w` of `D × M`.
    pub fn probabilities(&self, w: &ArrayView2<f64>) -> Array2<f64> {
        probabilities(self.predictors(w))
    }

    /// Deviance with the classes' frequencies as probabilities of every row, as where an intercept alone is fitted.
    pub fn null_deviance(&self) -> f64 {
        let n = self.sample.n;
        let ones: Array1<f64> = self.sample.y.sum_axis(ndarray::Axis(0));
        let part = |count: f64| if count > 0.0 { -2.0 * count * (count / n).ln() } else { 0.0 };
        part(n - ones.sum()) + ones.iter().map(|&c| part(c)).sum::<f64>()
    }

    /// Deviance at `W = 0`, where all classes have the same probability: `2 n log(M + 1)`.
    pub fn deviance_at_zero(&self) -> f64 {
        2.0 * self.sample.n * (self.classes() as f64).ln()
    }

    /// Akaike's and Schwarz's criterion, `D + 2 df` and `D + df log n`, of a fit with this deviance and dimension.
    pub fn criteria(&self, deviance: f64, df: f64) -> (f64, f64) {
        (deviance + 2.0 * df, deviance + df * self.sample.n.ln())
    }

    fn predictors(&self, w: &ArrayView2<f64>) -> Array2<f64> {
        self.sample.z.dot(w)
    }
}

/// Probabilities of all classes, the reference first, from linear predictors `n × M`.
pub fn probabilities(eta: Array2<f64>) -> Array2<f64> {
    let (n, m) = eta.dim();
    let mut all = Array2::zeros((n, m + 1));
    for (eta, mut row) in eta.outer_iter().zip(all.outer_iter_mut()) {
        let largest = eta.iter().fold(0.0f64, |a, &b| a.max(b));
        row[0] = (-largest).exp();
        row.iter_mut().skip(1).zip(&eta).for_each(|(p, e)| *p = (e - largest).exp());
        let total = row.sum();
        row /= total;
    }
    all
}

/// The working sample of one step of iteratively reweighted least squares from `W = 0`: there the weights
/// `V = (I − 11ᵀ/C)/C` of C classes are those of every row, and the responses `V⁻¹(y − 1/C) = C(r + 1 Σr)`. Least squares
/// on it lead to a start, and it can be compressed.
pub(crate) fn working_sample(labels: &Sample) -> Result<Sample> {
    let classes = labels.outputs() as f64 + 1.0;
    let mut y = labels.y.mapv(|v| v - 1.0 / classes);
    for mut row in y.outer_iter_mut() {
        let sum = row.sum();
        row.mapv_inplace(|v| classes * (v + sum));
    }
    Sample { z: labels.z.clone(), y, rss: 0.0, n: labels.n }.compressed()
}

impl Rows for LabelledSample {
    fn rows(&self) -> usize {
        self.sample.rows()
    }

    fn features(&self) -> usize {
        self.sample.features()
    }

    fn outputs(&self) -> usize {
        self.sample.outputs()
    }

    fn observations(&self) -> f64 {
        self.sample.n
    }

    fn rss(&self) -> f64 {
        self.sample.rss
    }

    /// For labels that of linear predictors of size 2.
    fn sum_of_squares(&self) -> f64 {
        if self.family.is_labels() { 4.0 * self.sample.y.len() as f64 } else { self.sample.sum_of_squares() }
    }

    fn block<'a>(&'a self, rows: Range<usize>, memory: &'a mut RowMemory) -> (&'a [f64], &'a [f64]) {
        self.sample.block(rows, memory)
    }

    fn in_memory(&self) -> Option<&Sample> {
        Some(&self.sample)
    }

    fn family(&self) -> Family {
        self.family
    }
}
