//! The bounds of a summary that have numbers to show.

use convstat_study::Summary;
use convstat_theory::Bound;
use convstat_theory::bounds::Kind;

/// Upper bounds of which some cell has a number. An infinite one says that the condition on n fails there; where constants of that
/// condition are not known, the formula is infinite at no n or at all.
pub(crate) fn stated(summary: &Summary) -> Vec<&'static dyn Bound> {
    let is_stated = |bound: &&'static dyn Bound| {
        bound.norms().iter().any(|&norm| {
            summary.cells.iter().any(|c| {
                let value = c.theory.bound(*bound, norm);
                value.is_finite() || !value.is_nan() && !bound.has_unknown_constants()
            })
        })
    };
    summary.bounds.iter().copied().filter(|b| b.kind() == Kind::Upper).filter(is_stated).collect()
}
