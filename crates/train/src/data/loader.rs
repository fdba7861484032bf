//! Batches: shuffled, augmented, normalised, made ahead of the compute.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use convstat_runner::stream;
use rand::RngExt as _;
use rand::seq::SliceRandom as _;
use serde::{Deserialize, Serialize};

use super::Images;
use crate::{Result, TrainError};

/// Batches made ahead.
const AHEAD: usize = 4;

/// Random changes to training images; the default changes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Augment {
    /// Pixels of reflected padding (the border not repeated) on each side of every spatial axis; a window
    /// of the original size is then drawn. Smaller than every spatial size.
    pub crop: usize,
    /// Mirror an image along the last spatial axis (left to right) with probability 1/2.
    pub flip: bool,
    /// Side in pixels of a square over all spatial axes, set to the mean; its centre is drawn in the image,
    /// what lies outside is cut off. 0: none.
    pub cutout: usize,
}

/// Images ready for a network.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Normalised values, `shape` in C order.
    pub x: Vec<f32>,
    /// Class of each image, `n`.
    pub labels: Vec<u32>,
    /// `n`, the spatial axes, the channels.
    pub shape: Vec<usize>,
}

/// Makes batches of images. All numbers depend only on the seed, the epoch and the position in the epoch.
#[derive(Debug, Clone)]
pub struct Loader {
    images: Arc<Images>,
    /// Normalised value of each byte, for each channel.
    table: Vec<[f32; 256]>,
    batch: usize,
    augment: Augment,
    seed: u64,
}

impl Loader {
    /// Batches of `batch` images; a byte `p` of channel `c` becomes `(p / scale − mean[c]) / std[c]`.
    ///
    /// # Errors
    /// Sizes of `images`, `mean` and `std` that do not fit each other, a `scale` or `std` that is not positive,
    /// a `batch` of 0 or of more images than there are, an `augment` too large for the images.
    pub fn new(
        images: Arc<Images>,
        scale: f32,
        mean: Vec<f32>,
        std: Vec<f32>,
        batch: usize,
        augment: Augment,
        seed: u64,
    ) -> Result<Self> {
        let misfit = |reason: String| Err(TrainError::shape("loader", reason));
        let (shape, n) = (&images.shape, images.len());
        let Some((&channels, spatial)) = shape.split_last().filter(|(_, spatial)| !spatial.is_empty()) else {
            return misfit(format!("images of shape {shape:?} need a spatial axis and channels"));
        };
        if shape.contains(&0) || images.pixels.len() != n * images.values() {
            let values = images.pixels.len();
            return misfit(format!("{values} values are not {n} images of shape {shape:?}"));
        }
        if mean.len() != channels || std.len() != channels {
            let (means, deviations) = (mean.len(), std.len());
            return misfit(format!("{means} means and {deviations} deviations for {channels} channels"));
        }
        if !(scale > 0.0 && std.iter().all(|&s| s > 0.0)) {
            return misfit(format!("scale {scale} and deviations {std:?} must be positive"));
        }
        if batch == 0 || batch > n {
            return Err(TrainError::bad("batch", batch, format!("use 1 to {n}, the number of images")));
        }
        if let Some(&size) = spatial.iter().find(|&&size| augment.crop >= size) {
            let mend =
                format!("reflection needs a crop below {size}, the size of a spatial axis of {shape:?}");
            return Err(TrainError::bad("crop", augment.crop, mend));
        }
        if spatial.iter().all(|&size| augment.cutout > size) {
            let mend = format!("the square is larger than images of shape {shape:?}");
            return Err(TrainError::bad("cutout", augment.cutout, mend));
        }
        let row = |(mean, std): (f32, f32)| std::array::from_fn(|byte| (byte as f32 / scale - mean) / std);
        let table = mean.into_iter().zip(std).map(row).collect();
        Ok(Self { images, table, batch, augment, seed })
    }

    /// Whole batches of an epoch, at least 1.
    pub fn batches(&self) -> usize {
        self.images.len() / self.batch
    }

    /// Batches of an epoch in the order its shuffle gives, starting at batch `first` (0-based; none from
    /// [`batches`](Self::batches) on); whole batches only, the rest of the epoch is left out. A thread makes
    /// them ahead of the compute.
    pub fn epoch(&self, epoch: u64, first: usize) -> Epoch {
        let (sender, receiver) = sync_channel(AHEAD);
        let loader = self.clone();
        // No rayon here: a consumer that waits inside a rayon pool could hold the last thread this one needs.
        let thread = std::thread::spawn(move || {
            let mut order: Vec<usize> = (0..loader.images.len()).collect();
            order.shuffle(&mut stream(loader.seed, "shuffle", "", epoch));
            let key = epoch.to_string();
            for (i, indices) in order.chunks_exact(loader.batch).enumerate().skip(first) {
                let batch = loader.make(indices, |j| loader.draw(&key, i * loader.batch + j));
                // The other end is gone: nobody wants the rest.
                if sender.send(batch).is_err() {
                    return;
                }
            }
        });
        Epoch { receiver: Some(receiver), thread: Some(thread) }
    }

    /// All images in order, normalised, not augmented; the last batch may be smaller.
    pub fn in_order(&self) -> impl Iterator<Item = Batch> {
        let n = self.images.len();
        (0..n).step_by(self.batch).map(move |start| {
            let indices: Vec<usize> = (start..n.min(start + self.batch)).collect();
            self.make(&indices, |_| self.unchanged())
        })
    }

    fn spatial(&self) -> &[usize] {
        &self.images.shape[..self.images.shape.len() - 1]
    }

    /// A batch of the images `indices`, the `j`-th by `view(j)`.
    fn make(&self, indices: &[usize], view: impl Fn(usize) -> View) -> Batch {
        let (values, channels) = (self.images.values(), self.table.len());
        let mut x = vec![0.0; indices.len() * values];
        for (j, (image, &index)) in x.chunks_exact_mut(values).zip(indices).enumerate() {
            let bytes = &self.images.pixels[index * values..][..values];
            let View { source, blank } = view(j);
            let source = positions(&source, self.spatial());
            for (pixel, at) in image.chunks_exact_mut(channels).zip(source) {
                for ((value, table), &byte) in pixel.iter_mut().zip(&self.table).zip(&bytes[at * channels..])
                {
                    *value = table[usize::from(byte)];
                }
            }
            for at in positions(&blank, self.spatial()) {
                image[at * channels..][..channels].fill(0.0);
            }
        }
        let labels = indices.iter().map(|&i| self.images.labels[i]).collect();
        let shape = std::iter::once(indices.len()).chain(self.images.shape.iter().copied()).collect();
        Batch { x, labels, shape }
    }

    fn unchanged(&self) -> View {
        let source = self.spatial().iter().map(|&size| (0..size).collect()).collect();
        View { source, blank: vec![vec![]] }
    }

    /// The view of the image at `position` of the epoch `key`.
    fn draw(&self, key: &str, position: usize) -> View {
        let Augment { crop, flip, cutout } = self.augment;
        let mut view = self.unchanged();
        if self.augment == Augment::default() {
            return view;
        }
        let mut rng = stream(self.seed, "augment", key, position as u64);
        if crop > 0 {
            for (axis, &size) in view.source.iter_mut().zip(self.spatial()) {
                let start = rng.random_range(0..=2 * crop);
                axis.iter_mut().for_each(|at| *at = reflect(*at + start, crop, size));
            }
        }
        if flip && rng.random() {
            view.source.last_mut().into_iter().for_each(|axis| axis.reverse());
        }
        if cutout > 0 {
            let span = |&size: &usize| {
                let centre = rng.random_range(0..size);
                (centre.saturating_sub(cutout / 2)..size.min(centre + cutout.div_ceil(2))).collect()
            };
            view.blank = self.spatial().iter().map(span).collect();
        }
        view
    }
}

/// How an image is changed.
struct View {
    /// Where each pixel comes from, axis by axis.
    source: Vec<Vec<usize>>,
    /// Coordinates of the square that is set to 0, axis by axis; an empty axis makes it empty.
    blank: Vec<Vec<usize>>,
}

/// Where coordinate `at` of an axis with `crop` reflected pixels before and after lies in the axis of `size`.
fn reflect(at: usize, crop: usize, size: usize) -> usize {
    let at = at.abs_diff(crop);
    if at < size { at } else { 2 * (size - 1) - at }
}

/// Flat positions in an image of the spatial `sizes` of all pixels with these coordinates, in C order.
fn positions(axes: &[Vec<usize>], sizes: &[usize]) -> Vec<usize> {
    axes.iter().zip(sizes).fold(vec![0], |flat, (axis, size)| {
        flat.iter().flat_map(|start| axis.iter().map(move |at| start * size + at)).collect()
    })
}

/// The batches of an epoch, in order.
#[derive(Debug)]
pub struct Epoch {
    receiver: Option<Receiver<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Iterator for Epoch {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let batch = self.receiver.as_ref()?.recv().ok();
        // A thread that panicked must not look like the end of the epoch.
        if batch.is_none()
            && let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
        {
            std::panic::resume_unwind(panic);
        }
        batch
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        // Without its receiver the thread ends after the batch in hand.
        self.receiver = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// `n` images with label `i`; each byte is its position in the image plus `i`.
    fn images(n: usize, shape: &[usize]) -> Arc<Images> {
        let values: usize = shape.iter().product();
        let pixels = (0..n).flat_map(|i| (0..values).map(move |p| ((p + i) % 256) as u8)).collect();
        Arc::new(Images { shape: shape.to_vec(), pixels, labels: (0..n as u32).collect() })
    }

    /// A loader that leaves the bytes as they are.
    fn plain(images: &Arc<Images>, batch: usize, augment: Augment) -> Loader {
        let channels = *images.shape.last().unwrap();
        Loader::new(images.clone(), 1.0, vec![0.0; channels], vec![1.0; channels], batch, augment, 7).unwrap()
    }

    fn all() -> Augment {
        Augment { crop: 2, flip: true, cutout: 3 }
    }

    #[test]
    fn without_augmentation_a_permutation() {
        let images = images(11, &[4, 5, 2]);
        let loader =
            Loader::new(images.clone(), 255.0, vec![0.5, 0.25], vec![0.25, 2.0], 3, Augment::default(), 7)
                .unwrap();
        let normalised = |label: u32| -> Vec<f32> {
            let bytes = images.subset(&[label as usize]).pixels;
            let of = |(p, b): (usize, u8)| {
                let (mean, std) = [(0.5, 0.25), (0.25, 2.0)][p % 2];
                (f32::from(b) / 255.0 - mean) / std
            };
            bytes.into_iter().enumerate().map(of).collect()
        };
        let mut seen = vec![];
        assert_eq!(loader.batches(), 3);
        for batch in loader.epoch(0, 0) {
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
        let batches: Vec<Batch> = loader.in_order().collect();
        assert_eq!(batches.iter().map(|b| b.shape[0]).collect::<Vec<_>>(), [3, 3, 3, 2]);
        assert_eq!(batches.iter().flat_map(|b| b.labels.clone()).collect::<Vec<_>>(), images.labels);
        let x: Vec<f32> = batches.into_iter().flat_map(|b| b.x).collect();
        assert_eq!(x, (0..11).flat_map(normalised).collect::<Vec<_>>());
    }

    #[test]
    fn fixed_by_seed_and_epoch_and_resumable() {
        let images = images(50, &[6, 6, 3]);
        let loader = plain(&images, 4, all());
        let whole: Vec<Batch> = loader.epoch(3, 0).collect();
        assert_eq!(whole.len(), 12);
        for first in [0, 1, 7, 11, 12, 99] {
            let tail: Vec<Batch> = loader.epoch(3, first).collect();
            assert_eq!(tail, whole[first.min(12)..]);
        }
        assert_ne!(whole, loader.epoch(4, 0).collect::<Vec<_>>());
        let other = Loader { seed: 8, ..loader.clone() };
        assert_ne!(whole, other.epoch(3, 0).collect::<Vec<_>>());
        // A view hangs on the position, not on the batch size.
        let flat = |loader: &Loader| loader.epoch(3, 0).flat_map(|batch| batch.x).collect::<Vec<_>>();
        assert_eq!(flat(&loader), flat(&plain(&images, 2, all()))[..48 * 108]);
    }

    /// An axis of `size` with its reflection before and after.
    fn padded(crop: usize, size: usize) -> Vec<usize> {
        (1..=crop).rev().chain(0..size).chain((size - 1 - crop..size - 1).rev()).collect()
    }

    #[test]
    fn reflection() {
        for size in 1..6 {
            for crop in 0..size {
                let axis: Vec<usize> = (0..size + 2 * crop).map(|at| reflect(at, crop, size)).collect();
                assert_eq!(axis, padded(crop, size));
            }
        }
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
            for epoch in 0..400 {
                let batch = loader.epoch(epoch, 0).next().unwrap();
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
            assert!(starts.iter().flatten().all(|&count| (50..=110).contains(&count)), "{starts:?}");
            assert!(flips.iter().all(|&count| (150..=250).contains(&count)), "{flips:?}");
        }
    }

    #[test]
    fn cutout_is_a_square_cut_at_the_border() {
        let images = images(1, &[6, 7, 2]);
        let still = images.pixels.iter().map(|&byte| f32::from(byte) + 1.0).collect::<Vec<_>>();
        let augment = Augment { cutout: 3, ..Augment::default() };
        // Mean −1, so that no value but those cut out is 0.
        let loader = Loader::new(images, 1.0, vec![-1.0; 2], vec![1.0; 2], 1, augment, 7).unwrap();
        let mut centres = std::collections::BTreeSet::new();
        for epoch in 0..1000 {
            let x = loader.epoch(epoch, 0).next().unwrap().x;
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
        drop(loader.epoch(0, 0));
        let mut epoch = loader.epoch(0, 0);
        epoch.next();
        // Let the channel fill, so that the thread waits in it.
        std::thread::sleep(Duration::from_millis(50));
        drop(epoch);
        // The threads held the only other copies.
        assert_eq!(Arc::strong_count(&loader.images), 1);
    }

    #[test]
    fn misfits() {
        let error = |shape: &[usize], channels: usize, std: f32, batch: usize, augment: Augment| {
            let (mean, std) = (vec![0.0; channels], vec![std; channels]);
            Loader::new(images(5, shape), 1.0, mean, std, batch, augment, 0).unwrap_err().to_string()
        };
        let none = Augment::default;
        for (error, part) in [
            (error(&[4, 4, 1], 1, 1.0, 6, none()), "batch = 6: use 1 to 5"),
            (error(&[4, 4, 1], 1, 1.0, 0, none()), "batch = 0"),
            (error(&[4], 4, 1.0, 1, none()), "spatial axis"),
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
        let mut short = (*images(5, &[4, 4, 1])).clone();
        short.pixels.pop();
        let loader = Loader::new(Arc::new(short), 1.0, vec![0.0], vec![1.0], 1, none(), 0);
        assert!(loader.unwrap_err().to_string().contains("79 values"));
    }
}
