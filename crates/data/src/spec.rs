//! A data set as an ablation file names it.

use serde::{Deserialize, Serialize};

use crate::augment::Augment;
use crate::{DataError, Result};

/// The data set and what is done to its training images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Its name in [`DATASETS`](crate::DATASETS).
    pub name: String,
    /// The first training images or videos only.
    pub train: Option<usize>,
    /// The first test images or videos only.
    pub test: Option<usize>,
    /// Augmentation.
    #[serde(default)]
    pub augment: Augment,
    // Keys from here on are left out where they are not given: the ids of cells are digests of this.
    /// Train on the extra images too (svhn).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extra: bool,
    /// Number of the official split, 1 to 3 (ucf101; default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<u8>,
    /// How clips are taken (ucf101).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<ClipSpec>,
}

/// How clips are taken from videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClipSpec {
    /// Frames of a clip.
    pub frames: usize,
    /// Frames of the video from one frame of a clip to the next.
    pub step: usize,
    /// Side in pixels of the window that a clip shows.
    pub size: usize,
    /// Height and width in pixels that videos are scaled to and stored with.
    pub stored: [usize; 2],
    /// Clips of each video in evaluation, evenly spaced.
    pub tests: usize,
}

impl Default for ClipSpec {
    fn default() -> Self {
        Self { frames: 16, step: 2, size: 112, stored: [128, 171], tests: 5 }
    }
}

impl DataSpec {
    /// Whether no key is given but those of all data sets and `keys`.
    pub(crate) fn allow(&self, keys: &[&str]) -> Result<()> {
        let given = [("extra", self.extra), ("split", self.split.is_some()), ("clip", self.clip.is_some())];
        match given.iter().find(|(key, given)| *given && !keys.contains(key)) {
            Some((key, _)) => {
                let mend = format!("data set {} has no use for it; remove it", self.name);
                Err(DataError::bad(format!("data.{key}"), "(given)", mend))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_changes_no_digest() {
        let text = r#"{"name":"digits","train":null,"test":7,"augment":{"crop":0,"flip":false,"cutout":0}}"#;
        let spec: DataSpec = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
    }
}
