//! `convstat study plan`.

use clap::Args;
use convstat::report::table::align;
use convstat::study::{self, estimate_cost::estimate_cost};

use super::input::StudyInput;
use super::resources::{memory, threads};
use super::summary::notes;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `study plan`.
#[derive(Debug, Args)]
pub struct PlanCommand {
    #[command(flatten)]
    file: StudyInput,
    /// Threads to plan for (default: one a processor)
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// List the cells with their numbers and identities, and estimate nothing
    #[arg(long)]
    cells: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Smallest and largest of some numbers.
fn range<T: Ord + Copy + Default>(numbers: impl Iterator<Item = T> + Clone) -> (T, T) {
    (numbers.clone().min().unwrap_or_default(), numbers.max().unwrap_or_default())
}

impl PlanCommand {
    /// The cells with their numbers.
    fn list(&self, plan: &study::Plan) -> Result<Status, Failure> {
        let file = &plan.file;
        let cells = plan.cells.iter().enumerate().map(|(number, c)| {
            let (design, estimator) = (file.design[c.design].label(), file.estimator[c.estimator].label());
            (number, &c.id, &plan.settings[c.setting].name, design, estimator, c.n)
        });
        if self.json {
            let json = |(number, id, setting, design, estimator, n)| {
                serde_json::json!({
                    "number": number, "cell": id, "setting": setting, "design": design, "solver": estimator, "n": n,
                })
            };
            print_json(&cells.map(json).collect::<Vec<_>>())?;
            return Ok(Status::Done);
        }
        let head = ["number", "cell", "setting", "design", "solver", "n"].map(str::to_owned).to_vec();
        let row =
            |(number, id, setting, design, estimator, n): (usize, &String, &String, String, &str, u64)| {
                vec![
                    number.to_string(),
                    id.clone(),
                    setting.clone(),
                    design,
                    estimator.to_owned(),
                    n.to_string(),
                ]
            };
        print(&align(&std::iter::once(head).chain(cells.map(row)).collect::<Vec<_>>()))?;
        Ok(Status::Done)
    }

    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let study = self.file.study()?;
        if self.cells {
            return self.list(&study.plan);
        }
        let numbers = |s: usize| {
            let cells = study.plan.cells.iter().enumerate();
            cells.filter(move |(_, c)| c.setting == s)
        };
        let cost = estimate_cost(&study.plan)?;
        if self.json {
            let mut json = serde_json::to_value(cost).map_err(Failure::from_error)?;
            let settings = study.plan.settings.iter().enumerate().map(|(s, setting)| {
                let (first, last) = range(numbers(s).map(|(i, _)| i));
                serde_json::json!({ "setting": setting.name, "first_cell": first, "last_cell": last })
            });
            json["settings"] = settings.collect();
            print_json(&json)?;
            return Ok(Status::Done);
        }
        let head = ["setting", "structure", "d_M", "df", "naive", "features", "n", "cells"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        for (s, setting) in study.plan.settings.iter().enumerate() {
            let (low, high) = range(numbers(s).map(|(_, c)| c.n));
            let (first, last) = range(numbers(s).map(|(i, _)| i));
            table.push(vec![
                setting.name.clone(),
                setting.structure.name().to_owned(),
                setting.structure.d_m().to_string(),
                setting.dimension.to_string(),
                setting.structure.naive_parameters().to_string(),
                setting.structure.features().to_string(),
                format!("{low}..{high}"),
                format!("{first}..{last}"),
            ]);
        }
        let t = threads(self.threads);
        print(&align(&table))?;
        print(&format!(
            "\ncells               {}\nreplicates          {}\nfits                {}\ntime                about {:.0} s \
             on {t} threads\nmemory              about {:.0} MB\ndisk                about {:.1} MB\nexpected MCSE       \
             {:.2} % to {:.2} % of the error\n",
            cost.cells,
            cost.replicates,
            cost.fits,
            cost.cpu_seconds / t as f64,
            memory(&cost, t) / 1e6,
            cost.disk / 1e6,
            100.0 * cost.relative_mcse.0,
            100.0 * cost.relative_mcse.1,
        ))?;
        notes(&study)?;
        Ok(Status::Done)
    }
}
