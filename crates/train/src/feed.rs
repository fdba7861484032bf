//! Batches of a loader in the form that a device wants.

use std::sync::Arc;

use convstat_data::{Images, Loader, Make, Normalisation, Recipe, View};
use convstat_engine::{Cut, Form, Prepared, Samples};

/// The samples, as a device sees them.
pub fn samples(images: &Images, normalisation: &Normalisation) -> Samples {
    Samples {
        bytes: images.store().clone(),
        is_mapped: images.is_mapped(),
        shape: images.shape.clone(),
        table: normalisation.table(),
    }
}

/// What a loader's thread makes of each recipe.
pub fn maker(form: Form) -> Make<Prepared> {
    Arc::new(move |loader: &Loader, recipe: Recipe| match form {
        Form::Values => {
            let batch = loader.make(&recipe);
            Prepared::Values { x: batch.x, shape: batch.shape, labels: batch.labels }
        }
        Form::Bytes => {
            let (bytes, views) = loader.gather(&recipe);
            Prepared::Cuts { bytes: Some(bytes), cuts: cuts(&views), labels: recipe.labels }
        }
        Form::Cuts => Prepared::Cuts { bytes: None, cuts: cuts(&recipe.views), labels: recipe.labels },
    })
}

fn cuts(views: &[View]) -> Vec<Cut> {
    let cut = |&View { offset, size, start, step, flip, from, to }: &View| Cut {
        offset,
        size,
        start,
        step,
        flip,
        from,
        to,
    };
    views.iter().map(cut).collect()
}
