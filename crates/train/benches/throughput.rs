//! Images a second in training, one line of JSON a network; the rival is `benches/train_torch.py`, which runs both. Without
//! `--networks` it does nothing, so that `cargo bench` may run it.
//!
//!     throughput --networks STEPS [--block NAME] [--width 16] [--device cpu|cuda] [--precision f32|tf32|bf16] [--direct]

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use convstat_train::engine::{Backend, DeviceSpec, Inputs};
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::train::{Trainer, TrainingSpec};

const BATCH: usize = 128;
const NETWORKS: [(&str, &str); 3] =
    [("bottleneck", "bottleneck"), ("depthwise", "depthwise-separable"), ("cp", "cp")];

type Failure = Box<dyn std::error::Error>;

/// The device; on a GPU with or without CUDA graphs.
fn open(spec: DeviceSpec, direct: bool) -> Result<Box<dyn Backend>, Failure> {
    #[cfg(feature = "cuda")]
    if let (Some(number), true) = (spec.gpu, direct) {
        use convstat_train::engine::cuda::Cuda;
        return Ok(Box::new(Cuda::new(number, spec.precision)?.without_graphs()));
    }
    let _ = direct;
    Ok(spec.open()?)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| {
        let place = arguments.iter().position(|a| a == name)?;
        arguments.get(place + 1).map(String::as_str)
    };
    let Some(steps) = option("--networks") else { return Ok(()) };
    let steps: usize = steps.parse()?;
    let width: usize = option("--width").unwrap_or("16").parse()?;
    let spec = DeviceSpec::parse(option("--device").unwrap_or("cpu"), option("--precision"))?;
    convstat_tensor::blas::single_thread()?;
    convstat_train::keep_memory();
    let backend = open(spec, arguments.iter().any(|a| a == "--direct"))?;
    let training: TrainingSpec = toml::from_str(&format!(
        "epochs = 1\nbatch = {BATCH}\noptimiser = {{ kind = \"sgd\", rate = 0.05, nesterov = false, weight_decay = 0.0 }}"
    ))?;
    let only = option("--block");
    for (name, block) in NETWORKS.iter().filter(|(n, _)| only.is_none_or(|o| o == *n)) {
        let network: NetworkSpec = toml::from_str(&format!(
            "block = \"{block}\"\nstem = {width}\nstages = [{{ r = {width}, blocks = 3 }}, {{ r = {}, blocks = 3 }}, \
             {{ r = {}, blocks = 3 }}]",
            2 * width,
            4 * width
        ))?;
        let network = Network::new(&network, &[32, 32, 3], 10, 4.0)?;
        let mut trainer = Trainer::new(&network, &*backend, &training, 1, DType::F32)?;
        let x = Tensor::randn(0f32, 1f32, (BATCH, 32, 32, 3), &Device::Cpu)?;
        let labels: Vec<u32> = (0..BATCH as u32).map(|i| i % 10).collect();
        let labels = Tensor::from_vec(labels, BATCH, backend.device())?;
        let inputs = Inputs { x: backend.input(&x)?, labels };
        let mut run = |steps: usize| -> Result<f64, Failure> {
            for _ in 0..steps {
                trainer.advance(&inputs, 1.0)?;
            }
            Ok(trainer.read_losses()? / steps as f64)
        };
        run(if spec.gpu.is_some() { 10 } else { 3 })?;
        let start = Instant::now();
        let loss = run(steps)?;
        let rate = (steps * BATCH) as f64 / start.elapsed().as_secs_f64();
        let counts = network.counts();
        println!(
            "{}",
            serde_json::json!({ "network": name, "images_per_second": rate, "parameters": counts.parameters,
                "macs": counts.macs, "loss": loss, "device": backend.name() })
        );
    }
    Ok(())
}
