//! `convstat plan-n`: the sample size for a target error.

use clap::{Args, ValueEnum};
use convstat::prelude::*;
use convstat::report::table::align;
use convstat::runner::thread_pool;
use convstat::study::file::{Estimator, Info, Noise, Samples, Truth};
use convstat::study::{EmpiricalSampleSize, Quantity, sample_size};
use convstat::theory::bounds::Kind;
use convstat::theory::{BOUNDS, Bound as Entry, Bounds, ErrorNorm, SettingTheory, TheoryError};

use super::setting::{Evaluated, SettingArgs};
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `plan-n`.
#[derive(Debug, Args)]
#[command(
    after_help = "Rows: the n at which the root mean squared error meets the target (exact risk), at which the error keeps
to it with the probability asked for (quantile of the risk, explicit bound, literature bound), and, with
--empirical, both by simulation with standard errors. Targets are norms, not squares.

Examples:
  convstat plan-n --geometry g.toml --structure '{ kind = \"cnn\", kernels = 3 }' --target 0.1
  convstat plan-n --geometry g.toml --target 0.2 --empirical \\
      --structure '{ kind = \"cp\", rank = 2, kernels = 4 }'"
)]
pub struct PlanN {
    #[command(flatten)]
    setting: SettingArgs,
    /// Target error
    #[arg(long)]
    target: f64,
    /// Its norm
    #[arg(long, value_enum, default_value_t = Norm::Prediction)]
    norm: Norm,
    /// Solve for n by simulation too
    #[arg(long)]
    empirical: bool,
    /// Replicates a point of the simulation
    #[arg(long, default_value_t = 400)]
    replicates: u64,
    /// Threads (default: one a processor)
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The norms.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Norm {
    /// Prediction error
    Prediction,
    /// Estimation error
    Frobenius,
}

/// One row of the answer.
#[derive(Debug, serde::Serialize)]
struct Answer {
    by: &'static str,
    n: Option<f64>,
    standard_error: Option<f64>,
    note: String,
}

impl PlanN {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if self.replicates < 20 {
            return Err(Failure::new(format!("--replicates {}; at least 20 are needed", self.replicates)));
        }
        let all = self.setting.evaluate()?;
        let mut answers = answers(&all.theory, BOUNDS, self.norm(), self.target)?;
        if self.empirical {
            let file = self.study(&all);
            let guess = answers[0].n.unwrap_or(all.theory.tangent.df * 10.0);
            let p = self.setting.confidence;
            let quantities =
                [("simulated mean", Quantity::RootMean), ("simulated quantile", Quantity::Quantile(p))];
            for (by, quantity) in quantities {
                let work = || sample_size(&file, self.norm(), quantity, self.target, guess);
                // What theory says stays, whatever the simulation meets.
                answers.push(match thread_pool(self.threads)?.install(work) {
                    Ok(found) => empirical(by, &found),
                    Err(e) => Answer { by, n: None, standard_error: None, note: e.to_string() },
                });
            }
        }
        let orders = orders(&all.theory, BOUNDS, self.norm(), self.target)?;
        if self.json {
            let mut json = all.json()?;
            json["target"] = self.target.into();
            json["norm"] = serde_json::to_value(self.norm()).map_err(|e| Failure::new(e.to_string()))?;
            json["answers"] = serde_json::to_value(&answers).map_err(|e| Failure::new(e.to_string()))?;
            json["orders"] =
                orders.iter().map(|(text, n)| serde_json::json!({ "of": text, "n": n })).collect();
            print_json(&json)?;
            return Ok(Status::Done);
        }
        all.print()?;
        let mut table = vec![["by", "n", "standard error", "meaning"].map(str::to_owned).to_vec()];
        for a in &answers {
            let whole = |v: Option<f64>| {
                v.map_or_else(
                    || "-".to_owned(),
                    |v| if v < 1e15 { format!("{:.0}", v.ceil()) } else { format!("{v:.2e}") },
                )
            };
            table.push(vec![a.by.to_owned(), whole(a.n), whole(a.standard_error), a.note.clone()]);
        }
        print(&format!("\nn for an error of {} in {:?} norm\n{}", self.target, self.norm(), align(&table)))?;
        print(
            "\norders of other results, constants left out; they are not to be compared with the n above\n",
        )?;
        for (text, n) in orders {
            print(&format!("  {n:>12.0}  {text}\n"))?;
        }
        Ok(Status::Done)
    }

    fn norm(&self) -> ErrorNorm {
        match self.norm {
            Norm::Prediction => ErrorNorm::Prediction,
            Norm::Frobenius => ErrorNorm::Frobenius,
        }
    }

    /// The setting as a study, for the simulation.
    fn study(&self, all: &Evaluated) -> StudyFile {
        let (name, seed, replicates) = ("setting".to_owned(), all.seed, self.replicates);
        StudyFile {
            study: Info { name, aim: String::new(), seed, replicates },
            setting: vec![all.setting.clone()],
            design: vec![all.design.clone()],
            noise: Noise { sigma: all.theory.sigma, ..Noise::default() },
            response: None,
            truth: Truth::default(),
            samples: Samples { n: Some(vec![1]), sqrt_dm_over_n: None },
            estimator: vec![Estimator::default()],
            inference: None,
            theory: all.options.clone(),
            check: Vec::new(),
            figure: Vec::new(),
        }
    }
}

/// The n by each bound.
fn answers(
    theory: &SettingTheory,
    bounds: Bounds,
    norm: ErrorNorm,
    target: f64,
) -> Result<Vec<Answer>, TheoryError> {
    let answer = |bound: &&'static dyn Entry| {
        let planned = bound.plan(theory, norm, target)?;
        Ok(Answer { by: bound.title(), n: planned.n, standard_error: None, note: planned.note })
    };
    bounds.iter().filter(|b| b.kind() != Kind::Order).map(answer).collect()
}

/// The orders of other results for the sizes of this network.
fn orders(
    theory: &SettingTheory,
    bounds: Bounds,
    norm: ErrorNorm,
    target: f64,
) -> Result<Vec<(String, f64)>, TheoryError> {
    let mut orders = Vec::new();
    for bound in bounds.iter().filter(|b| b.kind() == Kind::Order) {
        let planned = bound.plan(theory, norm, target)?;
        orders.extend(planned.n.map(|n| (planned.note, n)));
    }
    Ok(orders)
}

fn empirical(by: &'static str, e: &EmpiricalSampleSize) -> Answer {
    let (low, high) = (e.n - 1.96 * e.standard_error, e.n + 1.96 * e.standard_error);
    let failed = if e.errors > 0 { format!(", {} replicates failed", e.errors) } else { String::new() };
    let note = format!(
        "95 % interval {low:.0} to {high:.0}, {} replicates at each of {} n{failed}",
        e.replicates,
        e.points.len()
    );
    Answer { by, n: Some(e.n), standard_error: Some(e.standard_error), note }
}

#[cfg(test)]
mod tests {
    use super::super::setting::tests::{WITH_THRICE, evaluated};
    use super::*;

    #[test]
    fn a_bound_is_planned_with_by_its_name() {
        let last = |design: &str| {
            let theory = evaluated(design).theory;
            answers(&theory, WITH_THRICE, ErrorNorm::Prediction, 0.3).unwrap().pop().unwrap()
        };
        let own = last("{ kind = \"normal-exact\" }");
        // 9 · 5/0.09 rows, or one more by rounding.
        assert_eq!(own.by, "thrice the error");
        assert!((500.0..=501.0).contains(&own.n.unwrap()), "{:?}", own.n);
        let own = last("{ kind = \"var1\", rho = 0.5 }");
        assert_eq!((own.n, own.note.as_str()), (None, "given for independent rows only"));
    }
}
