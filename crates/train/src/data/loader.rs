//! Batches: shuffled, augmented, normalised, made ahead of the compute, on a processor or by whoever reads the recipes.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use convstat_runner::stream;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::{Images, View};
use crate::{Result, TrainError};

/// Batches made ahead, by all threads together, and most bytes of them (clips are large).
const AHEAD: usize = 4;
const AHEAD_BYTES: usize = 1 << 30;

/// Random changes to training images; the default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels of reflected padding (the border not repeated) on each side of height and width (of the last two
    /// spatial axes); a window of the sample's size is then drawn. Smaller than either size.
    pub crop: usize,
    /// Mirror an image along the last spatial axis (left to right) with probability 1/2.
    pub flip: bool,
    /// Side in pixels of a square over all spatial axes (of a clip: height and width, through all frames), set to the
    /// mean; its centre is drawn in the image, what lies outside is cut off. 0: none.
    pub cutout: usize,
}

/// How bytes become numbers around 0: a byte `p` of channel `c` is `(p / scale − mean[c]) / std[c]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Normalisation {
    /// The byte that becomes 1.
    pub scale: f32,
    /// Mean of each channel, in units of `scale`.
    pub mean: Vec<f32>,
    /// Standard deviation of each channel, in units of `scale`.
    pub std: Vec<f32>,
}

impl Normalisation {
    /// The value of each byte, for each channel.
    pub fn table(&self) -> Vec<[f32; 256]> {
        let row = |(mean, std): (&f32, &f32)| std::array::from_fn(|p| (p as f32 / self.scale - mean) / std);
        self.mean.iter().zip(&self.std).map(row).collect()
    }
}

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
        let misfit = |reason: String| Err(TrainError::shape("loader", reason));
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
            return Err(TrainError::bad(
                "training.batch",
                batch,
                format!("use 1 to {n}, the number of images"),
            ));
        }
        let plane = &images.stored[images.stored.len().saturating_sub(2)..];
        if let Some(&size) = plane.iter().find(|&&size| augment.crop >= size) {
            let mend =
                format!("reflection needs a crop below {size}, the size of a spatial axis of {shape:?}");
            return Err(TrainError::bad("data.augment.crop", augment.crop, mend));
        }
        let square = &images.spatial()[usize::from(images.clip.is_some())..];
        if square.iter().all(|&size| augment.cutout > size) {
            let mend = format!("the square is larger than images of shape {shape:?}");
            return Err(TrainError::bad("data.augment.cutout", augment.cutout, mend));
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
        let recipe = Arc::new(recipe);
        let lane = |offset: usize| {
            let (sender, receiver): (SyncSender<T>, _) = sync_channel((ahead / threads).max(1));
            let (loader, recipe, make) = (self.clone(), recipe.clone(), make.clone());
            let mine = range.clone().skip(offset).step_by(threads);
            // No rayon here: a consumer that waits inside a rayon pool could hold the last thread this one needs.
            let thread = std::thread::spawn(move || {
                for i in mine {
                    // The other end is gone: nobody wants the rest.
                    if sender.send(make(&loader, recipe(&loader, i))).is_err() {
                        return;
                    }
                }
            });
            Lane { receiver: Some(receiver), thread: Some(thread) }
        };
        Epoch { lanes: (0..threads).map(lane).collect(), next: 0 }
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

/// What is made of the batches of an epoch, in order.
#[derive(Debug)]
pub struct Epoch<T> {
    lanes: Vec<Lane<T>>,
    next: usize,
}

/// A thread that makes batches.
#[derive(Debug)]
struct Lane<T> {
    receiver: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T> Iterator for Epoch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let at = self.next % self.lanes.len().max(1);
        let lane = self.lanes.get_mut(at)?;
        let made = lane.receiver.as_ref()?.recv().ok();
        // A thread that panicked must not look like the end of the epoch.
        if made.is_none()
            && let Some(Err(panic)) = lane.thread.take().map(JoinHandle::join)
        {
            std::panic::resume_unwind(panic);
        }
        self.next += usize::from(made.is_some());
        made
    }
}

impl<T> Drop for Epoch<T> {
    fn drop(&mut self) {
        // Without its receiver a thread ends after the batch in hand.
        self.lanes.iter_mut().for_each(|lane| lane.receiver = None);
        for thread in self.lanes.iter_mut().filter_map(|lane| lane.thread.take()) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::images::tests::{padded, pixels, videos};
    use super::super::{Clip, Record, Store};
    use super::*;
    use std::time::Duration;

    /// Flat positions in an image of the spatial `sizes` of all pixels with these coordinates, in C order.
    fn positions(axes: &[Vec<usize>], sizes: &[usize]) -> Vec<usize> {
        axes.iter().zip(sizes).fold(vec![0], |flat, (axis, size)| {
            flat.iter().flat_map(|start| axis.iter().map(move |at| start * size + at)).collect()
        })
    }

    /// `n` images with label `i`; each byte is its position in the image plus `i`.
    fn images(n: usize, shape: &[usize]) -> Images {
        let values: usize = shape.iter().product();
        let pixels = (0..n).flat_map(|i| (0..values).map(move |p| ((p + i) % 256) as u8)).collect();
        Images::new(shape.to_vec(), pixels, (0..n as u32).collect())
    }

    fn norm(scale: f32, mean: Vec<f32>, std: Vec<f32>) -> Normalisation {
        Normalisation { scale, mean, std }
    }

    /// The batches of an epoch from `first` on, made on the processor.
    fn epoch(loader: &Loader, epoch: u64, first: usize) -> Epoch<Batch> {
        loader.epoch(epoch, first, Loader::cpu())
    }

    /// A loader that leaves the bytes as they are.
    fn plain(images: &Images, batch: usize, augment: Augment) -> Loader {
        let channels = *images.shape.last().unwrap();
        Loader::new(images.clone(), norm(1.0, vec![0.0; channels], vec![1.0; channels]), batch, augment, 7)
            .unwrap()
    }

    fn all() -> Augment {
        Augment { crop: 2, flip: true, cutout: 3 }
    }

    #[test]
    fn without_augmentation_a_permutation() {
        let images = images(11, &[4, 5, 2]);
        let loader = Loader::new(
            images.clone(),
            norm(255.0, vec![0.5, 0.25], vec![0.25, 2.0]),
            3,
            Augment::default(),
            7,
        )
        .unwrap();
        let normalised = |label: u32| -> Vec<f32> {
            let bytes = pixels(&images.subset(&[label as usize]));
            let of = |(p, b): (usize, u8)| {
                let (mean, std) = [(0.5, 0.25), (0.25, 2.0)][p % 2];
                (f32::from(b) / 255.0 - mean) / std
            };
            bytes.into_iter().enumerate().map(of).collect()
        };
        let mut seen = vec![];
        assert_eq!(loader.batches(), 3);
        for batch in epoch(&loader, 0, 0) {
            assert_eq!(batch.shape, [3, 4, 5, 2]);
            for (x, &label) in batch.x.chunks(40).zip(&batch.labels) {
                assert_eq!(x, normalised(label));
                seen.push(label);
            }
        }
        assert_eq!(seen.len(), 9);
        assert!(!seen.is_sorted());
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 9);
        let batches: Vec<Batch> = loader.in_order(Loader::cpu()).collect();
        assert_eq!(batches.iter().map(|b| b.shape[0]).collect::<Vec<_>>(), [3, 3, 3, 2]);
        let labels: Vec<u32> = images.labels().collect();
        assert_eq!(batches.iter().flat_map(|b| b.labels.clone()).collect::<Vec<_>>(), labels);
        let x: Vec<f32> = batches.into_iter().flat_map(|b| b.x).collect();
        assert_eq!(x, (0..11).flat_map(normalised).collect::<Vec<_>>());
    }

    #[test]
    fn fixed_by_seed_and_epoch_and_resumable() {
        let images = images(50, &[6, 6, 3]);
        let loader = plain(&images, 4, all());
        let whole: Vec<Batch> = epoch(&loader, 3, 0).collect();
        assert_eq!(whole.len(), 12);
        for first in [0, 1, 7, 11, 12, 99] {
            let tail: Vec<Batch> = epoch(&loader, 3, first).collect();
            assert_eq!(tail, whole[first.min(12)..]);
        }
        assert_ne!(whole, epoch(&loader, 4, 0).collect::<Vec<_>>());
        let other = Loader { seed: 8, ..loader.clone() };
        assert_ne!(whole, epoch(&other, 3, 0).collect::<Vec<_>>());
        // A view hangs on the position, not on the batch size.
        let flat = |loader: &Loader| epoch(loader, 3, 0).flat_map(|batch| batch.x).collect::<Vec<_>>();
        assert_eq!(flat(&loader), flat(&plain(&images, 2, all()))[..48 * 108]);
    }

    #[test]
    fn crops_are_windows_of_the_padded_image() {
        for shape in [vec![9, 2], vec![5, 7, 3], vec![4, 5, 6, 2]] {
            let (channels, spatial) = shape.split_last().unwrap();
            // Small enough that no window is the mirror image of another.
            let crop = 2;
            // At most 256 values, so that a byte tells where it was.
            let images = images(1, &shape);
            let loader = plain(&images, 1, Augment { crop, flip: true, cutout: 0 });
            let mut starts = vec![vec![0; 2 * crop + 1]; spatial.len()];
            let mut flips = [0, 0];
            for number in 0..400 {
                let batch = epoch(&loader, number, 0).next().unwrap();
                let mut axes: Vec<Vec<usize>> = vec![];
                let mut stride = *channels;
                for &size in spatial.iter().rev() {
                    // The coordinate along this axis of the pixels of a line along it.
                    let line = (0..size).map(|at| batch.x[at * stride] as usize / stride % size);
                    axes.insert(0, line.collect());
                    stride *= size;
                }
                let source = positions(&axes, spatial).into_iter();
                let expected = source.flat_map(|at| (0..*channels).map(move |c| (at * channels + c) as f32));
                assert!(batch.x.iter().copied().eq(expected));
                for (a, (axis, &size)) in axes.iter_mut().zip(spatial).enumerate() {
                    // The first of three axes stays.
                    if a + 2 < spatial.len() {
                        assert!(axis.iter().copied().eq(0..size));
                        continue;
                    }
                    let padded = padded(crop, size);
                    let find = |axis: &[usize]| padded.windows(size).position(|window| window == axis);
                    let start = if a + 1 < spatial.len() {
                        find(axis)
                    } else {
                        let straight = find(axis);
                        flips[usize::from(straight.is_none())] += 1;
                        axis.reverse();
                        straight.or(find(axis))
                    };
                    starts[a][start.expect("a window")] += 1;
                }
            }
            // 400 draws of 5 starts and of 2 directions.
            let drawn = &starts[spatial.len().saturating_sub(2)..];
            assert!(drawn.iter().flatten().all(|&count| (50..=110).contains(&count)), "{starts:?}");
            assert!(flips.iter().all(|&count| (150..=250).contains(&count)), "{flips:?}");
        }
    }

    #[test]
    fn cutout_is_a_square_cut_at_the_border() {
        let images = images(1, &[6, 7, 2]);
        let still = images.bytes().iter().map(|&byte| f32::from(byte) + 1.0).collect::<Vec<_>>();
        let augment = Augment { cutout: 3, ..Augment::default() };
        // Mean −1, so that no value but those cut out is 0.
        let loader = Loader::new(images, norm(1.0, vec![-1.0; 2], vec![1.0; 2]), 1, augment, 7).unwrap();
        let mut centres = std::collections::BTreeSet::new();
        for number in 0..1000 {
            let x = epoch(&loader, number, 0).next().unwrap().x;
            let blank: Vec<usize> = (0..x.len()).filter(|&p| x[p] == 0.0).collect();
            assert!((0..x.len()).all(|p| x[p] == 0.0 || x[p] == still[p]));
            let square = |row: usize, column: usize| {
                let inside = |p: &usize| (p / 14).abs_diff(row) <= 1 && (p / 2 % 7).abs_diff(column) <= 1;
                (0..84).filter(inside).collect::<Vec<_>>()
            };
            let mut all = (0..6).flat_map(|row| (0..7).map(move |column| (row, column)));
            centres.insert(all.find(|&(row, column)| square(row, column) == blank).expect("a square"));
        }
        assert_eq!(centres.len(), 42);
    }

    #[test]
    fn early_drop_ends_the_thread() {
        let loader = plain(&images(200, &[4, 4, 1]), 1, all());
        drop(epoch(&loader, 0, 0));
        let mut epoch = epoch(&loader, 0, 0);
        epoch.next();
        // Let the channel fill, so that the thread waits in it.
        std::thread::sleep(Duration::from_millis(50));
        drop(epoch);
        // The threads held the only other copies.
        assert_eq!(Arc::strong_count(&loader.table), 1);
    }

    #[test]
    fn misfits() {
        let error = |shape: &[usize], channels: usize, std: f32, batch: usize, augment: Augment| {
            let (mean, std) = (vec![0.0; channels], vec![std; channels]);
            Loader::new(images(5, shape), norm(1.0, mean, std), batch, augment, 0).unwrap_err().to_string()
        };
        let none = Augment::default;
        for (error, part) in [
            (error(&[4, 4, 1], 1, 1.0, 6, none()), "batch = 6: use 1 to 5"),
            (error(&[4, 4, 1], 1, 1.0, 0, none()), "batch = 0"),
            (error(&[4], 4, 1.0, 1, none()), "spatial axes"),
            (error(&[4, 0, 1], 1, 1.0, 1, none()), "[4, 0, 1]"),
            (error(&[4, 4, 1], 2, 1.0, 1, none()), "2 means"),
            (error(&[4, 4, 1], 1, 0.0, 1, none()), "positive"),
            (error(&[4, 4, 1], 1, f32::NAN, 1, none()), "positive"),
            (
                error(&[5, 4, 1], 1, 1.0, 1, Augment { crop: 4, ..none() }),
                "crop = 4: reflection needs a crop below 4",
            ),
            (error(&[5, 4, 1], 1, 1.0, 1, Augment { cutout: 6, ..none() }), "cutout = 6"),
        ] {
            assert!(error.contains(part), "{error}");
        }
        let short = Images::new(vec![4, 4, 1], vec![0; 79], vec![0; 5]);
        let loader = Loader::new(short, norm(1.0, vec![0.0], vec![1.0]), 1, none(), 0);
        assert!(loader.unwrap_err().to_string().contains("79 values"));
    }

    /// Entry by entry, as the documentation of [`View`] says.
    fn slow(loader: &Loader, bytes: &[u8], view: &View) -> Vec<f32> {
        let (sizes, table) = (loader.images.sizes(), loader.normalisation.table());
        let coordinate = |axis: usize, i: usize| {
            let (at, size) = (view.start[axis] + view.step[axis] * i as i32, view.size[axis]);
            match axis {
                0 => at.rem_euclid(size),
                _ if at.abs() < size => at.abs(),
                _ => 2 * (size - 1) - at.abs(),
            }
        };
        let mut x = vec![];
        for (f, r, c) in
            (0..sizes[0]).flat_map(|f| (0..sizes[1]).flat_map(move |r| (0..sizes[2]).map(move |c| (f, r, c))))
        {
            let blank = [f, r, c]
                .iter()
                .zip(view.from.iter().zip(view.to))
                .all(|(&i, (&from, to))| (from..to).contains(&(i as i32)));
            let column = if view.flip == 1 { sizes[2] - 1 - c } else { c };
            let [_, height, width] = view.size;
            let pixel = (coordinate(0, f) * height + coordinate(1, r)) * width + coordinate(2, column);
            for (k, table) in table.iter().enumerate() {
                let byte = bytes[view.offset as usize + pixel as usize * loader.table.len() + k];
                x.push(if blank { 0.0 } else { table[usize::from(byte)] });
            }
        }
        x
    }

    #[test]
    fn views_are_made_and_gathered_as_documented() {
        let mut rng = stream(5, "views", "", 0);
        for round in 0..300 {
            let channels = [1, 2, 3, 4][round % 4];
            let shape = [1, 2, 3].map(|most: usize| rng.random_range(1..=4 * most));
            let room = |rng: &mut _, size: usize, crop: usize| {
                rand::RngExt::random_range(rng, size.max(crop + 1)..size + 6)
            };
            let crop = rng.random_range(0..3);
            let stored = [room(&mut rng, shape[1], crop), room(&mut rng, shape[2], crop)];
            let frames = [1, 5, 30].map(|most: usize| rng.random_range(1..=most));
            let frame = stored[0] * stored[1] * channels;
            let bytes: Vec<u8> = (0..frames.iter().sum::<usize>() * frame).map(|_| rng.random()).collect();
            let mut start = 0;
            let records = frames.map(|frames| {
                let record = Record { start, frames, label: frames as u32 };
                start += frames * frame;
                record
            });
            let clip = Clip { step: rng.random_range(1..4), tests: rng.random_range(1..5) };
            let [t, h, w] = shape;
            let images =
                Images::videos([t, h, w, channels], stored, clip, Store::Memory(bytes), records.to_vec())
                    .unwrap();
            let augment = Augment { crop, flip: true, cutout: rng.random_range(0..=h.max(w)) };
            let normalisation = norm(16.0, vec![0.3; channels], vec![1.7; channels]);
            let loader = Loader::new(images, normalisation, 2, augment, round as u64)
                .unwrap()
                .with_threads(1 + round % 3);
            let recipes: Make<Recipe> = Arc::new(|_, recipe| recipe);
            let all = loader.epoch(1, 0, recipes.clone()).chain(loader.in_order(recipes));
            for recipe in all {
                let made = loader.make(&recipe);
                let expected: Vec<f32> =
                    recipe.views.iter().flat_map(|view| slow(&loader, loader.images.bytes(), view)).collect();
                assert_eq!(made.x, expected);
                let (bytes, views) = loader.gather(&recipe);
                assert_eq!(bytes.len(), made.x.len());
                assert_eq!(loader.normalised(&bytes, &views), expected);
                for view in &recipe.views {
                    // A clip lies in its video, unless that is too short.
                    let last = view.start[0] + loader.images.span() as i32;
                    assert!(last <= view.size[0] || view.start[0] == 0);
                }
            }
        }
    }

    #[test]
    fn threads_change_nothing() {
        let images = images(50, &[6, 6, 3]);
        let one = plain(&images, 4, all());
        let whole: Vec<Batch> = epoch(&one, 3, 0).collect();
        for threads in [2, 3, 20] {
            let many = one.clone().with_threads(threads);
            assert_eq!(epoch(&many, 3, 0).collect::<Vec<_>>(), whole);
            assert_eq!(epoch(&many, 3, 7).collect::<Vec<_>>(), whole[7..]);
            assert_eq!(
                many.in_order(Loader::cpu()).collect::<Vec<_>>(),
                one.in_order(Loader::cpu()).collect::<Vec<_>>()
            );
            drop(epoch(&many, 0, 0));
            assert_eq!(Arc::strong_count(&many.table), 2);
        }
    }

    #[test]
    fn a_panic_is_no_end() {
        let loader = plain(&images(8, &[4, 4, 1]), 2, all()).with_threads(2);
        let make: Make<u32> =
            Arc::new(|_, recipe| if recipe.labels.contains(&5) { panic!("five") } else { 0 });
        let count = std::panic::AssertUnwindSafe(|| loader.epoch(0, 0, make).count());
        let caught = std::panic::catch_unwind(count);
        assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"five"));
    }

    #[test]
    fn clips() {
        let clip = Clip { step: 3, tests: 4 };
        let images = videos([4, 1, 2, 1], clip).unwrap();
        let loader = plain(&images, 2, Augment::default());
        assert_eq!(loader.clips_per_sample(), 4);
        let recipes: Make<Recipe> = Arc::new(|_, recipe| recipe);
        let all: Vec<Recipe> = loader.in_order(recipes.clone()).collect();
        assert_eq!(all.iter().flat_map(|r| r.labels.clone()).collect::<Vec<_>>(), [1, 1, 1, 1, 0, 0, 0, 0]);
        let starts: Vec<[i32; 3]> = all.iter().flat_map(|r| r.views.iter().map(|v| v.start)).collect();
        // Ten frames are reached over: from 0 to 4990, in the middle of what is stored.
        let expected = [0, 0, 0, 0, 0, 1663, 3326, 4990].map(|first| [first, 0, 0]);
        assert_eq!(starts, expected);
        assert_eq!(
            loader.make(&all[2]).x,
            [0, 3, 6, 9, 1663, 1666, 1669, 1672].map(|f| (f % 251) as f32).map(|f| [f, f]).concat()
        );
        // The short video loops.
        assert_eq!(loader.make(&all[0]).x[..8], [0.0; 8]);
        let mut one = images.clone();
        one.clip = Some(Clip { step: 3, tests: 1 });
        let middle: Vec<Recipe> = plain(&one, 2, Augment::default()).in_order(recipes.clone()).collect();
        assert_eq!(middle[0].views[1].start, [2495, 0, 0]);
        // Without any augmentation too, clips and windows are drawn.
        let mut seen = [
            std::collections::BTreeSet::new(),
            std::collections::BTreeSet::new(),
            std::collections::BTreeSet::new(),
        ];
        for number in 0..200 {
            for view in loader.epoch(number, 0, recipes.clone()).flat_map(|r| r.views) {
                if view.size[0] == 5000 {
                    seen.iter_mut().zip(view.start).for_each(|(seen, start)| {
                        seen.insert(start);
                    });
                }
                assert_eq!((view.flip, view.from, view.to), (0, [0; 3], [0; 3]));
            }
        }
        assert!(seen[0].len() > 180 && seen[0].iter().all(|f| (0..=4990).contains(f)));
        assert_eq!([&seen[1], &seen[2]].map(|s| s.iter().copied().collect::<Vec<_>>()), [[0, 1]; 2]);
    }
}
