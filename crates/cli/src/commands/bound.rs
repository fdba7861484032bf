//! `convstat bound`: bounds and exact risk of one setting.

use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use convstat::report::table::align;
use convstat::theory::{CONSTANT_CONDITION, CONSTANT_PROBABILITY};

use super::read_geometry;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `bound`.
#[derive(Debug, Args)]
#[command(
    after_help = "Inputs are taken as i.i.d. N(0, I), noise as N(0, sigma²). The exact risk in Frobenius norm depends on
the truth; it is given at a generic one.

Example:
  convstat bound --geometry g.toml --structure '{ kind = \"cnn\", kernels = 3 }' --n 500,2000,8000"
)]
pub struct Bound {
    /// Geometry file
    #[arg(long, value_name = "FILE")]
    geometry: PathBuf,
    /// Structure, as in a study file
    #[arg(long, value_name = "SPEC")]
    structure: String,
    /// Sample sizes
    #[arg(long, value_delimiter = ',', required = true, value_name = "N,…")]
    n: Vec<u64>,
    /// Standard deviation of the noise
    #[arg(long, default_value_t = 1.0)]
    sigma: f64,
    /// Probability with which the explicit bound holds
    #[arg(long, default_value_t = 0.95)]
    confidence: f64,
    /// Draws of noise for the statistical dimension
    #[arg(long, default_value_t = 200)]
    draws: usize,
    /// Random starts of each projection
    #[arg(long, default_value_t = 2)]
    starts: usize,
    /// Seed of the draws
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// c_H of the literature bound (unknown)
    #[arg(long, default_value_t = CONSTANT_PROBABILITY)]
    c_h: f64,
    /// Constant of the literature bound's condition (unknown)
    #[arg(long, default_value_t = CONSTANT_CONDITION)]
    c_condition: f64,
    /// delta of the literature bound
    #[arg(long, default_value_t = 1.0)]
    delta: f64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Everything at one n.
#[derive(Debug, serde::Serialize)]
struct AtN {
    n: u64,
    first_order_prediction: f64,
    first_order_frobenius: Option<f64>,
    risk_prediction: Option<f64>,
    risk_frobenius: Option<f64>,
    explicit_prediction: Option<f64>,
    explicit_frobenius: Option<f64>,
    explicit_condition: bool,
    literature_frobenius: Option<f64>,
    literature_condition: bool,
    literature_probability: f64,
}

impl Bound {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if let Some(n) = self.n.iter().find(|n| **n == 0) {
            return Err(Failure::new(format!("--n {n}; sample sizes have to be at least 1")));
        }
        if self.draws < 2 {
            return Err(Failure::new(format!("--draws {}; a standard error needs at least 2", self.draws)));
        }
        let geometry = read_geometry(&self.geometry)?;
        let spec = StructureSpec::parse(&self.structure)?;
        let structure = spec.build(&geometry.output_modes(spec.outputs()?))?;
        let t = ExplicitBound::t_for(self.confidence)?;
        let ident = identification(&geometry, &structure)?;
        let root = psd_root(&geometry.second_moment()?.view())?;
        let risk = TangentRisk::new(&structure, &structure.generic_point(), &root)?;
        let (c_u, big_c_u) = geometry.factor_spectrum()?;
        let dimension = statistical_dimension(&structure, &root, self.draws, self.starts, self.seed)?;
        let literature = LiteratureBound {
            d_m: structure.d_m(),
            kappa_l: c_u,
            kappa_u: big_c_u,
            c_n: structure.counts().literature_c_n(geometry.modes().len()),
            c_h: self.c_h,
            c_condition: self.c_condition,
            delta: self.delta,
        };
        let explicit = ExplicitBound { width: dimension.width(), t };
        let finite = |v: f64| Some(v).filter(|v| v.is_finite());
        let mut rows = Vec::new();
        for &size in &self.n {
            let n = size as f64;
            let mut e = explicit_bound(&explicit, self.sigma, n)?;
            if structure.outputs() > 1 {
                // Gordon's inequality is used for one response.
                e.error = f64::INFINITY;
                e.condition_holds = false;
            }
            let l = literature_bound(&literature, self.sigma, n)?;
            let finite_n = risk.finite_n(n);
            let frobenius = risk.is_identified();
            rows.push(AtN {
                n: size,
                first_order_prediction: risk.prediction(self.sigma, n).sqrt(),
                first_order_frobenius: frobenius.then(|| risk.frobenius(self.sigma, n).sqrt()),
                risk_prediction: finite_n.map(|d| risk.prediction(self.sigma, d).sqrt()),
                risk_frobenius: finite_n.filter(|_| frobenius).map(|d| risk.frobenius(self.sigma, d).sqrt()),
                explicit_prediction: finite(e.error),
                explicit_frobenius: finite(e.error / c_u.sqrt()),
                explicit_condition: e.condition_holds,
                literature_frobenius: finite(l.error),
                literature_condition: l.condition_holds,
                literature_probability: l.probability,
            });
        }
        if self.json {
            print_json(&serde_json::json!({
                "structure": structure.name(), "d_m": structure.d_m(), "df": risk.df,
                "naive_parameters": structure.naive_parameters(), "features": geometry.features(),
                "positions": geometry.positions(), "taps": geometry.taps(),
                "kappa_l": c_u, "kappa_u": big_c_u, "identification": ident,
                "statistical_dimension": dimension, "confidence": self.confidence, "sigma": self.sigma,
                "c_h": self.c_h, "c_condition": self.c_condition, "delta": self.delta, "n": rows,
            }))?;
            return Ok(Status::Done);
        }
        let positions = geometry.positions_shape();
        print(&format!(
            "structure              {} ({})\npooled positions       {} {positions:?}\nkernel taps            {} {:?}\n\
             d_M, df, naive         {}, {}, {}\nkappa_L, kappa_U       {c_u:.3e}, {big_c_u:.3e}\nstatistical dimension  \
             {:.2} ± {:.2} (standard error) of the doubled structure (df {}), at most {}\n",
            structure.name(),
            structure.network(),
            geometry.positions(),
            geometry.taps(),
            geometry.kernel_shape(),
            structure.d_m(),
            risk.df,
            structure.naive_parameters(),
            dimension.estimate,
            dimension.standard_error,
            dimension.doubled_df,
            dimension.upper,
        ))?;
        if dimension.draws > 0 {
            print(&format!(
                "                       from {} draws, spectral and {} random starts; a single start falls short by \
                 {:.2}\n                       (the projection is not convex: an estimate from below)\n",
                dimension.draws, dimension.starts, dimension.start_spread
            ))?;
        }
        if let Some(warning) = ident.warning() {
            print(&format!("note                   {warning}\n"))?;
        }
        if structure.outputs() > 1 {
            print(
                "note                   several responses: the finite-sample risk and the explicit bound are for one\n",
            )?;
        }
        let show = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"));
        let yes = |b: bool| if b { "holds" } else { "fails" }.to_owned();
        let mut table = vec![
            [
                "n",
                "risk pred",
                "risk frob",
                "explicit pred",
                "explicit frob",
                "cond.",
                "literature frob",
                "cond.",
            ]
            .map(str::to_owned)
            .to_vec(),
        ];
        for r in &rows {
            table.push(vec![
                r.n.to_string(),
                show(r.risk_prediction),
                show(r.risk_frobenius),
                show(r.explicit_prediction),
                show(r.explicit_frobenius),
                yes(r.explicit_condition),
                show(r.literature_frobenius),
                yes(r.literature_condition),
            ]);
        }
        print(&format!("\n{}", align(&table)))?;
        print(&format!(
            "\nrisk: root of the exact first-order risk, finite-sample form (infinite, shown as -, for n <= df + 1); \
             explicit: holds with probability {:.3} (t = {t:.2});\nliterature: its condition and probability contain \
             constants that are not known, set to c_condition = {}, c_H = {}, delta = {}\n",
            self.confidence, self.c_condition, self.c_h, self.delta
        ))?;
        Ok(Status::Done)
    }
}
