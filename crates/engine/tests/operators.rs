//! Operations: values by PyTorch (`data/make_reference.py` of crate `train`), convolution by its definition, finite differences, the
//! same bits for any number of threads, errors.

#![cfg(test)]

#[path = "support/tensors.rs"]
mod tensors;

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use candle_core::{DType, Device, Tensor};
use convstat_engine::cpu::Cpu;
use convstat_engine::{Activation, Backend, ConvSpec, Pool, PoolSpec, Result, Tape, Var};
use convstat_tensor::Einsum;
use safetensors::SafeTensors;
use serde_json::Value;
use tensors::{entries, largest, moved, random, same_bits, single_thread, some};

/// Largest error of an entry, as a share of the largest entry, of sums of up to some thousand terms. Measured with
/// AVX-512: 1.3e-15 and 3.6e-7; the rest is for other orders of summation.
fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F64 { 1e-14 } else { 2e-6 }
}

#[track_caller]
fn assert_close(what: &str, found: &Tensor, expected: &Tensor, dtype: DType) {
    assert_eq!(found.dims(), expected.dims(), "shape of {what}");
    assert_eq!(found.dtype(), dtype, "type of {what}");
    let (a, b) = (entries(found), entries(expected));
    let error: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let share = largest(&error) / largest(&b).max(f64::MIN_POSITIVE);
    assert!(a.iter().all(|v| v.is_finite()) && share <= tolerance(dtype), "{what} is off by {share:e}");
}

fn conv(stride: &[usize], padding: &[usize], dilation: &[usize], groups: usize) -> ConvSpec {
    ConvSpec { stride: stride.to_vec(), padding: padding.to_vec(), dilation: dilation.to_vec(), groups }
}

fn window(kernel: &[usize], stride: &[usize], padding: &[usize]) -> PoolSpec {
    PoolSpec { kernel: kernel.to_vec(), stride: stride.to_vec(), padding: padding.to_vec() }
}

// Reference values.

/// One case of the file; remembers what was compared.
struct Case<'a> {
    name: &'a str,
    about: Value,
    tensors: &'a HashMap<String, Tensor>,
    used: &'a RefCell<BTreeSet<String>>,
    dtype: DType,
}

impl Case<'_> {
    fn get(&self, key: &str) -> Tensor {
        let name = format!("{}.{key}", self.name);
        let t = self.tensors[&name].to_dtype(self.dtype).unwrap();
        self.used.borrow_mut().insert(name);
        t
    }

    fn read<T: serde::de::DeserializeOwned>(&self, key: &str) -> T {
        serde_json::from_value(self.about[key].clone()).unwrap()
    }

    fn agrees(&self, key: &str, found: &Tensor) {
        let name = format!("{}.{key}", self.name);
        assert_close(&format!("{name} in {:?}", self.dtype), found, &self.tensors[&name], self.dtype);
        self.used.borrow_mut().insert(name);
    }

    /// Runs an operation on `inputs` and compares `y` and the derivatives by all of them.
    fn operation(&self, inputs: &[&str], run: impl FnOnce(&mut Tape, &[Var]) -> Result<Var>) {
        let mut tape = Tape::new(&Cpu, true);
        let vars: Vec<Var> =
            inputs.iter().enumerate().map(|(i, key)| tape.parameter(i, self.get(key))).collect();
        let y = run(&mut tape, &vars).unwrap();
        self.agrees("y", tape.value(y));
        let gradients = tape.propagate(y, self.get("dy")).unwrap();
        assert_eq!(gradients.len(), inputs.len(), "{}", self.name);
        for (i, key) in inputs.iter().enumerate() {
            self.agrees(&format!("d{key}"), &gradients[&i]);
        }
    }

    fn pool(&self, kind: Pool) {
        let spec = PoolSpec {
            kernel: self.read("kernel"),
            stride: self.read("stride"),
            padding: self.read("padding"),
        };
        self.operation(&["x"], |tape, v| tape.pool(v[0], kind, &spec));
    }

    fn norm(&self) {
        let gamma = self.get("gamma");
        let old = [&gamma.zeros_like().unwrap(), &gamma.ones_like().unwrap()];
        let inputs: &[&str] =
            if self.read("residual") { &["x", "gamma", "beta", "residual"] } else { &["x", "gamma", "beta"] };
        self.operation(inputs, |tape, v| {
            let activation = self.read("activation");
            let (y, next) = tape.normalise(v[0], [v[1], v[2]], old, v.get(3).copied(), activation)?;
            let (mean, variance) = next.expect("training gives running statistics");
            self.agrees("running_mean", &mean);
            self.agrees("running_var", &variance);
            Ok(y)
        });
    }

    fn norm_eval(&self) {
        let mut tape = Tape::new(&Cpu, false);
        let [x, gamma, beta] = ["x", "gamma", "beta"].map(|key| tape.constant(self.get(key)));
        let running = [&self.get("running_mean"), &self.get("running_var")];
        let (y, next) = tape.normalise(x, [gamma, beta], running, None, Activation::Identity).unwrap();
        assert!(next.is_none(), "evaluation leaves the running statistics alone");
        self.agrees("y", tape.value(y));
    }

    fn cross_entropy(&self) {
        let labels = self.get("labels").to_dtype(DType::U32).unwrap();
        let (loss, gradient) =
            Cpu.cross_entropy(&self.get("logits"), &labels, self.read("smoothing")).unwrap();
        self.agrees("loss", &loss.reshape(()).unwrap().to_dtype(self.dtype).unwrap());
        self.agrees("dlogits", &gradient);
    }

    /// The reference has no derivative: a permutation's takes y back to x.
    fn shuffle(&self) {
        let mut tape = Tape::new(&Cpu, true);
        let x = tape.parameter(0, self.get("x"));
        let y = tape.shuffle(x, self.read("groups")).unwrap();
        self.agrees("y", tape.value(y));
        self.agrees("x", &tape.propagate(y, self.get("y")).unwrap()[&0]);
    }

    fn run(&self) {
        match self.read::<String>("op").as_str() {
            "conv" => {
                let [stride, padding, dilation] = ["stride", "padding", "dilation"].map(|key| self.read(key));
                let spec = ConvSpec { stride, padding, dilation, groups: self.read("groups") };
                self.operation(&["x", "w"], |tape, v| tape.convolve(v[0], v[1], &spec));
            }
            "linear" => self.operation(&["x", "w", "b"], |tape, v| {
                let y = tape.convolve(v[0], v[1], &ConvSpec::plain(0))?;
                tape.add_bias(y, v[2])
            }),
            "activation" => self.operation(&["x"], |tape, v| tape.activate(v[0], self.read("kind"))),
            "average" => self.pool(Pool::Average),
            "max" => self.pool(Pool::Max),
            "norm" => self.norm(),
            "norm-eval" => self.norm_eval(),
            "cross-entropy" => self.cross_entropy(),
            "shuffle" => self.shuffle(),
            other => panic!("{}: no operation {other}", self.name),
        }
    }
}

#[test]
fn operations_agree_with_pytorch() {
    single_thread();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/operators.safetensors");
    let bytes = std::fs::read(path).unwrap();
    let tensors = candle_core::safetensors::load(path, &Device::Cpu).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let cases = metadata.metadata().clone().unwrap();
    assert_eq!(cases.len(), 54);
    for dtype in [DType::F64, DType::F32] {
        let used = RefCell::new(BTreeSet::new());
        for (name, about) in &cases {
            let about = serde_json::from_str(about).unwrap();
            Case { name, about, tensors: &tensors, used: &used, dtype }.run();
        }
        assert_eq!(used.into_inner(), tensors.keys().cloned().collect(), "every tensor is compared");
    }
}

// Sizes that fill more than one block, vector or thread, which the reference has none of.

/// `(N, H, W, C)`, `(O, kh, kw, C / groups)`, spec.
fn large_convolutions() -> Vec<([usize; 4], [usize; 4], ConvSpec)> {
    vec![
        // Pointwise products of 1024 rows.
        ([5, 16, 16, 6], [7, 1, 1, 6], conv(&[1, 1], &[0, 0], &[1, 1], 1)),
        // Patches of 16 and of 36 positions.
        ([2, 5, 5, 600], [3, 3, 3, 600], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        ([2, 8, 8, 400], [6, 3, 3, 200], conv(&[1, 1], &[2, 2], &[2, 2], 2)),
        // 32 channels side by side, more images than partial sums.
        ([18, 6, 5, 70], [70, 3, 3, 1], conv(&[2, 1], &[1, 1], &[1, 1], 70)),
        ([19, 6, 5, 3], [4, 3, 2, 3], conv(&[1, 2], &[1, 1], &[1, 1], 1)),
        // Windows in the padding only.
        ([2, 3, 2, 3], [3, 2, 2, 1], conv(&[1, 1], &[4, 4], &[1, 2], 3)),
        ([2, 3, 2, 3], [4, 2, 2, 3], conv(&[1, 1], &[4, 4], &[1, 2], 1)),
    ]
}

/// Convolution of images by its definition.
fn by_definition(x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Tensor {
    let ((n, h, v, c), (o, kh, kw, from)) = (x.dims4().unwrap(), w.dims4().unwrap());
    let size = |j: usize, input: usize, kernel: usize| {
        (input + 2 * spec.padding[j] - spec.dilation[j] * (kernel - 1) - 1) / spec.stride[j] + 1
    };
    let (oh, ow) = (size(0, h, kh), size(1, v, kw));
    let place = |j: usize, at: usize, tap: usize, input: usize| {
        (at * spec.stride[j] + tap * spec.dilation[j]).checked_sub(spec.padding[j]).filter(|p| *p < input)
    };
    let (x, w) = (entries(x), entries(w));
    let mut y = Vec::with_capacity(n * oh * ow * o);
    for place4 in 0..n * oh * ow * o {
        let (image, i, j, k) = (place4 / o / ow / oh, place4 / o / ow % oh, place4 / o % ow, place4 % o);
        let first = k / (o / spec.groups) * from;
        let mut sum = 0.0;
        for tap in 0..kh * kw {
            let (Some(a), Some(b)) = (place(0, i, tap / kw, h), place(1, j, tap % kw, v)) else { continue };
            let at = ((image * h + a) * v + b) * c + first;
            sum += (0..from).map(|q| x[at + q] * w[(k * kh * kw + tap) * from + q]).sum::<f64>();
        }
        y.push(sum);
    }
    Tensor::from_vec(y, (n, oh, ow, o), &Device::Cpu).unwrap()
}

#[test]
fn large_convolutions_follow_their_definition() {
    single_thread();
    for (x, w, spec) in large_convolutions() {
        let what = format!("{x:?} by {w:?}");
        let round = |t: Tensor| t.to_dtype(DType::F32).unwrap().to_dtype(DType::F64).unwrap();
        let (x, w) = (round(random("x", &x)), round(random("w", &w)));
        let expected = by_definition(&x, &w, &spec);
        for dtype in [DType::F64, DType::F32] {
            let (x, w) = (x.to_dtype(dtype).unwrap(), w.to_dtype(dtype).unwrap());
            assert_close(&what, &Cpu.convolve(&x, &w, &spec).unwrap(), &expected, dtype);
        }
    }
}

// Finite differences.

/// Compares the derivatives of `Σ y · dy` by every input with central differences.
fn differs(what: &str, shapes: &[&[usize]], run: impl Fn(&mut Tape, &[Var]) -> Result<Var>) {
    single_thread();
    let inputs: Vec<Tensor> =
        shapes.iter().enumerate().map(|(i, s)| random(&format!("{what} {i}"), s)).collect();
    let forward = |inputs: &[Tensor]| {
        let mut tape = Tape::new(&Cpu, true);
        let vars: Vec<Var> = inputs.iter().enumerate().map(|(i, t)| tape.parameter(i, t.clone())).collect();
        let y = run(&mut tape, &vars).unwrap_or_else(|e| panic!("{what}: {e}"));
        (tape.value(y).clone(), tape, y)
    };
    let (value, mut tape, y) = forward(&inputs);
    let dy = random(&format!("{what} dy"), value.dims());
    let gradients = tape.propagate(y, dy.clone()).unwrap();
    let dy = entries(&dy);
    for (i, input) in inputs.iter().enumerate() {
        assert_eq!(gradients[&i].dims(), input.dims(), "{what}: derivative by input {i}");
        let gradient = entries(&gradients[&i]);
        let scale = largest(&gradient).max(1.0);
        for at in some(input, 40) {
            let step = 1e-5;
            let [more, less] = [step, -step].map(|h| {
                let mut inputs = inputs.clone();
                inputs[i] = moved(input, at, h);
                entries(&forward(&inputs).0)
            });
            let change = more.iter().zip(&less).zip(&dy).map(|((m, l), d)| (m - l) * d).sum::<f64>();
            let slope = change / (2.0 * step);
            // Rounding over the step is 1e-11, the third derivative times its square 1e-10.
            let error = (slope - gradient[at]).abs() / scale;
            assert!(error < 1e-8, "{what}: input {i} at {at}: {} but differences {slope}", gradient[at]);
        }
    }
}

#[test]
fn convolutions_have_these_derivatives() {
    let specs: [(&[usize], &[usize], ConvSpec); 16] = [
        (&[3, 5], &[4, 5], ConvSpec::plain(0)),
        (&[4, 6], &[2, 3], conv(&[], &[], &[], 2)),
        (&[2, 7, 3], &[4, 3, 3], conv(&[1], &[1], &[1], 1)),
        (&[2, 9, 4], &[6, 2, 2], conv(&[2], &[3], &[3], 2)),
        (&[2, 8, 3], &[3, 3, 1], conv(&[3], &[1], &[2], 3)),
        (&[17, 3, 2], &[3, 1, 2], conv(&[2], &[1], &[1], 1)),
        (&[2, 5, 6, 3], &[4, 3, 3, 3], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        (&[2, 7, 6, 4], &[6, 3, 2, 2], conv(&[2, 1], &[0, 2], &[1, 2], 2)),
        (&[2, 6, 7, 3], &[6, 2, 3, 1], conv(&[1, 3], &[1, 2], &[2, 1], 3)),
        (&[2, 6, 7, 5], &[5, 3, 3, 1], conv(&[2, 2], &[1, 1], &[1, 1], 5)),
        (&[2, 4, 5, 3], &[4, 1, 1, 3], conv(&[1, 1], &[0, 0], &[1, 1], 1)),
        (&[2, 4, 5, 1], &[3, 3, 3, 1], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        (&[1, 4, 5, 6, 2], &[3, 3, 2, 3, 2], conv(&[1, 2, 1], &[1, 0, 2], &[1, 1, 2], 1)),
        (&[2, 3, 4, 4, 4], &[2, 2, 3, 1, 2], conv(&[2, 1, 2], &[1, 1, 0], &[1, 1, 1], 2)),
        (&[2, 5, 3, 4, 3], &[3, 3, 1, 3, 1], conv(&[2, 1, 1], &[1, 0, 1], &[1, 1, 1], 3)),
        (&[2, 2, 3, 2, 3], &[2, 1, 1, 1, 3], conv(&[1; 3], &[0; 3], &[1; 3], 1)),
    ];
    let large = large_convolutions();
    let all =
        specs.iter().map(|(x, w, s)| (*x, *w, s)).chain(large.iter().map(|(x, w, s)| (&x[..], &w[..], s)));
    for (x, w, spec) in all {
        differs(&format!("{x:?} by {w:?}"), &[x, w], |tape, v| tape.convolve(v[0], v[1], spec));
    }
}

#[test]
fn normalisations_have_these_derivatives() {
    // The last fills more than one block.
    for (x, c) in
        [(&[4, 3][..], 3), (&[3, 5, 2], 2), (&[2, 3, 4, 5], 5), (&[2, 2, 3, 2, 3], 3), (&[3, 40, 40, 5], 5)]
    {
        let old = [&Tensor::zeros(c, DType::F64, &Device::Cpu).unwrap(), &random("v", &[c]).sqr().unwrap()];
        for activation in [Activation::Identity, Activation::Relu, Activation::Relu6] {
            let what = format!("normalisation of {x:?}, {activation:?}");
            differs(&what, &[x, &[c], &[c]], |tape, v| {
                Ok(tape.normalise(v[0], [v[1], v[2]], old, None, activation)?.0)
            });
            differs(&format!("{what}, residual"), &[x, &[c], &[c], x], |tape, v| {
                Ok(tape.normalise(v[0], [v[1], v[2]], old, Some(v[3]), activation)?.0)
            });
        }
    }
}

#[test]
fn other_operations_have_these_derivatives() {
    use Activation::{Gelu, Identity, Relu, Relu6, Sigmoid, Silu, Tanh};
    for activation in [Identity, Relu, Relu6, Silu, Tanh, Sigmoid, Gelu] {
        differs(&format!("{activation:?}"), &[&[3, 4, 5]], |tape, v| tape.activate(v[0], activation));
    }
    let pools: [(&[usize], PoolSpec); 7] = [
        (&[2, 9, 3], window(&[3], &[3], &[0])),
        (&[2, 8, 2], window(&[3], &[2], &[1])),
        (&[2, 7, 6, 3], window(&[3, 2], &[2, 1], &[1, 1])),
        (&[2, 7, 6, 3], window(&[2, 2], &[3, 2], &[0, 1])),
        (&[1, 5, 4, 3], window(&[5, 4], &[1, 1], &[0, 0])),
        (&[2, 4, 5, 3, 2], window(&[2, 3, 1], &[1, 2, 2], &[1, 1, 0])),
        (&[2, 3, 3, 4, 1], window(&[2, 2, 2], &[2, 2, 2], &[1, 0, 1])),
    ];
    for (x, spec) in &pools {
        for kind in [Pool::Average, Pool::Max] {
            differs(&format!("{kind:?} {spec:?}"), &[x], |tape, v| tape.pool(v[0], kind, spec));
        }
    }
    for x in [&[3, 4][..], &[3, 5, 4], &[2, 3, 4, 3], &[2, 2, 3, 2, 3]] {
        differs(&format!("global average of {x:?}"), &[x], |tape, v| tape.global_average(v[0]));
        differs(&format!("{x:?} flat"), &[x], |tape, v| tape.flatten(v[0]));
        differs(&format!("{x:?} added"), &[x, x], |tape, v| tape.add(v[0], v[1]));
        differs(&format!("{x:?} with bias"), &[x, &x[x.len() - 1..]], |tape, v| tape.add_bias(v[0], v[1]));
    }
    for groups in [1, 2, 3, 4, 6, 12] {
        differs(&format!("shuffle {groups}"), &[&[2, 3, 12]], |tape, v| tape.shuffle(v[0], groups));
    }
}

#[test]
fn composed_weights_have_these_derivatives() {
    let networks: [(&str, &[&[usize]]); 7] = [
        ("ab->ba", &[&[2, 3]]),
        ("kr,rab,rc->kabc", &[&[4, 2], &[2, 3, 2], &[2, 5]]),
        ("ra,rb,rc,r->abc", &[&[2, 3], &[2, 4], &[2, 2], &[2]]),
        ("rxyc,ax,by->rabc", &[&[3, 2, 2, 4], &[3, 2], &[5, 2]]),
        ("exys,le,l,kx,cy,abs->kabc", &[&[2, 2, 3, 2], &[3, 2], &[3], &[4, 2], &[4, 3], &[3, 2, 2]]),
        // Labels of one factor alone, summed over.
        ("krz,rabc->kabc", &[&[3, 2, 4], &[2, 2, 3, 2]]),
        ("kz,zabc,yx->kabc", &[&[3, 2], &[2, 2, 3, 2], &[2, 3]]),
    ];
    for (text, shapes) in networks {
        let network = Einsum::parse(text).unwrap();
        differs(text, shapes, |tape, v| tape.compose(&network, v));
    }
    // Through a convolution, the second factor also as its input, and a constant.
    let network = Einsum::parse("kr,rac->kac").unwrap();
    differs("composed", &[&[3, 2], &[2, 3, 4]], |tape, v| {
        let w = tape.compose(&network, v)?;
        let x = tape.activate(v[1], Activation::Tanh)?;
        let one = tape.constant(random("constant", &[2, 3, 3]));
        let y = tape.convolve(x, w, &conv(&[1], &[1], &[1], 1))?;
        tape.add(y, one)
    });
}

#[test]
fn derivatives_of_shared_parameters_add_up() {
    differs("a value used three times", &[&[2, 3, 2], &[2]], |tape, v| {
        let twice = tape.add(v[0], v[0])?;
        let biased = tape.add_bias(twice, v[1])?;
        let bent = tape.activate(biased, Activation::Silu)?;
        let sum = tape.add(bent, v[0])?;
        tape.add_bias(sum, v[1])
    });
    // The same number put on the tape twice.
    let (x, w) = (random("x", &[2, 5, 3]), random("w", &[3, 3, 3]));
    let spec = ConvSpec::same(&[3], &[1]);
    let gradient = |shared: bool| {
        let mut tape = Tape::new(&Cpu, true);
        let x = tape.constant(x.clone());
        let first = tape.parameter(0, w.clone());
        let second = tape.parameter(usize::from(!shared), w.clone());
        let y = tape.convolve(x, first, &spec).unwrap();
        let y = tape.convolve(y, second, &spec).unwrap();
        tape.propagate(y, random("dy", &[2, 5, 3])).unwrap()
    };
    let (one, two) = (gradient(true), gradient(false));
    assert_eq!((one.len(), two.len()), (1, 2));
    assert_close("sum", &one[&0], &(&two[&0] + &two[&1]).unwrap(), DType::F64);
    // Nothing without training.
    let mut tape = Tape::new(&Cpu, false);
    let a = tape.parameter(0, w.clone());
    let y = tape.activate(a, Activation::Tanh).unwrap();
    assert!(tape.propagate(y, w).unwrap().is_empty());
}

// Threads, errors.

#[test]
fn results_are_the_same_bits_for_any_number_of_threads() {
    for dtype in [DType::F32, DType::F64] {
        let draw = |seed: &str, shape: &[usize]| random(seed, shape).to_dtype(dtype).unwrap();
        for (x, w, spec) in large_convolutions() {
            same_bits(&format!("{x:?} by {w:?}"), || {
                let (a, b) = (draw("x", &x), draw("w", &w));
                let y = Cpu.convolve(&a, &b, &spec).unwrap();
                let dy = draw("dy", y.dims());
                let dx = Cpu.convolve_by_input(&dy, &b, &x, &spec).unwrap();
                vec![y, dx, Cpu.convolve_by_weight(&dy, &a, &w, &spec).unwrap()]
            });
        }
        let x = [9, 24, 24, 13];
        let old = [draw("mean", &[13]), draw("variance", &[13])];
        same_bits("normalisation", || {
            let mut tape = Tape::new(&Cpu, true);
            let shapes: [&[usize]; 4] = [&x, &[13], &[13], &x];
            let v: Vec<Var> = (0..4).map(|i| tape.parameter(i, draw(&i.to_string(), shapes[i]))).collect();
            let old = [&old[0], &old[1]];
            let (y, next) = tape.normalise(v[0], [v[1], v[2]], old, Some(v[3]), Activation::Relu).unwrap();
            let (mean, variance) = next.unwrap();
            let value = tape.value(y).clone();
            let gradients = tape.propagate(y, draw("dy", &x)).unwrap();
            [value, mean, variance].into_iter().chain(gradients.into_values()).collect()
        });
    }
}

#[test]
fn shapes_that_do_not_fit_are_errors() {
    single_thread();
    let fails = |what: &str, shapes: &[&[usize]], run: &dyn Fn(&mut Tape, &[Var]) -> Result<Var>| {
        let mut tape = Tape::new(&Cpu, true);
        let vars: Vec<Var> = shapes.iter().map(|s| tape.constant(random(what, s))).collect();
        assert!(run(&mut tape, &vars).is_err(), "{what}");
    };
    let convolutions: [(&str, &[usize], &[usize], ConvSpec); 12] = [
        ("channels", &[2, 5, 5, 3], &[4, 3, 3, 2], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        ("groups and input channels", &[2, 5, 5, 3], &[4, 3, 3, 1], conv(&[1, 1], &[1, 1], &[1, 1], 2)),
        ("groups and output channels", &[2, 5, 5, 4], &[3, 3, 3, 2], conv(&[1, 1], &[1, 1], &[1, 1], 2)),
        ("no groups", &[2, 5, 5, 4], &[3, 3, 3, 4], conv(&[1, 1], &[1, 1], &[1, 1], 0)),
        ("kernel over the input", &[2, 5, 2, 4], &[3, 3, 5, 4], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        ("dilated over the input", &[2, 5, 5, 4], &[3, 3, 3, 4], conv(&[1, 1], &[1, 1], &[1, 4], 1)),
        ("stride 0", &[2, 5, 5, 4], &[3, 3, 3, 4], conv(&[1, 0], &[1, 1], &[1, 1], 1)),
        ("dilation 0", &[2, 5, 5, 4], &[3, 3, 3, 4], conv(&[1, 1], &[1, 1], &[0, 1], 1)),
        ("strides of one axis", &[2, 5, 5, 4], &[3, 3, 3, 4], conv(&[1], &[1, 1], &[1, 1], 1)),
        ("axes of the weights", &[2, 5, 5, 4], &[3, 3, 4], conv(&[1, 1], &[1, 1], &[1, 1], 1)),
        ("four axes", &[1, 2, 2, 2, 2, 1], &[1, 1, 1, 1, 1, 1], ConvSpec::plain(4)),
        ("no channels", &[4], &[4], ConvSpec::plain(0)),
    ];
    for (what, x, w, spec) in &convolutions {
        fails(what, &[x, w], &|tape, v| tape.convolve(v[0], v[1], spec));
    }
    let pools = [
        ("padding over half of the window", window(&[3, 3], &[1, 1], &[1, 2])),
        ("window over the input", window(&[3, 6], &[1, 1], &[0, 0])),
        ("pool of stride 0", window(&[2, 2], &[0, 1], &[0, 0])),
        ("pool over one axis", window(&[2], &[2], &[0])),
    ];
    for (what, spec) in &pools {
        for kind in [Pool::Average, Pool::Max] {
            fails(what, &[&[2, 5, 5, 3]], &|tape, v| tape.pool(v[0], kind, spec));
        }
    }
    let one = |n: usize| Tensor::ones(n, DType::F64, &Device::Cpu).unwrap();
    let norm = |tape: &mut Tape, v: &[Var], n: usize, activation: Activation| {
        Ok(tape.normalise(v[0], [v[1], v[2]], [&one(n), &one(n)], v.get(3).copied(), activation)?.0)
    };
    let x: &[usize] = &[2, 5, 3];
    fails("scale", &[x, &[2], &[3]], &|tape, v| norm(tape, v, 3, Activation::Relu));
    fails("running statistics", &[x, &[3], &[3]], &|tape, v| norm(tape, v, 4, Activation::Relu));
    fails("residual", &[x, &[3], &[3], &[2, 4, 3]], &|tape, v| norm(tape, v, 3, Activation::Relu));
    fails("fused silu", &[x, &[3], &[3]], &|tape, v| norm(tape, v, 3, Activation::Silu));
    fails("sum", &[x, &[2, 3, 5]], &|tape, v| tape.add(v[0], v[1]));
    fails("bias", &[x, &[5]], &|tape, v| tape.add_bias(v[0], v[1]));
    fails("shuffle", &[x], &|tape, v| tape.shuffle(v[0], 2));
    fails("shuffle in 0 groups", &[x], &|tape, v| tape.shuffle(v[0], 0));
    let network = Einsum::parse("kr,rc->kc").unwrap();
    fails("sizes of r", &[&[2, 3], &[2, 3]], &|tape, v| tape.compose(&network, v));
    fails("factors", &[&[2, 3]], &|tape, v| tape.compose(&network, v));
    fails("axes of a factor", &[&[2, 3], &[3]], &|tape, v| tape.compose(&network, v));
    fails("types", &[x, &[4, 3, 3]], &|tape, v| {
        let w = tape.constant(tape.value(v[1]).to_dtype(DType::F32)?);
        tape.convolve(v[0], w, &ConvSpec::plain(1))
    });
    for labels in [&[0u32, 1][..], &[0, 1, 4]] {
        let mut tape = Tape::new(&Cpu, true);
        let y = tape.parameter(0, random("logits", &[3, 4]));
        let labels = Tensor::from_slice(labels, labels.len(), &Device::Cpu).unwrap();
        assert!(tape.backward(y, &labels, 0.0).is_err(), "labels {labels:?}");
    }
}
