//! Parameters beyond what a structure can use: ranks above the feasible, components that cancel.

use convstat_cnn::{Factors, Structure};
use ndarray::{Array1, Array2, ArrayD, Axis};

use crate::{Diagnostic, Result};

/// A sum of components whose squared norms add up to this many times that of `W` cancels (Kruskal, Harshman & Lundy
/// 1989; de Silva & Lim 2008, §4): a digit is lost, and each component is ten times its share.
const CANCELLATION: f64 = 100.0;

/// Factors whose norms multiply to this many times the norm of `W`: their contraction loses six digits.
const LARGE_PARAMETERS: f64 = 1e6;

/// Multiplications that a factorisation for the dimension of another rank may take.
const MOST_RANK_WORK: f64 = 1e10;

/// Ranks that add nothing to the set.
pub(crate) fn feasibility(structure: &Structure, found: &mut Vec<Diagnostic>) -> Result<()> {
    let network = structure.network();
    let feasible = structure.feasible_sizes();
    let holders = |c: char| network.inputs.iter().filter(move |l| l.contains(&c));
    let is_output = |c: &char| network.output.contains(c);
    // A factor of two bonds is absorbed by its neighbours: output channels above the rank on its other side are K above R.
    let is_absorbed = |c: char| {
        structure.counts().kernels.is_none_or(|_| c == 'k')
            && holders(c).any(|labels| labels.len() == 2 && !labels.iter().any(is_output))
    };
    let bonds: Vec<char> = network.labels().into_iter().filter(|c| !is_output(c)).collect();
    for &label in bonds.iter().filter(|&&c| !is_absorbed(c)) {
        let (rank, feasible) = (structure.sizes()[&label], feasible[&label]);
        if feasible < rank {
            found.push(Diagnostic::RankAboveFeasible { label, rank, feasible });
        }
    }
    // Bonds of more than two factors have no rule but the dimension.
    let (rows, cols) = (structure.coefficients() as f64, structure.naive_parameters() as f64);
    if rows * cols * rows.min(cols) > MOST_RANK_WORK {
        return Ok(());
    }
    for &label in bonds.iter().filter(|&&c| holders(c).count() > 2) {
        let rank = structure.sizes()[&label];
        let df = structure.df()?;
        let mut feasible = rank;
        while feasible > 1 {
            let mut sizes = structure.sizes().clone();
            sizes.insert(label, feasible - 1);
            if structure.resized(sizes)?.df()? < df {
                break;
            }
            feasible -= 1;
        }
        if feasible < rank {
            found.push(Diagnostic::RankAboveFeasible { label, rank, feasible });
        }
    }
    Ok(())
}

/// Components that cancel, along every sum over more than two factors; whether there are any.
pub(crate) fn components(
    structure: &Structure,
    factors: &Factors,
    found: &mut Vec<Diagnostic>,
) -> Result<bool> {
    let network = structure.network();
    let mut is_degenerate = false;
    for label in network.labels() {
        let holders = network.inputs.iter().filter(|l| l.contains(&label)).count();
        let rank = structure.sizes()[&label];
        if network.output.contains(&label) || holders < 3 || rank < 2 {
            continue;
        }
        let components = components_along(structure, factors, label)?;
        let sizes: Vec<f64> = components.iter().map(|c| c.dot(c)).collect();
        let whole = components.iter().fold(Array1::<f64>::zeros(components[0].len()), |sum, c| sum + c);
        let cancellation = sizes.iter().sum::<f64>() / whole.dot(&whole);
        let (mut congruence, mut pair) = (1.0, (0, 0));
        for b in 0..rank {
            for a in 0..b {
                let cosine = components[a].dot(&components[b]) / (sizes[a] * sizes[b]).sqrt();
                if cosine < congruence {
                    (congruence, pair) = (cosine, (a, b));
                }
            }
        }
        if cancellation > CANCELLATION {
            is_degenerate = true;
            found.push(Diagnostic::DegenerateComponents { label, cancellation, congruence, pair });
        }
    }
    Ok(is_degenerate)
}

/// Factors much larger than what they make.
pub(crate) fn parameters(
    structure: &Structure,
    factors: &Factors,
    w: &Array2<f64>,
    found: &mut Vec<Diagnostic>,
) {
    let product: f64 = structure.owners().iter().map(|&f| norm(&factors[f])).product();
    let ratio = product / w.iter().map(|v| v * v).sum::<f64>().sqrt();
    if ratio > LARGE_PARAMETERS {
        found.push(Diagnostic::LargeParameters { ratio });
    }
}

pub(crate) fn norm(a: &ArrayD<f64>) -> f64 {
    a.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// `vec` of the part of `W` that each index of a summed label adds.
fn components_along(structure: &Structure, factors: &Factors, label: char) -> Result<Vec<Array1<f64>>> {
    let mut sizes = structure.sizes().clone();
    let rank = sizes.insert(label, 1).unwrap_or(1);
    let one = structure.resized(sizes)?;
    let slice = |r: usize| {
        structure.owners().iter().enumerate().fold(factors.clone(), |mut sliced, (operand, &f)| {
            let axis = structure.network().inputs[operand].iter().position(|&c| c == label);
            // A shared factor is sliced once.
            if let Some(axis) = axis.filter(|_| sliced[f].shape() == factors[f].shape()) {
                sliced[f] = factors[f].index_axis(Axis(axis), r).insert_axis(Axis(axis)).to_owned();
            }
            sliced
        })
    };
    (0..rank).map(|r| Ok(one.contract(&slice(r))?)).collect()
}
