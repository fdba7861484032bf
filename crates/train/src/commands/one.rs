//! One network of an ablation file, and what is said of it.

use std::path::PathBuf;

use clap::Args;
use convstat_data::Dataset;
use convstat_train::ablation::AblationFile;
use convstat_train::network::Network;
use convstat_train::score::Score;

use super::device::DeviceArgs;
use super::failure::{Result, print};

/// Options of `train` and `eval`.
#[derive(Debug, Args)]
pub struct One {
    /// Ablation file (TOML)
    pub file: PathBuf,
    /// K/R ratio, at the file's R
    #[arg(long)]
    pub kr: f64,
    /// Number of the seed, from 0 [default: 0; of eval: the checkpoint's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Folder for checkpoint, weights and curves
    #[arg(long, default_value = "runs/one")]
    pub out: PathBuf,
    /// Folder with data sets
    #[arg(long)]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub device: DeviceArgs,
    /// Print the result as JSON alone
    #[arg(long)]
    pub json: bool,
}

/// The network of `--kr`.
pub fn network(args: &One, file: &AblationFile, data: &Dataset) -> Result<Network> {
    Ok(Network::new(&file.network, &data.train.shape, data.classes.len(), args.kr)?)
}

/// Prints the accuracy of a network.
pub fn report(json: bool, network: &Network, score: Score, data: &Dataset) -> Result<()> {
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
