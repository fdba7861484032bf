//! Samples without copies: bytes in a store, records that point into them, and views that say how a sample is cut.

use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use memmap2::Mmap;
use serde::{Deserialize, Serialize};

use crate::view::{View, three};
use crate::{DataError, Result};

/// One image, or one video, in a store of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// Its first byte.
    pub start: usize,
    /// Frames of a video; 1 for an image.
    pub frames: usize,
    /// Its class.
    pub label: u32,
}

/// The bytes of all records, channels last: in memory, or a mapped file.
pub enum Store {
    /// Bytes in memory.
    Memory(Vec<u8>),
    /// A file that the system reads page by page as it is used.
    Mapped(Mmap),
}

impl Deref for Store {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => bytes,
            Self::Mapped(map) => map,
        }
    }
}

impl AsRef<[u8]> for Store {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = if matches!(self, Self::Memory(_)) { "Memory" } else { "Mapped" };
        write!(f, "{kind}({} bytes)", self.len())
    }
}

/// How clips are taken from videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clip {
    /// Frames of the video from one frame of a clip to the next.
    pub step: usize,
    /// Clips of each video in evaluation, evenly spaced.
    pub tests: usize,
}

/// Samples, and how they are cut from their records: cheap to clone.
#[derive(Debug, Clone)]
pub struct Images {
    /// Sizes of one sample as a network sees it: the spatial axes (of a clip: frames, height, width), then the channels.
    pub shape: Vec<usize>,
    /// Sizes of a stored image or frame: the spatial axes without time. They are `shape`'s unless a window is cut.
    pub stored: Vec<usize>,
    /// How clips are taken; none for images.
    pub clip: Option<Clip>,
    store: Arc<Store>,
    records: Arc<[Record]>,
    moments: OnceLock<Vec<(f64, f64)>>,
}

impl PartialEq for Images {
    /// Whether all samples are equal, wherever they are stored.
    fn eq(&self, other: &Self) -> bool {
        let same = |(a, b): (&Record, &Record)| {
            (a.frames, a.label) == (b.frames, b.label) && self.record(a) == other.record(b)
        };
        (&self.shape, &self.stored, self.clip) == (&other.shape, &other.stored, other.clip)
            && self.len() == other.len()
            && self.records.iter().zip(&*other.records).all(same)
    }
}

/// Most frames that the moments of videos are computed from.
const MOMENT_FRAMES: usize = 2000;

impl Images {
    /// Images in memory: `pixels` are `n × shape` in C order, `labels` are `n`. [`check`](Self::check) says whether
    /// they fit each other.
    pub fn new(shape: Vec<usize>, pixels: Vec<u8>, labels: Vec<u32>) -> Self {
        let values: usize = shape.iter().product();
        let record = |(i, label)| Record { start: i * values, frames: 1, label };
        let records = labels.into_iter().enumerate().map(record).collect();
        let stored = shape[..shape.len().saturating_sub(1)].to_vec();
        let store = Arc::new(Store::Memory(pixels));
        Self { shape, stored, clip: None, store, records, moments: OnceLock::new() }
    }

    /// Clips of `shape` (frames, height, width, channels) from videos whose frames have the `stored` height and width.
    ///
    /// # Errors
    /// Sizes that do not fit: see [`check`](Self::check).
    pub fn videos(
        shape: [usize; 4],
        stored: [usize; 2],
        clip: Clip,
        store: Store,
        records: Vec<Record>,
    ) -> Result<Self> {
        let images = Self {
            shape: shape.to_vec(),
            stored: stored.to_vec(),
            clip: Some(clip),
            store: Arc::new(store),
            records: records.into(),
            moments: OnceLock::new(),
        };
        images.check()?;
        Ok(images)
    }

    /// Whether every sample can be cut from the store.
    ///
    /// # Errors
    /// Axes that are missing or too many, a size of 0, a window larger than what is stored, a clip without a step, a
    /// record that does not lie in the store.
    pub fn check(&self) -> Result<()> {
        let misfit = |reason: String| Err(DataError::shape("samples", reason));
        let (shape, stored) = (&self.shape, &self.stored);
        let spatial = self.spatial();
        if !(1..=3).contains(&spatial.len()) {
            return misfit(format!("shape {shape:?} needs 1 to 3 spatial axes, and channels"));
        }
        let window = &spatial[usize::from(self.clip.is_some())..];
        if shape.contains(&0) || window.len() != stored.len() || self.clip.is_some() && spatial.len() != 3 {
            return misfit(format!("shape {shape:?} does not fit what is stored, of sizes {stored:?}"));
        }
        if window.iter().zip(stored).any(|(size, stored)| size > stored) {
            return misfit(format!(
                "a window of {window:?} is larger than what is stored, of sizes {stored:?}"
            ));
        }
        if let Some(Clip { step, tests }) = self.clip.filter(|c| c.step == 0 || c.tests == 0) {
            return misfit(format!(
                "clips with step {step}, {tests} in evaluation: both have to be at least 1"
            ));
        }
        // Coordinates are 32 bits wide in a view.
        let limit = i32::MAX as usize / 4;
        let span = self.span();
        if span > limit || shape.iter().chain(stored).any(|&size| size > limit) {
            return misfit(format!("samples of shape {shape:?} over {span} frames are too large"));
        }
        let frame = self.frame();
        let outside = |r: &Record| {
            let end = frame.and_then(|f| f.checked_mul(r.frames)).and_then(|n| n.checked_add(r.start));
            r.frames == 0 || r.frames > limit || end.is_none_or(|end| end > self.store.len())
        };
        if let Some(i) = self.records.iter().position(outside) {
            let (n, values) = (self.len(), self.store.len());
            return misfit(format!(
                "{values} values are not {n} samples of shape {shape:?}: sample {i} does not lie in them"
            ));
        }
        Ok(())
    }

    /// All bytes of the store.
    pub fn bytes(&self) -> &[u8] {
        &self.store
    }

    /// The store, by whose address a copy of it on a GPU can be known.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Whether the store is a mapped file.
    pub fn is_mapped(&self) -> bool {
        matches!(*self.store, Store::Mapped(_))
    }

    /// The images or videos.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// The bytes of a record of these samples.
    fn record(&self, record: &Record) -> &[u8] {
        &self.store[record.start..][..record.frames * self.frame().unwrap_or(0)]
    }

    /// Bytes of a stored image or frame, if they can be counted.
    fn frame(&self) -> Option<usize> {
        let channels = self.shape.last()?;
        self.stored.iter().try_fold(*channels, |n, &size| n.checked_mul(size))
    }

    /// Number of images or videos.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Values of one sample.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }

    /// Class of each image or video.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.records.iter().map(|record| record.label)
    }

    /// The spatial axes of a sample.
    pub fn spatial(&self) -> &[usize] {
        &self.shape[..self.shape.len().saturating_sub(1)]
    }

    /// Sizes of a sample on three axes, missing ones first with size 1.
    pub fn sizes(&self) -> [usize; 3] {
        three(self.spatial().iter().copied(), 1)
    }

    /// Frames of a video that a clip reaches over; 1 for images.
    pub fn span(&self) -> usize {
        self.clip.map_or(1, |clip| (self.shape[0].max(1) - 1).saturating_mul(clip.step).saturating_add(1))
    }

    /// The view of the middle of record `index`, a clip's from frame `first` on.
    ///
    /// # Panics
    /// `index` is not below [`len`](Self::len).
    pub fn view(&self, index: usize, first: usize) -> View {
        let record = self.records[index];
        let sizes = self.clip.map(|_| record.frames).into_iter().chain(self.stored.iter().copied());
        let mut view = View {
            offset: record.start as u64,
            size: three(sizes, 1).map(|n| n as i32),
            step: [1; 3],
            ..View::default()
        };
        for (start, (stored, size)) in view.start.iter_mut().zip(view.size.iter().zip(self.sizes())) {
            *start = (stored - size as i32) / 2;
        }
        if let Some(clip) = self.clip {
            (view.start[0], view.step[0]) = (first as i32, clip.step as i32);
        }
        view
    }

    fn select(&self, records: Arc<[Record]>) -> Self {
        let (shape, stored) = (self.shape.clone(), self.stored.clone());
        let (store, moments) = (self.store.clone(), OnceLock::new());
        Self { shape, stored, clip: self.clip, store, records, moments }
    }

    /// Other records of the same store, cut in the same way.
    ///
    /// # Errors
    /// A record that does not lie in the store.
    pub fn with_records(&self, records: Vec<Record>) -> Result<Self> {
        let images = self.select(records.into());
        images.check()?;
        Ok(images)
    }

    /// The first `n` images or videos; no bytes are copied.
    ///
    /// # Errors
    /// `n` is 0 or larger than their number.
    pub fn take(&self, n: usize) -> Result<Self> {
        if n == 0 || n > self.len() {
            return Err(DataError::bad("images", n, format!("take 1 to {} images", self.len())));
        }
        Ok(self.select(self.records[..n].into()))
    }

    /// The images or videos of these indices, in their order; an index may come twice. No bytes are copied.
    ///
    /// # Panics
    /// An index is not below [`len`](Self::len).
    pub fn subset(&self, indices: &[usize]) -> Self {
        self.select(indices.iter().map(|&i| self.records[i]).collect())
    }

    /// Mean and standard deviation of the bytes of each channel: of all images, or of at most 2000 frames of videos,
    /// evenly spaced. Computed once.
    pub fn moments(&self) -> &[(f64, f64)] {
        self.moments.get_or_init(|| {
            let channels = self.shape.last().copied().unwrap_or(1).max(1);
            let frame = self.frame().unwrap_or(0);
            let all: usize = self.records.iter().map(|r| r.frames).sum();
            let kept = if self.clip.is_some() { all.min(MOMENT_FRAMES) } else { all };
            // Sums of bytes and of their squares are exact in 64 bits.
            let mut sums = vec![(0u64, 0u64); channels];
            let (mut before, mut next) = (0, 0);
            for record in &*self.records {
                while next < kept && next * all / kept < before + record.frames {
                    let start = record.start + (next * all / kept - before) * frame;
                    for pixel in self.store[start..][..frame].chunks_exact(channels) {
                        for ((sum, squares), &v) in sums.iter_mut().zip(pixel) {
                            *sum += u64::from(v);
                            *squares += u64::from(v) * u64::from(v);
                        }
                    }
                    next += 1;
                }
                before += record.frames;
            }
            let count = (kept * frame / channels).max(1) as f64;
            let moments = |(sum, squares): (u64, u64)| {
                let mean = sum as f64 / count;
                let variance = (squares as f64 / count - mean * mean).max(0.0);
                (mean, variance.sqrt())
            };
            sums.into_iter().map(moments).collect()
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn images() -> Images {
        Images::new(vec![2, 2], vec![0, 1, 2, 1, 4, 1, 6, 1], vec![7, 8])
    }

    /// The bytes of all records, in their order.
    pub(crate) fn pixels(images: &Images) -> Vec<u8> {
        images.records.iter().flat_map(|r| images.record(r).to_vec()).collect()
    }

    #[test]
    fn parts_of_images() {
        let images = images();
        images.check().unwrap();
        assert_eq!((images.len(), images.values(), images.is_empty()), (2, 4, false));
        assert_eq!(images.take(1).unwrap(), images.subset(&[0]));
        let swapped = images.subset(&[1, 0]);
        assert_eq!(pixels(&swapped), [4, 1, 6, 1, 0, 1, 2, 1]);
        assert_eq!(swapped.labels().collect::<Vec<_>>(), [8, 7]);
        assert!(Arc::ptr_eq(swapped.store(), images.store()));
        assert_eq!(swapped, Images::new(vec![2, 2], vec![4, 1, 6, 1, 0, 1, 2, 1], vec![8, 7]));
        assert_ne!(swapped, images);
        for n in [0, 3] {
            let error = images.take(n).unwrap_err().to_string();
            assert_eq!(error, format!("images = {n}: take 1 to 2 images"));
        }
    }

    /// Two videos of 3 and 5000 frames of 2×3 pixels and one channel; each byte is the number of its frame, mod 251.
    pub(crate) fn videos(shape: [usize; 4], clip: Clip) -> Result<Images> {
        let frame = |i: usize| [(i % 251) as u8; 6];
        let bytes = (0..3).chain(0..5000).flat_map(frame).collect();
        let records =
            vec![Record { start: 0, frames: 3, label: 1 }, Record { start: 18, frames: 5000, label: 0 }];
        Images::videos(shape, [2, 3], clip, Store::Memory(bytes), records)
    }

    #[test]
    fn moments_of_videos() {
        let videos = videos([2, 2, 2, 1], Clip { step: 1, tests: 1 }).unwrap();
        // 2000 of 5003 frames, all pixels of a frame alike.
        let mut kept: Vec<usize> = (0..2000).map(|i| i * 5003 / 2000).collect();
        kept.iter_mut().for_each(|i| *i = if *i < 3 { *i } else { (*i - 3) % 251 });
        let mean = kept.iter().sum::<usize>() as f64 / 2000.0;
        let variance = kept.iter().map(|&i| (i as f64 - mean).powi(2)).sum::<f64>() / 2000.0;
        let (found, deviation) = videos.moments()[0];
        assert!((found - mean).abs() < 1e-9 && (deviation - variance.sqrt()).abs() < 1e-9);
        // Of all frames where there are few.
        let (mean, deviation) = videos.take(1).unwrap().moments()[0];
        assert!((mean - 1.0).abs() < 1e-12 && (deviation - (2f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn views_of_records() {
        let view = images().view(1, 0);
        let expected = View { offset: 4, size: [1, 1, 2], step: [1; 3], ..View::default() };
        assert_eq!(view, expected);
        let videos = videos([4, 2, 1, 1], Clip { step: 2, tests: 1 }).unwrap();
        let view = videos.view(0, 1);
        assert_eq!((view.size, view.start, view.step), ([3, 2, 3], [1, 0, 1], [2, 1, 1]));
        // A video that is shorter than the clip begins again.
        assert_eq!([0, 1, 2, 3].map(|i| view.source(0, i)), [1, 0, 2, 1]);
        assert_eq!((videos.sizes(), videos.span()), ([4, 2, 1], 7));
    }

    #[test]
    fn misfits() {
        let one = Clip { step: 1, tests: 1 };
        for (result, part) in [
            (videos([1, 3, 3, 1], one), "larger than what is stored"),
            (videos([1, 2, 3, 2], one), "does not lie in them"),
            (videos([0, 2, 3, 1], one), "[0, 2, 3, 1]"),
            (videos([2, 2, 3, 1], Clip { step: 0, tests: 1 }), "step 0"),
            (videos([2, 2, 3, 1], Clip { step: 1, tests: 0 }), "0 in evaluation"),
            (videos([2, 2, 3, 1], Clip { step: usize::MAX, tests: 1 }), "too large"),
        ] {
            let error = result.unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
        for (shape, values, part) in [
            (vec![4], 4, "1 to 3 spatial axes"),
            (vec![], 0, "1 to 3 spatial axes"),
            (vec![1, 1, 1, 1, 1], 1, "1 to 3 spatial axes"),
            (vec![4, 0, 1], 0, "[4, 0, 1]"),
            (vec![2, 2, 1], 7, "7 values are not 2 samples"),
        ] {
            let error = Images::new(shape, vec![0; values], vec![0; 2]).check().unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
