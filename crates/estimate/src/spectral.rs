//! Factors near given coefficients, from the singular vectors of their unfoldings.

use std::collections::BTreeMap;

use convstat_cnn::{Factors, Structure, generic_normal};
use convstat_tensor::algebra::{entries, fold, mode_dot, shaped, unfold};
use convstat_tensor::linalg::{cholesky, eigh, solve_upper, svd};
use ndarray::{Array1, Array2, ArrayD, ArrayView1, Axis, IxDyn, concatenate, s};

use crate::Result;
use crate::alignment::align;
use crate::least_squares::LeastSquares;

/// Factors near `w`, with signs and scales from one pass of linear subproblems.
pub(crate) fn aligned(problem: &mut LeastSquares, w: &Array1<f64>, roots: &ModeRoots) -> Result<Vec<f64>> {
    let structure = problem.structure();
    let mut parameters = structure.flatten(&spectral_factors(structure, &w.view(), roots)?)?;
    if !structure.has_shared_factors() {
        align(problem, &mut parameters)?;
    }
    Ok(parameters)
}

/// Ridge of the second moments of single modes, as a share of their mean eigenvalue: windows that overlap make them
/// nearly singular.
const MODE_RIDGE: f64 = 1e-3;

/// Cholesky factors `R` of the second moments `RᵀR` of single modes, by label.
pub(crate) type ModeRoots = BTreeMap<char, Array2<f64>>;

/// For every mode of the features its second moment `Σ Z_(mode) Z_(mode)ᵀ`, summed over rows and all other modes, by its
/// Cholesky factor. Their Kronecker product is near the second moment `moment` of windows, whose modes are separable.
pub(crate) fn mode_roots(structure: &Structure, moment: &Array2<f64>) -> Result<ModeRoots> {
    let output = &structure.network().output;
    let modes = &output[..output.len() - usize::from(structure.outputs() > 1)];
    let mut roots = ModeRoots::new();
    let mut stride = structure.features();
    for (&label, d) in modes.iter().zip(structure.sizes_of(modes)) {
        stride /= d;
        let mut own = partial_trace(moment, d, stride);
        let mean = own.diag().sum() / d as f64;
        if mean > 0.0 {
            own.diag_mut().mapv_inplace(|v| v + MODE_RIDGE * mean);
            roots.insert(label, cholesky(&(own / mean).view())?);
        }
    }
    Ok(roots)
}

/// Upper triangle of the trace of `moment` over all modes but one of size d and this stride.
fn partial_trace(moment: &Array2<f64>, d: usize, stride: usize) -> Array2<f64> {
    let mut own = Array2::zeros((d, d));
    for first in (0..moment.nrows()).filter(|i| (i / stride).is_multiple_of(d)) {
        for a in 0..d {
            for b in a..d {
                own[[a, b]] += moment[[first + a * stride, first + b * stride]];
            }
        }
    }
    own
}

/// Factors near `w` (flat, output order): a factor with output labels takes the leading left singular vectors of the
/// unfolding of `w` along them, in the metric of the modes' second moments `RᵀR`; a core, which has none, and columns
/// beyond the singular vectors come from the generic point.
///
/// Where the network gives the unfolding a rank below both (K > R), the vectors beyond it hold noise alone, which a generic
/// core would mix with the others: those columns are generic combinations of the ones before.
pub(crate) fn spectral_factors(
    structure: &Structure,
    w: &ArrayView1<f64>,
    roots: &ModeRoots,
) -> Result<Factors> {
    let output = &structure.network().output;
    let mut tensor = shaped(IxDyn(&structure.sizes_of(output)), w.to_vec());
    for (mode, label) in output.iter().enumerate() {
        if let Some(r) = roots.get(label) {
            tensor = mode_dot(&tensor.view(), &r.view(), mode)?;
        }
    }
    let mut factors = structure.generic_point();
    for (operand, labels) in structure.network().inputs.iter().enumerate() {
        let own: Vec<char> = labels.iter().copied().filter(|c| output.contains(c)).collect();
        let bonds: Vec<char> = labels.iter().copied().filter(|c| !output.contains(c)).collect();
        if own.is_empty() {
            continue;
        }
        let columns: usize = structure.sizes_of(&bonds).iter().product();
        let basis = leading(&tensor, output, &own)?;
        let kept = columns.min(basis.ncols()).min(structure.rank_bound(&own));
        let basis = if kept < columns.min(basis.ncols()) {
            let kept = basis.slice(s![.., ..kept]);
            let mix = (kept.ncols()..columns).flat_map(|c| (0..kept.ncols()).map(move |k| (c, k)));
            let mix = mix.map(|(c, k)| generic_normal((c * columns + k) as u64)).collect();
            let more = kept.dot(&shaped((columns - kept.ncols(), kept.ncols()), mix).t());
            concatenate![Axis(1), kept, more]
        } else {
            basis.slice_move(s![.., ..kept])
        };
        let mut shape = structure.sizes_of(&own);
        shape.push(basis.ncols());
        let mut basis = shaped(IxDyn(&shape), entries(&basis));
        for (mode, label) in own.iter().enumerate() {
            if let Some(r) = roots.get(label) {
                let unfolded = solve_upper(&r.view(), &unfold(&basis.view(), mode)?.view());
                basis = fold(&unfolded.view(), mode, &shape)?;
            }
        }
        let factor = &mut factors[structure.owners()[operand]];
        // Rows run over the own labels, columns over the bonds, each in C order.
        let order: Vec<usize> =
            own.iter().chain(&bonds).filter_map(|c| labels.iter().position(|l| l == c)).collect();
        let mut view = factor.view_mut().permuted_axes(IxDyn(&order));
        let (found, basis) = (shape[shape.len() - 1], entries(&basis));
        for (place, value) in view.iter_mut().enumerate() {
            let (row, column) = (place / columns, place % columns);
            if column < found {
                *value = basis[row * found + column];
            }
        }
    }
    Ok(factors)
}

/// Left singular vectors, largest first, of `tensor` unfolded along the labels `own`.
fn leading(tensor: &ArrayD<f64>, output: &[char], own: &[char]) -> Result<Array2<f64>> {
    let place = |c: &char| output.iter().position(|o| o == c);
    let mut order: Vec<usize> = own.iter().filter_map(place).collect();
    let rows: usize = order.iter().map(|&i| tensor.shape()[i]).product();
    order.extend((0..output.len()).filter(|i| !order.contains(i)).collect::<Vec<_>>());
    let flat = entries(&tensor.view().permuted_axes(IxDyn(&order)));
    let cols = flat.len() / rows.max(1);
    let matrix = shaped((rows, cols), flat);
    if cols < rows {
        return Ok(svd(&matrix.view())?.0);
    }
    let (_, v) = eigh(&matrix.dot(&matrix.t()).view())?;
    Ok(v.slice(s![.., ..;-1]).to_owned())
}
