//! What `bound` and `plan-n` ask for, and everything that theory says about it.

use std::io::IsTerminal;
use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use convstat::study::Plan;
use convstat::study::designs::DesignSpec;
use convstat::study::file::{Estimator, Info, Noise, Samples, Setting, TheoryOptions, Truth, parse_toml};
use convstat::study::plan::SettingContext;
use convstat::theory::{
    CONSTANT_CONDITION, CONSTANT_PROBABILITY, Circumstances, DesignLaw, Identification, StatisticalDimension,
};

use crate::failure::Failure;
use crate::input::{build_geometry, parse_structure, read_geometry_spec};
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
    #[arg(long, default_value_t = 0.95)]
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
    #[arg(long, default_value_t = CONSTANT_PROBABILITY)]
    pub c_h: f64,
    /// Constant of the literature bound's condition (unknown)
    #[arg(long, default_value_t = CONSTANT_CONDITION)]
    pub c_condition: f64,
    /// delta of the literature bound
    #[arg(long, default_value_t = 1.0)]
    pub delta: f64,
}

/// The design of the command line, as a key.
#[derive(serde::Deserialize)]
struct OfDesign {
    design: DesignSpec,
}

/// What theory says about a setting, for any n.
pub struct Evaluated {
    /// The setting as a study of its own.
    pub file: StudyFile,
    plan: Plan,
    pub risk: TangentRisk,
    pub identification: Identification,
    pub dimension: StatisticalDimension,
    pub literature: LiteratureBound,
    pub explicit: ExplicitBound,
    pub circumstances: Circumstances,
    /// Extreme eigenvalues of `Σ_Z`.
    pub spectrum: (f64, f64),
}

impl SettingArgs {
    /// Computes it.
    pub fn evaluate(&self) -> Result<Evaluated, Failure> {
        if self.draws < 2 {
            return Err(Failure::new(format!("--draws {}; a standard error needs at least 2", self.draws)));
        }
        let t = ExplicitBound::t_for(self.confidence)?;
        let geometry = read_geometry_spec(&self.geometry)?;
        // Its errors name the file.
        build_geometry(&geometry, &self.geometry)?;
        let structure = parse_structure("--structure", &self.structure)?;
        let OfDesign { design } = parse_toml(&format!("design = {}", self.design))
            .map_err(|e| Failure::new(format!("--design {}: {e}", self.design)))?;
        let file = StudyFile {
            study: Info { name: "setting".into(), aim: String::new(), seed: self.seed, replicates: 2 },
            setting: vec![Setting::new("setting", geometry, structure)],
            design: vec![design],
            noise: Noise { sigma: self.sigma, ..Noise::default() },
            response: None,
            truth: Truth::default(),
            samples: Samples { n: Some(vec![1]), sqrt_dm_over_n: None },
            estimator: vec![Estimator::default()],
            inference: None,
            theory: TheoryOptions { draws: self.draws, starts: self.starts, ..TheoryOptions::default() },
            check: Vec::new(),
            figure: Vec::new(),
        };
        file.check()?;
        let plan = Plan::new(file.clone())?;
        let setting = &plan.settings[0];
        let risk = setting.truth(self.seed, 0)?.risk.clone();
        let identification =
            Identification::new(&risk, setting.structure.features(), setting.geometry.feature_rank()?);
        let spectrum = setting.geometry.factor_spectrum()?;
        if std::io::stderr().is_terminal() {
            eprintln!("statistical dimension: {} draws (--draws)", self.draws);
        }
        let dimension =
            statistical_dimension(&setting.structure, setting.root()?, self.draws, self.starts, self.seed)?;
        let law: DesignLaw = file.design[0].design().law();
        let literature = LiteratureBound {
            d_m: setting.structure.d_m(),
            kappa_l: spectrum.0 * law.spectrum.0,
            kappa_u: spectrum.1 * law.spectrum.1,
            c_n: setting.structure.counts().literature_c_n(setting.geometry.modes().len()),
            c_h: self.c_h,
            c_condition: self.c_condition,
            delta: self.delta,
        };
        let circumstances = Circumstances {
            law,
            singular: identification.is_singular(),
            identified: identification.is_identified(),
            df: risk.df,
            outputs: setting.structure.outputs(),
            sigma: self.sigma,
        };
        let explicit = ExplicitBound { width: dimension.width(), t };
        Ok(Evaluated {
            file,
            plan,
            risk,
            identification,
            dimension,
            literature,
            explicit,
            circumstances,
            spectrum,
        })
    }
}

impl Evaluated {
    /// Geometry, structure and second moment.
    pub fn setting(&self) -> &SettingContext {
        &self.plan.settings[0]
    }

    /// The label of the design.
    pub fn design(&self) -> String {
        self.file.design[0].label()
    }

    /// Counts as JSON.
    pub fn json(&self) -> serde_json::Value {
        let (structure, geometry) = (&self.setting().structure, &self.setting().geometry);
        serde_json::json!({
            "structure": structure.name(), "d_m": structure.d_m(), "df": self.risk.df,
            "naive_parameters": structure.naive_parameters(), "features": geometry.features(),
            "positions": geometry.positions(), "taps": geometry.taps(), "design": self.design(),
            "kappa_l": self.literature.kappa_l, "kappa_u": self.literature.kappa_u,
            "identification": self.identification, "statistical_dimension": self.dimension,
            "sigma": self.circumstances.sigma, "c_h": self.literature.c_h,
            "c_condition": self.literature.c_condition, "delta": self.literature.delta,
        })
    }

    /// Prints the counts.
    pub fn print(&self) -> Result<(), Failure> {
        let (structure, geometry, dimension) =
            (&self.setting().structure, &self.setting().geometry, &self.dimension);
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
            self.design(),
            structure.d_m(),
            self.risk.df,
            structure.naive_parameters(),
            self.literature.kappa_l,
            self.literature.kappa_u,
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
