//! Counter-based random streams: ChaCha8 keyed by a digest, one stream a replicate.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sha2::Digest as _;

/// SHA-256 of a text, used as the identity of cells and keys of streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Digest of a text.
    pub fn of(text: &str) -> Self {
        Self::of_bytes(text.as_bytes())
    }

    /// Digest of bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The first 16 hexadecimal digits.
    pub fn short(&self) -> String {
        self.0[..8].iter().map(|b| format!("{b:02x}")).collect()
    }

    /// All 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// The stream of `(seed, purpose, key, replicate)`. It depends on nothing else, so results are the same
/// for any number of threads and shards, and any replicate can be rerun alone.
pub fn stream(seed: u64, purpose: &str, key: &str, replicate: u64) -> ChaCha8Rng {
    let Digest(bytes) = Digest::of(&format!("{seed}\n{purpose}\n{key}"));
    let mut rng = ChaCha8Rng::from_seed(bytes);
    rng.set_stream(replicate);
    rng
}
