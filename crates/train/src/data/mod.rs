//! Data sets: images as bytes in memory, and batches made of them.
//!
//! A new data set is one file with a function of type [`Reader`] and one line in [`DATASETS`].

mod cifar10;
mod cifar10_parquet;
mod digits;
pub mod loader;
mod mat;
mod svhn;

use std::path::Path;

use convstat_cnn::spec::suggestion;

use crate::{Result, TrainError};

pub use loader::{Augment, Batch, Epoch, Loader};

/// Images (or later clips) in memory: bytes, channels last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// Sizes of one image: the spatial axes, then the channels.
    pub shape: Vec<usize>,
    /// Values, `n × shape` in C order.
    pub pixels: Vec<u8>,
    /// Class of each image, `n`.
    pub labels: Vec<u32>,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Values of one image.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }

    /// The first `n` images.
    ///
    /// # Errors
    /// `n` is 0 or larger than the number of images.
    pub fn take(&self, n: usize) -> Result<Self> {
        if n == 0 || n > self.len() {
            return Err(TrainError::bad("images", n, format!("take 1 to {} images", self.len())));
        }
        let pixels = self.pixels[..n * self.values()].to_vec();
        Ok(Self { shape: self.shape.clone(), pixels, labels: self.labels[..n].to_vec() })
    }

    /// The images of these indices, in their order; an index may come twice.
    ///
    /// # Panics
    /// An index is not below [`len`](Self::len).
    pub fn subset(&self, indices: &[usize]) -> Self {
        let values = self.values();
        let pixels =
            indices.iter().flat_map(|&i| &self.pixels[i * values..(i + 1) * values]).copied().collect();
        let labels = indices.iter().map(|&i| self.labels[i]).collect();
        Self { shape: self.shape.clone(), pixels, labels }
    }
}

/// Images to train on and to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name in [`DATASETS`].
    pub name: String,
    /// Names of the classes; a label is an index into them.
    pub classes: Vec<String>,
    /// Images to train on.
    pub train: Images,
    /// Images to test on, of the same shape.
    pub test: Images,
    /// Pixel value that becomes 1.
    pub scale: f32,
}

impl Dataset {
    /// Mean and standard deviation of each channel over the training images, in units of
    /// [`scale`](Self::scale); the deviation is at least 1e-6.
    pub fn statistics(&self) -> (Vec<f32>, Vec<f32>) {
        let channels = self.train.shape.last().copied().unwrap_or(1);
        let count = (self.train.pixels.len() / channels.max(1)).max(1) as f64;
        let scale = f64::from(self.scale);
        // Sums of bytes and of their squares are exact in 64 bits.
        let moments = |channel: usize| {
            let values = self.train.pixels.iter().skip(channel).step_by(channels);
            let (sum, squares) =
                values.fold((0u64, 0u64), |(s, q), &v| (s + u64::from(v), q + u64::from(v) * u64::from(v)));
            let mean = sum as f64 / count;
            let variance = (squares as f64 / count - mean * mean).max(0.0);
            ((mean / scale) as f32, ((variance.sqrt() / scale) as f32).max(1e-6))
        };
        (0..channels).map(moments).unzip()
    }
}

/// Reads a data set from a folder (`None`: not given); the seed fixes a split where the data have none.
pub type Reader = fn(Option<&Path>, u64) -> Result<Dataset>;

/// Name and reader of each data set.
pub const DATASETS: &[(&str, Reader)] =
    &[("digits", digits::read), ("cifar10", cifar10::read), ("svhn", svhn::read)];

/// The data set `name`, from `folder` if it is not built in; `seed` fixes the split of `digits`.
///
/// # Errors
/// An unknown name, a folder that is needed and not given, files that are missing or broken.
pub fn load(name: &str, folder: Option<&Path>, seed: u64) -> Result<Dataset> {
    let Some((_, read)) = DATASETS.iter().find(|(known, _)| *known == name) else {
        let hint = suggestion(name, DATASETS.iter().map(|(known, _)| *known));
        return Err(TrainError::bad("data set", name, format!("unknown name{hint}")));
    };
    read(folder, seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn images() -> Images {
        Images { shape: vec![2, 2], pixels: vec![0, 1, 2, 1, 4, 1, 6, 1], labels: vec![7, 8] }
    }

    #[test]
    fn parts_of_images() {
        let images = images();
        assert_eq!((images.len(), images.values(), images.is_empty()), (2, 4, false));
        assert_eq!(images.take(1).unwrap(), images.subset(&[0]));
        let swapped = images.subset(&[1, 0]);
        assert_eq!(swapped.pixels, [4, 1, 6, 1, 0, 1, 2, 1]);
        assert_eq!(swapped.labels, [8, 7]);
        for n in [0, 3] {
            let error = images.take(n).unwrap_err().to_string();
            assert_eq!(error, format!("images = {n}: take 1 to 2 images"));
        }
    }

    #[test]
    fn statistics_by_channel() {
        let (train, test) = (images(), images());
        let set = Dataset { name: String::new(), classes: vec![], train, test, scale: 2.0 };
        // Channel 0: 0, 2, 4, 6, variance 5; channel 1: constant.
        let (mean, std) = set.statistics();
        assert_eq!(mean, [1.5, 0.5]);
        assert_eq!(std, [(5f64.sqrt() / 2.0) as f32, 1e-6]);
    }

    #[test]
    fn unknown_name() {
        let error = load("digit", None, 0).unwrap_err().to_string();
        assert!(error.contains("did you mean \"digits\"?") && error.contains("cifar10"), "{error}");
    }
}
