//! What can be wrong with a geometry or a structure.

use convstat_tensor::TensorError;
use thiserror::Error;

/// Errors of geometries and structures; every variant carries the numbers at fault and says the mend.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum CnnError {
    /// No modes at all.
    #[error("a geometry needs at least one mode; give input and kernel, one entry a mode")]
    NoModes,
    /// Arrays of a geometry differ in length.
    #[error("{key} has {found} entries but input has {expected}; give one entry a mode")]
    ModeCount {
        /// The key at fault.
        key: &'static str,
        /// Its length.
        found: usize,
        /// The number of modes.
        expected: usize,
    },
    /// A size that has to be at least one is zero.
    #[error("{key} is 0 in mode {mode}; it has to be at least 1")]
    ZeroSize {
        /// The key at fault.
        key: &'static str,
        /// The mode.
        mode: usize,
    },
    /// The kernel does not fit into the input.
    #[error(
        "mode {mode}: the kernel ({kernel} taps, dilation {dilation}) covers {span} rows but the padded input \
         has {padded} (input {input}, padding {padding}); use a smaller kernel or more padding"
    )]
    KernelExceedsInput {
        /// The mode.
        mode: usize,
        /// Kernel taps.
        kernel: usize,
        /// Dilation.
        dilation: usize,
        /// Rows the dilated kernel covers.
        span: usize,
        /// Input rows.
        input: usize,
        /// Padding on each side.
        padding: usize,
        /// Input rows with padding.
        padded: usize,
    },
    /// The pooling window does not fit into the convolution's output.
    #[error(
        "mode {mode}: the pooling window ({pool}) exceeds the convolution's output ({conv}); use pool <= {conv}"
    )]
    PoolExceedsConvolution {
        /// The mode.
        mode: usize,
        /// Pooling window.
        pool: usize,
        /// Convolution output size.
        conv: usize,
    },
    /// A size that no machine can index.
    #[error("mode {mode}: a size overflows ({reason}); use smaller sizes")]
    Overflow {
        /// The mode.
        mode: usize,
        /// Which size.
        reason: String,
    },
    /// The structure's description is wrong.
    #[error("structure: {reason}")]
    BadStructure {
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A key of the structure's description is wrong.
    #[error("structure: {reason}")]
    StructureKey {
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        reason: String,
        /// The known key that may be meant.
        help: Option<String>,
    },
    /// An array does not have the shape the geometry or structure asks for.
    #[error("{what} has shape {found:?} but {expected} is needed")]
    Shape {
        /// Name of the array.
        what: &'static str,
        /// Its shape.
        found: Vec<usize>,
        /// What would fit.
        expected: String,
    },
    /// What cannot be: a fault of this program.
    #[error("internal error: {what}; please report it")]
    Internal {
        /// The invariant that does not hold.
        what: &'static str,
    },
    /// From tensor algebra.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// A wrong key of the description of a structure.
pub(crate) fn bad_key<T>(key: &str, reason: String) -> crate::Result<T> {
    Err(CnnError::StructureKey { key: key.to_owned(), reason, help: None })
}

/// A wrong description of a structure.
pub(crate) fn bad_structure<T>(reason: String) -> crate::Result<T> {
    Err(CnnError::BadStructure { reason })
}
