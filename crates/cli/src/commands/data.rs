//! Data and candidate structures of a command: arrays to responses, features and structures.

use std::path::PathBuf;

use clap::Args;
use convstat::estimate::Diagnostic;
use convstat::prelude::*;
use ndarray::{Array2, ArrayD};

use super::inputs::read_geometry;
use crate::arrays::read;
use crate::failure::Failure;

/// Data, and how often a fit starts.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// Inputs: .npy, .npz, or .npz:name
    #[arg(long, value_name = "X.npy")]
    x: String,
    /// Responses
    #[arg(long, value_name = "Y.npy")]
    y: String,
    /// Geometry file: CNNs on the windows of X
    #[arg(long, value_name = "FILE")]
    geometry: Option<PathBuf>,
    /// Random starts besides the spectral one
    #[arg(long, value_name = "N", default_value_t = convstat::estimate::RANDOM_STARTS)]
    starts: usize,
    /// Seed of all random numbers
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// More random starts than this are a mistake.
pub const MOST_STARTS: usize = 10_000;

/// A raw sample and what it is of.
pub struct Data {
    x: ArrayD<f64>,
    geometry: Option<Geometry>,
    /// The sample.
    pub sample: Sample,
    /// How to fit it.
    pub method: Method,
}

impl DataArgs {
    /// Reads the files.
    pub fn read(&self) -> Result<Data, Failure> {
        if self.starts > MOST_STARTS {
            return Err(Failure::new(format!("--starts {}; at most {MOST_STARTS}", self.starts)));
        }
        let geometry = self.geometry.as_deref().map(read_geometry).transpose()?;
        let (x, y) = (read(&self.x, "x")?, read(&self.y, "y")?);
        let y = responses((&self.x, &x), (&self.y, &y))?;
        let sample = Sample::new(features(geometry.as_ref(), &x)?, y)?;
        let method = Method::default().with_starts(Start::spectral_and_random(self.starts));
        Ok(Data { x, geometry, sample, method })
    }
}

impl Data {
    /// A structure for these data.
    pub fn build(&self, spec: &StructureSpec) -> Result<Structure, Failure> {
        build(spec, self.geometry.as_ref(), &self.x, self.sample.outputs())
    }

    /// The geometry, if there is one.
    pub fn geometry(&self) -> Option<&Geometry> {
        self.geometry.as_ref()
    }

    /// Pooled positions; of plain data the size of the first axis of an observation.
    pub fn positions(&self) -> usize {
        self.geometry.as_ref().map_or_else(|| self.x.shape()[1], Geometry::positions)
    }
}

/// The name of a structure; what the user wrote where it has no name of its own.
pub fn display_name(spec: &StructureSpec, structure: &Structure) -> String {
    if spec.kind() == "einsum" { spec.to_string() } else { structure.name().to_owned() }
}

/// Responses as `n × M`; files are named in errors.
pub fn responses(
    (x_name, x): (&str, &ArrayD<f64>),
    (y_name, y): (&str, &ArrayD<f64>),
) -> Result<Array2<f64>, Failure> {
    let fail = |m: String| Err(Failure::new(m).help("X is n x d_1 x …, y is n or n x M"));
    if x.ndim() < 2 {
        return fail(format!("{x_name} has shape {:?}; it needs at least two axes", x.shape()));
    }
    if y.ndim() == 0 || y.ndim() > 2 {
        return fail(format!(
            "{y_name} has shape {:?}; it needs one axis, or two for several responses",
            y.shape()
        ));
    }
    if x.shape()[0] != y.shape()[0] {
        return fail(format!("{x_name} has {} observations, {y_name} has {}", x.shape()[0], y.shape()[0]));
    }
    if x.is_empty() || y.is_empty() {
        return fail(format!(
            "no observations or no features: X has shape {:?}, y {:?}",
            x.shape(),
            y.shape()
        ));
    }
    let m = if y.ndim() == 2 { y.shape()[1] } else { 1 };
    Ok(convstat::tensor::algebra::shaped((y.shape()[0], m), convstat::tensor::algebra::entries(y)))
}

/// A structure for inputs `x` and so many responses.
pub fn build(
    spec: &StructureSpec,
    geometry: Option<&Geometry>,
    x: &ArrayD<f64>,
    outputs: usize,
) -> Result<Structure, Failure> {
    if spec.outputs()? != outputs && spec.outputs()? != 1 {
        return Err(Failure::new(format!(
            "the structure says outputs = {} but y has {outputs}",
            spec.outputs()?
        ))
        .help("leave outputs out: the responses are those of y"));
    }
    let modes = match geometry {
        Some(g) => g.output_modes(outputs),
        None if spec.kind() == "einsum" || spec.kind() == "dense" => {
            OutputModes::plain(&x.shape()[1..], outputs)
        }
        None => {
            return Err(Failure::new(format!("kind \"{}\" needs --geometry", spec.kind())).help(
                "a geometry file gives input and kernel sizes; without one, write the network as einsum",
            ));
        }
    };
    Ok(spec.build(&modes)?)
}

/// Features `n × D` of inputs.
pub fn features(geometry: Option<&Geometry>, x: &ArrayD<f64>) -> Result<Array2<f64>, Failure> {
    Ok(match geometry {
        Some(g) => {
            convstat::tensor::algebra::check_finite("X", x)?;
            g.windows().transform(&x.view())?
        }
        None => convstat::tensor::algebra::shaped(
            (x.shape()[0], x.shape()[1..].iter().product()),
            convstat::tensor::algebra::entries(x),
        ),
    })
}

/// A diagnostic as `{ kind, message, numbers }`.
pub fn as_json(diagnostic: &Diagnostic) -> serde_json::Value {
    let mut numbers = serde_json::to_value(diagnostic).unwrap_or_default();
    if let Some(fields) = numbers.as_object_mut() {
        fields.remove("kind");
    }
    serde_json::json!({ "kind": diagnostic.kind(), "message": diagnostic.to_string(), "numbers": numbers })
}
