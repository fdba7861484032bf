//! `convstat plan-n`: the sample size for a target error.

use clap::{Args, ValueEnum};
use convstat::report::table::align;
use convstat::runner::thread_pool;
use convstat::study::{EmpiricalSampleSize, Quantity, sample_size};
use convstat::theory::{ErrorNorm, du_rates, equivariance_gap, n_for_explicit, n_for_literature};

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
        let mut all = self.setting.evaluate()?;
        let mut answers = self.theory(&all)?;
        if self.empirical {
            all.file.study.replicates = self.replicates;
            let guess = answers[0].n.unwrap_or(all.risk.df as f64 * 10.0);
            let p = self.setting.confidence;
            let quantities =
                [("simulated mean", Quantity::RootMean), ("simulated quantile", Quantity::Quantile(p))];
            for (by, quantity) in quantities {
                let work = || sample_size(&all.file, self.norm(), quantity, self.target, guess);
                // What theory says stays, whatever the simulation meets.
                answers.push(match thread_pool(self.threads)?.install(work) {
                    Ok(found) => empirical(by, &found),
                    Err(e) => Answer { by, n: None, standard_error: None, note: e.to_string() },
                });
            }
        }
        let orders = self.orders(&all)?;
        if self.json {
            let mut json = all.json();
            json["target"] = self.target.into();
            json["norm"] = serde_json::to_value(self.norm()).map_err(|e| Failure::new(e.to_string()))?;
            json["confidence"] = self.setting.confidence.into();
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

    fn theory(&self, all: &Evaluated) -> Result<Vec<Answer>, Failure> {
        let (norm, sigma, c) = (self.norm(), all.circumstances.sigma, &all.circumstances);
        let p = self.setting.confidence;
        let risk = c.identified || norm == ErrorNorm::Prediction;
        let gaussian = c.law.is_iid_gaussian() && c.outputs == 1;
        let finite = risk && gaussian;
        let quoted = c.law.gaussian && c.outputs == 1;
        let answer = |by, n: Option<f64>, note: String| Answer { by, n, standard_error: None, note };
        let mean = all.risk.n_for_mean(norm, sigma, self.target)?;
        let first = all.risk.first_order(norm, sigma, 1.0) / (self.target * self.target);
        let quantile = all.risk.n_for_quantile(norm, sigma, self.target, p)?;
        let scale = if norm == ErrorNorm::Frobenius { all.spectrum.0.max(0.0).sqrt() } else { 1.0 };
        let explicit = n_for_explicit(&all.explicit, sigma, self.target, scale)?;
        let literature = n_for_literature(&all.literature, sigma, self.target, p)?;
        let note = |holds: bool, text: &str, why: &str| if holds { text.to_owned() } else { why.to_owned() };
        let unidentified = "W is not identified: no risk in this norm";
        let not_iid = "given for independent Gaussian rows and one response only";
        Ok(vec![
            answer(
                "exact risk",
                finite.then_some(mean),
                note(finite, "root mean squared error = target", if risk { not_iid } else { unidentified }),
            ),
            answer(
                "local minimax",
                risk.then_some(first.ceil()),
                note(risk, "first order: no estimator needs less around the truth", unidentified),
            ),
            answer(
                "risk quantile",
                quantile.filter(|_| finite),
                note(
                    finite,
                    &format!("error <= target with probability {p}"),
                    if risk { not_iid } else { unidentified },
                ),
            ),
            answer(
                "explicit bound",
                explicit.filter(|_| gaussian),
                note(
                    gaussian,
                    &format!("error <= target with probability at least {p}, every constant known"),
                    not_iid,
                ),
            ),
            answer(
                "literature bound",
                literature.filter(|_| quoted && norm == ErrorNorm::Frobenius),
                note(
                    quoted && norm == ErrorNorm::Frobenius,
                    &format!(
                        "the same, with its unknown constants set to c = {}, c_H = {}, and delta = {}",
                        self.setting.c_condition, self.setting.c_h, self.setting.delta
                    ),
                    if quoted {
                        "a bound in Frobenius norm"
                    } else {
                        "given for Gaussian rows and one response only"
                    },
                ),
            ),
        ])
    }

    /// Orders of Du et al. and of Li, Zhang & Arora for the sizes of this network.
    fn orders(&self, all: &Evaluated) -> Result<Vec<(String, f64)>, Failure> {
        let geometry = &all.setting().geometry;
        let (taps, weights, inputs) = (geometry.taps(), geometry.positions(), geometry.inputs());
        let (cnn, dense) = du_rates(taps, weights, inputs, self.target)?;
        let mut orders = vec![
            (
                format!(
                    "CNN, one filter of {taps} with {weights} output weights (Du et al. 2018, up to logarithms)"
                ),
                cnn,
            ),
            (
                format!("fully connected linear network on {inputs} inputs, from below (Du et al. 2018)"),
                dense,
            ),
        ];
        if self.target < 1.0 {
            let (equivariant, cnn) = equivariance_gap(inputs, self.target)?;
            let task = "on the task of Li, Zhang & Arora 2021, Theorem 5.4";
            orders.push((
                format!("any orthogonally equivariant learner at error {} {task}", self.target),
                equivariant,
            ));
            orders.push((format!("a CNN {task}"), cnn));
        }
        Ok(orders)
    }
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
