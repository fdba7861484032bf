//! Street View House Numbers. The MD5 sums are those that public loaders state.

use super::source::{Action, Source};
use crate::fetch::sums::md5;

/// The images to train and to test on.
pub const FILES: &[Source] = &[
    Source {
        url: "http://ufldl.stanford.edu/housenumbers/train_32x32.mat",
        folder: "svhn",
        sum: Some(md5("e26dedcc434d2e4c54c9b2d4a06d8373")),
        bytes: Some(182_040_794),
        action: Action::Keep,
    },
    Source {
        url: "http://ufldl.stanford.edu/housenumbers/test_32x32.mat",
        folder: "svhn",
        sum: Some(md5("eb5a983be6a315427106f1b164d9cef3")),
        bytes: Some(64_275_384),
        action: Action::Keep,
    },
];

/// The extra images to train on.
pub const EXTRA: &[Source] = &[Source {
    url: "http://ufldl.stanford.edu/housenumbers/extra_32x32.mat",
    folder: "svhn",
    sum: Some(md5("a93ce644f1a588dc4d68dda5feec44a7")),
    bytes: Some(1_329_278_602),
    action: Action::Keep,
}];
