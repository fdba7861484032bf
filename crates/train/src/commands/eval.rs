//! `eval`: the accuracy of a checkpoint.

use std::path::PathBuf;
use std::process::ExitCode;

use candle_core::DType;
use clap::Args;
use convstat_train::TrainError;
use convstat_train::ablation::seed_of;
use convstat_train::training::{Trainer, test};

use super::failure::Result;
use super::file::load;
use super::one::{One, network, report};

/// Options of `eval`.
#[derive(Debug, Args)]
pub struct Eval {
    #[command(flatten)]
    one: One,
    /// Checkpoint to evaluate [default: checkpoint.safetensors in --out]
    #[arg(long)]
    checkpoint: Option<PathBuf>,
}

/// Runs it.
pub fn run(Eval { one: args, checkpoint }: &Eval) -> Result<ExitCode> {
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
    let score = test(&mut trainer, &data, progress.seed.unwrap_or(drawn))?;
    report(args.json, &network, score, &data)?;
    Ok(ExitCode::SUCCESS)
}
