//! Where the data sets come from, one file a set. A new one is a file here and a line in [`SETS`].

mod cifar10;
mod source;
mod svhn;
mod ucf101;

use convstat_text::suggestion;

pub use source::{Action, Format, Source};

use crate::{DataError, Result};

/// The data sets that can be fetched, and their files.
pub const SETS: &[(&str, &[&[Source]])] = &[
    ("cifar10", &[cifar10::FILES]),
    ("svhn", &[svhn::FILES]),
    ("svhn-extra", &[svhn::FILES, svhn::EXTRA]),
    ("ucf101", &[ucf101::FILES]),
];

/// The files of a data set.
///
/// # Errors
/// An unknown name.
pub fn sources_of(set: &str) -> Result<Vec<Source>> {
    let Some((_, parts)) = SETS.iter().find(|(name, _)| *name == set) else {
        let hint = suggestion(set, SETS.iter().map(|(name, _)| *name));
        return Err(DataError::bad("data set", set, format!("no data set to fetch{hint}")));
    };
    Ok(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::sums::Sum;

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
        for source in SETS.iter().flat_map(|(_, parts)| parts.iter().copied().flatten()) {
            if let Some(sum) = &source.sum {
                assert!(Sum::parse(sum.digits()).is_some_and(|s| s == *sum), "{}", source.url);
            }
        }
    }
}
