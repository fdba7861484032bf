//! Where a solver begins.

use std::collections::BTreeMap;

use convstat_cnn::{Factors, Structure, generic_normal};
use convstat_tensor::algebra::{entries, fold, mode_dot, shaped, unfold};
use convstat_tensor::linalg::{
    cholesky, cholesky_in_place, eigh, gram, lstsq, rank, rank_tolerance, solve_upper,
    solve_upper_transposed, svd,
};
use convstat_tensor::memory;
use ndarray::{Array1, Array2, ArrayD, ArrayView1, Axis, IxDyn, concatenate, s};
use serde::{Deserialize, Serialize};

use crate::least_squares::LeastSquares;
use crate::scale::graded_columns;
use crate::solvers::als::align;
use crate::solvers::{Limits, SolverKind, run};
use crate::trace::Trace;
use crate::{Result, Sample};

/// A kind of start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Ridge estimate, each factor from the leading singular vectors of its unfolding.
    Spectral,
    /// Standard normal factors.
    Random,
    /// The true factors (simulation only).
    Oracle,
}

/// Random starts of a fit that says nothing else: with fewer, structures with many optima miss the best one too often.
///
/// Expected misses of the best optimum known with 0, 1, 3 and 10 random starts besides the spectral one, from the share of
/// 60 random starts that reach it in each data set: CP of rank 3 on 8 × 8 × 8 (n = 150, 200 data sets) 7, 1.6, 0.1 and below
/// 0.01 %; Tucker kernels on overlapping windows (T1 of the studies, n = 346 and 5000, 20 data sets) 25, 14, 7 and 1 %.
pub const RANDOM_STARTS: usize = 10;

impl Start {
    /// The spectral start, and so many random ones.
    pub fn spectral_and_random(random: usize) -> Vec<Self> {
        std::iter::once(Self::Spectral).chain(std::iter::repeat_n(Self::Random, random)).collect()
    }

    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spectral => "spectral",
            Self::Random => "random",
            Self::Oracle => "oracle",
        }
    }
}

/// Share of the mean eigenvalue that the pilot ridge adds for each feature per observation.
const PILOT_RIDGE: f64 = 0.1;

/// The pilot: ridge with penalty `0.1 · (D/n) · mean eigenvalue` of `ZᵀZ`, flat `D M`; from `ZᵀZ` where it is given, else
/// by conjugate gradients.
pub(crate) fn pilot(sample: &Sample, moment: Option<&Array2<f64>>) -> Result<Array1<f64>> {
    let d = sample.features() as f64;
    let mean = sample.z.iter().map(|v| v * v).sum::<f64>() / d;
    if mean == 0.0 {
        return Ok(Array1::zeros(sample.features() * sample.outputs()));
    }
    let lambda = PILOT_RIDGE * mean * d / sample.n.max(1.0);
    let matched = sample.z.t().dot(&sample.y);
    let w = match moment {
        Some(moment) => {
            let mut normal = moment.clone();
            normal.diag_mut().mapv_inplace(|v| v + lambda);
            // The solves read the upper triangle alone.
            cholesky_in_place(&mut normal)?;
            solve_upper(&normal.view(), &solve_upper_transposed(&normal.view(), &matched.view()).view())
        }
        None => conjugate_gradients(&sample.z, lambda, matched),
    };
    Ok(entries(&w).into())
}

/// Relative residual at which conjugate gradients end, and their most iterations: the pilot only leads to a start.
const PILOT_TOLERANCE: f64 = 1e-3;
const PILOT_ITERATIONS: usize = 100;

/// `(ZᵀZ + λI)^{-1} B`, column by column, in passes over Z (Hestenes & Stiefel 1952).
fn conjugate_gradients(z: &Array2<f64>, lambda: f64, mut b: Array2<f64>) -> Array2<f64> {
    for mut column in b.columns_mut() {
        let mut residual = column.to_owned();
        let mut x = Array1::zeros(residual.len());
        let mut direction = residual.clone();
        let mut size = residual.dot(&residual);
        let enough = PILOT_TOLERANCE * PILOT_TOLERANCE * size;
        for _ in 0..PILOT_ITERATIONS {
            if size <= enough {
                break;
            }
            let mut image = z.t().dot(&z.dot(&direction));
            image.scaled_add(lambda, &direction);
            let step = size / direction.dot(&image);
            x.scaled_add(step, &direction);
            residual.scaled_add(-step, &image);
            let before = std::mem::replace(&mut size, residual.dot(&residual));
            direction *= size / before;
            direction += &residual;
        }
        column.assign(&x);
    }
    b
}

/// Ridge estimate `(ZᵀZ + λI)^{-1} Zᵀy`, `D × M`; minimum-norm least squares for `λ = 0`.
pub(crate) fn ridge(sample: &Sample, lambda: f64) -> Result<Array2<f64>> {
    if lambda == 0.0 {
        return least_squares(sample);
    }
    let (u, sv, vt) = svd(&sample.z.view())?;
    let mut c = u.t().dot(&sample.y);
    for (mut row, &v) in c.outer_iter_mut().zip(&sv) {
        row *= v / (v * v + lambda);
    }
    Ok(vt.t().dot(&c))
}

/// Minimum-norm least squares. Columns of very different sizes (units) are scaled by powers of two where they are
/// independent: their solution does not depend on units, but the rank of the matrix would.
fn least_squares(sample: &Sample) -> Result<Array2<f64>> {
    let (z, y) = (&sample.z, &sample.y.view());
    if let Some(scales) = graded_columns(z).filter(|_| z.nrows() >= z.ncols()) {
        let scales = Array1::from(scales);
        let even = z * &scales;
        if rank(&even.view(), rank_tolerance(even.dim()))? == even.ncols() {
            return Ok(lstsq(&even.view(), y)? * &scales.insert_axis(Axis(1)));
        }
    }
    Ok(lstsq(&z.view(), y)?)
}

/// The spectral start: the pilot's factors, then one pass of linear subproblems for signs and scales.
pub(crate) fn spectral_start(problem: &mut LeastSquares) -> Result<Vec<f64>> {
    let Some(sample) = problem.rows().in_memory() else {
        let w = problem.matched_filter();
        return aligned(problem, &w.into(), &ModeRoots::new());
    };
    let d = sample.features();
    let side = if sample.z.nrows() >= d { d } else { 0 };
    memory::check("the second moment of the features", &[side, side])?;
    let moment = (side > 0).then(|| gram(&sample.z.view()));
    let pilot = pilot(sample, moment.as_ref())?;
    // Where the second moment is singular, undoing its root would blow up the noise.
    let roots = moment.map_or_else(|| Ok(ModeRoots::new()), |m| mode_roots(problem.structure(), &m))?;
    let first = aligned(problem, &pilot, &roots)?;
    // Fewer compressed rows than features: the second moment is singular and the pilot far from W, whose unfolding of low
    // rank may be found all the same.
    if sample.z.nrows() >= sample.features() || sample.n <= sample.features() as f64 {
        return Ok(first);
    }
    let Ok(Some(relaxed)) = problem.structure().relaxed() else { return Ok(first) };
    // The stage is optional: not where it is much larger than the structure.
    if relaxed.naive_parameters() > RELAXED_SIZE * problem.structure().naive_parameters() {
        return Ok(first);
    }
    let mut wider = LeastSquares::new(&relaxed, sample)?;
    let mut parameters = aligned(&mut wider, &pilot, &roots)?;
    let limits = Limits { max_iterations: RELAXED_ITERATIONS, tolerance: RELAXED_TOLERANCE, rival: None };
    run(SolverKind::LevenbergMarquardt, &mut wider, &mut parameters, limits, &mut Trace::none())?;
    let second = aligned(problem, &relaxed.contract(&relaxed.unflatten(&parameters)?)?, &roots)?;
    Ok(if problem.objective(&second) < problem.objective(&first) { second } else { first })
}

/// Most parameters of the relaxed fit, as a multiple of the structure's.
const RELAXED_SIZE: usize = 16;

/// Most iterations of the relaxed fit, and its tolerance: it only leads to a start.
const RELAXED_ITERATIONS: usize = 30;
const RELAXED_TOLERANCE: f64 = 1e-2;

/// Factors near `w`, with signs and scales from one pass of linear subproblems.
fn aligned(problem: &mut LeastSquares, w: &Array1<f64>, roots: &ModeRoots) -> Result<Vec<f64>> {
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
fn mode_roots(structure: &Structure, moment: &Array2<f64>) -> Result<ModeRoots> {
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
