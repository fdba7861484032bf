//! UCF101: the lists of its splits, and its videos. The lists have the SHA-256 that TensorFlow Datasets states; the videos have
//! no published sum.

use super::source::{Action, Format, Source};
use crate::fetch::sums::sha256;

/// Its archives.
pub const FILES: &[Source] = &[
    Source {
        url: "https://www.crcv.ucf.edu/data/UCF101/UCF101TrainTestSplits-RecognitionTask.zip",
        folder: "ucf101",
        sum: Some(sha256("5c0d1a53b8ed364a2ac830a73f405e51bece7d98ce1254fd19ed4a36b224bd27")),
        bytes: Some(113_943),
        action: Action::Unpack { format: Format::Zip, top: "ucfTrainTestlist", has: "testlist03.txt" },
    },
    Source {
        url: "https://www.crcv.ucf.edu/data/UCF101/UCF101.rar",
        folder: "ucf101",
        sum: None,
        bytes: None,
        action: Action::Unpack { format: Format::Rar, top: "UCF-101", has: "YoYo" },
    },
];
