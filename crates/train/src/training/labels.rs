//! Labels against classes.

use crate::{Result, TrainError};

/// Whether all labels are classes.
pub(super) fn check_labels(mut labels: impl Iterator<Item = u32>, classes: usize) -> Result<()> {
    match labels.find(|l| *l as usize >= classes) {
        Some(label) => {
            Err(TrainError::shape("labels", format!("{label} is none of {classes} classes, from 0")))
        }
        None => Ok(()),
    }
}
