//! Training: PyTorch's losses, gradients and logits (`data/make_reference.py`), runs that are cut off and go on to the
//! same bits, early stopping, moving averages, any number of threads, errors.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::Path;
use std::process::Command;

use candle_core::{DType, Device, Tensor};
use convstat_data::{self as data, Augment, Dataset};
use convstat_engine::Tape;
use convstat_engine::cpu::Cpu;
use convstat_runner::{interrupt, thread_pool};
use convstat_train::ablation::{AblationFile, Fixed, Plan};
use convstat_train::layer::State;
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::training::{Progress, Trainer, TrainingSpec, Watch, train};
use convstat_train::{Result, TrainError, checkpoint};
use safetensors::SafeTensors;
use serde_json::Value;

fn single_thread() {
    convstat_tensor::blas::single_thread().unwrap();
}

fn entries(t: &Tensor) -> Vec<f64> {
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Largest difference as a share of the largest entry.
fn share(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    assert!(found.iter().all(|v| v.is_finite()));
    let largest = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |m: f64, v| m.max(v.abs()));
    largest(&mut found.iter().zip(expected).map(|(a, b)| a - b)) / largest(&mut expected.iter().copied())
}

// Reference values.

/// Relative error of 20 losses, of the logits after them and of the first gradient. Measured with AVX-512: 8e-15 and 4e-6;
/// the rest is for other orders of summation.
fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-12 } else { 2e-5 }
}

struct Reference {
    tensors: HashMap<String, Tensor>,
    about: HashMap<String, Value>,
    network: Network,
}

impl Reference {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/training.safetensors");
        let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
        let bytes = fs::read(path).unwrap();
        let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
        let about = metadata.metadata().as_ref().unwrap().iter();
        let about = about.map(|(k, v)| (k.clone(), serde_json::from_str(v).unwrap())).collect();
        let spec: NetworkSpec = toml::from_str("stem = 8\nstages = [{ r = 4 }, { r = 6 }]").unwrap();
        let network = Network::new(&spec, &[9, 9, 3], 10, 4.0).unwrap();
        Self { tensors, about, network }
    }

    /// Parameters by number.
    fn parameters(&self, dtype: DType) -> Vec<Tensor> {
        let names = (0..self.network.parameters.len()).map(|i| self.network.parameters.name(i));
        names.map(|name| self.tensors[name].to_dtype(dtype).unwrap()).collect()
    }

    fn batch(&self, step: usize, dtype: DType) -> (Tensor, Vec<u32>) {
        let labels = self.tensors["labels"].get(step).unwrap().to_dtype(DType::U32).unwrap();
        (self.tensors["x"].get(step).unwrap().to_dtype(dtype).unwrap(), labels.to_vec1().unwrap())
    }

    fn training(&self, optimiser: &str) -> TrainingSpec {
        let about = |key: &str| self.about[optimiser][key].clone();
        let settings = match optimiser {
            "sgd" => format!("momentum = {}, nesterov = {}", about("momentum"), about("nesterov")),
            _ => {
                format!(
                    "beta1 = {}, beta2 = {}, epsilon = {}",
                    about("betas")[0],
                    about("betas")[1],
                    about("eps")
                )
            }
        };
        let (rate, decay) = (about("lr"), about("weight_decay"));
        let text = format!(
            "epochs = 1\nbatch = 16\nlabel_smoothing = {}\n\
             optimiser = {{ kind = \"{optimiser}\", rate = {rate}, weight_decay = {decay}, {settings} }}",
            self.about["network"]["smoothing"]
        );
        toml::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"))
    }
}

#[test]
fn network_is_the_one_of_pytorch() {
    let reference = Reference::read();
    let parameters = &reference.network.parameters;
    let ours: BTreeMap<&str, &[usize]> =
        (0..parameters.len()).map(|i| (parameters.name(i), parameters.shape(i))).collect();
    let given = |name: &&String| {
        !["x", "labels"].contains(&name.as_str())
            && !["grad.", "losses.", "logits."].iter().any(|p| name.starts_with(p))
    };
    let theirs = reference.tensors.keys().filter(given).map(|n| (n.as_str(), reference.tensors[n].dims()));
    assert_eq!(ours, theirs.collect());
    let blocks = &reference.about["network"]["blocks"];
    for (i, block) in reference.network.counts().blocks.iter().enumerate() {
        assert_eq!((&blocks[i][1], &blocks[i][2]), (&block.rank.into(), &block.kernels.into()));
    }
}

#[test]
fn first_gradient_agrees_with_pytorch() {
    single_thread();
    let reference = Reference::read();
    let network = &reference.network;
    let parameters = reference.parameters(DType::F64);
    let (x, labels) = reference.batch(0, DType::F64);
    let mut running =
        network.running.draw(convstat_runner::stream(0, "", "", 0), DType::F64, &Device::Cpu).unwrap();
    let mut tape = Tape::new(&Cpu, true);
    let x = tape.constant(x);
    let mut state = State { parameters: &parameters, running: &mut running };
    let logits = network.forward(&mut tape, &mut state, x).unwrap();
    let (_, gradients) = tape
        .backward(logits, &Tensor::from_slice(&labels, labels.len(), &Device::Cpu).unwrap(), 0.1)
        .unwrap();
    assert_eq!(gradients.len(), parameters.len());
    for (number, gradient) in gradients {
        let name = network.parameters.name(number);
        let expected = &reference.tensors[&format!("grad.{name}")];
        assert_eq!(gradient.dims(), expected.dims(), "{name}");
        let error = share(&entries(&gradient), &entries(expected));
        assert!(error < tolerance(DType::F64), "gradient by {name} is off by {error:e}");
    }
}

#[test]
fn training_agrees_with_pytorch() {
    single_thread();
    let reference = Reference::read();
    for dtype in [DType::F64, DType::F32] {
        for optimiser in ["sgd", "adamw"] {
            let spec = reference.training(optimiser);
            let mut trainer =
                Trainer::from_parameters(&reference.network, &Cpu, &spec, reference.parameters(dtype))
                    .unwrap();
            let losses = entries(&reference.tensors[&format!("losses.{optimiser}")]);
            for (step, expected) in losses.iter().enumerate() {
                let (x, labels) = reference.batch(step, dtype);
                let loss = trainer.step(x, &labels, 1.0).unwrap();
                let error = (loss / expected - 1.0).abs();
                assert!(error < tolerance(dtype), "{optimiser}, {dtype:?}: loss {step} is off by {error:e}");
            }
            let x = reference.batch(19, dtype).0;
            let logits = trainer.predict(&x).unwrap();
            let expected = entries(&reference.tensors[&format!("logits.{optimiser}")]);
            let error = share(&entries(&logits), &expected);
            assert!(error < tolerance(dtype), "{optimiser}, {dtype:?}: logits are off by {error:e}");
        }
    }
}

// Runs on the digits.

const SGD: &str = "optimiser = { kind = \"sgd\", rate = 0.05 }";
const ADAMW: &str = "optimiser = { kind = \"adamw\", rate = 0.01 }";
/// 12 steps an epoch.
const EPOCHS: &str = "epochs = 3\nbatch = 16\nlabel_smoothing = 0.1\nema = 0.9";
/// The held-out images are few, so that training stops soon: 9 steps an epoch.
const EARLY: &str = "epochs = 40\nbatch = 16\nema = 0.8\nearly_stop = { patience = 2, validation = 0.25 }\nschedule = { kind = \"constant\" }";
const SEED: u64 = 11;

fn spec(parts: &[&str]) -> TrainingSpec {
    toml::from_str(&parts.join("\n")).unwrap()
}

fn digits() -> Dataset {
    let mut data = data::load("digits", None, 3).unwrap();
    data.train = data.train.take(200).unwrap();
    data
}

fn network(text: &str, data: &Dataset) -> Network {
    Network::new(&toml::from_str(text).unwrap(), &data.train.shape, data.classes.len(), 2.0).unwrap()
}

const SMALL: &str = "stages = [{ r = 4 }]";

/// All that has to be the same, in bits.
#[derive(Debug, PartialEq)]
struct Ended {
    accuracy: u64,
    loss: u64,
    tensors: BTreeMap<String, Vec<u64>>,
    /// Epoch, steps, rate, loss and validation accuracy.
    epochs: Vec<(u64, u64, u64, u64, Option<u64>)>,
    best: Option<(u64, u64)>,
    interrupted: bool,
}

fn bits(trainer: &Trainer) -> BTreeMap<String, Vec<u64>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.safetensors");
    trainer.save(&path, &Progress::default()).unwrap();
    let (tensors, _) = checkpoint::read(&path, &Device::Cpu).unwrap();
    let of = |t: &Tensor| entries(t).into_iter().map(f64::to_bits).collect();
    tensors.iter().map(|(name, t)| (name.clone(), of(t))).collect()
}

/// Trains, `on_step` being told of each step; what came of it, and the losses by step.
fn run(
    network: &Network,
    spec: &TrainingSpec,
    checkpoint: Option<&Path>,
    seed: u64,
    mut on_step: impl FnMut(u64),
) -> Result<(Ended, BTreeMap<u64, u64>)> {
    single_thread();
    let augment = Augment { crop: 1, flip: true, cutout: 2 };
    let mut trainer = Trainer::new(network, &Cpu, spec, seed, DType::F32)?;
    let mut losses = BTreeMap::new();
    let watch = Watch {
        checkpoint,
        on_step: &mut |step, _, loss, _| {
            losses.insert(step, loss.to_bits());
            on_step(step);
        },
        on_epoch: &mut |_| Ok(()),
    };
    let trained = train(&mut trainer, &digits(), &augment, seed, watch)?;
    if let Some(path) = checkpoint.filter(|_| !trained.interrupted) {
        trainer.save(path, &trained.progress)?;
    }
    let epochs = trained.progress.epochs.iter().map(|e| {
        (e.epoch, e.steps, e.rate.to_bits(), e.train_loss.to_bits(), e.validation.map(f64::to_bits))
    });
    let ended = Ended {
        accuracy: trained.accuracy.to_bits(),
        loss: trained.loss.to_bits(),
        tensors: bits(&trainer),
        epochs: epochs.collect(),
        best: trained.progress.best.map(|(accuracy, epoch)| (accuracy.to_bits(), epoch)),
        interrupted: trained.interrupted,
    };
    Ok((ended, losses))
}

/// Step and checkpoint of a run that a child of this test cuts off.
const CUT: &str = "CONVSTAT_TEST_CUT";

/// Trains until a signal comes after a step.
fn cut_off(network: &Network, spec: &TrainingSpec, path: &Path, at: u64) {
    interrupt::install();
    let (ended, _) = run(network, spec, Some(path), SEED, |step| {
        if step == at {
            let sent = Command::new("kill").args(["-INT", &std::process::id().to_string()]).status();
            assert!(sent.unwrap().success());
            while !interrupt::requested() {
                std::thread::yield_now();
            }
        }
    })
    .unwrap();
    assert!(ended.interrupted && f64::from_bits(ended.accuracy).is_nan());
}

#[test]
#[cfg(unix)]
fn a_run_that_is_cut_off_goes_on_to_the_same_bits() {
    let name = "a_run_that_is_cut_off_goes_on_to_the_same_bits";
    let network = network(SMALL, &digits());
    let specs = [spec(&[EPOCHS, SGD]), spec(&[EPOCHS, ADAMW]), spec(&[EARLY, ADAMW])];
    if let Ok(text) = std::env::var(CUT) {
        let [which, at, path]: [&str; 3] = text.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
        return cut_off(
            &network,
            &specs[which.parse::<usize>().unwrap()],
            Path::new(path),
            at.parse().unwrap(),
        );
    }
    // After the first step, within an epoch, at the end of one, at the very end.
    for (which, cuts) in [(0, &[1, 17, 36][..]), (1, &[12, 13, 35]), (2, &[2, 9, 14])] {
        let (whole, losses) = run(&network, &specs[which], None, SEED, |_| {}).unwrap();
        assert!(!whole.interrupted && whole.epochs.len() >= 3);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.safetensors");
        for at in cuts {
            let child = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", name])
                .env(CUT, format!("{which} {at} {}", path.display()))
                .output()
                .unwrap();
            assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
            let (_, state) = checkpoint::read(&path, &Device::Cpu).unwrap();
            assert_eq!(serde_json::from_str::<Progress>(&state).unwrap().steps, *at);
        }
        let (resumed, rest) = run(&network, &specs[which], Some(&path), SEED, |_| {}).unwrap();
        let last = cuts[cuts.len() - 1];
        assert_eq!(
            rest,
            losses.into_iter().filter(|(step, _)| *step > last).collect(),
            "losses of run {which}"
        );
        assert_eq!(resumed, whole, "run {which}");
        // What is finished is only evaluated again.
        let (again, rest) = run(&network, &specs[which], Some(&path), SEED, |_| {}).unwrap();
        assert!(rest.is_empty());
        assert_eq!(again, whole, "finished run {which}");
    }
}

#[test]
fn early_stop_ends_with_the_best_parameters() {
    let network = network(SMALL, &digits());
    for optimiser in [SGD, ADAMW] {
        let (early, _) = run(&network, &spec(&[EARLY, optimiser]), None, SEED, |_| {}).unwrap();
        let accuracy: Vec<f64> = early.epochs.iter().map(|e| f64::from_bits(e.4.unwrap())).collect();
        let (best, epoch) = early.best.unwrap();
        let epoch = epoch as usize;
        assert!(accuracy.len() < 40, "stopped early");
        assert_eq!(accuracy.len(), epoch + 2, "two epochs without improvement");
        assert!(accuracy[..epoch - 1].iter().all(|a| *a < f64::from_bits(best)));
        assert!(accuracy[epoch - 1..].iter().all(|a| *a <= f64::from_bits(best)));
        assert_eq!(accuracy[epoch - 1].to_bits(), best);
        // At a constant rate a run of that many epochs takes the same steps.
        let short = spec(&[&EARLY.replace("epochs = 40", &format!("epochs = {epoch}")), optimiser]);
        let (short, _) = run(&network, &short, None, SEED, |_| {}).unwrap();
        assert_eq!((short.tensors, short.accuracy, short.loss), (early.tensors, early.accuracy, early.loss));
    }
}

#[test]
fn results_do_not_depend_on_threads() {
    let data = digits();
    for (blocks, optimiser) in [
        ("block = \"bottleneck\"", SGD),
        ("block = \"inverted-residual\"", ADAMW),
        ("block = { kind = \"tensor-train\", ranks = [3, 4] }", SGD),
    ] {
        let network = network(&format!("{blocks}\nstages = [{{ r = 8 }}, {{ r = 12 }}]"), &data);
        let spec = spec(&["epochs = 2\nbatch = 50\nema = 0.9", optimiser]);
        let with = |threads| {
            let pool = thread_pool(threads).unwrap();
            pool.install(|| run(&network, &spec, None, SEED, |_| {}).unwrap())
        };
        let one = with(1);
        assert_eq!(one, with(2), "{blocks}");
        assert_eq!(one, with(3), "{blocks}");
    }
}

#[test]
fn averages_are_exponential_with_a_short_memory_at_first() {
    single_thread();
    let reference = Reference::read();
    let spec = TrainingSpec { ema: Some(0.3), ..reference.training("sgd") };
    let start = reference.parameters(DType::F64);
    let mut trainer = Trainer::from_parameters(&reference.network, &Cpu, &spec, start.clone()).unwrap();
    let mut expected: Vec<Vec<f64>> = start.iter().map(entries).collect();
    for step in 0..6 {
        let (x, labels) = reference.batch(step, DType::F64);
        trainer.step(x, &labels, 1.0).unwrap();
        // min(0.3, (1 + n)/(10 + n)) for n steps done.
        let decay = [2.0 / 11.0, 3.0 / 12.0, 0.3, 0.3, 0.3, 0.3][step];
        for (mean, now) in expected.iter_mut().zip(trainer.parameters()) {
            mean.iter_mut().zip(entries(now)).for_each(|(m, v)| *m = decay * *m + (1.0 - decay) * v);
        }
    }
    for (found, expected) in trainer.evaluated().iter().zip(&expected) {
        assert!(share(&entries(found), expected) < 1e-14);
    }
}

// Errors.

#[test]
fn divergence_is_an_error() {
    let network = network(SMALL, &digits());
    for text in [
        "epochs = 3\nbatch = 16\noptimiser = { kind = \"sgd\", rate = 1e30 }",
        "epochs = 3\nbatch = 16\noptimiser = { kind = \"adamw\", rate = 1e30 }",
        // One step only: its loss is still that of the first parameters.
        "epochs = 1\nbatch = 200\noptimiser = { kind = \"adamw\", rate = 1e38 }",
    ] {
        match run(&network, &spec(&[text]), None, SEED, |_| {}) {
            Err(e @ TrainError::Diverged { .. }) => {
                assert!(e.to_string().contains("lower the learning rate"), "{e}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn values_that_do_not_fit_the_data_are_errors() {
    let network = network(SMALL, &digits());
    for (text, message) in [
        (EPOCHS.replace("batch = 16", "batch = 201"), "batch = 201: use 1 to 200"),
        (EPOCHS.replace("batch = 16", "batch = 1"), "training.batch = 1"),
        (EPOCHS.replace("epochs = 3", "epochs = 0"), "training.epochs = 0"),
        (EPOCHS.replace("ema = 0.9", "ema = 1.5"), "training.ema = 1.5"),
        (EARLY.replace("0.25", "0.001"), "training.early_stop.validation = 0.001: holds out 0 of 200"),
        (EARLY.replace("0.25", "0.999"), "training.early_stop.validation = 0.999: holds out 200 of 200"),
        (EARLY.replace("patience = 2", "patience = 0"), "training.early_stop.patience = 0"),
    ] {
        let error = run(&network, &spec(&[&text, SGD]), None, SEED, |_| {}).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn checkpoints_of_other_runs_are_errors() {
    let data = digits();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let small = network(SMALL, &data);
    let first = spec(&["epochs = 1\nbatch = 50\nema = 0.9", ADAMW]);
    run(&small, &first, Some(&path), SEED, |_| {}).unwrap();
    let fails = |network: &Network, spec: &TrainingSpec, seed: u64, message: &str| {
        let error = run(network, spec, Some(&path), seed, |_| {}).unwrap_err().to_string();
        assert!(error.contains("run.safetensors") && error.contains(message), "{error}");
    };
    fails(&small, &first, SEED + 1, "another seed");
    fails(&small, &TrainingSpec { epochs: 2, ..first.clone() }, SEED, "other data or settings");
    fails(&small, &spec(&["epochs = 1\nbatch = 50\nema = 0.9", SGD]), SEED, "another network or optimiser");
    fails(&small, &spec(&["epochs = 1\nbatch = 50", ADAMW]), SEED, "another network or optimiser");
    for (stages, message) in [
        ("[{ r = 5 }]", "the network has"),
        ("[{ r = 4 }]\nstem = 9", "the network has"),
        ("[{ r = 4 }]\nkernel = [1, 1]", "the network has"),
        ("[{ r = 4 }, { r = 4 }]", "another network"),
    ] {
        fails(&network(&format!("stages = {stages}"), &data), &first, SEED, message);
    }
    let mut double = Trainer::new(&small, &Cpu, &first, SEED, DType::F64).unwrap();
    let error = double.restore(&path).unwrap_err().to_string();
    assert!(error.contains("of F32; the network has") && error.contains("of F64"), "{error}");
    // A network with all the tensors of another and more.
    let deep = network("stages = [{ r = 4 }, { r = 4, stride = 1 }]", &data);
    run(&deep, &first, Some(&folder.path().join("deep.safetensors")), SEED, |_| {}).unwrap();
    let mut shallow = Trainer::new(&small, &Cpu, &first, SEED, DType::F32).unwrap();
    let error = shallow.restore(&folder.path().join("deep.safetensors")).unwrap_err().to_string();
    assert!(error.contains("tensors, not"), "{error}");
}

#[test]
fn broken_checkpoints_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.safetensors");
    let small = network(SMALL, &digits());
    let spec = spec(&["epochs = 1\nbatch = 50", SGD]);
    let mut trainer = Trainer::new(&small, &Cpu, &spec, SEED, DType::F32).unwrap();
    trainer.save(&path, &Progress::default()).unwrap();
    let before = bits(&trainer);
    let whole = fs::read(&path).unwrap();
    let message = |trainer: &mut Trainer, bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        let error = trainer.restore(&path).unwrap_err().to_string();
        assert!(error.contains("run.safetensors"), "{error}");
        error
    };
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for length in [0, 7, 8, 100, header - 1, header, header + 1, whole.len() - 1] {
        let error = message(&mut trainer, &whole[..length]);
        assert!(error.contains("cut short") && error.contains("remove it"), "{length} bytes: {error}");
    }
    let long = [&whole[..], &[0]].concat();
    for bytes in [&b"<!DOCTYPE html>"[..], &[0xff; 64], &long] {
        assert!(message(&mut trainer, bytes).contains("not a checkpoint"));
    }
    // Changed bytes of the header are errors or do not matter, and never end the program.
    let mut reasons = BTreeSet::new();
    for at in (0..header).step_by(3) {
        let mut changed = whole.clone();
        changed[at] ^= 1 << (at % 7);
        fs::write(&path, changed).unwrap();
        if let Err(e) = Trainer::new(&small, &Cpu, &spec, SEED, DType::F32).unwrap().restore(&path) {
            reasons.insert(e.to_string());
        }
    }
    assert!(reasons.len() > 10);
    fs::remove_file(&path).unwrap();
    assert!(trainer.restore(&path).unwrap_err().to_string().contains("cannot read"));
    candle_core::safetensors::save(&HashMap::from([("a", trainer.parameters()[0].clone())]), &path).unwrap();
    assert!(trainer.restore(&path).unwrap_err().to_string().contains("without the state"));
    checkpoint::write(&path, &[], "{").unwrap();
    assert!(trainer.restore(&path).unwrap_err().to_string().contains("its state"));
    assert_eq!(bits(&trainer), before, "what fails changes nothing");
}

#[test]
fn ranks_at_a_budget_are_the_nearest() {
    let text = "
        [ablation]
        name = 'budget'
        [data]
        name = 'digits'
        [network]
        stages = [{ r = 8 }, { r = 12 }]
        [grid]
        kr = [0.5, 1, 3, 16]
        fixed = ['parameters', 'macs']
        blocks = ['bottleneck', { kind = 'resnext', cardinality = 4 }, { kind = 'shufflenet', conv_groups = 2 }]
        [training]
        epochs = 1
        batch = 2
        optimiser = { kind = 'sgd', rate = 0.1 }";
    let (input, file) = ([8, 8, 4], AblationFile::parse(text).unwrap());
    let plan = Plan::new(file.clone(), &input, 10).unwrap();
    assert!(plan.cells.len() >= 12);
    for cell in &plan.cells {
        let size = |spec: &NetworkSpec, kr: f64| -> Option<[f64; 2]> {
            let network = Network::new(spec, &input, 10, kr).ok()?;
            Some([network.counts().parameters as f64, network.counts().macs as f64])
        };
        let scaled = |r: usize| {
            let mut spec = NetworkSpec { block: cell.network.block.clone(), ..file.network.clone() };
            for stage in &mut spec.stages {
                stage.r = ((stage.r * r) as f64 / 8.0).round().max(1.0) as usize;
            }
            spec
        };
        let budget = size(&scaled(8), 4.0).unwrap();
        let found = [cell.counts.parameters as f64, cell.counts.macs as f64];
        for fixed in &cell.fixed {
            let i = usize::from(*fixed == Fixed::Macs);
            let distances = (1..=64).filter_map(|r| Some((size(&scaled(r), cell.kr)?[i] - budget[i]).abs()));
            let least = distances.fold(f64::INFINITY, f64::min);
            assert_eq!((found[i] - budget[i]).abs(), least, "{} {} {fixed:?}", cell.block, cell.kr);
        }
    }
}
