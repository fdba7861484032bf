//! Against TensorLy 0.10.0; `data/make_fixture.py` wrote the figures.

#![cfg(test)]

#[path = "../../../tests/support/entries.rs"]
mod entries;

use convstat_tensor::{cp_als, hooi, khatri_rao, mode_dot, norm, tt_svd, unfold};
use entries::entries;
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(v) => v.iter().flat_map(flat).collect(),
        v => vec![v.as_f64().unwrap()],
    }
}

fn close<'a>(a: impl IntoIterator<Item = &'a f64>, b: &Value) {
    let (a, b): (Vec<&f64>, Vec<f64>) = (a.into_iter().collect(), flat(b));
    assert_eq!(a.len(), b.len());
    assert!(a.iter().zip(&b).all(|(x, y)| (*x - y).abs() < 1e-12));
}

#[test]
fn figures_agree() {
    convstat_tensor::blas::single_thread().unwrap();
    let d: Value = serde_json::from_str(include_str!("data/tensorly.json")).unwrap();
    let x = entries(&[4, 5, 6], 1);
    let matrix = |s: &[usize], seed| entries(s, seed).into_dimensionality::<ndarray::Ix2>().unwrap();
    let (a, b) = (matrix(&[3, 5], 2), matrix(&[7, 5], 3));
    close(&unfold(&x.view(), 1).unwrap(), &d["unfold_1"]);
    close(&mode_dot(&x.view(), &a.view(), 1).unwrap(), &d["mode_dot_1"]);
    close(&khatri_rao(&[a.view(), b.view()]).unwrap(), &d["khatri_rao"]);

    // Errors of iterated decompositions: no worse than TensorLy's, up to its convergence.
    let error = |approximation: ArrayD<f64>, of: &ArrayD<f64>| norm(&(of - &approximation).view());
    let tucker = hooi(&x.view(), &[2, 3, 2], 1000, 1e-15).unwrap().to_tensor().unwrap();
    let figure = |key: &str| d[key].as_f64().unwrap();
    assert!((error(tucker, &x) / figure("hooi_error") - 1.0).abs() < 1e-6);
    let tt = tt_svd(&x.view(), &[3, 2]).unwrap();
    assert_eq!(tt.ranks(), [3, 2]);
    assert!((error(tt.to_tensor(), &x) / figure("tt_error") - 1.0).abs() < 1e-12);
    let cp = cp_als(&x.view(), 2, 20000, 1e-15).unwrap();
    assert!(cp.converged);
    assert!(error(cp.to_tensor().unwrap(), &x) <= figure("cp_error") * (1.0 + 1e-6));
    let factors = [matrix(&[6, 2], 4), matrix(&[5, 2], 5), matrix(&[4, 2], 6)];
    let low = khatri_rao(&factors.each_ref().map(|f| f.view())).unwrap().sum_axis(ndarray::Axis(1));
    let low = low.into_shape_with_order(IxDyn(&[6, 5, 4])).unwrap();
    let cp = cp_als(&low.view(), 2, 5000, 1e-16).unwrap();
    assert!(error(cp.to_tensor().unwrap(), &low) < 1e-6 * norm(&low.view()));
}
