//! Batches: shuffled, augmented, normalised, made ahead of the compute, on a processor or by whoever reads the recipes.

use std::sync::{Arc, OnceLock};

use convstat_runner::stream;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;

use crate::ahead::Epoch;
use crate::augment::Augment;
use crate::images::Images;
use crate::normalisation::Normalisation;
use crate::view::View;
use crate::{DataError, Result};

/// Batches made ahead, by all threads together, and most bytes of them (clips are large).
const AHEAD: usize = 4;
const AHEAD_BYTES: usize = 1 << 30;

/// What a batch is made of: how each sample is cut from the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipe {
    /// The samples, `n`.
    pub views: Vec<View>,
    /// Their classes, `n`.
    pub labels: Vec<u32>,
}

/// Samples ready for a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalised values, `shape` in C order.
    pub x: Vec<f32>,
    /// Class of each sample, `n`.
    pub labels: Vec<u32>,
    /// `n`, the spatial axes, the channels.
    pub shape: Vec<usize>,
}

/// What is done ahead with each recipe: see [`Loader::cpu`].
pub type Make<T> = Arc<dyn Fn(&Loader, Recipe) -> T + Send + Sync>;

/// Makes batches of samples. All numbers depend only on the seed, the epoch and the position in the epoch.
#[derive(Debug, Clone)]
pub struct Loader {
    images: Images,
    normalisation: Normalisation,
    table: Arc<[[f32; 256]]>,
    batch: usize,
    augment: Augment,
    seed: u64,
    threads: usize,
}

impl Loader {
    /// Batches of `batch` samples.
    ///
    /// # Errors
    /// Sizes of `images` and `normalisation` that do not fit each other, a scale or deviation that is not positive,
    /// a `batch` of 0 or of more samples than there are, an `augment` too large for them.
    pub fn new(
        images: Images,
        normalisation: Normalisation,
        batch: usize,
        augment: Augment,
        seed: u64,
    ) -> Result<Self> {
        images.check()?;
        let misfit = |reason: String| Err(DataError::shape("loader", reason));
        let shape = &images.shape;
        let Normalisation { scale, mean, std } = &normalisation;
        let channels = shape.last().copied().unwrap_or(0);
        if mean.len() != channels || std.len() != channels {
            let (means, deviations) = (mean.len(), std.len());
            return misfit(format!("{means} means and {deviations} deviations for {channels} channels"));
        }
        if !(*scale > 0.0 && std.iter().all(|&s| s > 0.0)) {
            return misfit(format!("scale {scale} and deviations {std:?} must be positive"));
        }
        let n = images.len();
        if batch == 0 || batch > n {
            return Err(DataError::bad(
                "training.batch",
                batch,
                format!("use 1 to {n}, the number of images"),
            ));
        }
        let plane = &images.stored[images.stored.len().saturating_sub(2)..];
        if let Some(&size) = plane.iter().find(|&&size| augment.crop >= size) {
            let mend =
                format!("reflection needs a crop below {size}, the size of a spatial axis of {shape:?}");
            return Err(DataError::bad("data.augment.crop", augment.crop, mend));
        }
        let square = &images.spatial()[usize::from(images.clip.is_some())..];
        if square.iter().all(|&size| augment.cutout > size) {
            let mend = format!("the square is larger than images of shape {shape:?}");
            return Err(DataError::bad("data.augment.cutout", augment.cutout, mend));
        }
        let table = normalisation.table().into();
        Ok(Self { images, normalisation, table, batch, augment, seed, threads: 1 })
    }

    /// The same with up to `threads` threads that make batches ahead (1 without this); the batches stay the same.
    pub fn with_threads(self, threads: usize) -> Self {
        Self { threads: threads.max(1), ..self }
    }

    /// The samples.
    pub fn images(&self) -> &Images {
        &self.images
    }

    /// How their bytes become numbers.
    pub fn normalisation(&self) -> &Normalisation {
        &self.normalisation
    }

    /// Whole batches of an epoch, at least 1.
    pub fn batches(&self) -> usize {
        self.images.len() / self.batch
    }

    /// Samples that [`in_order`](Self::in_order) makes of each image or video.
    pub fn clips_per_sample(&self) -> usize {
        self.images.clip.map_or(1, |clip| clip.tests)
    }

    /// Makes batches on the processor.
    pub fn cpu() -> Make<Batch> {
        Arc::new(|loader, recipe| loader.make(&recipe))
    }

    /// What `make` makes of the batches of an epoch in the order its shuffle gives, starting at batch `first` (0-based;
    /// none from [`batches`](Self::batches) on); whole batches only, the rest of the epoch is left out. Threads make
    /// them ahead of the compute.
    pub fn epoch<T: Send + 'static>(&self, epoch: u64, first: usize, make: Make<T>) -> Epoch<T> {
        let order = OnceLock::new();
        let key = epoch.to_string();
        let recipe = move |loader: &Self, i: usize| {
            // Shuffled by the first thread, so that the caller need not wait.
            let order: &Vec<usize> = order.get_or_init(|| {
                let mut order: Vec<usize> = (0..loader.images.len()).collect();
                order.shuffle(&mut stream(loader.seed, "shuffle", "", epoch));
                order
            });
            let indices = order.chunks_exact(loader.batch).nth(i).unwrap_or_default();
            let draw = |(j, &index)| loader.draw(index, &key, i * loader.batch + j);
            loader.recipe(indices.iter().enumerate().map(draw), indices.iter().copied())
        };
        self.ahead(first..self.batches(), recipe, make)
    }

    /// What `make` makes of all samples in order, not augmented; of a video all its
    /// [clips](Self::clips_per_sample), one after another, wherever a batch ends. The last batch may be smaller.
    pub fn in_order<T: Send + 'static>(&self, make: Make<T>) -> Epoch<T> {
        let clips = self.clips_per_sample();
        let all = self.images.len() * clips;
        let recipe = move |loader: &Self, i: usize| {
            let samples = i * loader.batch..all.min((i + 1) * loader.batch);
            let view = |sample: usize| {
                let index = sample / clips;
                let room = loader.room(index);
                // Evenly from the first frame to the last; one alone in the middle.
                let first = if clips == 1 { room / 2 } else { sample % clips * room / (clips - 1) };
                loader.images.view(index, first)
            };
            loader.recipe(samples.clone().map(view), samples.map(|sample| sample / clips))
        };
        self.ahead(0..all.div_ceil(self.batch), recipe, make)
    }

    /// A recipe of these views of the images or videos `indices`.
    fn recipe(&self, views: impl Iterator<Item = View>, indices: impl Iterator<Item = usize>) -> Recipe {
        let records = self.images.records();
        Recipe { views: views.collect(), labels: indices.map(|i| records[i].label).collect() }
    }

    /// First frames, besides 0, that a clip of record `index` can have.
    fn room(&self, index: usize) -> usize {
        self.images.records()[index].frames.saturating_sub(self.images.span())
    }

    /// Batches `range`, each thread every `threads`-th of them.
    fn ahead<T: Send + 'static>(
        &self,
        range: std::ops::Range<usize>,
        recipe: impl Fn(&Self, usize) -> Recipe + Send + Sync + 'static,
        make: Make<T>,
    ) -> Epoch<T> {
        let threads = self.threads.clamp(1, range.len().max(1));
        let bytes = (self.batch * self.images.values()).saturating_mul(size_of::<f32>());
        let ahead = (AHEAD_BYTES / bytes.max(1)).min(AHEAD);
        let loader = self.clone();
        Epoch::start(range, threads, ahead, move |i| make(&loader, recipe(&loader, i)))
    }

    /// The view of image or video `index` at `position` of the epoch `key`.
    fn draw(&self, index: usize, key: &str, position: usize) -> View {
        let Augment { crop, flip, cutout } = self.augment;
        let clip = self.images.clip.is_some();
        let mut view = self.images.view(index, 0);
        if self.augment == Augment::default() && !clip {
            return view;
        }
        let mut rng = stream(self.seed, "augment", key, position as u64);
        let room = self.room(index);
        if room > 0 {
            view.start[0] = rng.random_range(0..=room) as i32;
        }
        let sizes = self.images.sizes();
        let axes = self.images.spatial().len();
        // Axis 0 goes round at its end, so that it is not moved in images of three axes.
        for axis in 3 - axes.min(2)..3 {
            let room = view.size[axis] as usize - sizes[axis] + 2 * crop;
            if room > 0 {
                view.start[axis] = rng.random_range(0..=room) as i32 - crop as i32;
            }
        }
        view.flip = i32::from(flip && rng.random());
        if cutout > 0 {
            view.to = sizes.map(|size| size as i32);
            for axis in if clip { 1 } else { 3 - axes }..3 {
                let centre = rng.random_range(0..sizes[axis]);
                view.from[axis] = centre.saturating_sub(cutout / 2) as i32;
                view.to[axis] = sizes[axis].min(centre + cutout.div_ceil(2)) as i32;
            }
        }
        view
    }

    /// The batch of a recipe of this loader.
    ///
    /// # Panics
    /// A view reaches out of the store.
    pub fn make(&self, recipe: &Recipe) -> Batch {
        let x = self.normalised(self.images.bytes(), &recipe.views);
        let shape = std::iter::once(recipe.views.len()).chain(self.images.shape.iter().copied()).collect();
        Batch { x, labels: recipe.labels.clone(), shape }
    }

    /// The bytes of the samples of a recipe, cut but not mirrored, normalised or blanked, `n × shape` in C order; and
    /// the views that read them there. This is what a GPU gets of a store that it does not hold.
    ///
    /// # Panics
    /// A view reaches out of the store.
    pub fn gather(&self, recipe: &Recipe) -> (Vec<u8>, Vec<View>) {
        let values = self.images.values();
        let mut bytes = Vec::with_capacity(recipe.views.len() * values);
        let mut views = Vec::with_capacity(recipe.views.len());
        for view in &recipe.views {
            let offset = bytes.len() as u64;
            self.rows(self.images.bytes(), view, |row| match row {
                Row::Run(run) => bytes.extend_from_slice(run),
                Row::Pixels(row, width) => (0..width).for_each(|i| bytes.extend_from_slice(row(i))),
            });
            let size = self.images.sizes().map(|size| size as i32);
            views.push(View { offset, size, start: [0; 3], step: [1; 3], ..*view });
        }
        (bytes, views)
    }

    /// The samples that `views` cut from `bytes`, normalised.
    fn normalised(&self, bytes: &[u8], views: &[View]) -> Vec<f32> {
        let (values, channels) = (self.images.values(), self.table.len());
        let [frames, height, width] = self.images.sizes();
        let mut x = vec![0.0; views.len() * values];
        for (sample, view) in x.chunks_exact_mut(values).zip(views) {
            let mut lines = sample.chunks_exact_mut(width * channels);
            self.rows(bytes, view, |row| {
                let Some(line) = lines.next() else { return };
                match row {
                    Row::Run(run) => self.convert(run, line),
                    Row::Pixels(row, _) => {
                        line.chunks_exact_mut(channels)
                            .enumerate()
                            .for_each(|(i, to)| self.convert(row(i), to));
                    }
                }
                if view.flip != 0 {
                    line.reverse();
                    line.chunks_exact_mut(channels).for_each(<[f32]>::reverse);
                }
            });
            let span = |axis: usize, size: usize| {
                let to = (view.to[axis].max(0) as usize).min(size);
                (view.from[axis].max(0) as usize).min(to)..to
            };
            let columns = span(2, width);
            for frame in span(0, frames) {
                for row in span(1, height) {
                    let start = (frame * height + row) * width;
                    sample[(start + columns.start) * channels..(start + columns.end) * channels].fill(0.0);
                }
            }
        }
        x
    }

    /// Calls `each` with every row of a sample along the last axis, not mirrored, in C order.
    fn rows<'a>(&self, bytes: &'a [u8], view: &View, mut each: impl FnMut(Row<'a, '_>)) {
        let channels = self.table.len();
        let [frames, height, width] = self.images.sizes();
        let stored = view.size[2] as usize;
        let first = view.start[2];
        let straight = view.step[2] == 1 && first >= 0 && first as usize + width <= stored;
        for frame in 0..frames {
            let frame = view.source(0, frame) * view.size[1] as usize;
            for row in 0..height {
                let start = (frame + view.source(1, row)) * stored * channels;
                let row = &bytes[view.offset as usize + start..][..stored * channels];
                if straight {
                    each(Row::Run(&row[first as usize * channels..][..width * channels]));
                } else {
                    let pixel = |i: usize| &row[view.source(2, i) * channels..][..channels];
                    each(Row::Pixels(&pixel, width));
                }
            }
        }
    }

    /// Normalises whole pixels.
    fn convert(&self, from: &[u8], to: &mut [f32]) {
        if let [red, green, blue] = &*self.table {
            // By far the most frequent number of channels, for which the loop unrolls.
            for (to, [r, g, b]) in to.as_chunks_mut::<3>().0.iter_mut().zip(from.as_chunks::<3>().0) {
                *to = [red[usize::from(*r)], green[usize::from(*g)], blue[usize::from(*b)]];
            }
            return;
        }
        let channels = self.table.len();
        for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(channels)) {
            for ((value, table), &byte) in to.iter_mut().zip(&*self.table).zip(from) {
                *value = table[usize::from(byte)];
            }
        }
    }
}

/// A row of a sample.
enum Row<'a, 'b> {
    /// Its bytes, one after another.
    Run(&'a [u8]),
    /// Its pixels, by their place in it, and their number.
    Pixels(&'b dyn Fn(usize) -> &'a [u8], usize),
}

#[cfg(test)]
mod tests;
