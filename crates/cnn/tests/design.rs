//! Products with a sample and second derivatives, by contraction and from the dense Jacobian; no allocations.

#![cfg(test)]

use convstat_cnn::{Curvature, DesignProduct, OutputModes, Structure, StructureSpec};
use ndarray::{Array2, s};

#[path = "../../../tests/support/counting_allocator.rs"]
mod counting_allocator;
use counting_allocator::allocations;

const SINGLE: [&str; 11] = [
    "{ kind = \"dense\" }",
    "{ kind = \"cnn\", kernels = 2 }",
    "{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 3 }",
    "{ kind = \"cp\", rank = 2, kernels = 3 }",
    "{ kind = \"tensor-train\", ranks = [2, 2, 2], kernels = 3 }",
    "{ kind = \"kronecker\", outer = [2, 1, 2], terms = 2, kernels = 3 }",
    "{ kind = \"depthwise-separable\", kernels = 3 }",
    "{ kind = \"resnext\", cardinality = 2, width = 2, kernels = 3 }",
    "{ kind = \"shufflenet\", conv_groups = 2, channels = 4, kernels = 6 }",
    // A bond of one factor alone, summed over it.
    "{ einsum = \"pk,kabcz->pabc\", sizes = { k = 2, z = 3 } }",
    // A bond in three factors.
    "{ einsum = \"pr,ar,bcr->pabc\", sizes = { r = 2 } }",
];

fn structures() -> Vec<Structure> {
    let modes = |outputs| OutputModes { positions: vec![2, 2], taps: vec![2, 3, 4], layers: 1, outputs };
    let build = |text: &str, modes: &OutputModes| StructureSpec::parse(text).unwrap().build(modes).unwrap();
    let mut all: Vec<Structure> = SINGLE.iter().map(|t| build(t, &modes(1))).collect();
    all.extend(SINGLE[..9].iter().map(|t| build(&t.replace(" }", ", outputs = 2 }"), &modes(2))));
    let deep = OutputModes { positions: vec![2], taps: vec![2, 1, 2, 3], layers: 2, outputs: 1 };
    all.push(build("{ kind = \"t-net\", kernels = 3, ranks = [2, 2, 2, 2] }", &deep));
    // One factor twice, alone and with the response on it.
    let square = OutputModes::plain(&[4, 4], 1);
    all.push(build("{ einsum = \"ar,br->ab\", sizes = { r = 2 }, shared = [[0, 1]] }", &square));
    let pair = OutputModes::plain(&[2], 2);
    all.push(build("{ einsum = \"mr,ar->am\", sizes = { r = 1 }, shared = [[0, 1]], outputs = 2 }", &pair));
    // Any letter may be a label.
    all.push(build("{ einsum = \"aρ,bκρ,κ->ab\", sizes = { \"ρ\" = 2, \"κ\" = 3 } }", &square));
    all.push(all[0].doubled().unwrap());
    all.push(all[1].doubled().unwrap());
    all
}

fn sequence(n: usize) -> Vec<f64> {
    (0..n).map(|i| ((i * 37 + 11) as f64).sin()).collect()
}

/// `(z ⊗ I_M) J` by its definition.
fn dense_product(z: &Array2<f64>, jacobian: &Array2<f64>, outputs: usize) -> Array2<f64> {
    Array2::from_shape_fn((z.nrows() * outputs, jacobian.ncols()), |(row, c)| {
        let (i, m) = (row / outputs, row % outputs);
        (0..z.ncols()).map(|x| z[[i, x]] * jacobian[[x * outputs + m, c]]).sum()
    })
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * b.abs().max(1.0))
}

#[test]
fn products_are_those_of_the_dense_jacobian() {
    convstat_tensor::blas::single_thread().unwrap();
    for structure in structures() {
        let name = structure.name();
        let (rows, m) = (5, structure.outputs());
        let z = Array2::from_shape_vec((rows, structure.features()), sequence(rows * structure.features()))
            .unwrap();
        let factors = structure.generic_point();
        let flat = structure.flatten(&factors).unwrap();
        let expected = dense_product(&z, &structure.jacobian(&factors).unwrap(), m);
        let predicted = z.dot(&structure.coefficient_matrix(&factors).unwrap());
        for fixed in [false, true] {
            let mut product = DesignProduct::new(&structure, rows, fixed);
            let zs = z.as_slice().unwrap();
            product.prepare(zs);
            let mut jacobian = vec![0.0; rows * m * flat.len()];
            let mut out = vec![0.0; rows * m];
            // Twice: nothing of the first run may stay.
            product.jacobian(zs, &sequence(flat.len()), &mut jacobian);
            product.jacobian(zs, &flat, &mut jacobian);
            product.predict(zs, &flat, &mut out);
            assert!(close(&jacobian, expected.as_slice().unwrap(), 1e-12), "{name} M = {m}");
            assert!(close(&out, predicted.as_slice().unwrap(), 1e-12), "{name} M = {m}");
        }
    }
}

#[test]
fn curvature_is_the_difference_of_jacobians() {
    convstat_tensor::blas::single_thread().unwrap();
    for structure in structures() {
        let p = structure.naive_parameters();
        let flat = structure.flatten(&structure.generic_point()).unwrap();
        let h = sequence(structure.coefficients());
        let gradient = |at: &[f64]| {
            let jacobian = structure.jacobian(&structure.unflatten(at).unwrap()).unwrap();
            jacobian.t().dot(&ndarray::ArrayView1::from(&h))
        };
        let mut curvature = Array2::<f64>::zeros((p, p));
        Curvature::new(&structure).write(&h, &flat, curvature.as_slice_mut().unwrap());
        let step = 1e-4;
        for c in 0..p {
            let moved = |d: f64| {
                let mut at = flat.clone();
                at[c] += d;
                gradient(&at)
            };
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            let (own, expected) =
                (curvature.slice(s![..=c, c]).to_vec(), difference.slice(s![..=c]).to_vec());
            // Central differences of polynomials of degree ≤ 6 with a step of 1e-4.
            assert!(close(&own, &expected, 1e-6), "{} column {c}", structure.name());
        }
    }
}

#[test]
fn running_allocates_nothing() {
    convstat_tensor::blas::single_thread().unwrap();
    for structure in structures() {
        let z = sequence(6 * structure.features());
        let flat = structure.flatten(&structure.generic_point()).unwrap();
        let h = sequence(structure.coefficients());
        let mut product = DesignProduct::new(&structure, 6, true);
        product.prepare(&z);
        let mut out = vec![0.0; 6 * structure.outputs()];
        let mut jacobian = vec![0.0; 6 * structure.outputs() * flat.len()];
        let mut curvature = vec![0.0; flat.len() * flat.len()];
        let mut second = Curvature::new(&structure);
        let before = allocations();
        product.predict(&z, &flat, &mut out);
        product.jacobian(&z, &flat, &mut jacobian);
        second.write(&h, &flat, &mut curvature);
        assert_eq!(allocations(), before, "{}", structure.name());
    }
    // The counter counts.
    let before = allocations();
    drop(std::hint::black_box(vec![0.0; 10]));
    assert!(allocations() > before);
}
