//! Unit tests of error bounds, run on a summary. A new check is a file here, its `mod` line and a line in the registry below.

mod bound;
mod check;
mod coverage;
mod names;
mod rate;
mod risk;
mod select;

use serde::{Deserialize, Serialize};

use check::Check;
pub use check::CheckOutcome;
pub use names::Names;
pub use select::{Norm, Select};

use crate::Result;
use crate::summary::Summary;

/// Defines [`CheckSpec`] from the types of the checks; the names of study files are theirs in kebab case.
macro_rules! registry {
    ($($module:ident::$check:ident),* $(,)?) => {
        $(pub use $module::$check;)*

        /// A check as a study file names it.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum CheckSpec {
            $(
                #[doc = concat!("[`", stringify!($check), "`].")]
                $check($check),
            )*
        }

        impl CheckSpec {
            fn check(&self) -> &dyn Check {
                match self {
                    $(Self::$check(check) => check,)*
                }
            }
        }
    };
}

registry! {
    rate::Rate,
    risk::Risk,
    bound::Bound,
    coverage::Coverage,
}

impl CheckSpec {
    /// Fails on keys that name nothing.
    ///
    /// # Errors
    /// The key, below the check's.
    pub fn validate(&self, names: &Names) -> Result<()> {
        self.check().select().validate(names)?;
        self.check().validate(names)
    }

    /// Runs the check. A check that selects no cell fails: it has tested nothing.
    ///
    /// # Errors
    /// None but a fault of this program.
    pub fn run(&self, summary: &Summary) -> Result<CheckOutcome> {
        self.check().run(summary)
    }
}

/// Runs all checks of a study.
///
/// # Errors
/// None but a fault of this program.
pub fn run_checks(checks: &[CheckSpec], summary: &Summary) -> Result<Vec<CheckOutcome>> {
    checks.iter().map(|c| c.run(summary)).collect()
}
