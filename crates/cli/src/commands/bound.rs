//! `convstat bound`: bounds and exact risk of one setting.

use clap::Args;
use convstat::prelude::*;
use convstat::report::table::align;
use convstat::theory::Assumptions;

use super::setting::{Evaluated, SettingArgs};
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `bound`.
#[derive(Debug, Args)]
#[command(
    after_help = "Inputs have independent standard normal entries unless --design says otherwise, noise is N(0, sigma²).
The exact risk in Frobenius norm depends on the truth: its factors are standard normal, drawn with --seed.

Example:
  convstat bound --geometry g.toml --structure '{ kind = \"cnn\", kernels = 3 }' --n 500,2000,8000"
)]
pub struct Bound {
    #[command(flatten)]
    setting: SettingArgs,
    /// Sample sizes
    #[arg(long, value_delimiter = ',', required = true, value_name = "N,…", value_parser = whole_number)]
    n: Vec<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A whole number, also as 1e12.
fn whole_number(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().ok().or_else(|| {
        let v: f64 = text.parse().ok()?;
        // Above, not every whole number is one of f64.
        (v.fract() == 0.0 && (0.0..=9e15).contains(&v)).then_some(v as u64)
    });
    number.ok_or_else(|| "give a whole number, for instance 2000 or 1e12".to_owned())
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
    assumptions: Vec<Assumptions>,
}

impl Bound {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if let Some(n) = self.n.iter().find(|n| **n == 0) {
            return Err(Failure::new(format!("--n {n}; sample sizes have to be at least 1")));
        }
        let all = self.setting.evaluate()?;
        let rows = self.n.iter().map(|&n| at(&all, n)).collect::<Result<Vec<_>, _>>()?;
        if self.json {
            let mut json = all.json();
            json["confidence"] = self.setting.confidence.into();
            json["n"] = serde_json::to_value(&rows).map_err(|e| Failure::new(e.to_string()))?;
            print_json(&json)?;
            return Ok(Status::Done);
        }
        all.print()?;
        let show = |v: Option<f64>| {
            v.map_or_else(
                || "-".to_owned(),
                |v| if v < 1e-2 { format!("{v:.3e}") } else { format!("{v:.4}") },
            )
        };
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
             explicit: holds with probability {:.3} (t = {:.2});\nliterature: its condition and probability contain \
             constants that are not known, set to c_condition = {}, c_H = {}, delta = {}\n",
            self.setting.confidence,
            all.explicit.t,
            self.setting.c_condition,
            self.setting.c_h,
            self.setting.delta
        ))?;
        for r in &rows {
            print(&format!("\nassumptions at n = {}\n", r.n))?;
            for a in &r.assumptions {
                print(&assumption_lines(a))?;
            }
        }
        Ok(Status::Done)
    }
}

/// A bound and its assumptions, each with its verdict.
fn assumption_lines(assumptions: &Assumptions) -> String {
    let mut text = format!("  {}\n", assumptions.of);
    for a in &assumptions.list {
        let verdict = match a.holds {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "not known",
        };
        text += &format!("    {verdict:9}  {}\n", a.text);
    }
    text
}

/// All figures at one n.
fn at(all: &Evaluated, size: u64) -> Result<AtN, Failure> {
    let (n, sigma, c) = (size as f64, all.circumstances.sigma, &all.circumstances);
    let finite = |v: f64| Some(v).filter(|v| v.is_finite());
    let mut e = explicit_bound(&all.explicit, sigma, n)?;
    // Gordon's inequality is used for independent Gaussian rows and one response.
    if c.outputs > 1 || !c.law.is_iid_gaussian() {
        e.error = f64::INFINITY;
        e.condition_holds = false;
    }
    let mut l = literature_bound(&all.literature, sigma, n)?;
    if c.outputs > 1 || !c.law.gaussian {
        l.error = f64::INFINITY;
        l.condition_holds = false;
    }
    let finite_n = all.risk.finite_n(n).filter(|_| c.law.is_iid_gaussian());
    Ok(AtN {
        n: size,
        first_order_prediction: all.risk.prediction(sigma, n).sqrt(),
        first_order_frobenius: c.identified.then(|| all.risk.frobenius(sigma, n).sqrt()),
        risk_prediction: finite_n.map(|d| all.risk.prediction(sigma, d).sqrt()),
        risk_frobenius: finite_n.filter(|_| c.identified).map(|d| all.risk.frobenius(sigma, d).sqrt()),
        explicit_prediction: finite(e.error),
        explicit_frobenius: finite(e.error / all.spectrum.0.sqrt()),
        explicit_condition: e.condition_holds,
        literature_frobenius: finite(l.error),
        literature_condition: l.condition_holds,
        literature_probability: l.probability,
        assumptions: vec![
            c.risk(n),
            c.explicit(&all.explicit, &all.dimension, n)?,
            c.literature(&all.literature, n)?,
        ],
    })
}
