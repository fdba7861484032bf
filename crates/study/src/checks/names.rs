//! What a study has that checks may name.

/// Names of a study, and what its checks may rest on.
#[derive(Debug, Clone)]
pub struct Names {
    /// Of its settings.
    pub settings: Vec<String>,
    /// Labels of its designs.
    pub designs: Vec<String>,
    /// Of its estimators.
    pub estimators: Vec<String>,
    /// Whether replicates record what intervals cover.
    pub has_inference: bool,
    /// The law of the responses, if it is not Gaussian.
    pub response: Option<&'static str>,
    /// An activation of a setting, if there is one.
    pub activation: Option<&'static str>,
}
