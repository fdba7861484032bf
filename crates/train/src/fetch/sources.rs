//! Where the data sets come from: one line a file.

use std::collections::BTreeSet;

use convstat_text::suggestion;

use super::sums::{Sum, md5, sha256};
use super::unpack::Format;
use crate::{Result, TrainError};

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is read as it is.
    Keep,
    /// It is an archive.
    Unpack {
        /// How it is packed.
        format: Format,
        /// Its top folder, which lands beside it.
        top: &'static str,
        /// Something that is in this folder when it is whole.
        has: &'static str,
    },
}

/// A file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Names of the data sets that it belongs to.
    pub sets: &'static [&'static str],
    /// Its official location; the part after the last `/` is its name on disk.
    pub url: &'static str,
    /// Folder under the data folder.
    pub folder: &'static str,
    /// Published checksum.
    pub sum: Option<Sum>,
    /// Bytes, where known.
    pub bytes: Option<u64>,
    /// What becomes of it.
    pub action: Action,
}

impl Source {
    /// The file's name.
    pub fn name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }
}

const CIFAR10: &[&str] = &["cifar10"];
const SVHN: &[&str] = &["svhn", "svhn-extra"];
const EXTRA: &[&str] = &["svhn-extra"];
const UCF101: &[&str] = &["ucf101"];
const BATCHES: Action =
    Action::Unpack { format: Format::TarGz, top: "cifar-10-batches-bin", has: "test_batch.bin" };
const CLIPS: Action = Action::Unpack { format: Format::Rar, top: "UCF-101", has: "YoYo" };
const LISTS: Action = Action::Unpack { format: Format::Zip, top: "ucfTrainTestlist", has: "testlist03.txt" };

/// Every file of every data set. MD5 sums are those that the authors or public loaders state; the lists of UCF101 have the
/// SHA-256 that TensorFlow Datasets states, and its clips have none.
#[rustfmt::skip]
pub const SOURCES: &[Source] = &[
    Source { sets: CIFAR10, url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", folder: "", sum: Some(md5("c32a1d4ab5d03f1284b67883e8d87530")), bytes: Some(170_052_171), action: BATCHES },
    Source { sets: SVHN, url: "http://ufldl.stanford.edu/housenumbers/train_32x32.mat", folder: "svhn", sum: Some(md5("e26dedcc434d2e4c54c9b2d4a06d8373")), bytes: Some(182_040_794), action: Action::Keep },
    Source { sets: SVHN, url: "http://ufldl.stanford.edu/housenumbers/test_32x32.mat", folder: "svhn", sum: Some(md5("eb5a983be6a315427106f1b164d9cef3")), bytes: Some(64_275_384), action: Action::Keep },
    Source { sets: EXTRA, url: "http://ufldl.stanford.edu/housenumbers/extra_32x32.mat", folder: "svhn", sum: Some(md5("a93ce644f1a588dc4d68dda5feec44a7")), bytes: Some(1_329_278_602), action: Action::Keep },
    Source { sets: UCF101, url: "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip", folder: "ucf101", sum: Some(sha256("5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27")), bytes: Some(113_943), action: LISTS },
    Source { sets: UCF101, url: "https://www.crcv.ucf.edu/data/UCF101/UCF101.rar", folder: "ucf101", sum: None, bytes: None, action: CLIPS },
];

/// The files of a data set.
///
/// # Errors
/// An unknown name.
pub fn sources_of(set: &str) -> Result<Vec<Source>> {
    let found: Vec<Source> = SOURCES.iter().filter(|s| s.sets.contains(&set)).cloned().collect();
    if found.is_empty() {
        let known: BTreeSet<&str> = SOURCES.iter().flat_map(|s| s.sets).copied().collect();
        let hint = suggestion(set, known.into_iter());
        return Err(TrainError::bad("data set", set, format!("no data set to fetch{hint}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_their_files() {
        let names = |set| sources_of(set).unwrap().iter().map(Source::name).collect::<Vec<_>>();
        assert_eq!(names("cifar10"), ["cifar-10-binary.tar.gz"]);
        assert_eq!(names("svhn"), ["train_32x32.mat", "test_32x32.mat"]);
        assert_eq!(names("svhn-extra"), ["train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"]);
        assert_eq!(names("ucf101").len(), 2);
        let error = sources_of("shvn").unwrap_err().to_string();
        assert!(error.contains("svhn") && error.contains("ucf101"), "{error}");
    }

    #[test]
    fn sums_are_whole() {
        for source in SOURCES {
            if let Some(sum) = &source.sum {
                assert!(Sum::parse(sum.digits()).is_some_and(|s| s == *sum), "{}", source.url);
            }
        }
    }
}
