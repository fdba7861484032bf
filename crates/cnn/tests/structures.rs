//! Jacobian, dimension and counts of structures; errors of geometries and structures.

#![cfg(test)]

use convstat_cnn::{CnnError, Geometry, GeometrySpec, LayerSpec, OutputModes, Structure, StructureSpec};
use convstat_tensor::linalg::rank;
use ndarray::{Array2, ArrayD};
use proptest::prelude::*;

fn build(text: &str, modes: &OutputModes) -> Structure {
    StructureSpec::parse(text).unwrap().build(modes).unwrap()
}

fn modes(positions: &[usize], taps: &[usize], outputs: usize) -> OutputModes {
    OutputModes { positions: positions.to_vec(), taps: taps.to_vec(), layers: 1, outputs }
}

/// Central differences of the contraction.
fn numeric_jacobian(structure: &Structure, factors: &[ArrayD<f64>]) -> Vec<Vec<f64>> {
    let h = 1e-5;
    let mut columns = Vec::new();
    for f in 0..factors.len() {
        for i in 0..factors[f].len() {
            let at = |d: f64| {
                let mut moved = factors.to_vec();
                moved[f].as_slice_mut().unwrap()[i] += d;
                structure.contract(&moved).unwrap()
            };
            columns.push(((at(h) - at(-h)) / (2.0 * h)).to_vec());
        }
    }
    columns
}

#[test]
fn jacobian_agrees_with_finite_differences() {
    let cases = [
        ("{ kind = \"dense\" }", modes(&[2], &[3, 2], 1)),
        ("{ kind = \"cnn\", kernels = 2 }", modes(&[2, 2], &[3, 2], 1)),
        ("{ kind = \"cnn\", kernels = 2 }", modes(&[3], &[2, 2], 2)),
        ("{ einsum = \"pk,kr,ar,br,cr->pabc\", sizes = { k = 3, r = 2 } }", modes(&[2, 1], &[3, 2, 2], 1)),
        ("{ einsum = \"pk,kc,cab->pabc\", sizes = { k = 2 } }", modes(&[2], &[3, 2, 2], 1)),
        ("{ einsum = \"pk,kst,as,bt->pab\", sizes = { k = 2, s = 2, t = 2 } }", modes(&[2], &[3, 3], 1)),
        // One factor twice.
        ("{ einsum = \"ar,br->ab\", sizes = { r = 2 }, shared = [[0, 1]] }", OutputModes::plain(&[4, 4], 1)),
    ];
    for (text, modes) in cases {
        let s = build(text, &modes);
        let factors = s.generic_point();
        let jacobian = s.jacobian(&factors).unwrap();
        for (c, column) in numeric_jacobian(&s, &factors).iter().enumerate() {
            for (r, v) in column.iter().enumerate() {
                // Central differences of a multilinear map of degree ≤ 5 at h = 1e-5.
                assert!((jacobian[[r, c]] - v).abs() < 1e-8 * v.abs().max(1.0), "{text} ({r}, {c})");
            }
        }
        let mut column = 0;
        for f in 0..factors.len() {
            let part = s.factor_jacobian(f, &factors).unwrap();
            for i in 0..part.ncols() {
                assert_eq!(part.column(i), jacobian.column(column));
                column += 1;
            }
        }
    }
}

#[test]
fn a_symmetric_network_has_the_dimension_of_symmetric_matrices() {
    let s = build(
        "{ einsum = \"ar,br->ab\", sizes = { r = 2 }, shared = [[0, 1]] }",
        &OutputModes::plain(&[5, 5], 1),
    );
    // Rank-2 symmetric 5×5: r d − r(r − 1)/2.
    assert_eq!((s.naive_parameters(), s.df().unwrap(), s.gauge().unwrap()), (10, 9, 1));
}

proptest! {
    #[test]
    fn cnn_dimension_is_the_closed_form(p in 1usize..6, l in 1usize..5, l2 in 1usize..4, k in 1usize..7, m in 1usize..3) {
        let s = build(&format!("{{ kind = \"cnn\", kernels = {k} }}"), &modes(&[p], &[l, l2], m));
        prop_assert_eq!(Some(s.df().unwrap()), s.counts().df_closed_form);
    }
}

#[test]
fn reference_counts() {
    // THEORY §5: (7,5,7),(5,3,5),(3,3,3) K=1 and (8,8,3),(3,3,3),(3,3,1) K=1, 3.
    let geometry = |input: [usize; 3], kernel: [usize; 3], pool: [usize; 3]| {
        Geometry::new(&GeometrySpec {
            input: input.to_vec(),
            kernel: kernel.to_vec(),
            pool: Some(pool.to_vec()),
            ..GeometrySpec::default()
        })
        .unwrap()
    };
    let s1 = geometry([7, 5, 7], [5, 3, 5], [3, 3, 3]);
    let s3 = geometry([8, 8, 3], [3, 3, 3], [3, 3, 1]);
    for (g, k, d_m, df) in [(&s1, 1, 77, 75), (&s3, 1, 32, 30), (&s3, 3, 96, 84)] {
        let s = build(&format!("{{ kind = \"cnn\", kernels = {k} }}"), &g.output_modes(1));
        assert_eq!((s.d_m(), s.df().unwrap()), (d_m, df));
    }
    let spectrum = s3.factor_spectrum().unwrap();
    assert_eq!(format!("{:.1e} {:.2}", spectrum.0, spectrum.1), "1.3e-3 0.79");
    let spectrum = s1.factor_spectrum().unwrap();
    assert_eq!(format!("{:.1e} {:.2}", spectrum.0, spectrum.1), "1.7e-4 0.51");
}

#[test]
fn count_without_k_for_networks_written_out() {
    let m = modes(&[4], &[5, 5, 3], 1);
    // Tucker (2,2,2), R = 2, K = 8: R∏R_j + ΣR_j l_j + RP = 16 + 26 + 8.
    let tucker = "{ einsum = \"pk,kr,rxyz,ax,by,cz->pabc\", sizes = { k = 8, r = 2, x = 2, y = 2, z = 2 } }";
    let s = build(tucker, &m);
    assert_eq!((s.d_m(), s.df().unwrap()), (50, 34));
    // CP R = 2: R(Σl_j + P) and df R(Σ(l_j−1) + P).
    let s = build("{ einsum = \"pk,kr,ar,br,cr->pabc\", sizes = { k = 8, r = 2 } }", &m);
    assert_eq!((s.d_m(), s.df().unwrap()), (34, 28));
}

#[test]
fn wrong_geometries_name_the_value() {
    let try_one = |f: fn(&mut GeometrySpec)| {
        let mut spec = GeometrySpec { input: vec![8, 8], kernel: vec![3, 3], ..GeometrySpec::default() };
        f(&mut spec);
        Geometry::new(&spec).unwrap_err().to_string()
    };
    let cases: [(fn(&mut GeometrySpec), &str); 8] = [
        (
            |s| s.kernel[1] = 9,
            "mode 1: the kernel (9 taps, dilation 1) covers 9 rows but the padded input has 8",
        ),
        (|s| s.input[0] = 0, "input is 0 in mode 0"),
        (|s| s.stride = Some(vec![1, 0]), "stride is 0 in mode 1"),
        (
            |s| s.pool = Some(vec![7, 1]),
            "mode 0: the pooling window (7) exceeds the convolution's output (6)",
        ),
        (|s| s.pool = Some(vec![1]), "pool has 1 entries but input has 2"),
        (|s| s.dilation = Some(vec![usize::MAX, 1]), "a size overflows"),
        (|s| s.padding = Some(vec![usize::MAX, 1]), "a size overflows"),
        (|s| s.input = vec![1 << 40, 1 << 40], "one input of shape"),
    ];
    for (f, text) in cases {
        let message = try_one(f);
        assert!(message.contains(text), "{message}");
    }
    assert_eq!(Geometry::new(&GeometrySpec::default()), Err(CnnError::NoModes));
}

#[test]
fn wrong_structures_name_the_mend() {
    let m = modes(&[4], &[3, 3], 1);
    let message = |text: &str| match StructureSpec::parse(text) {
        Err(e) => e.to_string(),
        Ok(s) => s.build(&m).unwrap_err().to_string(),
    };
    for (text, expected) in [
        ("{ kind = \"cn\", kernels = 1 }", "did you mean \"cnn\"?"),
        ("{ kind = \"cnn\", kernel = 1 }", "unknown field `kernel`, expected `kernels`"),
        ("{ kind = \"cnn\", kernels = 0 }", "kernels is 0"),
        ("{ kind = \"cnn\" }", "missing field `kernels`"),
        ("{ kernels = 3 }", "give kind"),
        ("3", "is not a table"),
        ("{ kind = \"cnn\", kernels = 1, outputs = 0 }", "outputs = 0"),
        ("{ einsum = \"pk,ka->pa\", sizes = { q = 2 } }", "names label 'q'"),
        ("{ einsum = \"pk,kab->pab\" }", "size of label 'k'"),
        ("{ einsum = \"pk,kabcde->pabcde\", sizes = { k = 2 } }", "output has 6 labels"),
        ("{ einsum = \"pkkab\" }", "no '->'"),
        ("{ einsum = \"pk,kab->pab\", sizes = { k = 4000000000000 } }", "over the limit"),
        ("{ einsum = \"pk,kab->pab\", sizes = { k = 2, p = 3 } }", "gives label 'p' size 3"),
    ] {
        let found = message(text);
        assert!(found.contains(expected), "{text}: {found}");
    }
}

/// A description and modes of each family with a closed form.
fn closed_forms() -> impl Strategy<Value = (String, OutputModes)> {
    let sizes = (1usize..5, 1usize..5, 1usize..5, 1usize..5, 1usize..4);
    let ranks = (1usize..5, 1usize..4, 1usize..4, 1usize..4, 1usize..3);
    (sizes, ranks, 0usize..6).prop_map(|((p, a, b, c, m), (k, r, s, t, _), family)| {
        let flat = modes(&[p], &[a, b, c], m);
        let two = OutputModes { layers: 2, ..modes(&[p], &[a, b, c, 2], m) };
        match family {
            0 => (
                format!("{{ kind = \"tucker\", ranks = [{r}, {s}, {t}], r = {}, kernels = {k} }}", r.min(2)),
                flat,
            ),
            1 => (format!("{{ kind = \"cp\", rank = {}, kernels = {k} }}", r.min(2)), flat),
            2 => (format!("{{ kind = \"tensor-train\", ranks = [{r}, {s}, {t}], kernels = {k} }}"), flat),
            3 => (format!("{{ kind = \"bottleneck\", r = {r}, r_in = {s}, kernels = {k} }}"), flat),
            4 => (format!("{{ kind = \"r2plus1d\", mid = {r}, kernels = {k} }}"), flat),
            _ => (format!("{{ kind = \"deep\", kernels = [{r}, {k}] }}"), two),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn dimension_is_the_closed_form_wherever_there_is_one((text, modes) in closed_forms()) {
        let s = build(&text, &modes);
        if let Some(df) = s.counts().df_closed_form {
            prop_assert_eq!(s.df().unwrap(), df, "{} {:?}", text, modes);
        }
    }

    #[test]
    fn kernels_beyond_the_rank_change_no_dimension(p in 1usize..5, r in 1usize..4, extra in 0usize..9) {
        let m = modes(&[p], &[3, 2, 3], 1);
        let families: [fn(usize, usize) -> String; 5] = [
            |r, k| format!("{{ kind = \"tucker\", ranks = [2, 2, 2], r = {r}, kernels = {k} }}"),
            |r, k| format!("{{ kind = \"cp\", rank = {r}, kernels = {k} }}"),
            |r, k| format!("{{ kind = \"tensor-train\", ranks = [{r}, 2, 2], kernels = {k} }}"),
            |r, k| format!("{{ kind = \"bottleneck\", r = {r}, kernels = {k} }}"),
            |r, k| format!("{{ kind = \"inverted-residual\", expanded = {r}, kernels = {k} }}"),
        ];
        for text in families {
            let (small, large) = (build(&text(r, r), &m), build(&text(r, r + extra), &m));
            prop_assert_eq!(small.df().unwrap(), large.df().unwrap());
            prop_assert_eq!(small.d_m(), large.d_m());
            // The excess is what THEORY §2 says: (K − R)(R + P).
            prop_assert_eq!(large.naive_parameters() - small.naive_parameters(), extra * (r + p));
            let excess = large.redundant_parameters(p).unwrap() - small.redundant_parameters(p).unwrap();
            prop_assert_eq!(excess, extra * (r + p));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// A generic member's unfoldings have the rank of the least cut of the network.
    #[test]
    fn unfoldings_have_the_rank_of_the_least_cut((text, modes) in closed_forms()) {
        let s = build(&text, &modes);
        let output = &s.network().output;
        let w = ArrayD::from_shape_vec(s.sizes_of(output), s.contract(&s.generic_point()).unwrap().to_vec()).unwrap();
        for labels in &s.network().inputs {
            let (rows, cols): (Vec<char>, Vec<char>) = output.iter().copied().partition(|c| labels.contains(c));
            let axes: Vec<usize> =
                rows.iter().chain(&cols).map(|c| output.iter().position(|o| o == c).unwrap()).collect();
            let size = s.sizes_of(&rows).iter().product::<usize>();
            let unfolded = w.view().permuted_axes(axes);
            let unfolded = Array2::from_shape_vec((size, w.len() / size), unfolded.iter().copied().collect()).unwrap();
            prop_assert_eq!(s.rank_bound(&rows), rank(&unfolded.view(), 1e-10).unwrap(), "{} {:?} {:?}", text, modes, rows);
        }
    }
}

#[test]
fn every_family_differentiates_and_counts() {
    let m = modes(&[2, 2], &[2, 3, 4], 1);
    let deep = OutputModes { layers: 2, ..modes(&[2], &[2, 1, 2, 3], 1) };
    let cases: Vec<(&str, OutputModes, usize)> = vec![
        ("{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 3 }", m.clone(), 12 + 6 + 16 + 18),
        (
            "{ kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 3, groups = [[0, 1], [2]] }",
            m.clone(),
            12 + 6 + 8 + 20,
        ),
        ("{ kind = \"cp\", rank = 2, kernels = 3 }", m.clone(), 12 + 6 + 18),
        ("{ kind = \"factorised-higher-order\", rank = 2, kernels = 3 }", m.clone(), 12 + 6 + 18),
        ("{ kind = \"tensor-train\", ranks = [2, 2, 2], kernels = 3 }", m.clone(), 12 + 6 + 8 + 12 + 8),
        ("{ kind = \"kronecker\", outer = [2, 1, 2], terms = 2, kernels = 3 }", m.clone(), 12 + 24 + 36),
        ("{ kind = \"bottleneck\", r = 2, kernels = 3 }", m.clone(), 12 + 6 + 24 + 8),
        ("{ kind = \"depthwise-separable\", kernels = 3 }", m.clone(), 12 + 12 + 24),
        ("{ kind = \"inverted-residual\", expanded = 5, kernels = 3 }", m.clone(), 12 + 15 + 30 + 20),
        ("{ kind = \"resnext\", cardinality = 2, width = 2, kernels = 3 }", m.clone(), 12 + 12 + 48 + 16),
        (
            "{ kind = \"shufflenet\", conv_groups = 2, channels = 4, kernels = 6 }",
            m.clone(),
            24 + 12 + 24 + 8,
        ),
        ("{ kind = \"r2plus1d\", mid = 2, kernels = 3 }", m.clone(), 12 + 12 + 24),
        ("{ kind = \"standard\", kernels = 3, head_ranks = [1, 2] }", m, 6 + 2 + 4 + 72),
        ("{ kind = \"deep\", kernels = [3, 2] }", deep.clone(), 4 + 12 + 18),
        ("{ kind = \"t-net\", kernels = 3, ranks = [2, 2, 2, 2] }", deep, 6 + 16 + 6 + 6 + 4 + 4),
    ];
    for (text, modes, naive) in cases {
        let s = build(text, &modes);
        assert_eq!(s.naive_parameters(), naive, "{text}");
        let factors = s.generic_point();
        let jacobian = s.jacobian(&factors).unwrap();
        for (c, column) in numeric_jacobian(&s, &factors).iter().enumerate() {
            for (r, v) in column.iter().enumerate() {
                assert!((jacobian[[r, c]] - v).abs() < 1e-7 * v.abs().max(1.0), "{text} ({r}, {c})");
            }
        }
        let df = s.df().unwrap();
        assert!(df <= s.coefficients() && df <= naive && s.d_m() > 0, "{text}");
    }
}

/// Kernels `A[k, tap…]` of a block with one pooled position and the head fixed to unit vectors.
#[test]
fn grouped_blocks_are_their_convolutions() {
    // ShuffleNet by its steps on a 1×1 image: pointwise in groups, shuffle, depthwise, pointwise in groups.
    let (g, mid, kernels, channels) = (2usize, 4usize, 2usize, 4usize);
    let s = build(
        "{ kind = \"shufflenet\", conv_groups = 2, channels = 4, kernels = 2 }",
        &modes(&[1], &[1, channels], 1),
    );
    let f = s.generic_point();
    let w = s.contract(&f).unwrap();
    let (head, out, depth, input) = (&f[0], &f[1], &f[2], &f[3]);
    for c in 0..channels {
        // Inner channel j of input group u sits at u·(mid/g) + j; the shuffle moves it to j·g + u.
        let mut inner = vec![0.0; mid];
        let u = c / (channels / g);
        for j in 0..mid / g {
            let (y, x) = (j / (mid / g / g), j % (mid / g / g));
            inner[j * g + u] = input[[u, y, x, c % (channels / g)]] * depth[[u, y, x, 0]];
        }
        let mut total = 0.0;
        for k in 0..kernels {
            let (y, n) = (k / (kernels / g), k % (kernels / g));
            for q in 0..mid / g {
                // Output group y reads shuffled channels y·(mid/g) …
                let at = y * (mid / g) + q;
                let (j, u) = (at / g, at % g);
                let x = j % (mid / g / g);
                total += head[[0, y, n]] * out[[y, n, u, x]] * inner[at];
            }
        }
        assert!((total - w[c]).abs() < 1e-12, "channel {c}: {total} {}", w[c]);
    }
}

#[test]
fn the_doubled_structure_holds_all_differences() {
    let cases = [
        ("{ kind = \"cnn\", kernels = 2 }", modes(&[4], &[3, 2], 1)),
        ("{ einsum = \"p,abc->pabc\" }", modes(&[2], &[2, 2, 2], 1)),
        ("{ einsum = \"ar,br->ab\", sizes = { r = 1 }, shared = [[0, 1]] }", OutputModes::plain(&[3, 3], 1)),
        ("{ kind = \"tucker\", ranks = [2, 1], r = 2, kernels = 3 }", modes(&[2], &[3, 2], 1)),
    ];
    for (text, modes) in cases {
        let (s, first) = {
            let s = build(text, &modes);
            let f = s.generic_point();
            (s, f)
        };
        let mut i = 500.0f64;
        let second = s.random_point(|| {
            i += 1.0;
            (i * 1.7).sin()
        });
        let difference = s.contract(&first).unwrap() - s.contract(&second).unwrap();
        // Slices 0 and 1 of the new last label hold the two members; the sign goes to one operand.
        let doubled = s.doubled().unwrap();
        let operands: Vec<(&ArrayD<f64>, &ArrayD<f64>)> =
            s.owners().iter().map(|&f| (&first[f], &second[f])).collect();
        let factors: Vec<ArrayD<f64>> = operands
            .iter()
            .enumerate()
            .map(|(k, (a, b))| {
                let sign = if k == 0 { -1.0 } else { 1.0 };
                ndarray::stack(ndarray::Axis(a.ndim()), &[a.view(), (*b * sign).view()]).unwrap()
            })
            .collect();
        let again = doubled.contract(&factors).unwrap();
        assert!((&again - &difference).iter().all(|d| d.abs() < 1e-12), "{text}");
    }
}

/// The message of a geometry or of a structure over it.
fn refused(geometry: &GeometrySpec, structure: &str) -> String {
    let built = Geometry::new(geometry).and_then(|g| {
        g.second_moment()?;
        StructureSpec::parse(structure)?.build(&g.output_modes(1))
    });
    built.unwrap_err().to_string()
}

#[test]
fn what_no_memory_or_label_holds_is_refused() {
    let spec = |input: &[usize], kernel: &[usize]| GeometrySpec {
        input: input.to_vec(),
        kernel: kernel.to_vec(),
        ..GeometrySpec::default()
    };
    let cnn = "{ kind = \"cnn\", kernels = 1 }";
    // Families of one layer over two.
    let mut deeper = spec(&[6, 8], &[1, 3]);
    deeper.deeper = vec![LayerSpec { kernel: vec![1, 1], ..LayerSpec::default() }];
    for kind in ["tucker\", ranks = [1, 1], r = 1", "cp\", rank = 1", "tensor-train\", ranks = [1, 1]"] {
        let error = refused(&deeper, &format!("{{ kind = \"{kind}, kernels = 1 }}"));
        assert!(error.contains("has 2; use kind \"deep\", or remove deeper"), "{error}");
    }
    // Pools of many layers that keep the size: each feature would average 3^40 rows.
    let mut pools = spec(&[9], &[1]);
    let layer = LayerSpec {
        kernel: vec![1],
        pool: Some(vec![3]),
        pool_stride: Some(vec![1]),
        padding: Some(vec![1]),
        ..LayerSpec::default()
    };
    pools.deeper = vec![layer; 40];
    assert!(refused(&pools, cnn).contains("the windows of one mode"));
    // A factor of 10^12 entries, though input and features are a million each.
    assert!(refused(&spec(&[1_000_000], &[1]), cnn).contains("GiB"));
    // Labels of pooled modes, operands, and a square that overflows.
    let many = spec(&[1; 18], &[1; 18]);
    let ranks = vec!["1"; 18].join(", ");
    let error = refused(&many, &format!("{{ kind = \"cnn\", kernels = 1, head_ranks = [{ranks}] }}"));
    assert!(error.contains("head_ranks has 18 entries; at most 16"), "{error}");
    let error = refused(&spec(&[3], &[2]), &format!("{{ einsum = \"pa{}->pa\" }}", ",p".repeat(100)));
    assert!(error.contains("101 operands and 2 labels; at most 64"), "{error}");
    let shuffle = "{ kind = \"shufflenet\", conv_groups = 4294967296, channels = 0, kernels = 4294967296 }";
    assert!(refused(&spec(&[3, 2], &[2, 2]), shuffle).contains("conv_groups = 4294967296 has to divide"));
}
