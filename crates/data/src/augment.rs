//! Random changes to training images.

use serde::{Deserialize, Serialize};

/// Random changes to training images; the default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels of reflected padding (the border not repeated) on each side of height and width (of the last two
    /// spatial axes); a window of the sample's size is then drawn. Smaller than either size.
    pub crop: usize,
    /// Mirror an image along the last spatial axis (left to right) with probability 1/2.
    pub flip: bool,
    /// Side in pixels of a square over all spatial axes (of a clip: height and width, through all frames), set to the
    /// mean; its centre is drawn in the image, what lies outside is cut off. 0: none.
    pub cutout: usize,
}
