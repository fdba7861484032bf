//! Laws of the responses given the linear predictors `η = ZW`, and what a solver needs of them.
//!
//! The links are canonical (McCullagh & Nelder 1989, ch. 2 and 5): with the objective `D = −2 log-likelihood` the
//! gradient is `JᵀZᵀ(y − μ)` and the information `JᵀZᵀVZJ`, each for half of D as for half of a residual sum of squares,
//! so a solver of least squares is Fisher scoring, and with the second derivatives of the network Newton's method.

use convstat_tensor::algebra::{c_order, c_order_mut};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// Law of the responses of an observation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// `y = η + noise` with one variance: least squares.
    #[default]
    Gaussian,
    /// One response, 1 with probability `1/(1 + e^{−η})`, else 0.
    Logistic,
    /// M responses for M + 1 classes: class 0 is the reference, of probability `1/(1 + Σ e^{η_j})`, and has all responses
    /// 0; class j has response j (from 1) 1 and probability `e^{η_j}/(1 + Σ e^{η_j})`.
    ///
    /// Coefficients are log-odds against the reference, as in `MNLogit` of statsmodels: no shift is left free. A change
    /// of the reference is an invertible map of the response axis, so where one factor carries that axis (dense, and all
    /// families of networks here) fitted probabilities do not depend on which class it is.
    Multinomial,
}

impl Family {
    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Logistic => "logistic",
            Self::Multinomial => "multinomial",
        }
    }

    /// Whether responses are labels of classes.
    pub fn is_labels(self) -> bool {
        self != Self::Gaussian
    }
}

/// Probabilities of the classes other than the reference for a block of rows; the logistic law is that of two classes.
#[derive(Debug)]
pub(crate) struct Labels {
    outputs: usize,
    /// Rows × M.
    means: Vec<f64>,
    /// The reference's.
    reference: Vec<f64>,
    /// One row of a Jacobian.
    mean_row: Vec<f64>,
}

impl Labels {
    /// Memory for `rows` rows of `outputs` responses and Jacobians of `columns` columns.
    pub fn new(rows: usize, outputs: usize, columns: usize) -> Self {
        let (means, reference) = (vec![0.0; rows * outputs], vec![0.0; rows]);
        Self { outputs, means, reference, mean_row: vec![0.0; columns] }
    }

    /// Turns linear predictors (`eta`, rows × M) into residuals `y − μ`; the deviance of the first `real` rows. Rows after
    /// them are padding and have residual 0.
    pub fn residuals(&mut self, y: &[f64], eta: &mut [f64], real: usize) -> f64 {
        let m = self.outputs;
        let mut deviance = 0.0;
        let rows = eta.chunks_exact_mut(m).zip(y.chunks_exact(m)).zip(self.means.chunks_exact_mut(m));
        for (i, (((eta, y), means), reference)) in rows.zip(&mut self.reference).enumerate() {
            if i < real {
                deviance += 2.0 * row(eta, y, means, reference);
            } else {
                eta.fill(0.0);
                means.fill(0.0);
                *reference = 1.0;
            }
        }
        deviance
    }

    /// The least `p_0 p_j` of the first `real` rows: one of them moves by u with an information of at least that times u².
    pub fn least_weight(&self, real: usize) -> f64 {
        let rows = self.means.chunks_exact(self.outputs).zip(&self.reference).take(real);
        rows.flat_map(|(means, p)| means.iter().map(move |q| p * q)).fold(f64::INFINITY, f64::min)
    }

    /// Multiplies the rows of a Jacobian (rows M × columns) by a root of `V = diag μ − μμᵀ`, so that its Gram matrix is the
    /// information: `V = RᵀR` with R upper triangular in closed form (Tanabe & Sagae 1992).
    pub fn weigh(&mut self, jacobian: &mut [f64]) {
        let (m, columns) = (self.outputs, self.mean_row.len());
        if columns == 0 {
            return;
        }
        let rows = jacobian.chunks_exact_mut(m * columns).zip(self.means.chunks_exact(m));
        for ((rows, means), &reference) in rows.zip(&self.reference) {
            // From the last response to the first, with the mean of the rows after it, of which the reference's is 0.
            self.mean_row.fill(0.0);
            let mut rest = reference;
            for (row, &mean) in rows.chunks_exact_mut(columns).zip(means).rev() {
                let all = mean + rest;
                let share = if all > 0.0 { mean / all } else { 0.0 };
                let weight = (share * rest).sqrt();
                for (v, mean) in row.iter_mut().zip(&mut self.mean_row) {
                    let off = *v - *mean;
                    *mean += share * off;
                    *v = weight * off;
                }
                rest = all;
            }
        }
    }
}

/// Turns the linear predictors of one row into residuals, and writes the probabilities of the classes; `−log` of the
/// probability of the class of `y`. Without cancellation where a probability is near 1.
fn row(eta: &mut [f64], y: &[f64], means: &mut [f64], reference: &mut f64) -> f64 {
    let largest = eta.iter().fold(0.0f64, |a, &b| a.max(b));
    let own = y.iter().position(|&v| v > 0.5);
    // The largest term is 1; the sum of all others keeps its digits.
    let top = eta.iter().position(|&v| v == largest && largest > 0.0);
    *reference = (-largest).exp();
    let mut others = if top.is_none() { 0.0 } else { *reference };
    let mut not_own = if own.is_none() { 0.0 } else { *reference };
    let loss = largest - own.map_or(0.0, |j| eta[j]);
    for (j, (mean, &e)) in means.iter_mut().zip(&*eta).enumerate() {
        *mean = (e - largest).exp();
        others += if top == Some(j) { 0.0 } else { *mean };
        not_own += if own == Some(j) { 0.0 } else { *mean };
    }
    let total = 1.0 + others;
    *reference /= total;
    for (j, (e, mean)) in eta.iter_mut().zip(means).enumerate() {
        *mean /= total;
        *e = if own == Some(j) { not_own / total } else { -*mean };
    }
    loss + others.ln_1p()
}

/// Multiplies the rows of `a` (`n M × k`, the response fastest) by roots of the variances `V = diag μ − μμᵀ` of labels at
/// linear predictors `eta` (`n × M`), so that `aᵀa` becomes `aᵀVa`.
pub fn weigh(eta: &Array2<f64>, a: &mut Array2<f64>) {
    evaluate(&Array2::zeros(eta.dim()), &mut eta.clone(), Some(a));
}

/// Residuals `y − μ` (n × M) in place of the linear predictors, and the deviance, of labels `y`; the Jacobian's rows
/// (n M × columns) are multiplied by the root of their weights.
pub(crate) fn evaluate(y: &Array2<f64>, eta: &mut Array2<f64>, jacobian: Option<&mut Array2<f64>>) -> f64 {
    let columns = jacobian.as_ref().map_or(0, |j| j.ncols());
    let mut labels = Labels::new(y.nrows(), y.ncols(), columns);
    let y = y.as_standard_layout().into_owned();
    put_in_c_order(eta);
    let deviance = labels.residuals(c_order(&y), c_order_mut(eta), labels.reference.len());
    if let Some(jacobian) = jacobian {
        put_in_c_order(jacobian);
        labels.weigh(c_order_mut(jacobian));
    }
    deviance
}

/// Products may come in Fortran order.
fn put_in_c_order(a: &mut Array2<f64>) {
    if !a.is_standard_layout() {
        *a = a.as_standard_layout().into_owned();
    }
}
