//! `convstat test`: a structure tested against a larger one.

use clap::Args;
use convstat::estimate::{FitOptions, Fitting, likelihood_ratio};

use super::data::{DataArgs, as_json, display_name};
use super::inputs::parse_structure;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `test`.
#[derive(Debug, Args)]
#[command(
    after_help = "The statistic is nM log(RSS0/RSS1). Its reference is a parametric bootstrap at the fit of
the null hypothesis on the same inputs, since the null is no regular point of the alternative;
p = (1 + number above) / (bootstrap + 1). The noise is taken as normal and independent.

Example: are two kernels enough?
  convstat test --x X.npy --y y.npy --geometry g.toml \\
      --null '{ kind = \"cnn\", kernels = 2 }' \\
      --alternative '{ kind = \"cnn\", kernels = 3 }'"
)]
pub struct TestCommand {
    #[command(flatten)]
    data: DataArgs,
    /// Structure of the null hypothesis, as in a study file
    #[arg(long, value_name = "SPEC")]
    null: String,
    /// A larger structure that contains it
    #[arg(long, value_name = "SPEC")]
    alternative: String,
    /// Bootstrap samples
    #[arg(long, value_name = "N", default_value_t = 199)]
    bootstrap: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl TestCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let specs =
            [parse_structure("--null", &self.null)?, parse_structure("--alternative", &self.alternative)?];
        let data = self.data.read()?;
        let (null, alternative) = (data.build(&specs[0])?, data.build(&specs[1])?);
        let names = [display_name(&specs[0], &null), display_name(&specs[1], &alternative)];
        let (draws, seed) = (self.bootstrap, self.data.seed);
        let test = likelihood_ratio(&null, &alternative, &data.sample, &data.method, draws, seed)?;
        // The alternative is too large for its data wherever the null holds: only the null is looked at.
        let options = FitOptions::new(data.method.clone());
        let fitting = Fitting::new(&null, &options).geometry(data.geometry());
        let diagnostics = fitting.diagnose(&data.sample, &test.null.fit)?;
        let rss = [&test.null, &test.alternative].map(|f| f.fit.best.objective);
        let sigma = test.sigma;
        let mut sorted = test.bootstrap.clone();
        sorted.sort_by(f64::total_cmp);
        // The largest draw that p <= 0.05 may be beyond.
        let allowed = (0.05 * (sorted.len() + 1) as f64 + 1e-9).floor() as usize;
        let critical = allowed.checked_sub(1).and_then(|a| sorted.iter().rev().nth(a));
        if self.json {
            print_json(&serde_json::json!({
                "null": (names[0]), "alternative": names[1], "n": data.sample.n as u64,
                "df": [test.df.0, test.df.1], "objective": rss, "sigma": sigma, "statistic": test.statistic,
                "p_value": test.p_value, "bootstrap": test.bootstrap, "critical_5_percent": critical,
                "diagnostics": diagnostics.iter().map(as_json).collect::<Vec<_>>(),
            }))?;
        } else {
            print(&format!(
                "null          {} (df {}, RSS {:.6e})\nalternative   {} (df {}, RSS {:.6e})\nnoise         {sigma:.6} \
                 (standard deviation under the null)\nstatistic     {:.4} = nM log(RSS0/RSS1)\ncritical 5 %  {}\n\
                 p             {:.4} ({} bootstrap samples)\n",
                names[0],
                test.df.0,
                rss[0],
                names[1],
                test.df.1,
                rss[1],
                test.statistic,
                critical.map_or_else(|| "- (needs at least 19 samples)".to_owned(), |c| format!("{c:.4}")),
                test.p_value,
                test.bootstrap.len(),
            ))?;
            for diagnostic in &diagnostics {
                eprintln!("warning: {}: {diagnostic}", names[0]);
            }
        }
        Ok(Status::Done)
    }
}
