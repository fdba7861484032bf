//! `dense`: no structure, ordinary least squares.

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use crate::{Counts, Result, Structure};

/// Keys of kind `dense` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {}

impl Family for Dense {
    fn takes_head_ranks(&self) -> bool {
        false
    }

    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let output = draft.output();
        let all = draft.size(&output);
        draft.factor(&[&output]);
        Ok(draft.build("dense")?.with_counts(Counts {
            d_m: all,
            df_closed_form: Some(all),
            ..Counts::default()
        }))
    }
}
