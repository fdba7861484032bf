//! Table `[[setting]]`.

use std::sync::OnceLock;

use convstat_cnn::{Activation, GeometrySpec, StructureSpec};
use convstat_text::{flattened, keys_of};
use serde::{Deserialize, Deserializer, Serialize};

/// Table `[[setting]]`: a geometry and a structure.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    /// Name in tables and figures.
    pub name: String,
    /// The keys of the geometry.
    #[serde(flatten)]
    pub geometry: GeometrySpec,
    /// The structure that is fitted (and of the truth, unless `truth` names another setting's).
    pub structure: StructureSpec,
    /// What stands between convolution and pooling; such settings are trained (solver adam). The linear network without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Settings with the same key share the true coefficients of the first of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
}

/// The keys beside those of the geometry.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    name: String,
    structure: StructureSpec,
    #[serde(default)]
    activation: Option<Activation>,
    #[serde(default)]
    truth: Option<String>,
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        static KEYS: OnceLock<Vec<&'static str>> = OnceLock::new();
        let keys = KEYS.get_or_init(|| [keys_of::<Own>(), keys_of::<GeometrySpec>()].concat());
        let (own, geometry) = flattened(deserializer, keys)?;
        let Own { name, structure, activation, truth } = own;
        Ok(Self { name, geometry, structure, activation, truth })
    }
}

impl Setting {
    /// A setting with a truth of its own.
    pub fn new(name: &str, geometry: GeometrySpec, structure: StructureSpec) -> Self {
        Self { name: name.to_owned(), geometry, structure, activation: None, truth: None }
    }
}
