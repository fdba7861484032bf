//! The study file, a table a module.

mod estimator;
mod figure;
mod figures;
mod inference;
mod noise;
mod response;
mod samples;
mod setting;
mod study;
mod theory;
mod truth;

pub use estimator::Estimator;
pub(crate) use figure::kind_of;
pub use figure::{Figure, FigureWidth};
pub use inference::InferenceOptions;
pub use noise::{Noise, NoiseKind};
pub use response::Response;
pub use samples::{Grid, Samples};
pub use setting::Setting;
pub use study::{Info, StudyFile};
pub use theory::TheoryOptions;
pub use truth::{Truth, TruthDraw};
