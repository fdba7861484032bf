//! Spectra against NumPy's, EVBMF against the paper's equations in Python and against a program in use
//! (`data/make_spectra.py` wrote the numbers).

#![cfg(test)]

use std::path::Path;

use bytes::Bytes;
use convstat_audit::spectrum::{Side, spectra, spectrum};
use convstat_graph::{Conv, Graph, Numbers, Op, Weight, safetensors_file};
use convstat_tensor::evbmf;
use serde_json::Value;

fn reference() -> Value {
    serde_json::from_str(include_str!("data/spectra.json")).expect("JSON")
}

fn floats(v: &Value) -> Vec<f64> {
    v.as_array().expect("list").iter().map(|v| v.as_f64().expect("number")).collect()
}

fn sizes(v: &Value) -> Vec<usize> {
    floats(v).iter().map(|&v| v as usize).collect()
}

fn size(v: &Value) -> usize {
    v.as_u64().expect("whole number") as usize
}

fn weight(shape: &[usize], entries: &[f64]) -> Weight {
    let bytes: Vec<u8> = entries.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
    Weight::new("w", shape.to_vec(), Numbers::F32, Bytes::from(bytes)).expect("weight")
}

/// A fixed sequence of numbers that look random, mean 0, between −1 and 1 (splitmix64).
fn noise(seed: u64) -> impl FnMut() -> f64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}

#[test]
fn spectra_are_numpys() {
    for k in reference()["kernels"].as_array().expect("kernels") {
        let weight = weight(&sizes(&k["shape"]), &floats(&k["weight"]));
        let transposed = k["transposed"].as_bool().expect("bool");
        for (side, expected) in [(Side::Output, &k["output"]), (Side::Input, &k["input"])] {
            let at = format!("{} {side:?}", k["name"]);
            let s = spectrum(&weight, size(&k["groups"]), transposed, side).expect("spectrum");
            let values = floats(&expected["singular_values"]);
            let at_place = |list: &[f64], i: usize| list.get(i).copied().unwrap_or(0.0);
            for i in 0..values.len().max(s.singular_values.len()) {
                let (ours, theirs) = (at_place(&s.singular_values, i), at_place(&values, i));
                // A Gram matrix resolves squares to ε of the largest.
                let error = (ours * ours - theirs * theirs).abs() / (values[0] * values[0]);
                assert!(error < 1e-14, "{at}: {ours} {theirs}");
            }
            assert_eq!(s.rank, size(&expected["rank"]), "{at}");
            let stable = expected["stable_rank"].as_f64().expect("number");
            assert!((s.stable_rank / stable - 1.0).abs() < 1e-12, "{at}");
            assert_eq!(vec![s.energy.r90, s.energy.r95, s.energy.r99], sizes(&expected["energy"]), "{at}");
            assert!(s.tolerance < 2e-6, "{at}: {}", s.tolerance);
        }
    }
}

#[test]
fn evbmf_is_the_papers() {
    for m in reference()["matrices"].as_array().expect("matrices") {
        let values = floats(&m["singular_values"]);
        let ours = evbmf(&values, size(&m["rows"]), size(&m["columns"]), 1e-7);
        assert_eq!(ours.rank, size(&m["evbmf"]["rank"]), "{}", m["name"]);
        let variance = m["evbmf"]["noise_variance"].as_f64().expect("number");
        // A minimum is flat: its place is known to the root of ε.
        assert!((ours.noise_variance / variance - 1.0).abs() < 1e-6, "{}: {ours:?}", m["name"]);
    }
}

#[test]
fn evbmf_agrees_with_the_program_in_use_where_that_found_the_minimum() {
    let mut compared = 0;
    for m in reference()["matrices"].as_array().expect("matrices") {
        let theirs = &m["program"];
        let excess = theirs["excess"].as_f64().expect("number");
        assert!(excess > -1e-9, "{}: the program found a lower free energy, by {excess}", m["name"]);
        // It stops in a local minimum, or at an absolute 1e-5 of the variance, on some of these.
        if excess < 1e-3 {
            let ours = evbmf(&floats(&m["singular_values"]), size(&m["rows"]), size(&m["columns"]), 1e-7);
            assert_eq!(ours.rank, size(&theirs["rank"]), "{}", m["name"]);
            compared += 1;
        }
    }
    assert!(compared >= 20, "{compared}");
}

#[test]
fn evbmf_of_edge_cases() {
    assert_eq!(evbmf(&[], 0, 5, 1e-7).rank, 0);
    assert_eq!(evbmf(&[0.0, 0.0], 2, 5, 1e-7).rank, 0);
    assert_eq!(evbmf(&[3.0], 1, 5, 1e-7).rank, 0);
    assert_eq!(evbmf(&[f64::NAN, 1.0], 2, 5, 1e-7).rank, 0);
    // No noise at all: the rank is the exact one.
    let exact = [4.0, 3.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    assert_eq!(evbmf(&exact, 10, 30, 1e-7).rank, 3);
    // It does not depend on scale.
    let values: Vec<f64> = (0..20).map(|i| f64::from(if i < 4 { 30 - i } else { 3 })).collect();
    let scaled: Vec<f64> = values.iter().map(|v| v * 1e-20).collect();
    let (a, b) = (evbmf(&values, 20, 40, 1e-7), evbmf(&scaled, 20, 40, 1e-7));
    assert_eq!(a.rank, b.rank);
    assert!((b.noise_variance * 1e40 / a.noise_variance - 1.0).abs() < 1e-9);
}

#[test]
fn closed_forms() {
    // Depthwise: the norms of the filters, descending.
    let filters = [3.0, 4.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let s = spectrum(&weight(&[4, 1, 2], &filters), 4, false, Side::Output).expect("spectrum");
    assert_eq!(s.singular_values, vec![5.0, 1.0, 0.0, 0.0]);
    assert_eq!((s.rank, s.vbmf_rank), (2, None));
    assert_eq!(s.stable_rank, 26.0 / 25.0);
    assert_eq!((s.energy.r90, s.energy.r95, s.energy.r99), (1, 1, 2));
    assert_eq!(s.energy_kept(1), 25.0 / 26.0);
    // The identity and zero.
    let identity: Vec<f64> = (0..36).map(|i| f64::from(i % 7 == 0)).collect();
    let s = spectrum(&weight(&[6, 6], &identity), 1, false, Side::Input).expect("spectrum");
    assert_eq!(s.singular_values, vec![1.0; 6]);
    assert_eq!((s.rank, s.stable_rank, s.energy.r90, s.energy.r99), (6, 6.0, 6, 6));
    let s = spectrum(&weight(&[6, 6], &[0.0; 36]), 1, false, Side::Input).expect("spectrum");
    assert_eq!((s.rank, s.stable_rank, s.energy_kept(0), s.energy.r99), (0, 0.0, 1.0, 0));
}

#[test]
fn storage_in_few_bits_does_not_make_rank() {
    let mut next = noise(7);
    let (rows, columns, rank) = (96, 400, 5);
    let left: Vec<f64> = (0..rows * rank).map(|_| next()).collect();
    let right: Vec<f64> = (0..rank * columns).map(|_| next()).collect();
    let product = |i: usize| {
        (0..rank).map(|r| left[(i / columns) * rank + r] * right[r * columns + i % columns]).sum::<f64>()
    };
    let entries: Vec<f64> = (0..rows * columns).map(product).collect();
    let of = |numbers: Numbers, bytes: Vec<u8>| {
        let w = Weight::new("w", vec![rows, columns], numbers, Bytes::from(bytes)).expect("weight");
        spectrum(&w, 1, false, Side::Output).expect("spectrum").rank
    };
    assert_eq!(of(Numbers::F64, entries.iter().flat_map(|v| v.to_le_bytes()).collect()), rank);
    assert_eq!(of(Numbers::F32, entries.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect()), rank);
    let halves = |v: &f64| half::f16::from_f64(*v).to_le_bytes();
    assert_eq!(of(Numbers::F16, entries.iter().flat_map(halves).collect()), rank);
    let brains = |v: &f64| half::bf16::from_f64(*v).to_le_bytes();
    assert_eq!(of(Numbers::BF16, entries.iter().flat_map(brains).collect()), rank);
    let most = entries.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let bytes = entries.iter().flat_map(|v| ((v / most * 127.0).round() as i8).to_le_bytes()).collect();
    assert_eq!(of(Numbers::I8, bytes), rank);
}

#[test]
fn bad_weights_are_errors() {
    let nan = weight(&[2, 2], &[1.0, 2.0, f64::NAN, 3.0]);
    let error = spectrum(&nan, 1, false, Side::Output).expect_err("NaN").to_string();
    assert!(error.contains("flat index 2"), "{error}");
    let vector = weight(&[4], &[1.0; 4]);
    assert!(spectrum(&vector, 1, false, Side::Output).is_err());
    let matrix = weight(&[4, 2], &[1.0; 8]);
    assert!(spectrum(&matrix, 3, false, Side::Output).is_err());
    assert!(spectrum(&matrix, 0, false, Side::Output).is_err());
    let empty = Weight::new("w", vec![0, 1 << 40, 1 << 40], Numbers::F32, Bytes::new()).expect("empty");
    assert!(spectrum(&empty, 1, false, Side::Input).is_err());
    let mut graph = Graph::default();
    let conv = Conv { outputs: 2, inputs: 2, groups: 1, weight: Some(nan), ..Conv::default() };
    graph.add("stem", Op::Conv(conv), vec![], vec![]);
    let answers = spectra(&graph).expect("threads");
    let error = answers[0].as_ref().expect_err("NaN").to_string();
    assert!(error.starts_with("stem: "), "{error}");
}

/// P-Net of MTCNN: singular values of what was read are those of NumPy on what PyTorch read.
#[test]
fn spectra_of_real_weights() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../graph/tests/data/pnet.safetensors");
    let graph = safetensors_file::read(&path, None).expect("P-Net");
    let reference = reference();
    let matrices = reference["matrices"].as_array().expect("list");
    let spectra = spectra(&graph).expect("threads");
    let mut compared = 0;
    for layer in spectra {
        let layer = layer.expect("spectrum");
        let name = &graph.nodes[layer.node].name;
        for (side, ours) in [("output", &layer.output), ("input", &layer.input)] {
            let Some(m) = matrices.iter().find(|m| m["name"] == format!("pnet {name}.weight {side}")) else {
                continue;
            };
            let theirs = m["singular_values"].as_array().expect("list");
            assert_eq!(ours.singular_values.len(), theirs.len());
            for (a, b) in ours.singular_values.iter().zip(theirs) {
                let b = b.as_f64().expect("number");
                assert!((a - b).abs() < 1e-9 * ours.singular_values[0], "{name} {side}: {a} {b}");
            }
            assert_eq!(ours.vbmf_rank.map(|r| r as u64), m["evbmf"]["rank"].as_u64(), "{name} {side}");
            compared += 1;
        }
    }
    assert_eq!(compared, 4);
}
