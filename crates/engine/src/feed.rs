//! Batches on their way to a device: made on the processor, or cut on the device from bytes.

use std::sync::Arc;

use candle_core::Tensor;

use crate::Result;

/// The samples that batches are cut from.
#[derive(Clone)]
pub struct Samples {
    /// All bytes, channels last. A device that copies them knows the copy again by their address.
    pub bytes: Arc<dyn AsRef<[u8]> + Send + Sync>,
    /// Whether they are a mapped file, to be read in parts only.
    pub is_mapped: bool,
    /// Spatial axes and channels of a sample.
    pub shape: Vec<usize>,
    /// Value of each byte, for each channel.
    pub table: Vec<[f32; 256]>,
}

impl std::fmt::Debug for Samples {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Samples({:?})", self.shape)
    }
}

/// How a sample is cut from bytes, as `kernels.cu` reads it. Three axes (frames, height, width); missing ones come first with
/// size 1.
///
/// Entry `i` of axis `j` reads coordinate `a = start[j] + step[j]·i` of the stored sample. Axis 0 goes round: `a` modulo
/// `size[0]`. Axes 1 and 2 are reflected at the border, which is not repeated: `|a|`, and `2(size − 1) − |a|` from `size` on.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cut {
    /// First byte of the stored sample.
    pub offset: u64,
    /// Its sizes.
    pub size: [i32; 3],
    /// Coordinate of the first entry on each axis; it may be negative.
    pub start: [i32; 3],
    /// Steps from entry to entry.
    pub step: [i32; 3],
    /// 1: mirrored along the last axis; 0: not.
    pub flip: i32,
    /// First coordinates, in the sample, of the box that is set to 0 after normalisation.
    pub from: [i32; 3],
    /// Coordinates after its last; no box where one is not above `from`.
    pub to: [i32; 3],
}

/// What a device wants of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Its values.
    Values,
    /// Its bytes, and how samples are cut from them.
    Bytes,
    /// How samples are cut from the bytes that the device holds.
    Cuts,
}

/// A batch in the [`Form`] that its device wants.
#[derive(Debug)]
pub enum Prepared {
    /// Normalised values.
    Values {
        /// Values, `shape` in C order.
        x: Vec<f32>,
        /// Number of samples, spatial axes, channels.
        shape: Vec<usize>,
        /// Classes of the samples.
        labels: Vec<u32>,
    },
    /// To be cut, normalised and blanked on the device.
    Cuts {
        /// The bytes that are cut, if the device does not hold them.
        bytes: Option<Vec<u8>>,
        /// How samples are cut.
        cuts: Vec<Cut>,
        /// Classes of the samples.
        labels: Vec<u32>,
    },
}

impl Prepared {
    /// Classes of the samples.
    pub fn labels(&self) -> &[u32] {
        match self {
            Self::Values { labels, .. } | Self::Cuts { labels, .. } => labels,
        }
    }
}

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Activations (`N, spatial…, C`).
    pub x: Tensor,
    /// Classes (`N`, u32).
    pub labels: Tensor,
}

impl Inputs {
    /// Whether these are the same tensors.
    pub fn same(&self, other: &Self) -> bool {
        self.x.id() == other.x.id() && self.labels.id() == other.labels.id()
    }
}

/// Brings batches to a device.
pub trait Feed {
    /// What it wants of a batch.
    fn form(&self) -> Form;
    /// The batch on the device: the successor of `previous` if that has the same shape.
    ///
    /// # Errors
    /// A batch in another form; no memory on the device.
    fn load(&self, batch: Prepared, previous: Option<Inputs>) -> Result<Inputs>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_are_what_a_kernel_expects() {
        assert_eq!(std::mem::size_of::<Cut>(), 72);
        assert_eq!(std::mem::align_of::<Cut>(), 8);
        assert_eq!(std::mem::offset_of!(Cut, flip), 44);
    }
}
