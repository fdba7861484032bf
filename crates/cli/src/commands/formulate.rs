//! `convstat formulate`: a linear CNN as one tensor.

use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use ndarray::{Array2, ArrayD, Axis};

use super::inputs::read_geometry;
use crate::arrays::{check_distinct, check_kept, check_writable, read, reshape, write};
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `formulate`.
#[derive(Debug, Args)]
#[command(
    after_help = "Arrays (C order): A.npy is K x l_1 x … x l_N, B.npy K x p_1 x … x p_N (a last axis more for
several outputs), X.npy n x d_1 x … x d_N; W.npy is d_1 x … x d_N (x M).

Example:
  convstat formulate --geometry g.toml --kernels A.npy --weights B.npy --out W.npy \\
      --input X.npy --predict y.npy"
)]
pub struct Formulate {
    /// Geometry file: input, kernel, stride, padding, dilation, pool, pool_stride
    #[arg(long, value_name = "FILE")]
    geometry: PathBuf,
    /// Kernels A
    #[arg(long, value_name = "A.npy")]
    kernels: String,
    /// Fully connected weights B
    #[arg(long, value_name = "B.npy")]
    weights: String,
    /// Where W_X is written
    #[arg(long, value_name = "W.npy")]
    out: PathBuf,
    /// Inputs to predict for
    #[arg(long, value_name = "X.npy", requires = "predict")]
    input: Option<String>,
    /// Where the predictions <X, W_X> are written
    #[arg(long, value_name = "y.npy", requires = "input")]
    predict: Option<PathBuf>,
    /// Print JSON: files and shapes
    #[arg(long)]
    json: bool,
}

impl Formulate {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let geometry = read_geometry(&self.geometry)?;
        if geometry.layers() > 1 {
            return Err(Failure::new(format!(
                "the geometry has {} layers; formulate takes one",
                geometry.layers()
            ))
            .help("remove deeper from the geometry file"));
        }
        let a = read(&self.kernels, "a")?;
        let b = read(&self.weights, "b")?;
        let x = self.input.as_deref().map(|p| read(p, "x")).transpose()?;
        for (name, array) in [("kernels", Some(&a)), ("weights", Some(&b)), ("input", x.as_ref())] {
            convstat::tensor::algebra::check_finite(name, array.into_iter().flatten())?;
        }
        let inputs: Vec<&str> =
            [&self.kernels, &self.weights].into_iter().chain(&self.input).map(String::as_str).collect();
        check_kept(&inputs, &[("--out", Some(self.out.as_path())), ("--predict", self.predict.as_deref())])?;
        check_distinct(&[("--out", Some(self.out.as_path())), ("--predict", self.predict.as_deref())])?;
        if x.as_ref().is_some_and(|x| x.shape().first() == Some(&0)) {
            return Err(Failure::new(
                "--input has no observations (its first axis is 0); at least one is needed",
            ));
        }
        check_writable(&self.out)?;
        self.predict.as_deref().map(check_writable).transpose()?;
        let outputs = check_shapes(&geometry, &a, &b)?;

        // W = Σ_k B_k ∘ A_k as a (P·M) × L matrix, then with the responses last.
        let (p, l, k) = (geometry.positions(), geometry.taps(), a.shape()[0]);
        let weights = matrix(&b, k, p * outputs);
        let w = weights.t().dot(&matrix(&a, k, l));
        let w = reshape(&w.into_dyn(), &[p, outputs, l]).permuted_axes(ndarray::IxDyn(&[0, 2, 1]));
        let w = matrix(&w, p * l, outputs);
        let mut w_x = geometry.windows().pull_back(&w.view());
        if w_x.iter().any(|v| !v.is_finite()) {
            return Err(Failure::new(
                "the products of kernels and weights overflow; divide both by their largest values",
            ));
        }
        let mut predictions = None;
        if let (Some(x), Some(path)) = (&x, &self.predict) {
            let n = x.shape().first().copied().unwrap_or(0);
            if x.ndim() == 0 || x.shape()[1..] != geometry.input_shape()[..] {
                return Err(shape_error("--input", x.shape(), &format!("n x {:?}", geometry.input_shape())));
            }
            let y = matrix(x, n, geometry.inputs()).dot(&matrix(&w_x, geometry.inputs(), outputs));
            let y = if b.ndim() == geometry.modes().len() + 1 {
                y.index_axis_move(Axis(1), 0).into_dyn()
            } else {
                y.into_dyn()
            };
            if y.iter().any(|v| !v.is_finite()) {
                return Err(Failure::new("the predictions overflow; divide --input by its largest value"));
            }
            write(path, &y)?;
            predictions = Some(serde_json::json!({ "file": path, "shape": y.shape() }));
            if !self.json {
                print(&format!("predictions {:?} written to {}\n", y.shape(), path.display()))?;
            }
        }
        if b.ndim() == geometry.modes().len() + 1 {
            w_x = reshape(&w_x, &geometry.input_shape());
        }
        write(&self.out, &w_x)?;
        if self.json {
            print_json(&serde_json::json!({
                "w_x": { "file": self.out, "shape": w_x.shape() }, "predictions": predictions,
            }))?;
        } else {
            print(&format!("W_X {:?} written to {}\n", w_x.shape(), self.out.display()))?;
        }
        Ok(Status::Done)
    }
}

/// The number of responses, if the shapes fit the geometry.
fn check_shapes(geometry: &Geometry, a: &ArrayD<f64>, b: &ArrayD<f64>) -> Result<usize, Failure> {
    let (kernel, positions) = (geometry.kernel_shape(), geometry.positions_shape());
    if a.ndim() != kernel.len() + 1 || a.shape()[1..] != kernel[..] || a.is_empty() {
        return Err(shape_error("--kernels", a.shape(), &format!("K x {kernel:?}")));
    }
    let fits = b.ndim() > positions.len()
        && b.ndim() <= positions.len() + 2
        && b.shape()[1..=positions.len()] == positions[..]
        && !b.is_empty();
    if !fits || b.shape()[0] != a.shape()[0] {
        let needed = format!("{} x {positions:?} (x M), K as in --kernels", a.shape()[0]);
        return Err(shape_error("--weights", b.shape(), &needed));
    }
    Ok(if b.ndim() == positions.len() + 2 { b.shape()[positions.len() + 1] } else { 1 })
}

fn matrix(array: &ArrayD<f64>, rows: usize, cols: usize) -> Array2<f64> {
    convstat::tensor::algebra::shaped((rows, cols), convstat::tensor::algebra::entries(array))
}

fn shape_error(option: &str, found: &[usize], needed: &str) -> Failure {
    Failure::new(format!("{option} has shape {found:?} but the geometry needs {needed}"))
        .help("the arrays are in C order; convstat study plan and bound print the pooled sizes of a geometry")
}
