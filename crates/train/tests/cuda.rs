//! Every operation on a GPU against the portable backend in double precision, with the tolerance of each arithmetic:
//! ‖found − expected‖ / ‖expected‖ at most 1e-5 (f32), 2e-3 (tf32: 10 bits), 1e-2 (bf16: 7 bits). Needs a GPU and feature `cuda`;
//! `make gpu-check` runs it.

#![cfg(test)]
#![cfg(feature = "cuda")]

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use convstat_data::{Augment, Clip, Dataset, Images, Loader, Normalisation, Record, Store};
use convstat_engine::Result;
use convstat_engine::cpu::Cpu;
use convstat_engine::cuda::Cuda;
use convstat_engine::optimiser::OptimiserSpec;
use convstat_engine::{
    Activation, Backend, ConvSpec, Inputs, NormState, Pool, PoolSpec, Precision, Step, Tape, Var,
};
use convstat_runner::stream;
use convstat_tensor::Einsum;
use convstat_train::feed::{maker, samples};
use convstat_train::layer::State;
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::training::{Progress, Trainer, TrainingSpec};
use rand_distr::{Distribution, StandardNormal};

fn random(name: &str, shape: &[usize]) -> Tensor {
    let mut rng = stream(5, "cuda", name, 0);
    let n: usize = shape.iter().product();
    let entries: Vec<f64> = (0..n).map(|_| StandardNormal.sample(&mut rng)).collect();
    Tensor::from_vec(entries, shape, &Device::Cpu).unwrap()
}

/// As the GPU gets it: numbers that a narrower type would change are changed for both.
fn rounded(t: &Tensor, precision: Precision) -> Tensor {
    let narrow = if precision == Precision::Bf16 { DType::BF16 } else { DType::F32 };
    t.to_dtype(narrow).unwrap().to_dtype(DType::F64).unwrap()
}

fn entries(t: &Tensor) -> Vec<f64> {
    let t = t.to_device(&Device::Cpu).unwrap();
    t.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn distance(found: &Tensor, expected: &Tensor) -> f64 {
    if found.dims() != expected.dims() {
        return f64::INFINITY;
    }
    let (a, b) = (entries(found), entries(expected));
    let square = |v: &mut dyn Iterator<Item = f64>| v.map(|v| v * v).sum::<f64>().sqrt();
    let scale = square(&mut b.iter().copied());
    square(&mut a.iter().zip(&b).map(|(a, b)| a - b)) / scale.max(1e-30)
}

fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => 1e-5,
        Precision::Tf32 => 2e-3,
        Precision::Bf16 => 1e-2,
    }
}

/// What was compared, and what was too far.
#[derive(Default)]
struct Report {
    compared: usize,
    failures: Vec<String>,
    worst: f64,
}

impl Report {
    fn compare(&mut self, what: &str, found: &Tensor, expected: &Tensor, tolerance: f64) {
        self.compared += 1;
        let d = distance(found, expected);
        self.worst = if d.is_nan() { f64::INFINITY } else { self.worst.max(d) };
        if d.is_nan() || d > tolerance {
            self.failures.push(format!("{what}: {d:.2e} (at most {tolerance:.0e})"));
        }
    }

    fn end(self, what: &str) {
        println!("{what}: {} tensors, largest distance {:.2e}", self.compared, self.worst);
        assert!(self.failures.is_empty(), "{what}:\n{}", self.failures.join("\n"));
    }
}

/// Inputs of an operation: activations change their type on the way to the device, parameters don't.
#[derive(Clone, Copy)]
enum Kind {
    Activations,
    Parameter,
}
use Kind::{Activations as A, Parameter as P};

/// Value and all derivatives of an operation, on the GPU and in double precision.
fn operation(
    report: &mut Report,
    cuda: &Cuda,
    precision: Precision,
    what: &str,
    inputs: &[(Kind, Tensor)],
    run: impl Fn(&mut Tape, &[Var]) -> Result<Var>,
) {
    operation_within(tolerance(precision), report, cuda, precision, what, inputs, run);
}

fn operation_within(
    bound: f64,
    report: &mut Report,
    cuda: &Cuda,
    precision: Precision,
    what: &str,
    inputs: &[(Kind, Tensor)],
    run: impl Fn(&mut Tape, &[Var]) -> Result<Var>,
) {
    let mut inner = || -> Result<()> {
        let exact: Vec<Tensor> = inputs
            .iter()
            .map(|(kind, t)| match kind {
                A => rounded(t, precision),
                P => rounded(t, Precision::F32),
            })
            .collect();
        let mut cpu = Tape::new(&Cpu, true);
        let vars: Vec<Var> = exact.iter().enumerate().map(|(i, t)| cpu.parameter(i, t.clone())).collect();
        let expected = run(&mut cpu, &vars)?;
        let mut gpu = Tape::new(cuda, true);
        let mut vars = Vec::new();
        for (i, ((kind, _), t)) in inputs.iter().zip(&exact).enumerate() {
            let t = match kind {
                A => cuda.input(t)?,
                P => t.to_dtype(DType::F32)?.to_device(cuda.device())?,
            };
            vars.push(gpu.parameter(i, t));
        }
        let found = run(&mut gpu, &vars)?;
        let y = cuda.output(gpu.value(found))?;
        report.compare(&format!("{what}: y"), &y, cpu.value(expected), bound);
        let dy = rounded(&random(&format!("{what} dy"), y.dims()), precision);
        let like = gpu.value(found).dtype();
        let sent =
            if like == DType::F32 { dy.to_dtype(like)?.to_device(cuda.device())? } else { cuda.input(&dy)? };
        let expected = cpu.propagate(expected, dy)?;
        let found = gpu.propagate(found, sent)?;
        for (i, d) in &expected {
            let own = cuda.output(&found[i])?;
            report.compare(&format!("{what}: derivative {i}"), &own, d, bound);
        }
        Ok(())
    };
    inner().unwrap_or_else(|e| panic!("{what} in {precision:?}: {e}"));
}

fn conv(stride: &[usize], padding: &[usize], dilation: &[usize], groups: usize) -> ConvSpec {
    ConvSpec { stride: stride.to_vec(), padding: padding.to_vec(), dilation: dilation.to_vec(), groups }
}

/// Input and weight shapes.
fn convolutions() -> Vec<(Vec<usize>, Vec<usize>, ConvSpec)> {
    vec![
        (vec![4, 9, 11, 16], vec![24, 3, 3, 16], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        (vec![4, 9, 12, 16], vec![24, 3, 3, 16], conv(&[2, 2], &[1, 1], &[1, 1], 1)),
        (vec![4, 9, 12, 16], vec![24, 3, 5, 16], conv(&[2, 1], &[1, 2], &[1, 1], 1)),
        (vec![3, 8, 8, 3], vec![16, 3, 3, 3], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        (vec![3, 8, 8, 5], vec![7, 3, 3, 5], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        (vec![3, 12, 12, 8], vec![8, 3, 3, 8], conv(&[1, 1], &[2, 2], &[2, 2], 1)),
        (vec![8, 16, 16, 32], vec![64, 1, 1, 32], conv(&[1, 1], &[0, 0], &[1, 1], 1)),
        (vec![8, 9, 9, 32], vec![64, 1, 1, 32], conv(&[2, 2], &[0, 0], &[1, 1], 1)),
        (vec![5, 7, 7, 10], vec![6, 1, 1, 10], conv(&[1, 1], &[0, 0], &[1, 1], 1)),
        (vec![4, 8, 8, 32], vec![32, 1, 1, 8], conv(&[1, 1], &[0, 0], &[1, 1], 4)),
        (vec![4, 8, 8, 32], vec![64, 3, 3, 8], conv(&[1, 1], &[1, 1], &[1, 1], 4)),
        (vec![4, 9, 9, 32], vec![32, 3, 3, 4], conv(&[2, 2], &[1, 1], &[1, 1], 8)),
        (vec![4, 10, 10, 64], vec![64, 3, 3, 1], conv(&[1, 1], &[1, 1], &[1, 1], 64)),
        (vec![4, 11, 9, 40], vec![40, 3, 3, 1], conv(&[2, 2], &[1, 1], &[1, 1], 40)),
        (vec![4, 8, 8, 48], vec![48, 3, 1, 1], conv(&[2, 1], &[1, 0], &[1, 1], 48)),
        (vec![4, 8, 8, 48], vec![48, 1, 3, 1], conv(&[1, 2], &[0, 1], &[1, 1], 48)),
        (vec![2, 12, 12, 6], vec![6, 5, 5, 1], conv(&[1, 1], &[4, 4], &[2, 2], 6)),
        (vec![3, 13, 7, 16], vec![16, 3, 3, 1], conv(&[1, 1], &[0, 1], &[1, 1], 16)),
        (vec![3, 13, 11, 16], vec![16, 5, 5, 1], conv(&[1, 1], &[2, 2], &[1, 1], 16)),
        (vec![3, 13, 11, 16], vec![16, 3, 5, 1], conv(&[2, 1], &[1, 2], &[2, 1], 16)),
        (vec![3, 13, 11, 24], vec![24, 7, 7, 1], conv(&[1, 1], &[3, 3], &[1, 1], 24)),
        (vec![2, 6, 9, 8, 16], vec![16, 3, 3, 3, 1], conv(&[1, 1, 1], &[1, 1, 1], &[1, 1, 1], 16)),
        (vec![2, 8, 8, 16], vec![16, 3, 3, 1], conv(&[1, 1], &[3, 3], &[1, 1], 16)),
        (vec![4, 8, 8, 8], vec![16, 3, 3, 1], conv(&[1, 1], &[1, 1], &[1, 1], 8)),
        (vec![40, 32, 32, 520], vec![520, 3, 3, 1], conv(&[1, 1], &[1, 1], &[1, 1], 520)),
        (vec![4, 20, 16], vec![8, 3, 16], conv(&[2], &[1], &[1], 1)),
        (vec![4, 20, 16], vec![16, 5, 1], conv(&[1], &[2], &[1], 16)),
        (vec![2, 6, 9, 8, 16], vec![24, 3, 3, 3, 16], conv(&[1, 1, 1], &[1, 1, 1], &[1, 1, 1], 1)),
        (vec![2, 6, 9, 8, 16], vec![24, 3, 3, 3, 16], conv(&[2, 2, 2], &[1, 1, 1], &[1, 1, 1], 1)),
        (vec![2, 6, 9, 8, 16], vec![24, 1, 3, 3, 16], conv(&[1, 2, 2], &[0, 1, 1], &[1, 1, 1], 1)),
        (vec![2, 6, 9, 8, 16], vec![24, 3, 1, 1, 16], conv(&[2, 1, 1], &[1, 0, 0], &[1, 1, 1], 1)),
        (vec![2, 6, 9, 8, 16], vec![16, 3, 3, 3, 1], conv(&[1, 2, 2], &[1, 1, 1], &[1, 1, 1], 16)),
        (vec![2, 6, 6, 6, 16], vec![32, 3, 3, 3, 4], conv(&[1, 1, 1], &[1, 1, 1], &[1, 1, 1], 4)),
        (vec![2, 6, 6, 6, 3], vec![16, 3, 3, 3, 3], conv(&[1, 1, 1], &[1, 1, 1], &[1, 1, 1], 1)),
        (vec![2, 4, 8, 8, 16], vec![32, 1, 1, 1, 16], conv(&[2, 2, 2], &[0, 0, 0], &[1, 1, 1], 1)),
        (vec![16, 64], vec![10, 64], conv(&[], &[], &[], 1)),
    ]
}

fn check_convolutions(cuda: &Cuda, precision: Precision, what: &str) {
    let mut report = Report::default();
    for (x, w, spec) in convolutions() {
        let name = format!("{x:?} with {w:?}, stride {:?}, {} groups", spec.stride, spec.groups);
        let inputs = [(A, random(&name, &x)), (P, rounded(&random("w", &w), precision))];
        operation(&mut report, cuda, precision, &name, &inputs, |tape, v| tape.convolve(v[0], v[1], &spec));
    }
    report.end(&format!("convolutions, {what}, {}", precision.name()));
}

#[test]
fn convolutions_agree() {
    for precision in Precision::ALL {
        check_convolutions(&Cuda::new(0, precision).unwrap(), precision, "as chosen");
    }
}

#[test]
fn convolutions_by_columns_agree() {
    for precision in Precision::ALL {
        check_convolutions(&Cuda::new(0, precision).unwrap().without_dnn(), precision, "without cuDNN");
    }
}

#[test]
fn normalisations_agree() {
    for precision in Precision::ALL {
        let cuda = Cuda::new(0, precision).unwrap();
        let mut report = Report::default();
        for shape in
            [vec![6, 5, 7, 16], vec![3, 4, 4, 10], vec![40, 48, 40, 8], vec![2, 3, 4, 5, 320], vec![7, 24]]
        {
            for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
                for residual in [false, true] {
                    let c = shape[shape.len() - 1];
                    let name = format!("{shape:?}, {activation:?}, residual {residual}");
                    // A mean far from 0 shows a variance that is a difference of squares; bf16 has no digits for it, and behind
                    // a clamp rounding turns entries over.
                    let clamped = activation != Activation::Identity;
                    let far = if clamped || precision == Precision::Bf16 { 2.0 } else { 50.0 };
                    let x = (random(&name, &shape) + far).unwrap();
                    let mut inputs = vec![(A, x), (P, random("gamma", &[c])), (P, random("beta", &[c]))];
                    if residual {
                        inputs.push((A, random("residual", &shape)));
                    }
                    // With a residual the clamp is seen in the rounded output: in bf16 what is within 1/64 of 6 counts as
                    // clamped.
                    let narrow = precision == Precision::Bf16 && residual && activation == Activation::Relu6;
                    let bound = if narrow { 5e-2 } else { tolerance(precision) };
                    operation_within(bound, &mut report, &cuda, precision, &name, &inputs, |tape, v| {
                        let on_gpu = !tape.value(v[0]).device().is_cpu();
                        let (like, device) =
                            if on_gpu { (DType::F32, cuda.device()) } else { (DType::F64, &Device::Cpu) };
                        let old = [0.5, 2.0].map(|v| {
                            let t = Tensor::from_vec(vec![v; c], c, &Device::Cpu).unwrap();
                            t.to_dtype(like).unwrap().to_device(device).unwrap()
                        });
                        let inputs = [v[1], v[2]];
                        let (y, next) =
                            tape.normalise(v[0], inputs, [&old[0], &old[1]], v.get(3).copied(), activation)?;
                        assert!(next.is_some());
                        Ok(y)
                    });
                }
            }
        }
        report.end(&format!("normalisations, {}", precision.name()));
    }
}

#[test]
fn running_statistics_agree() {
    let cuda = Cuda::new(0, Precision::F32).unwrap();
    let mut report = Report::default();
    let x = (random("x", &[50, 9, 24]) * 3.0).unwrap();
    let vectors: Vec<Tensor> =
        ["gamma", "beta", "mean", "variance"].iter().map(|n| random(n, &[24]).sqr().unwrap()).collect();
    let run = |backend: &dyn Backend, training: bool| {
        let like = if backend.device().is_cpu() { DType::F64 } else { DType::F32 };
        let x = x.to_dtype(like).unwrap().to_device(backend.device()).unwrap();
        let v: Vec<Tensor> =
            vectors.iter().map(|t| t.to_dtype(like).unwrap().to_device(backend.device()).unwrap()).collect();
        let state = NormState { gamma: &v[0], beta: &v[1], mean: &v[2], variance: &v[3] };
        let found = backend.normalise(&x, state, None, Activation::Relu, training).unwrap();
        let running = found.running.map_or(vec![], |(m, v)| vec![m, v]);
        [vec![found.y, found.mean, found.inverse_deviation], running].concat()
    };
    for training in [true, false] {
        for (found, expected) in run(&cuda, training).iter().zip(run(&Cpu, training)) {
            report.compare(&format!("training {training}"), found, &expected, 1e-5);
        }
    }
    report.end("running statistics");
}

#[test]
fn other_operations_agree() {
    for precision in Precision::ALL {
        let cuda = Cuda::new(0, precision).unwrap();
        let mut report = Report::default();
        let all = [
            Activation::Relu,
            Activation::Relu6,
            Activation::Silu,
            Activation::Tanh,
            Activation::Sigmoid,
            Activation::Gelu,
        ];
        let x = (random("x", &[3, 7, 6, 12]) * 3.0).unwrap();
        for f in all {
            let name = format!("{f:?}");
            operation(&mut report, &cuda, precision, &name, &[(A, x.clone())], |t, v| t.activate(v[0], f));
        }
        let pool = |kernel: &[usize], stride: &[usize], padding: &[usize]| PoolSpec {
            kernel: kernel.to_vec(),
            stride: stride.to_vec(),
            padding: padding.to_vec(),
        };
        for kind in [Pool::Average, Pool::Max] {
            for (shape, spec) in [
                (vec![3, 9, 8, 12], pool(&[3, 3], &[2, 2], &[1, 1])),
                (vec![3, 9, 8, 5], pool(&[2, 3], &[2, 1], &[0, 1])),
                (vec![3, 4, 9, 8, 8], pool(&[2, 3, 3], &[1, 2, 2], &[1, 1, 1])),
                (vec![3, 20, 8], pool(&[4], &[3], &[2])),
            ] {
                let name = format!("{kind:?} pool {spec:?}");
                let x = random(&name, &shape);
                operation(&mut report, &cuda, precision, &name, &[(A, x)], |t, v| t.pool(v[0], kind, &spec));
            }
        }
        operation(&mut report, &cuda, precision, "mean", &[(A, x.clone())], |t, v| t.global_average(v[0]));
        operation(&mut report, &cuda, precision, "flatten", &[(A, x.clone())], |t, v| t.flatten(v[0]));
        operation(&mut report, &cuda, precision, "shuffle", &[(A, x.clone())], |t, v| t.shuffle(v[0], 4));
        let y = random("y", &[3, 7, 6, 12]);
        operation(&mut report, &cuda, precision, "sum", &[(A, x.clone()), (A, y)], |t, v| t.add(v[0], v[1]));
        let b = random("b", &[12]);
        let inputs = [(A, x.clone()), (P, b)];
        operation(&mut report, &cuda, precision, "bias", &inputs, |t, v| t.add_bias(v[0], v[1]));
        for (network, shapes) in [
            ("xyz,ax,by,cz->abc", vec![vec![2, 3, 4], vec![5, 2], vec![6, 3], vec![7, 4]]),
            ("ar,br,cr->abc", vec![vec![5, 3], vec![6, 3], vec![4, 3]]),
            ("ax,xby,yc->abc", vec![vec![5, 2], vec![2, 6, 3], vec![3, 4]]),
            ("ab->ba", vec![vec![5, 2]]),
            ("ab,cd->a", vec![vec![5, 2], vec![2, 3]]),
        ] {
            let einsum = Einsum::parse(network).unwrap();
            let inputs: Vec<_> =
                shapes.iter().enumerate().map(|(i, s)| (P, random(&i.to_string(), s))).collect();
            let mut own = Report::default();
            operation(&mut own, &cuda, Precision::F32, network, &inputs, |t, v| t.compose(&einsum, v));
            own.end(network);
        }
        report.end(&format!("other operations, {}", precision.name()));
    }
}

#[test]
fn losses_agree() {
    let cuda = Cuda::new(0, Precision::F32).unwrap();
    let mut report = Report::default();
    for (n, classes) in [(3, 10), (70, 101), (500, 4)] {
        let logits = (random("logits", &[n, classes]) * 4.0).unwrap();
        let labels: Vec<u32> = (0..n).map(|i| (i * 7 % classes) as u32).collect();
        let labels = Tensor::from_vec(labels, n, &Device::Cpu).unwrap();
        for smoothing in [0.0, 0.1] {
            let expected = Cpu.cross_entropy(&rounded(&logits, Precision::F32), &labels, smoothing).unwrap();
            let sent = logits.to_dtype(DType::F32).unwrap().to_device(cuda.device()).unwrap();
            let found =
                cuda.cross_entropy(&sent, &labels.to_device(cuda.device()).unwrap(), smoothing).unwrap();
            report.compare("loss", &found.0, &expected.0, 1e-6);
            report.compare("gradient", &found.1, &expected.1, 1e-5);
            let twice = cuda.accumulate(&found.0, &found.0).unwrap();
            report.compare("sum", &twice, &(expected.0 * 2.0).unwrap(), 1e-6);
        }
    }
    report.end("losses");
}

#[test]
fn optimisers_agree() {
    let cuda = Cuda::new(0, Precision::F32).unwrap();
    let mut report = Report::default();
    for text in [
        "kind = 'sgd'\nrate = 0.1",
        "kind = 'sgd'\nrate = 0.1\nnesterov = false\nmomentum = 0.5",
        "kind = 'adamw'\nrate = 0.01",
    ] {
        let spec: OptimiserSpec = toml::from_str(text).unwrap();
        // More parameters than one launch takes.
        let shapes: Vec<Vec<usize>> = (0..70).map(|i| vec![1 + i * 37 % 500, 1 + i % 9]).collect();
        let start: Vec<Tensor> =
            shapes.iter().map(|s| random("p", s).to_dtype(DType::F32).unwrap()).collect();
        let run = |backend: &dyn Backend| {
            let send = |t: &Tensor| t.to_device(backend.device()).unwrap().copy().unwrap();
            let mut parameters: Vec<Tensor> = start.iter().map(send).collect();
            let mut average: Vec<Tensor> = start.iter().map(send).collect();
            let mut moments: Vec<Vec<Tensor>> = parameters
                .iter()
                .map(|p| (0..spec.moments()).map(|_| p.zeros_like().unwrap()).collect())
                .collect();
            for number in 1..=5 {
                let gradient = |(i, s): (usize, &Vec<usize>)| {
                    let g = random(&format!("{number} {i}"), s).to_dtype(DType::F32).unwrap();
                    (i, send(&g))
                };
                let gradients = shapes.iter().enumerate().map(gradient).collect();
                let step = Step { spec: &spec, rate: 0.1 / number as f64, number, average: 0.9 };
                backend.begin(&step).unwrap();
                backend.update(&step, &mut parameters, &gradients, &mut moments, &|i| i % 2 == 0).unwrap();
                for (mean, value) in average.iter_mut().zip(&parameters) {
                    *mean = backend.average(&step, mean, value).unwrap();
                }
            }
            [parameters, average, moments.concat()].concat()
        };
        for (found, expected) in run(&cuda).iter().zip(run(&Cpu)) {
            report.compare(text, found, &expected, 1e-5);
        }
    }
    report.end("optimisers");
}

#[test]
fn samples_agree() {
    for precision in [Precision::F32, Precision::Bf16] {
        let cuda = Cuda::new(0, precision).unwrap();
        let mut report = Report::default();
        for shape in [vec![9, 12, 3], vec![8, 8, 1], vec![20, 2]] {
            let values: usize = shape.iter().product();
            let pixels: Vec<u8> = (0..50 * values).map(|i| (i * 31 % 251) as u8).collect();
            let images = Images::new(shape.clone(), pixels, (0..50).collect());
            let channels = shape[shape.len() - 1];
            let normalisation =
                Normalisation { scale: 255.0, mean: vec![0.4; channels], std: vec![0.3; channels] };
            let augment = Augment { crop: 3, flip: true, cutout: 4 };
            let loader = Loader::new(images.clone(), normalisation.clone(), 16, augment, 3).unwrap();
            let feed = cuda.feed(&samples(&images, &normalisation)).unwrap();
            let mut inputs = None;
            let expected = loader.epoch(0, 0, Loader::cpu());
            for (batch, expected) in loader.epoch(0, 0, maker(feed.form())).zip(expected) {
                let loaded = feed.load(batch, inputs.take()).unwrap();
                let x = Tensor::from_vec(expected.x, expected.shape, &Device::Cpu).unwrap();
                let bound = if precision == Precision::F32 { 1e-6 } else { 4e-3 };
                report.compare("samples", &cuda.output(&loaded.x).unwrap(), &x, bound);
                let labels = loaded.labels.to_device(&Device::Cpu).unwrap().to_vec1::<u32>().unwrap();
                assert_eq!(labels, expected.labels);
                inputs = Some(loaded);
            }
        }
        report.end(&format!("samples, {}", precision.name()));
    }
}

/// Clips of a mapped file, which the GPU does not hold.
#[test]
fn clips_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("frames.bin");
    let (frame, frames) = (12 * 15 * 3, [9, 20, 5]);
    let bytes: Vec<u8> = (0..frame * 34).map(|i| (i * 31 % 251) as u8).collect();
    std::fs::write(&path, &bytes).unwrap();
    // SAFETY: nobody else has the file.
    let store = Store::Mapped(unsafe { memmap2::Mmap::map(&std::fs::File::open(&path).unwrap()).unwrap() });
    let starts = [0, 9, 29];
    let records =
        (0..3).map(|i| Record { start: starts[i] * frame, frames: frames[i], label: i as u32 }).collect();
    let images = Images::videos([4, 8, 10, 3], [12, 15], Clip { step: 2, tests: 2 }, store, records).unwrap();
    let cuda = Cuda::new(0, Precision::F32).unwrap();
    let mut report = Report::default();
    let normalisation = Normalisation { scale: 255.0, mean: vec![0.4; 3], std: vec![0.3; 3] };
    let augment = Augment { crop: 0, flip: true, cutout: 3 };
    let loader = Loader::new(images.clone(), normalisation.clone(), 2, augment, 3).unwrap().with_threads(2);
    let feed = cuda.feed(&samples(&images, &normalisation)).unwrap();
    for epoch in 0..8 {
        let all = [
            (loader.epoch(epoch, 0, maker(feed.form())), loader.epoch(epoch, 0, Loader::cpu())),
            (loader.in_order(maker(feed.form())), loader.in_order(Loader::cpu())),
        ];
        for (batches, expected) in all {
            for (batch, expected) in batches.zip(expected) {
                let loaded = feed.load(batch, None).unwrap();
                let x = Tensor::from_vec(expected.x, expected.shape, &Device::Cpu).unwrap();
                report.compare("clips", &cuda.output(&loaded.x).unwrap(), &x, 1e-6);
            }
        }
    }
    report.end("clips of a mapped file");
}

fn network(block: &str, head: &str, input: &[usize]) -> Network {
    let text = format!(
        "block = {block}\nstages = [{{ r = 8, blocks = 2 }}, {{ r = 16, blocks = 2 }}]\nhead = {{ {head} }}"
    );
    let spec: NetworkSpec = toml::from_str(&text).unwrap();
    Network::new(&spec, input, 10, 2.0).unwrap_or_else(|e| panic!("{text}: {e}"))
}

/// Whole networks of every block: the derivatives of the loss by all parameters, in f32.
#[test]
fn networks_agree() {
    let cuda = Cuda::new(0, Precision::F32).unwrap();
    let mut report = Report::default();
    let plain = "kind = \"linear\"";
    let mut cases: Vec<(String, &str, Vec<usize>)> = Vec::new();
    for block in [
        "\"standard\"",
        "\"bottleneck\"",
        "\"depthwise-separable\"",
        "\"cp\"",
        "{ kind = \"resnext\", cardinality = 4 }",
        "{ kind = \"shufflenet\", conv_groups = 2 }",
        "{ kind = \"inverted-residual\" }",
        "{ kind = \"tucker\", ranks = [2, 2], r_in = 3 }",
        "{ kind = \"tensor-train\", ranks = [3, 3] }",
        "{ kind = \"einsum\", einsum = \"kr, rabc -> kabc\" }",
    ] {
        cases.push((block.to_owned(), plain, vec![8, 8, 3]));
    }
    cases.push(("\"r2plus1d\"".to_owned(), plain, vec![4, 8, 8, 3]));
    cases.push(("\"bottleneck\"".to_owned(), plain, vec![4, 8, 8, 3]));
    cases.push(("\"bottleneck\"".to_owned(), "kind = \"contraction\", ranks = [2, 2, 8]", vec![8, 8, 3]));
    cases.push(("\"bottleneck\"".to_owned(), "kind = \"regression\", ranks = [2, 2, 8, 5]", vec![8, 8, 3]));
    for (block, head, input) in cases {
        let network = network(&block, head, &input);
        let drawn =
            |dtype| network.parameters.draw(stream(1, "network", "", 0), dtype, &Device::Cpu).unwrap();
        let x = rounded(&random(&block, &[&[16], input.as_slice()].concat()), Precision::F32);
        let labels: Vec<u32> = (0..16).map(|i| i % 10).collect();
        let labels = Tensor::from_vec(labels, 16, &Device::Cpu).unwrap();
        let run = |backend: &dyn Backend, dtype: DType| {
            let device = backend.device();
            let parameters: Vec<Tensor> = drawn(DType::F32)
                .iter()
                .map(|t| t.to_dtype(dtype).unwrap().to_device(device).unwrap())
                .collect();
            let mut running = network.running.draw(stream(0, "", "", 0), dtype, device).unwrap();
            let mut tape = Tape::new(backend, true);
            let x = x.to_dtype(dtype).unwrap().to_device(device).unwrap();
            let x = tape.constant(x);
            let mut state = State { parameters: &parameters, running: &mut running };
            let y = network.forward(&mut tape, &mut state, x).unwrap();
            tape.backward(y, &labels.to_device(device).unwrap(), 0.1).unwrap()
        };
        let (loss, gradients) = run(&Cpu, DType::F64);
        let (own_loss, own) = run(&cuda, DType::F32);
        report.compare(&format!("{block} {head}: loss"), &own_loss, &loss, 1e-5);
        let all = |g: &convstat_engine::Gradients| {
            let parts: Vec<f64> = g.values().flat_map(entries).collect();
            let n = parts.len();
            Tensor::from_vec(parts, n, &Device::Cpu).unwrap()
        };
        // A ReLU whose input rounding turns over changes more than rounding does.
        report.compare(&format!("{block} {head}: derivatives"), &all(&own), &all(&gradients), 1e-3);
    }
    report.end("networks");
}

fn train(cuda: &Cuda, steps: usize) -> (Vec<Vec<f64>>, f64) {
    let network = network("\"bottleneck\"", "kind = \"linear\"", &[16, 16, 3]);
    let training: TrainingSpec =
        toml::from_str("epochs = 1\nbatch = 64\nema = 0.9\noptimiser = { kind = 'sgd', rate = 0.05 }")
            .unwrap();
    let mut trainer = Trainer::new(&network, cuda, &training, 1, DType::F32).unwrap();
    let x = random("images", &[64, 16, 16, 3]);
    let labels: Vec<u32> = (0..64).map(|i| i % 10).collect();
    let labels = Tensor::from_vec(labels, 64, cuda.device()).unwrap();
    let inputs = Inputs { x: cuda.input(&x).unwrap(), labels };
    let mut loss = 0.0;
    for i in 0..steps {
        trainer.start_losses(0.0).unwrap();
        trainer.advance(&inputs, 1.0 - i as f64 / steps as f64).unwrap();
        loss = trainer.read_losses().unwrap();
    }
    (trainer.parameters().iter().chain(trainer.evaluated()).map(entries).collect(), loss)
}

/// A recorded step does what a direct one does, with rates that change; twice the same bits.
#[test]
fn recorded_steps_are_direct_ones() {
    for precision in Precision::ALL {
        let direct = train(&Cuda::new(0, precision).unwrap().without_graphs(), 12);
        let first = train(&Cuda::new(0, precision).unwrap(), 12);
        let second = train(&Cuda::new(0, precision).unwrap(), 12);
        println!("{}: loss {:.4} after 12 steps", precision.name(), first.1);
        assert!(first.1 < 2.1, "{precision:?} does not learn: {}", first.1);
        assert!(first == second, "{precision:?}: two runs differ");
        assert!(direct == first, "{precision:?}: recorded and direct steps differ");
    }
}

/// Networks in several threads of one process don't disturb each other, whenever they start and end.
#[test]
fn networks_side_by_side() {
    let alone = train(&Cuda::new(0, Precision::Tf32).unwrap(), 12);
    let several = || (0..3).map(|_| train(&Cuda::new(0, Precision::Tf32).unwrap(), 12)).collect::<Vec<_>>();
    let threads: Vec<_> = (0..6).map(|_| std::thread::spawn(several)).collect();
    for thread in threads {
        assert!(thread.join().unwrap().iter().all(|t| *t == alone), "a network beside others differs");
    }
}

/// A run that goes on from a checkpoint does what the uninterrupted one does, with averages and graphs.
#[test]
fn a_checkpoint_goes_on_to_the_same_bits() {
    let cuda = Cuda::new(0, Precision::Bf16).unwrap();
    let network = network("\"bottleneck\"", "kind = \"linear\"", &[16, 16, 3]);
    let training: TrainingSpec =
        toml::from_str("epochs = 1\nbatch = 64\nema = 0.9\noptimiser = { kind = 'adamw', rate = 0.01 }")
            .unwrap();
    let x = cuda.input(&random("images", &[64, 16, 16, 3])).unwrap();
    let labels: Vec<u32> = (0..64).map(|i| i % 10).collect();
    let inputs = Inputs { x, labels: Tensor::from_vec(labels, 64, cuda.device()).unwrap() };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint.safetensors");
    let state = |trainer: &Trainer| -> Vec<Vec<f64>> {
        trainer.parameters().iter().chain(trainer.evaluated()).map(entries).collect()
    };
    let mut whole = Trainer::new(&network, &cuda, &training, 1, DType::F32).unwrap();
    for step in 1..=12 {
        whole.advance(&inputs, 1.0).unwrap();
        if step == 7 {
            let progress = Progress { steps: step, ..Progress::default() };
            whole.save(&path, &progress).unwrap();
        }
    }
    let mut resumed = Trainer::new(&network, &cuda, &training, 2, DType::F32).unwrap();
    for _ in 0..4 {
        // A recorded step of its own, which must not survive.
        resumed.advance(&inputs, 1.0).unwrap();
    }
    resumed.restore(&path).unwrap();
    for _ in 7..12 {
        resumed.advance(&inputs, 1.0).unwrap();
    }
    assert!(state(&whole) == state(&resumed));
}

/// Two trainers of the same start don't share it; labels of another tensor are seen; labels that are no class are errors.
#[test]
fn trainers_keep_to_themselves() {
    let cuda = Cuda::new(0, Precision::F32).unwrap();
    let network = network("\"bottleneck\"", "kind = \"linear\"", &[8, 8, 3]);
    let training: TrainingSpec =
        toml::from_str("epochs = 1\nbatch = 20\noptimiser = { kind = 'sgd', rate = 0.1 }").unwrap();
    let start = network.parameters.draw(stream(1, "start", "", 0), DType::F32, cuda.device()).unwrap();
    let before: Vec<Vec<f64>> = start.iter().map(entries).collect();
    let x = random("x", &[20, 8, 8, 3]);
    let run = |labels: &[&[u32]]| {
        let mut trainer = Trainer::from_parameters(&network, &cuda, &training, start.clone()).unwrap();
        let x = cuda.input(&x).unwrap();
        for labels in labels {
            let labels = Tensor::from_slice(labels, 20, cuda.device()).unwrap();
            trainer.advance(&Inputs { x: x.clone(), labels }, 1.0).unwrap();
        }
        trainer.parameters().iter().map(entries).collect::<Vec<_>>()
    };
    let (a, b): (Vec<u32>, Vec<u32>) =
        ((0..20).map(|i| i % 10).collect(), (0..20).map(|i| (i + 3) % 10).collect());
    let first = run(&[&a, &a, &a, &a, &a]);
    assert!(first == run(&[&a, &a, &a, &a, &a]));
    assert!(first != run(&[&a, &a, &a, &a, &b]), "the labels of a recorded step are not seen");
    assert!(before == start.iter().map(entries).collect::<Vec<_>>(), "the start was trained");
    let mut trainer = Trainer::from_parameters(&network, &cuda, &training, start.clone()).unwrap();
    let labels: Vec<u32> = (0..20).collect();
    assert!(trainer.step(x, &labels, 1.0).unwrap_err().to_string().contains("none of 10 classes"));
}

/// The portable backend and the GPU train alike.
#[test]
fn training_follows_the_portable_backend() {
    let network = Arc::new(network("\"bottleneck\"", "kind = \"linear\"", &[8, 8, 1]));
    let data = convstat_data::load("digits", None, 1).unwrap();
    let training: TrainingSpec =
        toml::from_str("epochs = 6\nbatch = 64\noptimiser = { kind = 'sgd', rate = 0.1 }").unwrap();
    let run = |backend: &dyn Backend| {
        let mut trainer = Trainer::new(&network, backend, &training, 1, DType::F32).unwrap();
        let watch = convstat_train::training::Watch {
            checkpoint: None,
            on_step: &mut |_, _, _, _| {},
            on_epoch: &mut |_| Ok(()),
        };
        let augment = Augment { crop: 1, ..Augment::default() };
        convstat_train::training::train(&mut trainer, &data, &augment, 1, watch).unwrap()
    };
    let cpu = run(&Cpu);
    println!("digits: accuracy {:.4} on the processor", cpu.accuracy);
    for precision in Precision::ALL {
        let gpu = run(&Cuda::new(0, precision).unwrap());
        println!("digits: accuracy {:.4} in {}", gpu.accuracy, precision.name());
        assert!(
            (gpu.accuracy - cpu.accuracy).abs() < 0.03,
            "{precision:?}: {} and {}",
            gpu.accuracy,
            cpu.accuracy
        );
        let (a, b) = (gpu.progress.epochs[0].train_loss, cpu.progress.epochs[0].train_loss);
        assert!((a / b - 1.0).abs() < 0.05, "{precision:?}: losses of the first epoch {a} and {b}");
    }
}

/// A batch that does not fit is an error with one that does.
#[test]
fn a_batch_that_does_not_fit() {
    let spec: NetworkSpec =
        toml::from_str("block = 'bottleneck'\nstages = [{ r = 64, blocks = 3 }]").unwrap();
    let network = Network::new(&spec, &[32, 32, 3], 10, 4.0).unwrap();
    let images = |n: usize| {
        let pixels: Vec<u8> = (0..n * 3072).map(|i| (i * 31 % 251) as u8).collect();
        Images::new(vec![32, 32, 3], pixels, (0..n as u32).map(|i| i % 10).collect())
    };
    let classes = (0..10).map(|c| c.to_string()).collect();
    let data = Dataset { name: "made".into(), classes, train: images(4096), test: images(16), scale: 255.0 };
    let ballast = Cuda::new(0, Precision::F32).unwrap();
    let (free, _) = ballast.memory_left();
    let held = Tensor::zeros(free - (6 << 30), DType::U8, ballast.device()).unwrap();
    let run = |batch: usize| {
        let training: TrainingSpec = toml::from_str(&format!(
            "epochs = 1\nbatch = {batch}\noptimiser = {{ kind = 'sgd', rate = 0.01 }}"
        ))
        .unwrap();
        let cuda = Cuda::new(0, Precision::F32).unwrap();
        let mut trainer = Trainer::new(&network, &cuda, &training, 1, DType::F32).unwrap();
        let watch = convstat_train::training::Watch {
            checkpoint: None,
            on_step: &mut |_, _, _, _| {},
            on_epoch: &mut |_| Ok(()),
        };
        convstat_train::training::train(&mut trainer, &data, &Augment::default(), 1, watch)
    };
    let error = run(4096).unwrap_err().to_string();
    println!("{error}");
    let fits = error.split("GiB; ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    assert!((2..4096).contains(&fits), "{error}");
    run(fits).unwrap_or_else(|e| panic!("{fits} was said to fit: {e}"));
    drop(held);
}
