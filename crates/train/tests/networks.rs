//! Blocks and networks: finite differences, counts of crate `cnn`, the same bits for any number of threads, errors.

#![cfg(test)]

#[path = "../../engine/tests/support/tensors.rs"]
mod tensors;

use std::collections::BTreeSet;

use candle_core::{DType, Device, Tensor};
use convstat_cnn::{OutputModes, StructureSpec};
use convstat_engine::cpu::Cpu;
use convstat_engine::{Backend, Tape, Var};
use convstat_train::blocks::{BLOCKS, BlockSpec, Place};
use convstat_train::layer::State;
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::parameters::Parameters;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use tensors::{entries, largest, moved, random, same_bits, single_thread, some};

/// Every kind as ablation files write it, with and without its optional keys.
fn specs(kind: &str, axes: usize) -> Vec<String> {
    let list = |value: usize| format!("{:?}", vec![value; axes]);
    let taps = &"abd"[..axes];
    let table = |keys: &str| format!("{{ kind = \"{kind}\", {keys} }}");
    let plain = format!("\"{kind}\"");
    match kind {
        "standard"
        | "basic"
        | "bottleneck"
        | "depthwise-separable"
        | "inverted-residual"
        | "cp"
        | "factorised-higher-order"
        | "r2plus1d" => vec![plain],
        "resnext" => vec![table("cardinality = 2")],
        "shufflenet" => vec![table("conv_groups = 2")],
        "tucker" => vec![plain, table(&format!("ranks = {}, r_in = 3", list(2)))],
        "tensor-train" => vec![plain, table(&format!("ranks = {}", list(3)))],
        "t-net" => vec![table("ranks = [2, 3, 2]")],
        "einsum" => vec![
            table(&format!("einsum = \"kr, r{taps}, rc -> k{taps}c\"")),
            table(&format!("einsum = \"kr,r{taps}zp,pcy->k{taps}c\", sizes = {{ z = 3, p = 2, y = 2 }}")),
            table(&format!("einsum = \"kρ,ρ{taps}c->k{taps}c\", sizes = {{ \"ρ\" = 3 }}")),
        ],
        other => panic!("block {other} is not tested"),
    }
}

struct Toy {
    network: Network,
    parameters: Vec<Tensor>,
    images: Tensor,
    labels: Tensor,
}

impl Toy {
    /// A network of stages R = 4 and 8 at K/R = 2, so that the first has K = C.
    fn new(block: &str, head: &str, input: &[usize], dtype: DType) -> Self {
        single_thread();
        let text = format!(
            "block = {block}\nstages = [{{ r = 4, blocks = 2 }}, {{ r = 8, blocks = 2 }}]\nhead = {{ {head} }}"
        );
        let spec: NetworkSpec = toml::from_str(&text).unwrap();
        let network = Network::new(&spec, input, 5, 2.0).unwrap_or_else(|e| panic!("{text}: {e}"));
        let drawn = network.parameters.draw(ChaCha8Rng::seed_from_u64(3), DType::F64, &Device::Cpu).unwrap();
        // Away from the start, where scales are 1 and shifts 0.
        let noise = |(i, t): (usize, Tensor)| {
            let noise = (random(network.parameters.name(i), t.dims()) * 0.2).unwrap();
            (t + noise).unwrap().to_dtype(dtype).unwrap()
        };
        let parameters = drawn.into_iter().enumerate().map(noise).collect();
        let images = random(block, &[&[3], input].concat()).to_dtype(dtype).unwrap();
        Self { network, parameters, images, labels: Tensor::new(&[0u32, 3, 1], &Device::Cpu).unwrap() }
    }

    fn forward<'a>(&self, parameters: &[Tensor]) -> (Tape<'a>, Var) {
        let dtype = self.images.dtype();
        let rng = ChaCha8Rng::seed_from_u64(0);
        let mut running = self.network.running.draw(rng, dtype, &Device::Cpu).unwrap();
        let mut tape = Tape::new(&Cpu, true);
        let x = tape.constant(self.images.clone());
        let y = self.network.forward(&mut tape, &mut State { parameters, running: &mut running }, x).unwrap();
        (tape, y)
    }

    fn loss(&self, parameters: &[Tensor]) -> f64 {
        let (tape, y) = self.forward(parameters);
        entries(&Cpu.cross_entropy(tape.value(y), &self.labels, 0.1).unwrap().0)[0]
    }

    /// Compares the derivatives by some entries of every parameter with central differences, leaving out entries whose
    /// differences depend on the step: a ReLU changes sides there. The number left out.
    fn check(&self, what: &str) -> usize {
        let (tape, y) = self.forward(&self.parameters);
        let (loss, gradients) = tape.backward(y, &self.labels, 0.1).unwrap();
        assert_eq!(entries(&loss), [self.loss(&self.parameters)]);
        assert_eq!(gradients.len(), self.parameters.len(), "{what}: every parameter has a derivative");
        let mut left_out = 0;
        for (i, parameter) in self.parameters.iter().enumerate() {
            let name = self.network.parameters.name(i);
            assert_eq!(gradients[&i].dims(), parameter.dims(), "{what}: {name}");
            let gradient = entries(&gradients[&i]);
            let scale = largest(&gradient);
            let slope = |at: usize, step: f64| {
                let [more, less] = [step, -step].map(|h| {
                    let mut all = self.parameters.clone();
                    all[i] = moved(parameter, at, h);
                    self.loss(&all)
                });
                (more - less) / (2.0 * step)
            };
            let mut compared = 0;
            for at in some(parameter, 6) {
                if compared == 3 {
                    break;
                }
                let near = slope(at, 1e-6);
                // Rounding: a few 1e-16 over the step.
                let noise = 1e-9;
                if (near - slope(at, 4e-6)).abs() > 1e-6 * scale + noise {
                    left_out += 1;
                    continue;
                }
                compared += 1;
                let error = (near - gradient[at]).abs();
                assert!(
                    error <= 1e-5 * gradient[at].abs().max(0.1 * scale) + noise,
                    "{what}: {name} at {at}: {} but differences {near}",
                    gradient[at]
                );
            }
            assert!(compared > 0, "{what}: {name} has kinks everywhere");
        }
        left_out
    }
}

#[test]
fn networks_of_every_block_have_these_derivatives() {
    for (kind, _) in BLOCKS {
        for spec in specs(kind, 2) {
            let left_out = Toy::new(&spec, "kind = \"linear\"", &[8, 8, 3], DType::F64).check(&spec);
            assert!(left_out < 10, "{spec}: {left_out} entries left out");
        }
    }
    for (kind, input) in [
        ("r2plus1d", &[4, 6, 5, 2][..]),
        ("basic", &[4, 6, 5, 2]),
        ("factorised-higher-order", &[4, 6, 5, 2]),
        ("tucker", &[4, 5, 4, 3]),
        ("einsum", &[4, 5, 4, 3]),
        ("t-net", &[11, 2]),
        ("tensor-train", &[11, 2]),
    ] {
        for spec in specs(kind, input.len() - 1) {
            Toy::new(&spec, "kind = \"linear\"", input, DType::F64).check(&spec);
        }
    }
}

#[test]
fn networks_with_every_head_have_these_derivatives() {
    for (head, input) in [
        ("kind = \"linear\"", &[8, 8, 3][..]),
        ("kind = \"contraction\", ranks = [2, 3, 4]", &[8, 8, 3]),
        ("kind = \"regression\", ranks = [2, 3, 4, 3]", &[8, 8, 3]),
        ("kind = \"contraction\", ranks = [2, 3]", &[9, 2]),
        ("kind = \"regression\", ranks = [2, 2, 2, 5, 3]", &[4, 6, 5, 2]),
    ] {
        Toy::new("\"bottleneck\"", head, input, DType::F64).check(head);
    }
}

#[test]
fn blocks_have_the_counts_of_their_structures() {
    let place = |channels, kernels, r, kernel: &[usize], stride: &[usize]| Place {
        channels,
        kernels,
        r,
        kernel: kernel.to_vec(),
        stride: stride.to_vec(),
        number: (1, 3),
    };
    let places = [
        place(8, 16, 4, &[3, 3], &[1, 1]),
        place(8, 8, 8, &[3, 5], &[2, 1]),
        place(4, 12, 4, &[1, 3], &[2, 2]),
        place(6, 2, 12, &[2, 4], &[1, 3]),
        place(8, 16, 4, &[5], &[2]),
        place(4, 8, 4, &[3, 1, 5], &[1, 2, 2]),
        place(2, 32, 16, &[2, 3, 4], &[1, 1, 1]),
    ];
    let mut compared = BTreeSet::new();
    for (kind, _) in BLOCKS {
        for place in places.iter().filter(|p| *kind != "r2plus1d" || p.axes() > 1) {
            for spec in specs(kind, place.axes()) {
                let table: toml::Table = toml::from_str(&format!("block = {spec}")).unwrap();
                let block = table["block"].clone().try_into::<BlockSpec>().unwrap().build().unwrap();
                let what = format!("{spec} at {place:?}");
                let (mut parameters, mut running) = (Parameters::default(), Parameters::default());
                let (mut spatial, mut own, mut channels) = (vec![7; place.axes()], 0, place.channels);
                for (i, plan) in block.layers(place).unwrap().into_iter().enumerate() {
                    let layer = plan.build(&i.to_string(), &mut parameters, &mut running).unwrap();
                    assert_eq!(layer.channels, channels, "{what}");
                    channels = layer.kernels;
                    spatial = layer.output(&spatial).unwrap();
                    own += layer.weight.parameters().iter().map(|p| parameters.size(*p)).sum::<usize>();
                }
                assert_eq!(channels, place.kernels, "{what}");
                let Some(text) = block.structure(place) else {
                    assert!(["t-net", "basic"].contains(kind), "{what}");
                    continue;
                };
                let taps = [place.kernel.as_slice(), &[place.channels]].concat();
                let positions: usize = spatial.iter().product();
                let modes = OutputModes { positions: spatial, taps, layers: 1, outputs: 1 };
                let structure = StructureSpec::parse(&text).unwrap().build(&modes).unwrap();
                assert_eq!(structure.naive_parameters() - place.kernels * positions, own, "{what}");
                let counts = structure.counts();
                assert!(counts.kernels.is_none_or(|k| k == place.kernels), "{what}");
                assert_eq!(counts.rank.is_none(), *kind == "einsum", "{what}");
                compared.insert(*kind);
            }
        }
    }
    assert_eq!(compared.len(), BLOCKS.len() - 2, "all but t-net and basic");
}

#[test]
fn networks_are_the_same_bits_for_any_number_of_threads() {
    for dtype in [DType::F32, DType::F64] {
        let toy = Toy::new("\"bottleneck\"", "kind = \"linear\"", &[8, 8, 3], dtype);
        same_bits("network", || {
            let (tape, y) = toy.forward(&toy.parameters);
            let (loss, gradients) = tape.backward(y, &toy.labels, 0.1).unwrap();
            gradients.into_values().chain([loss]).collect()
        });
    }
}

#[test]
fn networks_that_do_not_fit_are_errors() {
    let head =
        |ranks: &str| format!("stages = [{{ r = 4 }}]\nhead = {{ kind = \"regression\", ranks = {ranks} }}");
    let block = |keys: &str| format!("block = {{ {keys} }}\nstages = [{{ r = 4 }}, {{ r = 8 }}]");
    let einsum = |keys: &str| block(&format!("kind = \"einsum\", einsum = {keys}"));
    for text in [
        "stages = []".to_owned(),
        "stages = [{ r = 3 }]".to_owned(),
        "stages = [{ r = 4, stride = 0 }]".to_owned(),
        "stages = [{ r = 4, blocks = 0 }]".to_owned(),
        "stages = [{ r = 4 }]\nkernel = [3]".to_owned(),
        // Even kernels change sizes, so that the shortcut does not fit.
        "stages = [{ r = 4 }]\nkernel = [2, 3]".to_owned(),
        "stages = [{ r = 4 }]\nstem = 3\nkernel = [3, 4]".to_owned(),
        "stages = [{ r = 4 }]\nblock = \"botleneck\"".to_owned(),
        head("[2, 2]"),
        head("[2, 2, 0, 2]"),
        block("kind = \"resnext\", cardinality = 3"),
        block("kind = \"shufflenet\", conv_groups = 4"),
        block("kind = \"tucker\", ranks = [2]"),
        block("kind = \"tensor-train\", ranks = [2, 0]"),
        block("kind = \"t-net\", ranks = [2, 0, 2]"),
        einsum("\"kr,rabc->kcab\""),
        einsum("\"kz,zabc->kabc\""),
        einsum("\"kkz,zabc->kabc\", sizes = { z = 2 }"),
        einsum("\"kr,rabc->kabc\", sizes = { r = 3 }"),
        einsum("\"kr,rabc->kabc\", sizes = { z = 3 }"),
    ] {
        let spec: NetworkSpec = toml::from_str(&text).unwrap();
        assert!(Network::new(&spec, &[8, 8, 3], 5, 1.5).is_err(), "{text}");
    }
    let spec: NetworkSpec = toml::from_str("stages = [{ r = 4 }]\nblock = \"r2plus1d\"").unwrap();
    assert!(Network::new(&spec, &[8, 3], 5, 2.0).is_err(), "r2plus1d on series");
    assert!(Network::new(&spec, &[3], 5, 2.0).is_err(), "no axes");
}
