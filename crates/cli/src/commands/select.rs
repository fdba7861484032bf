//! `convstat select`: a structure chosen among candidates.

use clap::Args;
use clap::builder::PossibleValuesParser;
use convstat::cnn::{Over, parse_over};
use convstat::estimate::select::{SelectOptions, Selection, select};
use convstat::estimate::{Criterion, FittedModel};
use convstat::prelude::*;
use convstat::report::table::align;

use super::data::{Data, DataArgs, as_json, display_name};
use super::inputs::parse_structure;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `select`.
#[derive(Debug, Args)]
#[command(after_help = "Criteria:
  bic, aic   information criteria
  cv         smallest mean of cross-validation; observations are taken as independent
  cv-one-se  smallest structure within one standard error of it
  evbmf      rank of the unstructured estimate, its noise taken as white: a reference,
             wrong where features are correlated
  all        all of them
Among equal criteria the fewest naive parameters are chosen.

Examples:
  convstat select --x X.npy --y y.npy --geometry g.toml --over kernels=1..6 \\
      --structure '{ kind = \"cnn\", kernels = 1 }'
  convstat select --x X.npy --y y.npy --over r=1..4 --criterion all \\
      --structure '{ einsum = \"ar,br->ab\", sizes = { r = 1 } }'
  convstat select --x X.npy --y y.npy --geometry g.toml --over r=1..3 --over ranks=1,2,3 \\
      --structure '{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 4 }' --json")]
pub struct SelectCommand {
    #[command(flatten)]
    data: DataArgs,
    /// Structure, as in a study file; several are several candidates
    #[arg(long, value_name = "SPEC", required = true)]
    structure: Vec<String>,
    /// Values of a key of the structures, FROM..TO or a list; several keys make every combination
    #[arg(long, value_name = "KEY=VALUES")]
    over: Vec<String>,
    /// Criterion, or all
    #[arg(long, value_name = "NAME", default_values_t = ["bic".to_owned()], value_parser = criteria())]
    criterion: Vec<String>,
    /// Folds of cross-validation
    #[arg(long, value_name = "N", default_value_t = 10)]
    folds: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Names of criteria.
fn criteria() -> PossibleValuesParser {
    PossibleValuesParser::new(Criterion::ALL.map(Criterion::name).into_iter().chain(["all"]))
}

/// Candidates, and how they were written.
struct Candidates {
    specs: Vec<StructureSpec>,
    structures: Vec<Structure>,
}

impl SelectCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let criteria = self.criteria();
        let specs = self.specs()?;
        let data = self.data.read()?;
        let structures = specs.iter().map(|s| data.build(s)).collect::<Result<Vec<_>, _>>()?;
        let candidates = Candidates { specs, structures };
        let options = SelectOptions {
            criteria,
            method: data.method.clone(),
            seed: self.data.seed,
            folds: self.folds,
            positions: data.positions(),
            geometry: data.geometry(),
        };
        let selection = select(&candidates.structures, &data.sample, &options)?;
        self.report(&data, &candidates, &selection)
    }

    fn criteria(&self) -> Vec<Criterion> {
        let mut found: Vec<Criterion> = Vec::new();
        for name in &self.criterion {
            for c in Criterion::ALL.into_iter().filter(|c| name == "all" || c.name() == name) {
                if !found.contains(&c) {
                    found.push(c);
                }
            }
        }
        found
    }

    fn specs(&self) -> Result<Vec<StructureSpec>, Failure> {
        let mut over = Over::new();
        for text in &self.over {
            let (key, values) = parse_over(text)?;
            if over.insert(key.clone(), values).is_some() {
                return Err(
                    Failure::new(format!("--over {key} stands twice")).help("give all values at once")
                );
            }
        }
        let mut specs: Vec<StructureSpec> = Vec::new();
        for text in &self.structure {
            specs.extend(parse_structure("--structure", text)?.grid(&over)?);
        }
        if specs.len() < 2 {
            return Err(Failure::new("there is one candidate")
                .help("vary a key with --over kernels=1..6, or give --structure several times"));
        }
        Ok(specs)
    }

    fn report(&self, data: &Data, candidates: &Candidates, selection: &Selection) -> Result<Status, Failure> {
        let Selection { fitted, verdicts, diagnostics } = selection;
        let df = |f: &FittedModel| f.df().unwrap_or(f64::NAN);
        let is_done = fitted.iter().all(|f| f.fit.best.termination.is_success());
        let rss = |f: &FittedModel| f.fit.best.objective;
        if self.json {
            let rows: Vec<serde_json::Value> = fitted
                .iter()
                .enumerate()
                .map(|(i, f)| {
                    let criteria: serde_json::Map<String, serde_json::Value> = verdicts
                        .iter()
                        .map(|(c, v)| {
                            let value = serde_json::json!({ "value": v.values[i], "standard_error": v.errors.get(i) });
                            (c.name().to_owned(), value)
                        })
                        .collect();
                    let named = diagnostics.iter().filter(|(of, _)| *of == i).flat_map(|(_, named)| named);
                    serde_json::json!({
                        "diagnostics": named.map(as_json).collect::<Vec<_>>(),
                        "structure": display_name(&candidates.specs[i], &candidates.structures[i]),
                        "spec": candidates.specs[i].to_string(),
                        "naive_parameters": candidates.structures[i].naive_parameters(),
                        "df": df(f) as u64,
                        "objective": rss(f),
                        "termination": f.fit.best.termination.name(),
                        "criteria": criteria,
                    })
                })
                .collect();
            let chosen: serde_json::Map<String, serde_json::Value> =
                verdicts.iter().map(|(c, v)| (c.name().to_owned(), v.chosen.into())).collect();
            print_json(&serde_json::json!({
                "n": data.sample.n as u64, "outputs": data.sample.outputs(), "candidates": rows, "chosen": chosen,
            }))?;
        } else {
            let mut header: Vec<String> = ["candidate", "naive", "df", "RSS"].map(str::to_owned).to_vec();
            header.extend(verdicts.iter().map(|(c, _)| c.name().to_owned()));
            let mut table = vec![header];
            for (i, f) in fitted.iter().enumerate() {
                let mut row = vec![
                    display_name(&candidates.specs[i], &candidates.structures[i]),
                    candidates.structures[i].naive_parameters().to_string(),
                    df(f).to_string(),
                    format!("{:.6e}", rss(f)),
                ];
                for (_, v) in verdicts {
                    let error = v.errors.get(i).map_or_else(String::new, |e| format!(" ± {}", value(*e)));
                    let mark = if v.chosen == i { " *" } else { "" };
                    row.push(format!("{}{error}{mark}", value(v.values[i])));
                }
                table.push(row);
            }
            print(&align(&table))?;
            print("\n* chosen\n")?;
        }
        for (i, named) in diagnostics.iter().filter(|_| !self.json) {
            let name = display_name(&candidates.specs[*i], &candidates.structures[*i]);
            named.iter().for_each(|d| eprintln!("warning: {name}: {d}"));
        }
        if !is_done {
            eprintln!("warning: not every fit shows an optimum; give more --starts");
        }
        Ok(if is_done { Status::Done } else { Status::Partly })
    }
}

/// A criterion in a table.
fn value(v: f64) -> String {
    if v.is_infinite() {
        return if v > 0.0 { "saturated" } else { "exact" }.to_owned();
    }
    if v != 0.0 && !(1e-2..1e6).contains(&v.abs()) { format!("{v:.4e}") } else { format!("{v:.4}") }
}
