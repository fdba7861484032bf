//! **convstat**: how many samples a convolutional network needs, theory and measurement on one picture.
//!
//! A linear CNN with high-order input is a tensor regression `y = <Z, W> + ξ` (THEORY §1); a compressed
//! one puts low rank on `W`. This crate re-exports the toolkit; the layers below can be used alone.
//!
//! ```
//! use convstat::prelude::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // A CNN with three 3×3×3 kernels on 8×8×3 inputs, average pooling 3×3.
//! let geometry = Geometry::new(&GeometrySpec {
//!     input: vec![8, 8, 3],
//!     kernel: vec![3, 3, 3],
//!     pool: Some(vec![3, 3, 1]),
//!     ..GeometrySpec::default()
//! })?;
//! let cnn = StructureSpec::parse("{ kind = \"cnn\", kernels = 3 }")?.build(&geometry.output_modes(1))?;
//! assert_eq!((cnn.naive_parameters(), cnn.df()?), (93, 84));
//!
//! // What the prediction error will be with n = 2000 observations and noise σ = 1.
//! let root = psd_root(&geometry.second_moment()?.view())?;
//! let risk = TangentRisk::new(&cnn, &cnn.generic_point(), &root)?;
//! let expected = risk.prediction(1.0, 2000.0).sqrt();
//! assert!((expected - (84.0_f64 / 2000.0).sqrt()).abs() < 1e-12);
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

pub use convstat_assert as assert;
pub use convstat_audit as audit;
pub use convstat_cnn as cnn;
pub use convstat_estimate as estimate;
pub use convstat_graph as graph;
pub use convstat_onnx as onnx;
pub use convstat_report as report;
pub use convstat_runner as runner;
pub use convstat_study as study;
pub use convstat_tensor as tensor;
pub use convstat_text as text;
pub use convstat_theory as theory;

/// What most programs use.
pub mod prelude {
    pub use convstat_cnn::{Factors, Geometry, GeometrySpec, OutputModes, Structure, StructureSpec};
    pub use convstat_estimate::{
        Criterion, Diagnostic, Family, FitOptions, FittedModel, Fitting, Inference, Joint, LabelledSample,
        Method, Sample, Start, TracePoint, likelihood_ratio,
    };
    pub use convstat_study::{Overrides, Study, StudyFile, Summary};
    pub use convstat_tensor::linalg::psd_root;
    pub use convstat_theory::{
        ExplicitBound, LiteratureBound, TangentRisk, explicit_bound, literature_bound, statistical_dimension,
    };
}
