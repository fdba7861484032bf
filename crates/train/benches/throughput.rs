//! Images a second in training on this machine's processors, one line of JSON a network; the rival is
//! `benches/train_torch.py`. Without `--networks` it does nothing, so that `cargo bench` may run it.
//!
//!     throughput --networks [steps]

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use convstat_train::engine::cpu::Cpu;
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::train::{Trainer, TrainingSpec};

const BATCH: usize = 128;
const NETWORKS: [(&str, &str); 3] =
    [("bottleneck", "bottleneck"), ("depthwise", "depthwise-separable"), ("cp", "cp")];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("--networks") {
        return Ok(());
    }
    let steps: usize = arguments.next().map_or(Ok(20), |s| s.parse())?;
    convstat_tensor::blas::single_thread()?;
    convstat_train::keep_memory();
    let training: TrainingSpec = toml::from_str(&format!(
        "epochs = 1\nbatch = {BATCH}\noptimiser = {{ kind = \"sgd\", rate = 0.05, nesterov = false, weight_decay = 0.0 }}"
    ))?;
    let only = std::env::var("NETWORK").ok();
    for (name, block) in NETWORKS.iter().filter(|(n, _)| only.as_deref().is_none_or(|o| o == *n)) {
        let spec: NetworkSpec = toml::from_str(&format!(
            "block = \"{block}\"\nstem = 16\nstages = [{{ r = 16, blocks = 3 }}, {{ r = 32, blocks = 3 }}, {{ r = 64, \
             blocks = 3 }}]"
        ))?;
        let network = Network::new(&spec, &[32, 32, 3], 10, 4.0)?;
        let mut trainer = Trainer::new(&network, &Cpu, &training, 1, DType::F32)?;
        let x = Tensor::randn(0f32, 1f32, (BATCH, 32, 32, 3), &Device::Cpu)?;
        let labels: Vec<u32> = (0..BATCH as u32).map(|i| i % 10).collect();
        for _ in 0..3 {
            trainer.step(x.clone(), &labels, 1.0)?;
        }
        let start = Instant::now();
        for _ in 0..steps {
            trainer.step(x.clone(), &labels, 1.0)?;
        }
        let rate = (steps * BATCH) as f64 / start.elapsed().as_secs_f64();
        let counts = network.counts();
        println!(
            "{}",
            serde_json::json!({ "network": name, "images_per_second": rate, "parameters": counts.parameters,
                "macs": counts.macs })
        );
    }
    Ok(())
}
