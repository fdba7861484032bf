//! Blocks of published networks: forms, K/R, counts.

#![cfg(test)]

use convstat_audit::{Audit, BlockAudit};
use convstat_graph::catalogue::{CatalogueOptions, network};

fn audit(name: &str) -> Audit {
    Audit::new(&network(name, &CatalogueOptions::default()).unwrap(), None).unwrap()
}

fn of_form<'a>(audit: &'a Audit, form: &str) -> Vec<&'a BlockAudit> {
    audit.blocks.iter().filter(|b| b.form == form).collect()
}

#[test]
fn k_over_r_of_published_networks() {
    // (network, form, blocks of it, K/R of all of them, or the two that occur)
    let cases: [(&str, &str, usize, &[f64]); 10] = [
        ("resnet50", "bottleneck", 16, &[4.0]),
        ("wide_resnet50_2", "bottleneck", 16, &[2.0]),
        ("resnext50_32x4d", "resnext", 16, &[2.0]),
        ("mobilenet_v1", "depthwise separable", 13, &[1.0, 2.0]),
        ("convnext_tiny", "depthwise bottleneck", 18, &[0.25]),
        ("resnet18", "convolution", 17, &[1.0]),
        ("vgg16", "convolution", 13, &[1.0, 64.0 / 27.0]),
        ("r3d_18", "convolution", 17, &[1.0]),
        ("r2plus1d_18", "separable", 17, &[1.0]),
        ("densenet121", "reduced convolution", 58, &[1.0]),
    ];
    for (name, form, blocks, ratios) in cases {
        let audit = audit(name);
        let found = of_form(&audit, form);
        assert_eq!(
            found.len(),
            blocks,
            "{name}: {:?}",
            audit.blocks.iter().map(|b| b.form).collect::<Vec<_>>()
        );
        for b in &found {
            assert!(ratios.contains(&b.figures.kr), "{name}, {}: {}", b.name, b.figures.kr);
        }
        for r in ratios {
            assert!(found.iter().any(|b| b.figures.kr == *r), "{name}: no block of {r}");
        }
    }
    // MobileNetV2 at equal width: 1/6. ShuffleNetV2's units: 1. ShuffleNetV1's stride-1 units: 4.
    let v2 = audit("mobilenet_v2");
    let equal: Vec<_> = of_form(&v2, "inverted residual").into_iter().filter(|b| b.residual).collect();
    assert_eq!(equal.len(), 10);
    assert!(equal.iter().all(|b| (b.figures.kr - 1.0 / 6.0).abs() < 1e-12));
    let units = audit("shufflenet_v2_x1_0");
    assert!(of_form(&units, "inverted residual").iter().all(|b| b.figures.kr == 1.0));
    let v1 = audit("shufflenet_v1");
    let stride_1: Vec<_> = of_form(&v1, "shufflenet").into_iter().filter(|b| b.residual).collect();
    assert_eq!(stride_1.len(), 13);
    assert!(stride_1.iter().all(|b| b.figures.kr == 4.0));
}

#[test]
fn figures_of_a_bottleneck_by_hand() {
    // layer2.1 of ResNet-50: 512 → 128 → 3×3 128 → 512 on 28×28.
    let audit = audit("resnet50");
    let block = audit.blocks.iter().find(|b| b.name == "layer2.1").unwrap();
    let f = &block.figures;
    assert_eq!(block.layers, ["layer2.1.conv1", "layer2.1.conv2", "layer2.1.conv3"]);
    assert_eq!((f.k, f.r, f.kr, f.positions), (512, 128, 4.0, Some(784)));
    let weights = 512 * 128 + 9 * 128 * 128 + 128 * 512;
    assert_eq!(f.weights, weights);
    assert_eq!(f.parameters, weights + 2 * (128 + 128 + 512), "with the scales and shifts of batch norm");
    assert_eq!(f.naive, Some(weights + 512 * 784));
    assert_eq!(f.redundant, Some((512 - 128) * (128 + 784)));
    // d_M = R S R_in + R_in C + R P; df less the gauge R_in² and R².
    let d_m = 128 * 9 * 128 + 128 * 512 + 128 * 784;
    assert_eq!(f.d_m, Some(d_m));
    assert_eq!(f.df, Some(d_m - 2 * 128 * 128));
    assert_eq!(f.naive.unwrap() - f.redundant.unwrap(), d_m + 128 * 128, "the gauge is kept apart");
    assert_eq!(f.macs, Some(784 * weights as u64));
    assert_eq!(f.flops, Some(2 * 784 * weights as u64));
    assert_eq!(f.activations, Some(784 * (128 + 128 + 512)));
    assert!(block.residual && block.activations == ["relu", "relu"]);
    // The same counts with P given.
    let graph = network("resnet50", &CatalogueOptions::default()).unwrap();
    let given = Audit::new(&graph, Some(1)).unwrap();
    let block = given.blocks.iter().find(|b| b.name == "layer2.1").unwrap();
    assert_eq!(block.figures.redundant, Some((512 - 128) * (128 + 1)));
}

#[test]
fn every_trained_layer_is_in_a_block_or_named_outside() {
    for n in convstat_graph::catalogue::networks() {
        let graph = n.graph(&CatalogueOptions::default()).unwrap();
        let audit = Audit::new(&graph, None).unwrap();
        let mut names: Vec<&str> =
            audit.blocks.iter().flat_map(|b| b.layers.iter().map(String::as_str)).collect();
        names.extend(audit.outside.iter().map(|o| o.name.as_str()));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(count, names.len(), "{}: a layer stands twice", n.name);
        let layers = graph
            .nodes
            .iter()
            .filter(|n| matches!(n.op, convstat_graph::Op::Conv(_) | convstat_graph::Op::Linear(_)));
        for layer in layers {
            assert!(names.binary_search(&layer.name.as_str()).is_ok(), "{}: {} is lost", n.name, layer.name);
        }
        for o in &audit.outside {
            assert!(["head", "gate"].contains(&o.what.as_str()), "{}: {} is {}", n.name, o.name, o.what);
        }
        // Redundant parameters are the naive ones that are not identifiable, the gauge apart.
        for b in &audit.blocks {
            let f = &b.figures;
            assert!(
                f.d_m.unwrap() + f.redundant.unwrap() <= f.naive.unwrap() + f.k * f.r.min(f.k),
                "{}: {}",
                n.name,
                b.name
            );
            let (df, d_m) = (f.identifiable.unwrap(), f.d_m.unwrap());
            assert!(df <= d_m && d_m <= f.naive.unwrap() - f.redundant.unwrap(), "{}: {}", n.name, b.name);
            assert!(f.df.is_none_or(|exact| exact == df), "{}: {}", n.name, b.name);
        }
    }
}

#[test]
fn squeeze_and_excitation_is_a_gate_and_breaks_no_block() {
    let audit = audit("efficientnet_b0");
    assert_eq!(of_form(&audit, "inverted residual").len(), 15);
    assert_eq!(of_form(&audit, "depthwise separable").len(), 1);
    assert_eq!(audit.outside.iter().filter(|o| o.what == "gate").count(), 32);
}

#[test]
fn advice_reaches_k_over_r_of_one() {
    let audit = audit("resnet50");
    let block = audit.blocks.iter().find(|b| b.name == "layer2.1").unwrap();
    let text: Vec<String> = block.advice.iter().map(ToString::to_string).collect();
    // K = R saves (K − R) R weights and (K − R) P of the reader: all that is redundant.
    assert!(text[0].contains(&format!("{} weights fewer", (512 - 128) * (128 + 784))), "{text:?}");
    let convstat_audit::Advice::EqualRanks { k, weights, identifiable, .. } = &block.advice[1] else {
        panic!("{text:?}")
    };
    // K = R = r with C = 512: 512 r + 9 r² + r² nearest to the block's own weights.
    let at = |r: usize| 512 * r + 10 * r * r;
    assert_eq!((weights.0, weights.1), (block.figures.weights, at(*k)));
    assert!(at(*k).abs_diff(weights.0) <= at(k + 1).abs_diff(weights.0).min(at(k - 1).abs_diff(weights.0)));
    assert!(identifiable.1 > identifiable.0);
    assert!(audit.blocks.iter().all(|b| b.advice.is_empty() == (b.figures.k <= b.figures.r)));
}

#[test]
fn tables_have_a_row_a_block() {
    let audit = audit("mobilenet_v2");
    assert_eq!(audit.rows().len(), 1 + audit.blocks.len());
    assert!(audit.markdown().lines().filter(|l| l.starts_with('|')).count() == 2 + audit.blocks.len());
    let latex = audit.latex();
    assert!(latex.contains("\\toprule") && latex.contains("features.18.0 & pointwise"), "{latex}");
    assert!(audit.summary().contains("3504872 parameters, 0.301 GMAC"));
    let json = serde_json::to_value(&audit).unwrap();
    assert_eq!(json["totals"]["parameters"], 3_504_872);
    assert_eq!(json["blocks"].as_array().unwrap().len(), audit.blocks.len());
}
