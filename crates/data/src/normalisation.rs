//! Bytes as numbers.

/// How bytes become numbers around 0: a byte `p` of channel `c` is `(p / scale − mean[c]) / std[c]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// The byte that becomes 1.
    pub scale: f32,
    /// Mean of each channel, in units of `scale`.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of `scale`.
    pub std: Vec<f32>,
}

impl Normalisation {
    /// The value of each byte, for each channel.
    pub fn table(&self) -> Vec<[f32; 256]> {
        let row = |(mean, std): (&f32, &f32)| std::array::from_fn(|p| (p as f32 / self.scale - mean) / std);
        self.mean.iter().zip(&self.std).map(row).collect()
    }
}
