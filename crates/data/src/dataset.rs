//! A data set in memory.

use crate::images::Images;
use crate::normalisation::Normalisation;

/// Images or videos to train on and to test on.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// Name in [`DATASETS`](crate::DATASETS).
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
}
