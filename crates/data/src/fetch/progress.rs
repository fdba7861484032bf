//! How far a download is, and why it ends early.

use convstat_runner::interrupt;

use crate::DataError;

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It comes over the network.
    Download,
    /// Its checksums are computed.
    Check,
    /// It is unpacked.
    Unpack,
}

/// Hears how far it is.
pub trait Progress {
    /// A phase of a file begins, with its number of bytes where that is known.
    fn begin(&mut self, file: &str, phase: Phase, total: Option<u64>);
    /// So many bytes of the phase are done.
    fn at(&mut self, bytes: u64);
    /// Something that a user may want to know.
    fn note(&mut self, line: &str);
}

/// Tells nobody.
impl Progress for () {
    fn begin(&mut self, _: &str, _: Phase, _: Option<u64>) {}
    fn at(&mut self, _: u64) {}
    fn note(&mut self, _: &str) {}
}

/// Why a file is not in place.
pub(super) enum Halt {
    /// An interruption.
    Interrupted,
    /// An error.
    Failed(DataError),
}

impl From<DataError> for Halt {
    fn from(e: DataError) -> Self {
        Self::Failed(e)
    }
}

/// A step of a download.
pub(super) type Stepped<T> = std::result::Result<T, Halt>;

/// Stops after an interruption.
pub(super) fn go_on() -> Stepped<()> {
    if interrupt::requested() { Err(Halt::Interrupted) } else { Ok(()) }
}
