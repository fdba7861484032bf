//! Empirical variational Bayesian matrix factorisation (EVBMF): how many singular values stand out of noise.
//!
//! Model: an `L × M` matrix, `L ≤ M`, is a low-rank product of two matrices with independent normal entries plus independent
//! normal noise of variance σ². Nakajima, Sugiyama, Babacan and Tomioka, "Global analytic solution of fully-observed
//! variational Bayesian matrix factorization", JMLR 14 (2013), give the posterior and σ² in closed form up to a search in one
//! variable: with `α = L/M`,
//!
//! - `τ̲` is the zero of `Φ(τ) + Φ(τ/α)`, `Φ(z) = log(z + 1)/z − 1/2`; `x̲ = (1 + τ̲)(1 + α/τ̲)`;
//! - singular values `γ > √(M σ² x̲)` are kept, the rest is noise;
//! - σ² minimises the free energy `Σ ψ(γ_h²/(M σ²))`, `ψ(x) = x − log x`, and for `x > x̲` besides
//!   `ψ₁(x) = log(τ + 1) + α log(τ/α + 1) − τ` with `x = (1 + τ)(1 + α/τ)`, between bounds of the same theorem.
//!
//! Kim et al., ICLR 2016, take this rank as the two ranks of a Tucker-2 layer. Programs in use replace `τ̲` by `2.5129 √α`,
//! which is exact at `α = 1` and a few per cent low for long matrices; here the zero is computed.

/// Answer of [`evbmf`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evbmf {
    /// Singular values above noise.
    pub rank: usize,
    /// Estimated variance of the noise in one entry.
    pub noise_variance: f64,
}

/// Rank and noise variance of a `rows × columns` matrix with these singular values (descending; as many as the smaller side;
/// any scale). Values below `resolution` times the largest are zero to the machine and never kept.
///
/// A matrix of one row (or none) has no noise to compare with: its rank is 0.
pub fn evbmf(singular_values: &[f64], rows: usize, columns: usize, resolution: f64) -> Evbmf {
    let (l, m) = (rows.min(columns), rows.max(columns));
    let largest = singular_values.first().copied().unwrap_or(0.0);
    if l == 0 || !(largest > 0.0 && largest.is_finite()) {
        return Evbmf { rank: 0, noise_variance: 0.0 };
    }
    let energy = FreeEnergy::new(singular_values, largest, l, m, tau_lower(l as f64 / m as f64));
    let (low, high) = energy.bounds(resolution);
    let variance = if low < high { energy.minimise(low, high) } else { high };
    Evbmf { rank: energy.above(variance), noise_variance: variance * largest * largest }
}

/// The zero of `Φ(τ) + Φ(τ/α)` for `0 < α ≤ 1`, by bisection: the sum falls, and its zero lies between `z α` and `z` with
/// `Φ(z) = 0`, `z = 2.5129…`.
fn tau_lower(alpha: f64) -> f64 {
    let phi = |z: f64| z.ln_1p() / z - 0.5;
    let (mut low, mut high) = (2.5 * alpha, 2.6);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if phi(middle) + phi(middle / alpha) > 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The free energy as a function of σ², of singular values divided by the largest.
struct FreeEnergy {
    /// Squares of the singular values, descending.
    squares: Vec<f64>,
    /// Sum of the squares from each place on.
    tails: Vec<f64>,
    l: f64,
    m: f64,
    alpha: f64,
    x_lower: f64,
}

impl FreeEnergy {
    fn new(values: &[f64], largest: f64, l: usize, m: usize, tau_lower: f64) -> Self {
        let squares: Vec<f64> = values.iter().map(|v| (v / largest).powi(2)).collect();
        let mut tails = vec![0.0; squares.len() + 1];
        for i in (0..squares.len()).rev() {
            tails[i] = tails[i + 1] + squares[i];
        }
        let (l, m) = (l as f64, m as f64);
        let alpha = l / m;
        Self { squares, tails, l, m, alpha, x_lower: (1.0 + tau_lower) * (1.0 + alpha / tau_lower) }
    }

    /// Singular values kept at a noise variance.
    fn above(&self, variance: f64) -> usize {
        let cut = self.m * variance * self.x_lower;
        self.squares.partition_point(|&s| s > cut)
    }

    /// Bounds of σ² (the theorem's), the lower one not below what the machine resolves.
    fn bounds(&self, resolution: f64) -> (f64, f64) {
        // At most ⌈L/(1 + α)⌉ − 1 components are kept.
        let most = ((self.l / (1.0 + self.alpha)).ceil() as usize).saturating_sub(1).min(self.squares.len());
        // Singular values that are not given are 0.
        let next = self.squares.get(most).copied().unwrap_or(0.0);
        let rest = self.tails[most];
        let mean = rest / (self.m * (self.l - most as f64).max(1.0));
        let floor = resolution * resolution / (self.m * self.x_lower);
        let high = self.tails[0] / (self.l * self.m);
        ((next / (self.m * self.x_lower)).max(mean).max(floor), high)
    }

    /// The free energy without terms that do not depend on σ². For components above the threshold `x − τ = 1 + α + α/τ`,
    /// written so that nothing cancels.
    fn at(&self, variance: f64) -> f64 {
        let kept = self.above(variance);
        let scale = 1.0 / (self.m * variance);
        let noise = self.tails[kept] * scale;
        let signal: f64 = self.squares.iter().take(kept).map(|s| self.component(s * scale)).sum();
        noise + signal + self.l * variance.ln()
    }

    fn tau(&self, x: f64) -> f64 {
        let b = x - (1.0 + self.alpha);
        0.5 * (b + (b * b - 4.0 * self.alpha).max(0.0).sqrt())
    }

    fn component(&self, x: f64) -> f64 {
        let (alpha, tau) = (self.alpha, self.tau(x));
        1.0 + alpha + alpha / tau + tau.ln_1p() + alpha * (tau / alpha).ln_1p()
    }

    /// `L M σ² − Σ γ² + Σ M σ² τ_h` over the `kept` largest components: the free energy's derivative in σ² times `M σ⁴`.
    fn slope(&self, variance: f64, kept: usize) -> f64 {
        let scale = 1.0 / (self.m * variance);
        // γ² − M σ² τ = M σ² (1 + α + α/τ), without cancelling.
        let explained = |s: &f64| 1.0 + self.alpha + self.alpha / self.tau(s * scale);
        let signal: f64 = self.squares.iter().take(kept).map(explained).sum();
        let noise = self.tails[kept];
        self.l * self.m * variance - noise - self.m * variance * signal
    }

    /// The least free energy between two bounds. It can have a minimum between each two thresholds (where σ² passes one,
    /// the slope jumps down): each of these stretches, cut into short pieces, is searched for a slope that turns from falling
    /// to rising.
    fn minimise(&self, low: f64, high: f64) -> f64 {
        const PIECE: f64 = 0.05;
        let mut best = (self.at(high), high);
        let mut consider = |variance: f64| {
            let energy = self.at(variance);
            if energy < best.0 {
                best = (energy, variance);
            }
        };
        consider(low);
        let mut kept = self.above(low);
        let mut from = low;
        while from < high {
            // Where the last kept component falls to the threshold.
            let end = kept.checked_sub(1).and_then(|k| self.squares.get(k));
            let to = end.map_or(high, |s| s / (self.m * self.x_lower)).clamp(from, high);
            let pieces = ((to / from).ln() / PIECE).ceil().clamp(1.0, 2000.0) as usize;
            let ratio = (to / from).powf(1.0 / pieces as f64);
            let mut left = from;
            let mut falling = self.slope(left, kept) < 0.0;
            for piece in 1..=pieces {
                let right = if piece == pieces { to } else { left * ratio };
                let rising = self.slope(right, kept) >= 0.0;
                if falling && rising {
                    consider(self.turn(left, right, kept));
                }
                (left, falling) = (right, !rising);
            }
            if kept == 0 {
                break;
            }
            (from, kept) = (to, kept - 1);
        }
        best.1
    }

    /// Where the slope turns from falling to rising, by bisection.
    fn turn(&self, mut low: f64, mut high: f64, kept: usize) -> f64 {
        for _ in 0..60 {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                break;
            }
            if self.slope(middle, kept) < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }
}
