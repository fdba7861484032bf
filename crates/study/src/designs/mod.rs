//! Laws of the inputs, one file each. Entries have mean 0 and unit variance, and are independent across
//! the positions of one input, so that `Σ_Z` is the geometry's. A new design is a file here, its `mod` line and a line
//! in the registry below.

mod design;
pub mod normal;
pub mod normal_exact;
pub mod tails;
pub mod var1;

use serde::{Deserialize, Serialize};

pub use design::{Design, Sampler};

use crate::Result;

/// Defines [`DesignSpec`] from the types of the designs; the names of study files are theirs in kebab case.
macro_rules! registry {
    ($($module:ident::$design:ident),* $(,)?) => {
        /// A design as a study file names it.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(tag = "kind", rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum DesignSpec {
            $(
                #[doc = concat!("[`", stringify!($module), "::", stringify!($design), "`].")]
                $design($module::$design),
            )*
        }

        impl DesignSpec {
            /// The design.
            pub fn design(&self) -> &dyn Design {
                match self {
                    $(Self::$design(design) => design,)*
                }
            }
        }
    };
}

registry! {
    normal::Normal,
    normal_exact::NormalExact,
    var1::Var1,
    tails::Uniform,
    tails::Rademacher,
    tails::StudentT,
}

impl DesignSpec {
    /// See [`Design::label`].
    pub fn label(&self) -> String {
        self.design().label()
    }

    /// See [`Design::check`].
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn check(&self) -> Result<()> {
        self.design().check()
    }
}
