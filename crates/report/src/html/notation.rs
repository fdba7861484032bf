//! Mathematics of the page's own text.

/// `d_M`.
pub const D_M: &str = "<i>d</i><sub>M</sub>";
/// `√(d_M/n)`.
pub const RATE: &str = "√(<i>d</i><sub>M</sub>/<i>n</i>)";
/// `n`.
pub const N: &str = "<i>n</i>";
/// `W*`.
pub const TRUTH: &str = "<i>W</i>*";
/// `K/R`.
pub const K_OVER_R: &str = "<i>K</i>/<i>R</i>";
/// Root mean squared prediction error.
pub const PREDICTION: &str =
    "√(E‖<i>Σ</i><sub><i>Z</i></sub><sup>1/2</sup>(<i>Ŵ</i> − <i>W</i>*)‖<sup>2</sup>)";
/// Root mean squared estimation error.
pub const ESTIMATION: &str = "√(E‖<i>Ŵ</i> − <i>W</i>*‖<sub>F</sub><sup>2</sup>)";
