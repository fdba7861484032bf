//! Data sets: images in memory and videos in a mapped file, and batches made of them.
//!
//! A new data set is one file with a function of type [`Reader`] and one line in [`DATASETS`].

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod cifar10;
mod cifar10_parquet;
// Built in: no input.
#[allow(clippy::indexing_slicing)]
mod digits;
// Cuts views of samples that `Images::check` has looked at.
#[allow(clippy::indexing_slicing)]
pub mod images;
#[allow(clippy::indexing_slicing)]
pub mod loader;
mod mat;
mod svhn;
mod ucf101;
mod video;

use std::path::Path;

use convstat_text::suggestion;
use serde::{Deserialize, Serialize};

use crate::{Result, TrainError};

pub use images::{Clip, Images, Record, Store, View};
pub use loader::{Augment, Batch, Epoch, Loader, Make, Normalisation, Recipe};

/// Images or videos to train on and to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name in [`DATASETS`].
    pub name: String,
    /// Names of the classes; a label is an index into them.
    pub classes: Vec<String>,
    /// Samples to train on.
    pub train: Images,
    /// Samples to test on, of the same shape.
    pub test: Images,
    /// Pixel value that becomes 1.
    pub scale: f32,
}

impl Dataset {
    /// Mean and standard deviation of each channel over the training samples ([`Images::moments`]), in units of
    /// [`scale`](Self::scale); the deviation is at least 1e-6.
    pub fn statistics(&self) -> (Vec<f32>, Vec<f32>) {
        let scale = f64::from(self.scale);
        let scaled =
            |&(mean, deviation): &(f64, f64)| ((mean / scale) as f32, ((deviation / scale) as f32).max(1e-6));
        self.train.moments().iter().map(scaled).unzip()
    }

    /// Digest of its samples: shapes, labels, lengths, and mean and deviation of every channel. Another set, another split
    /// or a video that could not be read give another one.
    pub fn digest(&self) -> String {
        let part = |images: &Images| {
            let records: Vec<(usize, u32)> = images.records().iter().map(|r| (r.frames, r.label)).collect();
            format!("{:?} {:?} {:?} {records:?}", images.shape, images.stored, images.moments())
        };
        convstat_runner::Digest::of(&format!("{} {} {}", self.name, part(&self.train), part(&self.test)))
            .short()
    }

    /// How its bytes become numbers of mean 0 and variance 1.
    pub fn normalisation(&self) -> Normalisation {
        let (mean, std) = self.statistics();
        Normalisation { scale: self.scale, mean, std }
    }
}

/// The data set and what is done to its training images.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSpec {
    /// Its name in [`DATASETS`].
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
    /// Reads the data set; its own downloads are looked for in `folder` (`None`: not given).
    ///
    /// # Errors
    /// An unknown name, a key that the data set has no use for, a folder that is needed and not given, files that are
    /// missing or broken.
    pub fn load(&self, folder: Option<&Path>, seed: u64) -> Result<Dataset> {
        let Some((_, read)) = DATASETS.iter().find(|(known, _)| *known == self.name) else {
            let hint = suggestion(&self.name, DATASETS.iter().map(|(known, _)| *known));
            return Err(TrainError::bad("data set", &self.name, format!("unknown name{hint}")));
        };
        let mut data = read(self, folder, seed)?;
        for (key, n, images) in
            [("data.train", self.train, &mut data.train), ("data.test", self.test, &mut data.test)]
        {
            let Some(n) = n else { continue };
            let all = images.len();
            *images = images.take(n).map_err(|_| TrainError::bad(key, n, format!("give 1 to {all}")))?;
        }
        Ok(data)
    }

    /// Whether no key is given but those of all data sets and `keys`.
    fn allow(&self, keys: &[&str]) -> Result<()> {
        let given = [("extra", self.extra), ("split", self.split.is_some()), ("clip", self.clip.is_some())];
        match given.iter().find(|(key, given)| *given && !keys.contains(key)) {
            Some((key, _)) => {
                let mend = format!("data set {} has no use for it; remove it", self.name);
                Err(TrainError::bad(format!("data.{key}"), "(given)", mend))
            }
            None => Ok(()),
        }
    }
}

/// Reads a data set from a folder (`None`: not given); the seed fixes a split or an order where the data have none.
pub type Reader = fn(&DataSpec, Option<&Path>, u64) -> Result<Dataset>;

/// Name and reader of each data set.
pub const DATASETS: &[(&str, Reader)] =
    &[("digits", digits::read), ("cifar10", cifar10::read), ("svhn", svhn::read), ("ucf101", ucf101::read)];

/// The data set `name` without any other key, from `folder` if it is not built in; `seed` fixes the split of `digits`.
///
/// # Errors
/// See [`DataSpec::load`].
pub fn load(name: &str, folder: Option<&Path>, seed: u64) -> Result<Dataset> {
    DataSpec { name: name.to_owned(), ..DataSpec::default() }.load(folder, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics_by_channel() {
        let images = || Images::new(vec![2, 2], vec![0, 1, 2, 1, 4, 1, 6, 1], vec![7, 8]);
        let (train, test) = (images(), images());
        let mut set = Dataset { name: String::new(), classes: vec![], train, test, scale: 2.0 };
        // Channel 0: 0, 2, 4, 6, variance 5; channel 1: constant.
        let (mean, std) = set.statistics();
        assert_eq!(mean, [1.5, 0.5]);
        assert_eq!(std, [(5f64.sqrt() / 2.0) as f32, 1e-6]);
        // Of the images that are left.
        set.train = set.train.subset(&[1]);
        assert_eq!(set.statistics(), (vec![2.5, 0.5], vec![0.5, 1e-6]));
    }

    #[test]
    fn unknown_name() {
        let error = load("digit", None, 0).unwrap_err().to_string();
        assert!(error.contains("did you mean \"digits\"?") && error.contains("cifar10"), "{error}");
    }

    #[test]
    fn keys_of_other_sets() {
        for (key, part) in
            [("extra = true", "data.extra"), ("split = 2", "data.split"), ("clip = {}", "data.clip")]
        {
            let spec: DataSpec = toml::from_str(&format!("name = 'digits'\n{key}")).unwrap();
            let error = spec.load(None, 0).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("digits"), "{error}");
        }
        let spec: DataSpec = toml::from_str("name = 'ucf101'\nclip = { frames = 8 }").unwrap();
        assert_eq!(spec.clip, Some(ClipSpec { frames: 8, ..ClipSpec::default() }));
        assert!(toml::from_str::<DataSpec>("name = 'ucf101'\nclip = { frame = 8 }").is_err());
    }

    #[test]
    fn what_is_not_given_changes_no_digest() {
        let text = r#"{"name":"digits","train":null,"test":7,"augment":{"crop":0,"flip":false,"cutout":0}}"#;
        let spec: DataSpec = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&spec).unwrap(), text);
    }
}
