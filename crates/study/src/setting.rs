//! A setting with everything that its replicates share: geometry, structure, truth.

use std::borrow::Cow;
use std::sync::OnceLock;

use convstat_cnn::{Factors, Geometry, Structure, Windows};
use convstat_estimate::Start;
use convstat_estimate::nearest::{CONTAINED, nearest};
use convstat_runner::stream;
use convstat_tensor::algebra::{entries, shaped};
use convstat_tensor::linalg::echelon_root;
use convstat_theory::{Identification, TangentRisk, pulled_back};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::activated::Activated;
use crate::file::{Setting, StudyFile, TruthDraw};
use crate::{Result, StudyError};

/// A true coefficient and its tangent space.
#[derive(Debug, Clone)]
pub struct TrueCoefficient {
    /// `W*` as `D × M`.
    pub w: Array2<f64>,
    /// Factors of the fitted structure that give `W*`, or come nearest to it.
    pub factors: Factors,
    /// First-order risk at `W*` for the fitted structure.
    pub risk: TangentRisk,
    /// The fitted structure contains `W*`.
    pub is_contained: bool,
    /// And `W*` is a regular point of it: the tangent space has its generic dimension, so the first-order risk
    /// applies.
    pub is_regular: bool,
}

/// A setting with everything that its replicates share.
#[derive(Debug)]
pub struct SettingContext {
    /// Its name.
    pub name: String,
    /// Its geometry.
    pub geometry: Geometry,
    /// The map `X → Z`.
    pub windows: Windows,
    /// The fitted structure.
    pub structure: Structure,
    /// The structure of the truth (the fitted one, unless shared).
    pub truth_structure: Structure,
    /// Generic dimension of the fitted structure.
    pub dimension: usize,
    /// Size of the truth's linear predictors, where labels are to be neither certain nor random.
    scale: Option<f64>,
    /// Key of the stream the truth is drawn from.
    truth_key: String,
    /// A root of `Σ_Z`, made when it is first asked for.
    root: OnceLock<Array2<f64>>,
    /// The networks, where there is an activation.
    pub activated: Option<Activated>,
    /// The truth, if it is drawn once.
    fixed_truth: Option<TrueCoefficient>,
}

impl SettingContext {
    /// Of a setting and the one that owns its truth.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(file: &StudyFile, setting: &Setting, truth_owner: &Setting) -> Result<Self> {
        let geometry = Geometry::new(&setting.geometry)?;
        let modes = geometry.output_modes(setting.structure.outputs()?);
        let structure = setting.structure.build(&modes)?;
        let owner_geometry = Geometry::new(&truth_owner.geometry)?;
        let truth_structure =
            truth_owner.structure.build(&owner_geometry.output_modes(truth_owner.structure.outputs()?))?;
        if owner_geometry.output_modes(truth_structure.outputs()) != modes {
            return Err(StudyError::bad(
                "truth",
                setting.truth.clone().unwrap_or_default(),
                &format!("setting \"{}\" with the same key has other modes of W", truth_owner.name),
            ));
        }
        if setting.activation != truth_owner.activation {
            return Err(StudyError::bad(
                "truth",
                setting.truth.clone().unwrap_or_default(),
                &format!("setting \"{}\" with the same key has another activation", truth_owner.name),
            ));
        }
        let activated = match setting.activation {
            Some(activation) => Some(Activated::new(&geometry, &structure, &truth_structure, activation)?),
            None => None,
        };
        if let (Some(a), true) =
            (&activated, file.estimator.iter().any(|e| e.method.starts().contains(&Start::Oracle)))
        {
            a.embed(&truth_structure.generic_point(), || 1.0)?;
        }
        let mut context = Self {
            name: setting.name.clone(),
            windows: geometry.windows(),
            dimension: match &activated {
                Some(a) => a.dimension()?,
                None => structure.df()?,
            },
            activated,
            geometry,
            structure,
            truth_structure,
            root: OnceLock::new(),
            scale: file.response.as_ref().map(|r| r.scale),
            truth_key: match &setting.truth {
                Some(key) => format!("shared {key} {}", describe_setting(truth_owner)?),
                None => describe_setting(setting)?,
            },
            fixed_truth: None,
        };
        if file.truth.draw == TruthDraw::Setting && context.activated.is_none() {
            context.fixed_truth = Some(context.draw_truth(file.study.seed, 0)?);
        }
        Ok(context)
    }

    /// The root `C` of `Σ_Z = CᵀC`, `rank × D`, in row echelon form.
    ///
    /// # Errors
    /// So many features that it does not fit into memory.
    pub fn root(&self) -> Result<&Array2<f64>> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let root = echelon_root(&self.geometry.second_moment()?.view())?;
        Ok(self.root.get_or_init(|| root))
    }

    /// What the inputs leave identified, at a generic point.
    ///
    /// # Errors
    /// So many features that they do not fit into memory.
    pub fn identification(&self) -> Result<Identification> {
        let risk = TangentRisk::of_windows(&self.structure, &self.structure.generic_point(), &self.windows)?;
        Ok(Identification::new(&risk, self.structure.features(), self.geometry.feature_rank()?))
    }

    /// Coefficients `D M × k` (the response fastest) pulled back to the input, whose covariance is the identity: there the
    /// Euclidean norm is the prediction norm.
    pub fn image(&self, w: &Array2<f64>) -> Array2<f64> {
        pulled_back(&self.windows, self.structure.outputs(), w)
    }

    /// Key of the stream that the truth is drawn from.
    pub(crate) fn truth_key(&self) -> &str {
        &self.truth_key
    }

    /// The truth of a replicate.
    ///
    /// # Errors
    /// A structure whose truths cannot be drawn.
    pub fn truth(&self, seed: u64, replicate: u64) -> Result<Cow<'_, TrueCoefficient>> {
        match &self.fixed_truth {
            Some(t) => Ok(Cow::Borrowed(t)),
            None => self.draw_truth(seed, replicate).map(Cow::Owned),
        }
    }

    /// Factors of the truth's own structure, of a replicate.
    pub fn truth_factors(&self, seed: u64, draw: TruthDraw, replicate: u64) -> Factors {
        let replicate = if draw == TruthDraw::Setting { 0 } else { replicate };
        let mut rng = stream(seed, "truth", &self.truth_key, replicate);
        self.truth_structure.random_point(|| StandardNormal.sample(&mut rng))
    }

    /// Whether one truth serves all replicates.
    pub fn has_fixed_truth(&self) -> bool {
        self.fixed_truth.is_some()
    }

    fn draw_truth(&self, seed: u64, replicate: u64) -> Result<TrueCoefficient> {
        let mut rng = stream(seed, "truth", &self.truth_key, replicate);
        let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
        let mut own = self.truth_structure.random_point(&mut normal);
        let mut w = self.truth_structure.coefficient_matrix(&own)?;
        if let Some(scale) = self.scale {
            let flat = shaped((w.len(), 1), entries(&w));
            let size = self.image(&flat).iter().map(|v| v * v).sum::<f64>() / self.structure.outputs() as f64;
            let operands = self.truth_structure.owners().len() as f64;
            let by = (scale / size.sqrt()).powf(1.0 / operands);
            own.iter_mut().for_each(|f| *f *= by);
            w = self.truth_structure.coefficient_matrix(&own)?;
        }
        let same = self.truth_structure.network() == self.structure.network()
            && self.truth_structure.sizes() == self.structure.sizes();
        let factors = if same { own } else { nearest(&self.structure, &w, normal)?.factors };
        let risk = TangentRisk::of_windows(&self.structure, &factors, &self.windows)?;
        let again = self.structure.coefficient_matrix(&factors)?;
        let squares = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
        let is_contained = squares(&(&again - &w)) <= CONTAINED * CONTAINED * squares(&w);
        let is_regular = is_contained && risk.tangent_dimension == self.dimension;
        Ok(TrueCoefficient { w, factors, risk, is_contained, is_regular })
    }
}

/// The stream from which the first truth of a setting is drawn, where it has no key that others share.
///
/// # Errors
/// None but a fault of this program.
pub fn truth_stream(seed: u64, setting: &Setting) -> Result<ChaCha8Rng> {
    Ok(stream(seed, "truth", &describe_setting(setting)?, 0))
}

/// Everything about a setting that decides its rows, as text.
fn describe_setting(s: &Setting) -> Result<String> {
    let activation = s.activation.map_or_else(String::new, |a| format!(" {}", a.name()));
    Ok(format!("{} {}{activation}", canonical(&s.geometry)?, s.structure))
}

/// JSON: keys that a study file leaves out stay out, so that a new optional key changes no identity.
pub(crate) fn canonical(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| StudyError::internal("the identity of a cell", e))
}
