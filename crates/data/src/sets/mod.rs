//! The data sets, one file a set. A new one is a file here with a function of type [`Reader`], and a line in [`DATASETS`].

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod cifar10;
mod cifar10_parquet;
// Built in: no input.
#[allow(clippy::indexing_slicing)]
mod digits;
mod ffmpeg;
mod mat;
mod parquet_column;
mod svhn;
mod ucf101;
mod video;

use std::path::Path;

use convstat_text::suggestion;

use crate::dataset::Dataset;
use crate::spec::DataSpec;
use crate::{DataError, Result};

/// Reads a data set from a folder (`None`: not given); the seed fixes a split or an order where the data have none.
pub type Reader = fn(&DataSpec, Option<&Path>, u64) -> Result<Dataset>;

/// Name and reader of each data set.
pub const DATASETS: &[(&str, Reader)] =
    &[("digits", digits::read), ("cifar10", cifar10::read), ("svhn", svhn::read), ("ucf101", ucf101::read)];

impl DataSpec {
    /// Reads the data set; its own downloads are looked for in `folder` (`None`: not given).
    ///
    /// # Errors
    /// An unknown name, a key that the data set has no use for, a folder that is needed and not given, files that are
    /// missing or broken.
    pub fn load(&self, folder: Option<&Path>, seed: u64) -> Result<Dataset> {
        let Some((_, read)) = DATASETS.iter().find(|(known, _)| *known == self.name) else {
            let hint = suggestion(&self.name, DATASETS.iter().map(|(known, _)| *known));
            return Err(DataError::bad("data set", &self.name, format!("unknown name{hint}")));
        };
        let mut data = read(self, folder, seed)?;
        for (key, n, images) in
            [("data.train", self.train, &mut data.train), ("data.test", self.test, &mut data.test)]
        {
            let Some(n) = n else { continue };
            let all = images.len();
            *images = images.take(n).map_err(|_| DataError::bad(key, n, format!("give 1 to {all}")))?;
        }
        Ok(data)
    }
}

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
    use crate::spec::ClipSpec;

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
}
