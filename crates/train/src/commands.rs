//! The commands.

mod fetch;

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use candle_core::DType;
use clap::{Args, Subcommand};
use convstat_report::Format;
use convstat_runner::{RunnerError, Shard};
use convstat_train::ablation::{
    AblationFile, MOST_SEEDS, MetricsFolder, Plan, RunOptions, draw, run, seed_of,
};
use convstat_train::engine::DeviceSpec;
use convstat_train::network::Network;
use convstat_train::score::Score;
use convstat_train::train::{EpochMetrics, Trained, Trainer, Watch, train};
use convstat_train::{TrainError, data::Dataset};
use miette::{Diagnostic, NamedSource, SourceSpan};

/// What `convstat-train` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Downloads a data set, checks and unpacks it; goes on where it was interrupted
    #[command(after_help = "Examples:
  convstat-train fetch cifar10 --data D
  convstat-train fetch svhn --data D --from https://mirror.example/svhn")]
    Fetch(fetch::Fetch),
    /// Runs what is missing of an ablation, prints its table and draws its figure
    #[command(after_help = "Examples:
  convstat-train ablate experiments/ablation-digits.toml
  convstat-train ablate experiments/ablation-digits.toml --seeds 10   only what is missing
  convstat-train ablate experiments/ablation-cifar10.toml --data D --shard 3/8")]
    Ablate(Ablate),
    /// Trains one network of an ablation file; writes checkpoint, weights and curves
    #[command(after_help = "Examples:
  convstat-train train experiments/ablation-digits.toml --kr 4 --out runs/one
  convstat audit runs/one/weights.safetensors")]
    Train(One),
    /// Evaluates a checkpoint on the test images
    #[command(after_help = "Example:
  convstat-train eval experiments/ablation-digits.toml --kr 4 --out runs/one")]
    Eval(Eval),
}

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

/// Options of `train` and `eval`.
#[derive(Debug, Args)]
pub struct One {
    /// Ablation file (TOML)
    file: PathBuf,
    /// K/R ratio, at the file's R
    #[arg(long)]
    kr: f64,
    /// Number of the seed, from 0 [default: 0; of eval: the checkpoint's]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Folder for checkpoint, weights and curves
    #[arg(long, default_value = "runs/one")]
    out: PathBuf,
    /// Folder with data sets
    #[arg(long)]
    data: Option<PathBuf>,
    #[command(flatten)]
    device: DeviceArgs,
    /// Print the result as JSON alone
    #[arg(long)]
    json: bool,
}

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    one: One,
    /// Checkpoint to evaluate [default: checkpoint.safetensors in --out]
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

/// Where to compute.
#[derive(Debug, Args)]
pub struct DeviceArgs {
    /// cpu, cuda or cuda:N (a GPU needs the feature cuda)
    #[arg(long, default_value = "cpu")]
    device: String,
    /// f32, tf32 or bf16 [default: f32 on cpu, tf32 on cuda]
    #[arg(long)]
    precision: Option<String>,
}

impl DeviceArgs {
    fn spec(&self) -> Result<DeviceSpec> {
        Ok(DeviceSpec::parse(&self.device, self.precision.as_deref())?)
    }
}

/// An error, with the place in the ablation file where there is one.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Failure {
    /// An error in the file.
    #[error("{message}")]
    InFile {
        /// What is wrong.
        message: String,
        /// What was meant.
        #[help]
        help: Option<String>,
        /// The file.
        #[source_code]
        file: NamedSource<String>,
        /// Where.
        #[label("here")]
        place: SourceSpan,
    },
    /// Another one. Not a source: its message says all that its sources say.
    #[error("{0}")]
    Train(TrainError),
}

type Result<T> = std::result::Result<T, Failure>;

impl From<TrainError> for Failure {
    fn from(e: TrainError) -> Self {
        Self::Train(e)
    }
}

impl From<convstat_report::ReportError> for Failure {
    fn from(e: convstat_report::ReportError) -> Self {
        Self::Train(TrainError::bad("figure", "", e.to_string()))
    }
}

impl Command {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Fetch(args) => fetch::run(&args),
            Self::Ablate(args) => ablate(&args),
            Self::Train(args) => train_one(&args),
            Self::Eval(args) => evaluate(&args),
        }
    }
}

/// The file, its text and its data.
fn load(path: &Path, data: Option<&Path>, seeds: Option<u64>) -> Result<(AblationFile, String, Dataset)> {
    let text = convstat_runner::read_text(path).map_err(TrainError::io("read", path))?;
    let mut file = AblationFile::parse(&text).map_err(|e| match e {
        TrainError::Toml { message, help, span: Some(span) } => Failure::InFile {
            message,
            help,
            file: NamedSource::new(path.display().to_string(), text.clone()),
            place: span.into(),
        },
        e => e.into(),
    })?;
    if let Some(seeds) = seeds {
        file.ablation.seeds = seeds;
        if !(1..=MOST_SEEDS).contains(&seeds) {
            return Err(TrainError::bad("--seeds", seeds, format!("give 1 to {MOST_SEEDS}")).into());
        }
    }
    let data = file.data.load(data, file.ablation.seed)?;
    Ok((file, text, data))
}

fn ablate(args: &Ablate) -> Result<ExitCode> {
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
    let report = match run(&plan, &text, &data, &out, options) {
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

fn json(summary: &convstat_train::ablation::Summary) -> String {
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

/// The network of `--kr`.
fn network(args: &One, file: &AblationFile, data: &Dataset) -> Result<Network> {
    Ok(Network::new(&file.network, &data.train.shape, data.classes.len(), args.kr)?)
}

fn train_one(args: &One) -> Result<ExitCode> {
    let backend = args.device.spec()?.open()?;
    let (file, _, data) = load(&args.file, args.data.as_deref(), None)?;
    let network = network(args, &file, &data)?;
    let seed = seed_of(file.ablation.seed, args.seed.unwrap_or(0));
    let mut trainer = Trainer::new(&network, &*backend, &file.training, seed, DType::F32)?;
    let checkpoint = args.out.join("checkpoint.safetensors");
    let mut metrics = MetricsFolder::create(&args.out)?;
    let bar = std::io::stderr().is_terminal().then(|| {
        let bar = indicatif::ProgressBar::new(0);
        let style = "{wide_bar} step {pos}/{len} {msg} {eta} left";
        bar.set_style(
            indicatif::ProgressStyle::with_template(style)
                .unwrap_or_else(|_| indicatif::ProgressStyle::default_bar()),
        );
        bar
    });
    let mut is_new = false;
    let watch = Watch {
        checkpoint: Some(&checkpoint),
        on_step: &mut |step, steps, loss, rate| {
            if let Some(bar) = &bar {
                bar.set_length(steps);
                bar.set_position(step);
                bar.set_message(format!("loss {loss:.3}, {rate:.0} images/s,"));
            }
        },
        on_epoch: &mut |e: &EpochMetrics| {
            is_new = true;
            if bar.is_none() {
                eprintln!(
                    "epoch {}: loss {:.4}, rate {:.5}, {:.0} images/s",
                    e.epoch, e.train_loss, e.rate, e.images_per_second
                );
            }
            metrics.add(e)
        },
    };
    let trained = train(&mut trainer, &data, &file.data.augment, seed, watch)?;
    if trained.interrupted {
        eprintln!("partly done: the same command goes on from {}", checkpoint.display());
        return Ok(ExitCode::from(3));
    }
    metrics.finish(&trained.progress.epochs)?;
    trainer.save(&checkpoint, &trained.progress)?;
    let weights = args.out.join("weights.safetensors");
    trainer.save_weights(&weights)?;
    if !is_new {
        eprintln!("already trained; the accuracy is the checkpoint's");
    }
    let Trained { accuracy, clip_accuracy, loss, .. } = trained;
    report(args.json, &network, Score { clip_accuracy, accuracy, loss }, &data)?;
    eprintln!("{}\n{}", checkpoint.display(), weights.display());
    Ok(ExitCode::SUCCESS)
}

fn report(json: bool, network: &Network, score: Score, data: &Dataset) -> Result<()> {
    let c = network.counts();
    let (parameters, macs, d_m, samples) = (c.parameters, c.macs, c.d_m, data.test.len());
    let Score { clip_accuracy, accuracy, loss } = score;
    let (what, clips) = match data.test.clip {
        Some(_) => ("videos", format!(" ({:.2} % by clip)", 100.0 * clip_accuracy)),
        None => ("images", String::new()),
    };
    print(&if json {
        serde_json::json!({ "accuracy": accuracy, "clip_accuracy": clip_accuracy, "loss": loss, "images": samples,
            "parameters": parameters, "macs": macs, "d_m": d_m })
        .to_string()
    } else {
        format!(
            "accuracy {:.2} %{clips} of {samples} test {what}, loss {loss:.4}; {parameters} parameters, {macs} MACs, d_M {d_m}",
            100.0 * accuracy
        )
    })
}

/// Prints a result; a reader that went away is no error.
fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(TrainError::io("write to", Path::new("standard output"))(e).into())
        }
        _ => Ok(()),
    }
}

fn evaluate(Eval { one: args, checkpoint }: &Eval) -> Result<ExitCode> {
    let backend = args.device.spec()?.open()?;
    let (file, _, data) = load(&args.file, args.data.as_deref(), None)?;
    let network = network(args, &file, &data)?;
    let seed = |number| seed_of(file.ablation.seed, number);
    let drawn = seed(args.seed.unwrap_or(0));
    let mut trainer = Trainer::new(&network, &*backend, &file.training, drawn, DType::F32)?;
    let path = checkpoint.clone().unwrap_or_else(|| args.out.join("checkpoint.safetensors"));
    let progress = trainer.restore(&path)?;
    // Of another split, the test images may be among those it was trained on.
    if progress.data != data.digest() {
        let reason = "was trained on other data, or on another split (the seed of the ablation file)";
        return Err(TrainError::data(&path, reason).into());
    }
    if let (Some(number), Some(found)) = (args.seed, progress.seed)
        && found != seed(number)
    {
        let mend = format!("{} is of seed {}; leave --seed out", path.display(), found.wrapping_sub(seed(0)));
        return Err(TrainError::bad("--seed", number, mend).into());
    }
    eprintln!("{}: after {} of {} epochs", path.display(), progress.epochs.len(), file.training.epochs);
    let score = convstat_train::train::test(&mut trainer, &data, progress.seed.unwrap_or(drawn))?;
    report(args.json, &network, score, &data)?;
    Ok(ExitCode::SUCCESS)
}
