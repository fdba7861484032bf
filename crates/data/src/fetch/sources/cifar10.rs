//! CIFAR-10. The MD5 is the one that its author states.

use super::source::{Action, Format, Source};
use crate::fetch::sums::md5;

/// Its archive.
pub const FILES: &[Source] = &[Source {
    url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    folder: "",
    sum: Some(md5("c32a1d4ab5d03f1284b67883e8d87530")),
    bytes: Some(170_052_171),
    action: Action::Unpack { format: Format::TarGz, top: "cifar-10-batches-bin", has: "test_batch.bin" },
}];
