//! Arithmetic of a device.

/// Arithmetic of products and convolutions; sums, statistics and parameters are f32 or better in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Factors of products rounded to 10 bits, activations in single precision.
    Tf32,
    /// Activations and factors in 7 bits, parameters in single precision.
    Bf16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Tf32, Self::Bf16];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}
