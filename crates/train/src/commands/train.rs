//! `train`: one network, with checkpoint, weights and curves.

use std::io::IsTerminal;
use std::process::ExitCode;

use candle_core::DType;
use convstat_train::ablation::{MetricsFolder, seed_of};
use convstat_train::score::Score;
use convstat_train::training::{EpochMetrics, Trained, Trainer, Watch, train};

use super::failure::Result;
use super::file::load;
use super::one::{One, network, report};

/// Runs it.
pub fn run(args: &One) -> Result<ExitCode> {
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
