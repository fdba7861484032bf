//! The training of one network of an ablation.

use std::fs;
use std::path::Path;

use candle_core::DType;
use convstat_data::Dataset;
use convstat_engine::DeviceSpec;
use convstat_runner::{Outcome, Task};

use super::curves::MetricsFolder;
use super::plan::Plan;
use super::row::{Ending, Row, empty_row};
use crate::Result;
use crate::training::{Trainer, Watch, train};

/// Seed of a replicate, shared by all cells, which then see the same batches.
pub fn seed_of(seed: u64, replicate: u64) -> u64 {
    seed.wrapping_mul(1_000_003).wrapping_add(replicate)
}

/// Trains one network; none if a signal ended it, whose checkpoint then goes on.
pub(super) fn train_cell(
    plan: &Plan,
    task: Task,
    data: &Dataset,
    out: &Path,
    device: DeviceSpec,
) -> Result<Option<Row>> {
    let (cell, replicate) = (&plan.cells[task.cell], task.replicate);
    let backend = device.open()?;
    let network = plan.network(cell)?;
    let seed = seed_of(plan.file.ablation.seed, replicate);
    let mut trainer = Trainer::new(&network, &*backend, &plan.file.training, seed, DType::F32)?;
    let name = format!("{}-{replicate}", cell.id);
    let checkpoint = out.join("checkpoints").join(format!("{name}.safetensors"));
    let mut metrics = MetricsFolder::create(&out.join("metrics").join(&name))?;
    let watch = Watch {
        checkpoint: Some(&checkpoint),
        on_step: &mut |_, _, _, _| {},
        on_epoch: &mut |epoch| metrics.add(epoch),
    };
    let trained = train(&mut trainer, data, &plan.file.data.augment, seed, watch)?;
    if trained.interrupted {
        return Ok(None);
    }
    metrics.finish(&trained.progress.epochs)?;
    let last = trained.progress.epochs.last();
    let is_early = last.is_some_and(|e| e.epoch < plan.file.training.epochs);
    let ending = if is_early { Ending::StoppedEarly } else { Ending::Done };
    let row = Row {
        accuracy: trained.accuracy,
        clip_accuracy: trained.clip_accuracy,
        loss: trained.loss,
        train_loss: last.map_or(f64::NAN, |e| e.train_loss),
        epochs: last.map_or(0, |e| e.epoch),
        seconds: trained.progress.seconds,
        ..empty_row(cell, replicate, Outcome::Completed(ending))
    };
    for path in [checkpoint.clone(), checkpoint.with_extension("best")] {
        // What is finished needs no checkpoint; one that stays is read and found complete.
        let _ = fs::remove_file(path);
    }
    Ok(Some(row))
}
