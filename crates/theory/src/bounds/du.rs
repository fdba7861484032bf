//! Orders of Du et al. (2018) for networks of the sizes at hand.

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Kind};
use crate::error::positive;
use crate::{ErrorNorm, Result, SettingTheory};

/// One of the two networks that they compare.
pub(super) enum Du {
    /// A convolutional one, from above.
    Convolutional,
    /// A fully connected one, from below.
    FullyConnected,
}

impl Bound for Du {
    fn name(&self) -> &'static str {
        match self {
            Self::Convolutional => "du_convolutional",
            Self::FullyConnected => "du_fully_connected",
        }
    }

    fn title(&self) -> &'static str {
        match self {
            Self::Convolutional => "order for a CNN",
            Self::FullyConnected => "order for a fully connected network",
        }
    }

    fn source(&self) -> &'static str {
        "Du, Wang, Zhai, Balakrishnan, Salakhutdinov & Singh (2018)"
    }

    fn kind(&self) -> Kind {
        Kind::Order
    }

    fn assumptions(&self, _: &SettingTheory, _: f64) -> Result<Assumptions> {
        Ok(Assumptions::new("orders of Du et al. 2018")
            .condition("constants and logarithms are left out", None)
            .condition("linear activation and one filter, whose stride and size are in constant ratio", None))
    }

    fn formula(&self, _: &SettingTheory, _: ErrorNorm, _: f64) -> Result<BoundValue> {
        Ok(BoundValue::NOTHING)
    }

    fn smallest_n(&self, setting: &SettingTheory, _: ErrorNorm, target: f64) -> Result<Option<f64>> {
        let s = &setting.sizes;
        let (convolutional, fully_connected) = du_rates(s.taps, s.positions, s.inputs, target)?;
        Ok(Some(match self {
            Self::Convolutional => convolutional,
            Self::FullyConnected => fully_connected,
        }))
    }

    fn explanation(&self, _: &SettingTheory) -> String {
        "an order of n, constants and logarithms left out".to_owned()
    }

    fn meaning(&self, setting: &SettingTheory, _: f64) -> String {
        let s = &setting.sizes;
        match self {
            Self::Convolutional => format!(
                "CNN, one filter of {} with {} output weights (Du et al. 2018, up to logarithms)",
                s.taps, s.positions
            ),
            Self::FullyConnected => {
                format!("fully connected linear network on {} inputs, from below (Du et al. 2018)", s.inputs)
            }
        }
    }
}

/// Order of the sample complexity of Du et al. (2018) for prediction error `ε`, logarithms and constants left
/// out: `(m + r)/ε²` for an m-dimensional filter with r output weights (`r = 0`: known weights), against `d/ε²` from
/// below for a fully connected linear network on d inputs. Linear activation, one filter; stride and filter size in
/// constant ratio.
///
/// # Errors
/// An error that is not finite and positive.
pub fn du_rates(filter: usize, output_weights: usize, inputs: usize, error: f64) -> Result<(f64, f64)> {
    positive("error", error)?;
    let square = error * error;
    Ok(((filter + output_weights) as f64 / square, inputs as f64 / square))
}
