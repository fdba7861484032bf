//! Solvers, one file each: a type that owns its options. A new one is a file here, its `mod` line and a line
//! in the registry below; study files, the command line, diagnostics and tables find it there.

pub(crate) mod adam;
mod als;
mod levenberg_marquardt;
mod nuclear_norm;
mod ols;
mod projected_gradient;
mod ridge;
mod riemannian_gauss_newton;
mod scaled_gradient;
pub(crate) mod solver;

use serde::{Deserialize, Serialize};

pub use solver::{Algorithm, Describe, Direct, Iterative, Point, Progress, Solver};

use crate::Result;
use crate::outcome::Start;

/// Defines [`Method`] from the types of the solvers.
macro_rules! registry {
    ($($module:ident::$solver:ident),* $(,)?) => {
        $(pub use $module::$solver;)*

        /// A solver with its options, as a study file's `[[estimator]]` says it: `solver = "ridge"`, `lambda = 3.0`. An
        /// option that the solver does not have is an error.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "solver", rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum Method {
            $(
                #[doc = concat!("[`", stringify!($solver), "`].")]
                $solver($solver),
            )*
        }

        $(
            impl From<$solver> for Method {
                fn from(solver: $solver) -> Self {
                    Self::$solver(solver)
                }
            }
        )*

        impl Method {
            /// Every solver with its default options.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$solver($solver::default())),*]
            }

            /// The solver behind it.
            pub fn solver(&self) -> &dyn Describe {
                match self {
                    $(Self::$solver(solver) => solver,)*
                }
            }

            fn solver_mut(&mut self) -> &mut dyn Describe {
                match self {
                    $(Self::$solver(solver) => solver,)*
                }
            }
        }
    };
}

registry! {
    levenberg_marquardt::LevenbergMarquardt,
    als::Als,
    scaled_gradient::ScaledGradient,
    projected_gradient::ProjectedGradient,
    riemannian_gauss_newton::RiemannianGaussNewton,
    nuclear_norm::NuclearNorm,
    ols::Ols,
    ridge::Ridge,
    adam::Adam,
}

impl Default for Method {
    fn default() -> Self {
        LevenbergMarquardt::default().into()
    }
}

impl Method {
    /// Its name in study files and tables.
    pub fn name(&self) -> &'static str {
        self.solver().name()
    }

    /// Fails on options outside their range.
    ///
    /// # Errors
    /// The first of them, with what would be right.
    pub fn check(&self) -> Result<()> {
        self.solver().check()
    }

    /// Whether it fits the factors of a structure.
    pub fn is_structured(&self) -> bool {
        !matches!(self.solver().algorithm(), Algorithm::Direct(_))
    }

    /// Whether it shrinks: its estimates are biased by amounts of the size of their standard errors.
    pub fn shrinks(&self) -> bool {
        matches!(self.solver().algorithm(), Algorithm::Direct(d) if d.shrinks())
    }

    /// Whether it minimises the deviance of labels.
    pub fn fits_labels(&self) -> bool {
        matches!(self.solver().algorithm(), Algorithm::Iterative(i) if i.fits_labels())
    }

    /// Its starts; none for direct solvers.
    pub fn starts(&self) -> &[Start] {
        self.solver().starts()
    }

    /// The same with other starts; a solver that needs none stays as it is.
    #[must_use]
    pub fn with_starts(mut self, starts: Vec<Start>) -> Self {
        if let Some(own) = self.solver_mut().starts_mut() {
            *own = starts;
        }
        self
    }
}
