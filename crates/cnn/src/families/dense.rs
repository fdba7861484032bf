//! `dense`: no structure, ordinary least squares.

use serde::Deserialize;

use super::{Family, draft::Draft};
use crate::{Counts, OutputModes, Result, Structure};

/// Keys of kind `dense` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {}

impl Family for Dense {
    fn build(&self, modes: &OutputModes) -> Result<Structure> {
        let mut draft = Draft::new(modes)?;
        let (response, taps) = (draft.response.clone(), draft.taps.clone());
        let all = draft.size(&response) * draft.size(&taps);
        let (p, o) = response.split_at(1);
        draft.factor(&[p, &taps, o]);
        Ok(draft.build("dense")?.with_counts(Counts {
            d_m: all,
            df_closed_form: Some(all),
            ..Counts::default()
        }))
    }
}
