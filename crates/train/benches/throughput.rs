//! Images a second in training, one line of JSON a network; the rival is `benches/train_torch.py`, which runs both. Without
//! `--networks` it does nothing, so that `cargo bench` may run it.
//!
//!     throughput --networks STEPS [--block NAME] [--width 16] [--device cpu|cuda] [--precision f32|tf32|bf16] [--direct]
//!
//! With `--video` the networks are those of `experiments/ablation-ucf101.toml` at K/R = 4, batches of 32 clips.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use convstat_engine::{Backend, DeviceSpec, Inputs};
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::training::{Trainer, TrainingSpec};

const NETWORKS: [(&str, &str); 3] =
    [("bottleneck", "bottleneck"), ("depthwise", "depthwise-separable"), ("cp", "cp")];
const VIDEO: [(&str, &str); 4] =
    [("r2plus1d", "r2plus1d"), ("basic", "basic"), ("tucker", "tucker"), ("cp", "cp")];

type Failure = Box<dyn std::error::Error>;

/// The device; on a GPU with or without CUDA graphs.
fn open(spec: DeviceSpec, direct: bool) -> Result<Box<dyn Backend>, Failure> {
    #[cfg(feature = "cuda")]
    if let (Some(number), true) = (spec.gpu, direct) {
        use convstat_engine::cuda::Cuda;
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
    let video = arguments.iter().any(|a| a == "--video");
    let (batch, input, classes) =
        if video { (32, &[16, 112, 112, 3][..], 101) } else { (128, &[32, 32, 3][..], 10) };
    let training: TrainingSpec = toml::from_str(&format!(
        "epochs = 1\nbatch = {batch}\noptimiser = {{ kind = \"sgd\", rate = 0.05, nesterov = false, weight_decay = 0.0 }}"
    ))?;
    let only = option("--block");
    let networks = if video { &VIDEO[..] } else { &NETWORKS };
    for (name, block) in networks.iter().filter(|(n, _)| only.is_none_or(|o| o == *n)) {
        let stages = if video {
            "stem = 16\nstages = [{ r = 16, blocks = 2, stride = 2 }, { r = 32, blocks = 2 }, { r = 64, blocks = 2 }, \
             { r = 128, blocks = 2 }]"
                .to_owned()
        } else {
            let (two, four) = (2 * width, 4 * width);
            format!(
                "stem = {width}\nstages = [{{ r = {width}, blocks = 3 }}, {{ r = {two}, blocks = 3 }}, {{ r = {four}, blocks = 3 }}]"
            )
        };
        let network: NetworkSpec = toml::from_str(&format!("block = \"{block}\"\n{stages}"))?;
        let network = Network::new(&network, input, classes, 4.0)?;
        let mut trainer = Trainer::new(&network, &*backend, &training, 1, DType::F32)?;
        let x = Tensor::randn(0f32, 1f32, [&[batch], input].concat(), &Device::Cpu)?;
        let labels: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
        let labels = Tensor::from_vec(labels, batch, backend.device())?;
        let inputs = Inputs { x: backend.input(&x)?, labels };
        let mut run = |steps: usize| -> Result<f64, Failure> {
            trainer.start_losses(0.0)?;
            for _ in 0..steps {
                trainer.advance(&inputs, 1.0)?;
            }
            Ok(trainer.read_losses()? / steps as f64)
        };
        run(if spec.gpu.is_some() { 10 } else { 3 })?;
        let start = Instant::now();
        let loss = run(steps)?;
        let rate = (steps * batch) as f64 / start.elapsed().as_secs_f64();
        let counts = network.counts();
        println!(
            "{}",
            serde_json::json!({ "network": name, "images_per_second": rate, "parameters": counts.parameters,
                "macs": counts.macs, "loss": loss, "device": backend.name() })
        );
    }
    Ok(())
}
