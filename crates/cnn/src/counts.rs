//! Counts of a structure: parameters, dimension, channels, rank.

/// Counts of a structure that its family knows (THEORY §2, table).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sample complexity `d_M`, the order count of the literature bound.
    pub d_m: usize,
    /// Closed form of the dimension, where one is known; [`Structure::df`](crate::Structure::df) is the definition.
    pub df_closed_form: Option<usize>,
    /// Output channels `K`.
    pub kernels: Option<usize>,
    /// Rank on the output channels `R`.
    pub rank: Option<usize>,
    /// Whether the kernels themselves are factored (Tucker, CP, …): their taps stand in several factors.
    pub factored_kernels: bool,
}

impl Counts {
    /// `c_N` of the literature bound for `modes` modes: 1 for full kernels, `2^{N+1} log(N+2)` for
    /// factored ones (THEORY §4.1).
    pub fn literature_c_n(&self, modes: usize) -> f64 {
        let n = modes as f64;
        if self.factored_kernels { 2f64.powf(n + 1.0) * (n + 2.0).ln() } else { 1.0 }
    }
}
