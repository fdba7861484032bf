//! `ablate`: what is missing of an ablation, its table and its figure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use convstat_report::Format;
use convstat_runner::{RunnerError, Shard};
use convstat_train::TrainError;
use convstat_train::ablation::{Plan, RunOptions, Summary, draw, run as run_plan};

use super::device::DeviceArgs;
use super::failure::{Result, print};
use super::file::load;

/// Options of `ablate`.
#[derive(Debug, Args)]
pub struct Ablate {
    /// Ablation file (TOML)
    file: PathBuf,
    /// Run directory [default: runs/NAME]
    #[arg(long)]
    out: Option<PathBuf>,
    /// Folder with data sets
    #[arg(long)]
    data: Option<PathBuf>,
    /// Networks a cell, in place of the file's
    #[arg(long)]
    seeds: Option<u64>,
    /// Threads [default: one a processor]; on a GPU: networks side by side [default: 4]
    #[arg(long, default_value_t = 0, hide_default_value = true)]
    threads: usize,
    /// Train this share of the networks only; shards may run at the same time in one folder, each on its GPU or machine, and
    /// the command without --shard then unites them
    #[arg(long, value_name = "I/M")]
    shard: Option<Shard>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print the summary as JSON alone
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub fn run(args: &Ablate) -> Result<ExitCode> {
    let device = args.device.spec()?;
    let (file, text, data) = load(&args.file, args.data.as_deref(), args.seeds)?;
    let plan = Plan::new(file, &data.train.shape, data.classes.len())?.in_precision(device.precision);
    let name = &plan.file.ablation.name;
    let out = args.out.clone().unwrap_or_else(|| Path::new("runs").join(name));
    eprintln!(
        "ablation {name}: {} networks x {} seeds on {} {} of {}, run directory {}",
        plan.cells.len(),
        plan.file.ablation.seeds,
        data.train.len(),
        if data.train.clip.is_some() { "videos" } else { "images" },
        data.name,
        out.display()
    );
    let options = RunOptions { threads: args.threads, shard: args.shard, device };
    let report = match run_plan(&plan, &text, &data, &out, options) {
        // What is stored stays, and the same command goes on.
        Err(TrainError::Runner(stopped @ RunnerError::Stopped { .. })) => {
            eprintln!("error: {stopped}");
            return Ok(ExitCode::from(3));
        }
        other => other?,
    };
    for part in &report.damaged {
        eprintln!("warning: {part}; its networks were trained again");
    }
    if let Some(reason) = &report.diverged {
        eprintln!("warning: networks failed, the first one thus: {reason}");
    }
    if report.left_out > 0 {
        eprintln!(
            "note: {} networks in {} are none of this file's (another text, or another --precision): they stay there, and table \
             and figure leave them out",
            report.left_out,
            out.display()
        );
    }
    if let Some(shard) = args.shard {
        if report.execution.interrupted {
            eprintln!("partly done: the same command goes on from here");
            return Ok(ExitCode::from(3));
        }
        eprintln!("shard {shard} is done; when all are, the command without --shard unites them");
        return Ok(ExitCode::SUCCESS);
    }
    let table = report.summary.table();
    let path = out.join("summary.parquet");
    table.write(&path).map_err(TrainError::from)?;
    let markdown = report.summary.markdown();
    let path = out.join("summary.md");
    fs::write(&path, &markdown).map_err(TrainError::io("write", &path))?;
    if args.json {
        print(&json(&report.summary))?;
    } else if report.summary.cells.iter().any(|c| c.seeds + c.failures > 0) {
        print(&markdown)?;
    }
    if let Some(canvas) = draw(&report.summary)? {
        for path in canvas.save(&out.join("figures"), &[Format::Svg, Format::Png, Format::Pdf])? {
            eprintln!("{}", path.display());
        }
    }
    if report.execution.interrupted {
        let missing = report.summary.missing();
        eprintln!("partly done, {missing} networks are missing: the same command goes on from here");
        return Ok(ExitCode::from(3));
    }
    // A cell without a single accuracy leaves a hole in the table.
    let has_hole = report.summary.cells.iter().any(|c| c.seeds == 0);
    Ok(ExitCode::from(u8::from(has_hole)))
}

fn json(summary: &Summary) -> String {
    let cells: Vec<_> = summary
        .cells
        .iter()
        .map(|c| {
            serde_json::json!({
                "block": c.block, "kr": c.kr, "fixed": c.fixed, "ranks": c.ranks, "parameters": c.parameters,
                "macs": c.macs, "d_m": c.d_m, "seeds": c.seeds, "failures": c.failures,
                "accuracy": c.accuracy.0, "accuracy_se": c.accuracy.1, "clip_accuracy": c.clip_accuracy.0,
                "clip_accuracy_se": c.clip_accuracy.1, "loss": c.loss.0, "loss_se": c.loss.1,
            })
        })
        .collect();
    serde_json::json!({ "name": summary.name, "cells": cells }).to_string()
}
