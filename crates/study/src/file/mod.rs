//! The study file, a table a module.

mod estimator;
mod noise;
mod samples;
mod setting;
mod study;
mod theory;
mod toml;
mod truth;
mod values;

pub use estimator::Estimator;
pub use noise::{Noise, NoiseKind};
pub use samples::{Grid, Samples};
pub use setting::Setting;
pub use study::{Info, StudyFile};
pub use theory::TheoryOptions;
pub use toml::parse_toml;
pub use truth::{Truth, TruthDraw};
pub(crate) use values::check_file_name;
