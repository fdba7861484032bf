//! First-order training of networks with an activation, as practitioners train: Adam on shuffled batches, the rate falling
//! along a half cosine (Kingma & Ba 2015; Loshchilov & Hutter 2017).

use convstat_cnn::{ActivatedNetwork, Factors};
use convstat_tensor::optimisers::Adam as Update;
use ndarray::{Array2, Axis, Slice};

use crate::outcome::{Fit, SingleFit, Start, Termination};
use crate::solvers::{Adam, Describe};
use crate::{EstimateError, Result};

const ADAM: Update = Update { beta1: 0.9, beta2: 0.999, epsilon: 1e-12, weight_decay: 0.0 };

/// Trains `network` on windows (`n·m × L`, [`ActivatedNetwork::windows`]) and responses (`n × M`) from every start and
/// keeps the one with the smallest residual sum of squares. The fit's `w` is `Σ_k B_k ∘ A_k`, which means something for
/// the identity alone.
///
/// `truth` are factors of the network for [`Start::Oracle`]; `normal` gives standard normals, for random starts and for the
/// order of the observations.
///
/// # Errors
/// Options outside their range, an oracle start without truth, arrays that do not fit the network.
pub fn train(
    network: &ActivatedNetwork,
    windows: &Array2<f64>,
    y: &Array2<f64>,
    options: &Adam,
    truth: Option<&Factors>,
    mut normal: impl FnMut() -> f64,
) -> Result<Fit> {
    check(network, windows, y, options)?;
    let structure = network.structure();
    let mut runs: Vec<(Vec<f64>, SingleFit)> = Vec::new();
    for &start in &options.starts {
        let mut parameters = match start {
            Start::Random | Start::Spectral => {
                let point = structure.flatten(&structure.random_point(&mut normal))?;
                sized(network, windows, y, point)?
            }
            Start::Oracle => structure.flatten(truth.ok_or(EstimateError::BadOption {
                option: "starts",
                value: "oracle".to_owned(),
                mend: "the oracle start needs the true factors, which only a simulation has; use random",
            })?)?,
        };
        let objective = descend(network, windows, y, options, &mut parameters, &mut normal)?;
        let run = SingleFit {
            start: Some(start),
            objective,
            iterations: options.steps,
            termination: if objective.is_finite() { Termination::Schedule } else { Termination::Stalled },
        };
        runs.push((parameters, run));
    }
    let least = |oracle: bool| {
        let counted = runs.iter().filter(|(_, e)| oracle || e.start != Some(Start::Oracle));
        counted.map(|(_, e)| e.objective).fold(f64::INFINITY, f64::min)
    };
    let has_oracle = runs.len() > 1 && options.starts.contains(&Start::Oracle);
    let best = runs.iter().position(|(_, e)| e.objective <= least(true)).unwrap_or(0);
    let factors = structure.unflatten(&runs[best].0)?;
    Ok(Fit {
        w: structure.coefficient_matrix(&factors)?,
        factors,
        best: runs[best].1.clone(),
        oracle_gap: has_oracle.then(|| least(false) - least(true)),
        all: runs.into_iter().map(|(_, e)| e).collect(),
    })
}

fn check(network: &ActivatedNetwork, windows: &Array2<f64>, y: &Array2<f64>, options: &Adam) -> Result<()> {
    let rows = windows.nrows() / network.windows_of_one();
    if y.is_empty() {
        return Err(EstimateError::NoRows);
    }
    if rows != y.nrows() {
        return Err(EstimateError::RowMismatch { x: rows, y: y.nrows() });
    }
    if y.ncols() != network.structure().outputs() {
        return Err(EstimateError::BlockColumns {
            found: y.ncols(),
            expected: network.structure().outputs(),
        });
    }
    options.check()
}

/// The point with fitted values of the size of the responses: the network is homogeneous in each factor.
fn sized(
    network: &ActivatedNetwork,
    windows: &Array2<f64>,
    y: &Array2<f64>,
    mut point: Vec<f64>,
) -> Result<Vec<f64>> {
    let squares = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
    let fitted = network.predict(&point, &windows.view())?;
    let factor = (squares(y) / squares(&fitted)).powf(0.5 / network.structure().owners().len() as f64);
    if factor.is_finite() && factor > 0.0 {
        point.iter_mut().for_each(|v| *v *= factor);
    }
    Ok(point)
}

/// Trains in place; the residual sum of squares at the end.
fn descend(
    network: &ActivatedNetwork,
    windows: &Array2<f64>,
    y: &Array2<f64>,
    options: &Adam,
    parameters: &mut [f64],
    normal: &mut impl FnMut() -> f64,
) -> Result<f64> {
    let (n, m) = (y.nrows(), network.windows_of_one());
    let size = (parameters.iter().map(|v| v * v).sum::<f64>() / parameters.len() as f64).sqrt();
    let batch = options.batch.min(n);
    let (mut mean, mut square) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    let (mut some_windows, mut some_y) =
        (Array2::zeros((batch * m, windows.ncols())), Array2::zeros((batch, y.ncols())));
    let mut residual = Array2::zeros((batch, y.ncols()));
    let mut gradient = vec![0.0; parameters.len()];
    let mut pass = network.pass(batch)?;
    let mut step = 0;
    while step < options.steps {
        for rows in shuffled(n, normal).chunks(batch).take(options.steps - step) {
            for (i, &row) in rows.iter().enumerate() {
                let from = windows.slice_axis(Axis(0), Slice::from(row * m..(row + 1) * m));
                some_windows.slice_axis_mut(Axis(0), Slice::from(i * m..(i + 1) * m)).assign(&from);
                some_y.row_mut(i).assign(&y.row(row));
            }
            // Gradient of half the mean squared residual of the batch.
            let windows = some_windows.slice_axis(Axis(0), Slice::from(..rows.len() * m));
            pass.set(parameters)?;
            let mut residual = residual.slice_axis_mut(Axis(0), Slice::from(..rows.len()));
            residual.assign(&pass.respond(&windows));
            residual -= &some_y.slice_axis(Axis(0), Slice::from(..rows.len()));
            residual /= rows.len() as f64;
            gradient.fill(0.0);
            pass.add_gradient(&windows, &residual.view(), &mut gradient);
            let done = step as f64 / options.steps as f64;
            let rate = size * options.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * done).cos());
            step += 1;
            ADAM.step(rate, step as u64, parameters, &gradient, &mut mean, &mut square);
        }
    }
    let residual = y - &network.predict(parameters, &windows.view())?;
    Ok(residual.iter().map(|r| r * r).sum())
}

/// The numbers below n in random order.
fn shuffled(n: usize, normal: &mut impl FnMut() -> f64) -> Vec<usize> {
    let mut keys: Vec<(f64, usize)> = (0..n).map(|i| (normal(), i)).collect();
    keys.sort_by(|a, b| a.0.total_cmp(&b.0));
    keys.into_iter().map(|(_, i)| i).collect()
}
