//! What `bound` and `plan-n` ask for, and everything that theory says about it.

use std::borrow::Cow;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use convstat::cnn::Geometry;
use convstat::prelude::*;
use convstat::study::designs::DesignSpec;
use convstat::study::file::{Setting, TheoryOptions};
use convstat::study::parse_toml;
use convstat::study::setting::truth_stream;
use convstat::theory::{BoundOptions, Identification, LazyDimension, SettingTheory, Sizes};
use rand_distr::{Distribution, StandardNormal};

use super::inputs::{build_geometry, parse_structure, read_geometry_spec};
use crate::failure::Failure;
use crate::output::print;

/// One setting.
#[derive(Debug, Args)]
pub struct SettingArgs {
    /// Geometry file
    #[arg(long, value_name = "FILE")]
    geometry: PathBuf,
    /// Structure, as in a study file
    #[arg(long, value_name = "SPEC")]
    structure: String,
    /// Design, as in a study file
    #[arg(long, value_name = "SPEC", default_value = "{ kind = \"normal-exact\" }")]
    design: String,
    /// Standard deviation of the noise
    #[arg(long, default_value_t = 1.0)]
    pub sigma: f64,
    /// Probability with which the explicit bound and the quantiles hold
    #[arg(long, default_value_t = BoundOptions::default().confidence)]
    pub confidence: f64,
    /// Draws of noise for the statistical dimension
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Random starts of each projection
    #[arg(long, default_value_t = 2)]
    starts: usize,
    /// Seed of the truth and of all draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// c_H of the literature bound (unknown)
    #[arg(long, default_value_t = BoundOptions::default().c_h)]
    c_h: f64,
    /// Constant of the literature bound's condition (unknown)
    #[arg(long, default_value_t = BoundOptions::default().c_condition)]
    c_condition: f64,
    /// delta of the literature bound
    #[arg(long, default_value_t = BoundOptions::default().delta)]
    delta: f64,
}

/// The design of the command line, as a key.
#[derive(serde::Deserialize)]
struct OfDesign {
    design: DesignSpec,
}

/// What theory says about a setting, for any n.
pub struct Evaluated {
    /// The setting and its design as a study file has them.
    pub setting: Setting,
    pub design: DesignSpec,
    pub options: TheoryOptions,
    pub seed: u64,
    geometry: Geometry,
    structure: Structure,
    risk: TangentRisk,
    identification: Identification,
    pub theory: SettingTheory<'static>,
}

impl SettingArgs {
    /// Computes it.
    pub fn evaluate(&self) -> Result<Evaluated, Failure> {
        if self.draws < 2 {
            return Err(Failure::new(format!("--draws {}; a standard error needs at least 2", self.draws)));
        }
        if !(self.sigma.is_finite() && self.sigma > 0.0) {
            return Err(Failure::new(format!(
                "sigma = {}; it has to be a finite number above 0",
                self.sigma
            )));
        }
        let options = TheoryOptions {
            confidence: self.confidence,
            draws: self.draws,
            starts: self.starts,
            c_h: self.c_h,
            c_condition: self.c_condition,
            delta: self.delta,
            ..TheoryOptions::default()
        };
        options.check()?;
        let spec = read_geometry_spec(&self.geometry)?;
        let geometry = build_geometry(&spec, &self.geometry)?;
        let setting = Setting::new("setting", spec, parse_structure("--structure", &self.structure)?);
        let OfDesign { design } = parse_toml(&format!("design = {}", self.design))
            .map_err(|e| Failure::new(format!("--design {}: {e}", self.design)))?;
        design.check().map_err(|e| e.inside("design"))?;
        let structure = setting.structure.build(&geometry.output_modes(setting.structure.outputs()?))?;
        // The truth is that of a study with this seed, which the simulation of `plan-n` is.
        let mut rng = truth_stream(self.seed, &setting)?;
        let truth = structure.random_point(|| StandardNormal.sample(&mut rng));
        let risk = TangentRisk::of_windows(&structure, &truth, &geometry.windows())?;
        let identification = Identification::new(&risk, structure.features(), geometry.feature_rank()?);
        let dimension = LazyDimension::new(
            Cow::Owned(structure.clone()),
            Cow::Owned(geometry.clone()),
            self.draws,
            self.starts,
            self.seed,
        );
        let theory = SettingTheory {
            sizes: Sizes::new(&geometry, &structure),
            tangent: risk.tangent(),
            // Random factors are, but for chance; whether singular values are above the noise, n decides.
            is_regular: None,
            is_identified: identification.is_identified(),
            spectrum: geometry.factor_spectrum()?,
            law: design.design().law(),
            sigma: self.sigma,
            options: options.bound_options(),
            dimension: Arc::new(dimension),
        };
        if std::io::stderr().is_terminal() {
            eprintln!("statistical dimension: {} draws (--draws)", self.draws);
        }
        theory.dimension.get()?;
        let seed = self.seed;
        Ok(Evaluated { setting, design, options, seed, geometry, structure, risk, identification, theory })
    }
}

impl Evaluated {
    /// Counts as JSON.
    pub fn json(&self) -> Result<serde_json::Value, Failure> {
        let (structure, geometry, o) = (&self.structure, &self.geometry, &self.theory.options);
        let kappa = self.theory.kappa();
        Ok(serde_json::json!({
            "structure": structure.name(), "d_m": structure.d_m(), "df": self.risk.df,
            "naive_parameters": structure.naive_parameters(), "features": geometry.features(),
            "positions": geometry.positions(), "taps": geometry.taps(), "design": self.design.label(),
            "kappa_l": kappa.0, "kappa_u": kappa.1, "identification": self.identification,
            "statistical_dimension": self.theory.dimension.get()?, "sigma": self.theory.sigma,
            "c_h": o.c_h, "c_condition": o.c_condition, "delta": o.delta, "confidence": o.confidence,
        }))
    }

    /// Prints the counts.
    pub fn print(&self) -> Result<(), Failure> {
        let (structure, geometry, dimension) =
            (&self.structure, &self.geometry, self.theory.dimension.get()?);
        let kappa = self.theory.kappa();
        print(&format!(
            "structure              {} ({})\npooled positions       {} {:?}\nkernel taps            {} {:?}\n\
             design                 {}\nd_M, df, naive         {}, {}, {}\nkappa_L, kappa_U       {:.3e}, {:.3e} (extreme eigenvalues of the features' second moment)\n\
             statistical dimension  {:.2} ± {:.2} (standard error) of the doubled structure (df {}), at most {}\n",
            structure.name(),
            structure.network(),
            geometry.positions(),
            geometry.positions_shape(),
            geometry.taps(),
            geometry.kernel_shape(),
            self.design.label(),
            structure.d_m(),
            self.risk.df,
            structure.naive_parameters(),
            kappa.0,
            kappa.1,
            dimension.estimate,
            dimension.standard_error,
            dimension.doubled_df,
            dimension.upper,
        ))?;
        if dimension.draws > 0 {
            print(&format!(
                "                       from {} draws, spectral and {} random starts; a single start falls short by \
                 {:.2}\n",
                dimension.draws, dimension.starts, dimension.start_spread
            ))?;
        }
        if let Some(warning) = self.identification.warning() {
            print(&format!("note                   {warning}\n"))?;
        }
        Ok(())
    }
}

/// What tests of the commands share.
#[cfg(test)]
pub mod tests {
    use clap::Parser;
    use convstat::theory::bounds::Kind;
    use convstat::theory::{Assumptions, BOUNDS, Bound, BoundValue, Bounds, ErrorNorm, TheoryError};

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        setting: SettingArgs,
    }

    /// A small setting with a design.
    pub fn evaluated(design: &str) -> Evaluated {
        convstat::tensor::blas::single_thread().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("g.toml");
        std::fs::write(&path, "input = [7, 2]\nkernel = [2, 2]\npool = [3, 1]\n").unwrap();
        let (path, cnn) = (path.to_str().unwrap(), "{ kind = \"cnn\", kernels = 1 }");
        let words = ["setting", "--geometry", path, "--structure", cnn, "--design", design, "--draws", "3"];
        let Ok(evaluated) = Line::parse_from(words).setting.evaluate() else { panic!("a right setting") };
        evaluated
    }

    /// A bound that the registry does not have: thrice the first-order error.
    struct Thrice;

    /// The registry with it.
    pub const WITH_THRICE: Bounds = &[BOUNDS[0], BOUNDS[3], BOUNDS[4], &Thrice];

    impl Bound for Thrice {
        fn name(&self) -> &'static str {
            "thrice"
        }
        fn title(&self) -> &'static str {
            "thrice the error"
        }
        fn source(&self) -> &'static str {
            "Markov's inequality"
        }
        fn kind(&self) -> Kind {
            Kind::Upper
        }
        fn assumptions(&self, setting: &SettingTheory, _: f64) -> Result<Assumptions, TheoryError> {
            Ok(Assumptions::new("thrice the error (Markov)").premise(
                "rows are independent",
                setting.law.independent,
                "given for independent rows only",
            ))
        }
        fn formula(
            &self,
            setting: &SettingTheory,
            norm: ErrorNorm,
            n: f64,
        ) -> Result<BoundValue, TheoryError> {
            let error = 3.0 * setting.tangent.first_order(norm, setting.sigma, n).sqrt();
            Ok(BoundValue { error, condition_holds: true, probability: 8.0 / 9.0 })
        }
        fn explanation(&self, _: &SettingTheory) -> String {
            "holds with probability 8/9".to_owned()
        }
        fn meaning(&self, _: &SettingTheory, _: f64) -> String {
            "error <= target with probability 8/9".to_owned()
        }
    }
}
