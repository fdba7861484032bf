//! Against loops that follow the definitions.

#![cfg(test)]

#[path = "../../../tests/support/entries.rs"]
mod entries;

use std::collections::BTreeMap;

use convstat_tensor::linalg::{
    cholesky, condition_number, eigh, eigvalsh, gram, lstsq, pivoted_cholesky, psd_root, qr, qr_r, rank,
    solve_upper, solve_upper_transposed, svd,
};
use convstat_tensor::{
    TensorError, einsum, fold, hosvd, inner, kronecker, kronecker_sum, multi_mode_dot, norm, outer, unfold,
};
use entries::entries;
use ndarray::{Array2, ArrayD, IxDyn};
use proptest::prelude::*;

fn matrix(rows: usize, cols: usize, seed: u64) -> Array2<f64> {
    entries(&[rows, cols], seed).into_dimensionality().unwrap()
}

fn near(a: &ArrayD<f64>, b: &ArrayD<f64>) -> bool {
    a.shape() == b.shape() && a.iter().zip(b).all(|(x, y)| (x - y).abs() < 1e-11)
}

fn near2(a: &Array2<f64>, b: &Array2<f64>) -> bool {
    near(&a.clone().into_dyn(), &b.clone().into_dyn())
}

/// Sums over every assignment of every label.
fn naive_einsum(text: &str, operands: &[&ArrayD<f64>]) -> ArrayD<f64> {
    let (left, right) = text.split_once("->").unwrap();
    let inputs: Vec<Vec<char>> = left.split(',').map(|p| p.chars().collect()).collect();
    let mut sizes = BTreeMap::new();
    for (labels, t) in inputs.iter().zip(operands) {
        for (c, d) in labels.iter().zip(t.shape()) {
            sizes.insert(*c, *d);
        }
    }
    let output: Vec<char> = right.chars().collect();
    let mut result = ArrayD::zeros(IxDyn(&output.iter().map(|c| sizes[c]).collect::<Vec<_>>()));
    let labels: Vec<char> = sizes.keys().copied().collect();
    let total: usize = sizes.values().product();
    for k in 0..total {
        let mut rest = k;
        let at: BTreeMap<char, usize> = labels
            .iter()
            .map(|c| {
                let v = rest % sizes[c];
                rest /= sizes[c];
                (*c, v)
            })
            .collect();
        let index = |l: &[char]| IxDyn(&l.iter().map(|c| at[c]).collect::<Vec<_>>());
        let product: f64 = inputs.iter().zip(operands).map(|(l, t)| t[index(l)]).product();
        result[index(&output)] += product;
    }
    result
}

#[test]
fn einsum_is_the_sum_over_all_assignments() {
    convstat_tensor::blas::single_thread().unwrap();
    let cases: [(&str, &[&[usize]]); 14] = [
        ("ij,jk->ik", &[&[2, 3], &[3, 4]]),
        ("ij,jk->ki", &[&[2, 3], &[3, 4]]),
        ("bij,bjk->bik", &[&[2, 2, 3], &[2, 3, 4]]),
        ("i,j->ij", &[&[2], &[3]]),
        ("ij->", &[&[2, 3]]),
        ("ijk->ki", &[&[2, 3, 4]]),
        ("ii->i", &[&[3, 3]]),
        ("iij,j->i", &[&[3, 3, 2], &[2]]),
        ("ij,ij->", &[&[2, 3], &[2, 3]]),
        ("pk,kr,ar,br,cr->pabc", &[&[2, 3], &[3, 2], &[3, 2], &[2, 2], &[4, 2]]),
        ("pk,kr,rxyz,ax,by,cz->pabc", &[&[2, 3], &[3, 2], &[2, 2, 1, 2], &[3, 2], &[2, 1], &[2, 2]]),
        ("ar,br,cr,dr->abcd", &[&[2, 2], &[3, 2], &[2, 2], &[2, 2]]),
        ("ab,cd->ac", &[&[2, 3], &[2, 4]]),
        // Eleven operands: the greedy order.
        (
            "ab,bc,cd,de,ef,fg,gh,hi,ij,jk,kl->al",
            &[
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
                &[2, 2],
            ],
        ),
    ];
    for (text, shapes) in cases {
        let operands: Vec<ArrayD<f64>> =
            shapes.iter().enumerate().map(|(i, s)| entries(s, 11 + i as u64)).collect();
        let views: Vec<&ArrayD<f64>> = operands.iter().collect();
        assert!(near(&einsum(text, &views).unwrap(), &naive_einsum(text, &views)), "{text}");
    }
}

#[test]
fn einsum_errors_say_what_is_wrong() {
    let (a, b) = (entries(&[2, 3], 1), entries(&[4, 5], 2));
    for (text, expected) in [
        ("ij,jk", "there is no '->'"),
        ("ij,jk->ik", "label 'j' has size 3 in one operand and 4 in another"),
        ("ij,kl->iz", "output label 'z' stands in no operand"),
        ("ij,kl->ii", "output label 'i' stands twice"),
        ("ijk,kl->il", "operand 'ijk' has 3 labels but shape [2, 3]"),
        ("i1,kl->il", "'1' is not a letter"),
        ("ij->ij", "2 operands are given, 1 named"),
    ] {
        let message = einsum(text, &[&a, &b]).unwrap_err().to_string();
        assert!(message.contains(expected), "{text}: {message}");
    }
}

proptest! {
    #[test]
    fn fold_inverts_unfold(shape in prop::collection::vec(1usize..5, 1..5), seed in 0u64..99) {
        let t = entries(&shape, seed);
        for mode in 0..shape.len() {
            let u = unfold(&t.view(), mode).unwrap();
            prop_assert_eq!(u.nrows(), shape[mode]);
            prop_assert!(near(&fold(&u.view(), mode, &shape).unwrap(), &t));
        }
    }

    #[test]
    fn multi_mode_dot_is_an_einsum(a in 1usize..4, b in 1usize..4, c in 1usize..4, seed in 0u64..99) {
        let t = entries(&[a, b, c], seed);
        let (x, z) = (matrix(2, a, seed + 1), matrix(3, c, seed + 2));
        let product = multi_mode_dot(&t.view(), &[Some(x.view()), None, Some(z.view())]).unwrap();
        let direct = naive_einsum("abc,xa,zc->xbz", &[&t, &x.into_dyn(), &z.into_dyn()]);
        prop_assert!(near(&product, &direct));
    }

    #[test]
    fn qr_of_any_shape(n in 1usize..8, m in 1usize..8, seed in 0u64..99) {
        let a = matrix(n, m, seed);
        let (q, r) = qr(&a.view()).unwrap();
        prop_assert!(near2(&q.dot(&r), &a));
        prop_assert!(near2(&q.t().dot(&q), &Array2::eye(n.min(m))));
        let r = qr_r(&a.view()).unwrap();
        prop_assert!(near2(&r.t().dot(&r), &a.t().dot(&a)));
        prop_assert_eq!(r.dim(), (n.min(m), m));
    }
}

#[test]
fn products_by_their_definitions() {
    let (a, b) = (entries(&[2, 3], 1), entries(&[3, 2], 2));
    let k = kronecker(&a.view(), &b.view()).unwrap();
    assert_eq!(k.shape(), [6, 6]);
    for i in 0..6 {
        for j in 0..6 {
            assert_eq!(k[[i, j]], a[[i / 3, j / 2]] * b[[i % 3, j % 2]]);
        }
    }
    let o = outer(&a.view(), &b.view());
    assert_eq!(o[[1, 2, 0, 1]], a[[1, 2]] * b[[0, 1]]);
    assert!((inner(&a.view(), &a.view()).unwrap() - norm(&a.view()).powi(2)).abs() < 1e-14);
    let message = inner(&a.view(), &b.view()).unwrap_err().to_string();
    assert!(message.contains("[2, 3]") && message.contains("[3, 2]"), "{message}");
    assert!(matches!(unfold(&a.view(), 2), Err(TensorError::NoSuchMode { mode: 2, order: 2 })));
}

#[test]
fn linear_algebra_by_its_definitions() {
    convstat_tensor::blas::single_thread().unwrap();
    let a = matrix(9, 5, 3);
    let g = gram(&a.view());
    assert!(near2(&g, &a.t().dot(&a)));
    let r = cholesky(&g.view()).unwrap();
    assert!(near2(&r.t().dot(&r), &g));
    let b = matrix(5, 2, 4);
    assert!(near2(&r.dot(&solve_upper(&r.view(), &b.view())), &b));
    assert!(near2(&r.t().dot(&solve_upper_transposed(&r.view(), &b.view())), &b));
    let (values, v) = eigh(&g.view()).unwrap();
    assert!(near2(&(&v * &values).dot(&v.t()), &g) && values[0] <= values[4]);
    let (u, s, vt) = svd(&a.view()).unwrap();
    assert!(near2(&(&u * &s).dot(&vt), &a));
    assert!((s[0] * s[0] - values[4]).abs() < 1e-12);
    // A matrix of rank 2, its root and its minimum-norm solution.
    let low = matrix(6, 2, 5).dot(&matrix(2, 4, 6));
    assert_eq!(rank(&low.view(), 1e-12).unwrap(), 2);
    let second = low.t().dot(&low);
    let root = psd_root(&second.view()).unwrap();
    assert_eq!(root.nrows(), 2);
    assert!(near2(&root.t().dot(&root), &second));
    let x = lstsq(&low.view(), &matrix(6, 1, 7).view()).unwrap();
    let residual = low.dot(&x) - matrix(6, 1, 7);
    assert!(low.t().dot(&residual).iter().all(|v| v.abs() < 1e-12));
    let (_, _, vt) = svd(&low.view()).unwrap();
    let null = vt.slice(ndarray::s![2.., ..]);
    assert!(null.dot(&x).iter().all(|v| v.abs() < 1e-12), "minimum norm: nothing in the null space");
    assert!(matches!(cholesky(&second.view()), Err(TensorError::NotPositiveDefinite { size: 4, .. })));
}

#[test]
fn pivoted_cholesky_finds_the_rank() {
    convstat_tensor::blas::single_thread().unwrap();
    let half = matrix(4, 7, 3);
    let a = half.t().dot(&half);
    let (r, order) = pivoted_cholesky(&a.view(), 1e-12).unwrap();
    assert_eq!(r.dim(), (4, 7));
    for i in 0..7 {
        for j in 0..7 {
            let product: f64 = r.column(i).dot(&r.column(j));
            assert!((product - a[[order[i], order[j]]]).abs() < 1e-10);
        }
    }
    // The condition of a triangle in the 1-norm, from its inverse.
    let r = cholesky(&(gram(&matrix(9, 5, 4).view())).view()).unwrap();
    let inverse = solve_upper(&r.view(), &Array2::eye(5).view());
    let norm_1 = |m: &Array2<f64>| -> f64 {
        m.columns().into_iter().map(|c| c.iter().map(|v| v.abs()).sum()).fold(0.0, f64::max)
    };
    let (exact, estimate) = (norm_1(&r) * norm_1(&inverse), condition_number(&r.view()).unwrap());
    // An estimate from below, exact for matrices this small or nearly so.
    assert!(estimate <= exact * (1.0 + 1e-12) && estimate > 0.3 * exact, "{estimate} {exact}");
}

#[test]
fn kronecker_sum_recovers_a_sum() {
    let parts = [(entries(&[2, 3], 1), entries(&[3, 2], 2)), (entries(&[2, 3], 3), entries(&[3, 2], 4))];
    let sum = parts
        .iter()
        .map(|(b, a)| kronecker(&b.view(), &a.view()).unwrap())
        .fold(ArrayD::zeros(IxDyn(&[6, 6])), |s, k| s + k);
    let found = kronecker_sum(&sum.view(), &[2, 3], 2).unwrap();
    let again = found
        .iter()
        .map(|(b, a)| kronecker(&b.view(), &a.view()).unwrap())
        .fold(ArrayD::zeros(IxDyn(&[6, 6])), |s, k| s + k);
    assert!(near(&sum, &again));
    assert!(kronecker_sum(&sum.view(), &[4, 3], 1).unwrap_err().to_string().contains("[4, 3]"));
}

#[test]
fn full_ranks_are_exact_and_ranks_are_checked() {
    let t = entries(&[3, 4, 2], 9);
    assert!(near(&hosvd(&t.view(), &[3, 4, 2]).unwrap().to_tensor().unwrap(), &t));
    assert!(matches!(hosvd(&t.view(), &[3, 5, 2]), Err(TensorError::BadRank { mode: 1, rank: 5, max: 4 })));
    assert!(matches!(hosvd(&t.view(), &[3, 0, 2]), Err(TensorError::BadRank { mode: 1, rank: 0, .. })));
    assert!(hosvd(&t.view(), &[3, 4]).is_err());
}

#[test]
fn roots_and_ranks_do_not_depend_on_units_and_lose_only_rounding() {
    convstat_tensor::blas::single_thread().unwrap();
    // Hilbert's matrices lose all digits from 12 rows on.
    for n in [4, 8, 12, 16] {
        let hilbert = Array2::from_shape_fn((n, n), |(i, j)| 1.0 / (i + j + 1) as f64);
        let root = psd_root(&hilbert.view()).unwrap();
        let size = hilbert.iter().map(|v| v * v).sum::<f64>().sqrt();
        let off = (&root.t().dot(&root) - &hilbert).iter().map(|v| v * v).sum::<f64>().sqrt();
        // Eigenvalues are off by n ε‖A‖, and those left out are below as much each.
        let share = n as f64 * f64::EPSILON;
        assert!(off <= (2.0 + (n as f64).sqrt()) * share * size, "{n}: {off:e}");
        let order = rank(&hilbert.view(), share).unwrap();
        for exponent in [-900, -300, 300, 900] {
            let scaled = &hilbert * 2f64.powi(exponent);
            let other = psd_root(&scaled.view()).unwrap();
            assert_eq!(
                (other.nrows(), rank(&scaled.view(), share).unwrap()),
                (root.nrows(), order),
                "2^{exponent}"
            );
        }
    }
}

#[test]
fn eigenvalues_alone_and_eigenvectors_in_either_order() {
    let g = gram(&matrix(9, 6, 5).view());
    let (values, v) = eigh(&g.view()).unwrap();
    for (a, b) in eigvalsh(&g.view()).unwrap().iter().zip(&values) {
        assert!((a - b).abs() < 1e-13 * values[5]);
    }
    // The transpose of a symmetric matrix is the same matrix in Fortran order.
    let (_, w) = eigh(&g.t()).unwrap();
    assert!(near2(&g.dot(&v), &(&v * &values)));
    assert!(near2(&g.dot(&w), &(&w * &values)));
}
