//! Linear subproblems of single factors, and what keeps factors comparable: signs, scales, pivots.

use std::ops::Range;

use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve, eigh, symmetrise};
use ndarray::Array2;

use crate::Result;
use crate::least_squares::{LeastSquares, Linearised};

/// Columns of each factor and memory for its subproblem.
pub(crate) struct Subproblems(pub Vec<(Range<usize>, Linearised)>);

impl Subproblems {
    pub fn new(problem: &LeastSquares) -> Self {
        let memory = |c: Range<usize>| (c.clone(), Linearised::new(c.len()));
        Self(problem.structure().columns().into_iter().map(memory).collect())
    }
}

/// Pivots of a Cholesky factor below this share of the largest are rounding (squared, a few ε).
pub(crate) const SINGULAR: f64 = 1e-6;

/// Smallest over largest pivot of a Cholesky factor.
pub(crate) fn smallest_pivot(r: &Array2<f64>) -> f64 {
    let (low, high) = r.diag().iter().fold((f64::INFINITY, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
    low / high
}

/// Solves the linear subproblem of one factor, the others held fixed.
pub(crate) fn update(
    problem: &mut LeastSquares,
    subproblems: &mut Subproblems,
    parameters: &mut [f64],
    f: usize,
) -> Result<()> {
    let (columns, at) = &mut subproblems.0[f];
    problem.linearise(parameters, Some(f), at);
    let own = &mut parameters[columns.clone()];
    let Linearised { normal, gradient, .. } = at;
    // A singular subproblem (K > R leaves directions free) may pass Cholesky on rounding alone: directions that change
    // nothing are to stay, not to get a huge step.
    if cholesky_in_place(normal).is_ok() && smallest_pivot(normal) > SINGULAR {
        cholesky_solve(normal, gradient);
        own.iter_mut().zip(&*gradient).for_each(|(v, s)| *v += s);
        return Ok(());
    }
    problem.linearise(parameters, Some(f), at);
    let Linearised { normal, gradient, .. } = at;
    symmetrise(normal);
    let own = &mut parameters[columns.clone()];
    let (values, vectors) = eigh(&normal.view())?;
    let least = SINGULAR * SINGULAR * values.last().copied().unwrap_or(0.0);
    for (&value, vector) in values.iter().zip(vectors.columns()).filter(|(v, _)| **v > least) {
        let along = vector.iter().zip(&*gradient).map(|(a, b)| a * b).sum::<f64>() / value;
        own.iter_mut().zip(&vector).for_each(|(v, e)| *v += along * e);
    }
    Ok(())
}

/// One pass over the factors from the last to the first, cores (no output label) before the rest:
/// gives factors known up to sign and scale the right ones.
pub(crate) fn align(problem: &mut LeastSquares, parameters: &mut [f64]) -> Result<()> {
    let network = problem.structure().network();
    let is_core = |f: usize| !network.inputs[f].iter().any(|c| network.output.contains(c));
    let factors = network.inputs.len();
    let order = (0..factors).rev().filter(|&f| is_core(f)).chain((0..factors).rev().filter(|&f| !is_core(f)));
    let mut subproblems = Subproblems::new(problem);
    for f in order {
        // From zero the step is the solution of least norm: what the data leave free gets no size of its own.
        parameters[subproblems.0[f].0.clone()].fill(0.0);
        update(problem, &mut subproblems, parameters, f)?;
    }
    balance(problem.columns(), parameters);
    Ok(())
}

/// Gives all factors the same norm, which changes no coefficient and keeps the subproblems scaled.
pub(crate) fn balance(columns: &[Range<usize>], parameters: &mut [f64]) {
    let norm = |own: &[f64]| own.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut mean = 0.0;
    for c in columns {
        mean += norm(&parameters[c.clone()]).ln() / columns.len() as f64;
    }
    if mean.is_finite() {
        for c in columns {
            let own = &mut parameters[c.clone()];
            let scale = mean.exp() / norm(own);
            own.iter_mut().for_each(|v| *v *= scale);
        }
    }
}
