//! Table `[[setting]]`.

use convstat_cnn::{Activation, GeometrySpec, LayerSpec, StructureSpec};
use serde::{Deserialize, Serialize};

/// Table `[[setting]]`: a geometry and a structure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Name in tables and figures.
    pub name: String,
    /// Input sizes.
    pub input: Vec<usize>,
    /// Kernel sizes.
    pub kernel: Vec<usize>,
    /// Strides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Vec<usize>>,
    /// Padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Vec<usize>>,
    /// Dilations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Vec<usize>>,
    /// Pooling windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Vec<usize>>,
    /// Pooling strides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_stride: Option<Vec<usize>>,
    /// Further layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeper: Vec<LayerSpec>,
    /// The structure that is fitted (and of the truth, unless `truth` names another setting's).
    pub structure: StructureSpec,
    /// What stands between convolution and pooling; such settings are trained (solver adam). The linear network without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Settings with the same key share the true coefficients of the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
}

impl Setting {
    /// A setting with a truth of its own.
    pub fn new(name: &str, geometry: GeometrySpec, structure: StructureSpec) -> Self {
        Self {
            name: name.to_owned(),
            input: geometry.input,
            kernel: geometry.kernel,
            stride: geometry.stride,
            padding: geometry.padding,
            dilation: geometry.dilation,
            pool: geometry.pool,
            pool_stride: geometry.pool_stride,
            deeper: geometry.deeper,
            structure,
            activation: None,
            truth: None,
        }
    }

    /// The geometry part.
    pub fn geometry(&self) -> GeometrySpec {
        GeometrySpec {
            input: self.input.clone(),
            kernel: self.kernel.clone(),
            stride: self.stride.clone(),
            padding: self.padding.clone(),
            dilation: self.dilation.clone(),
            pool: self.pool.clone(),
            pool_stride: self.pool_stride.clone(),
            deeper: self.deeper.clone(),
        }
    }
}
