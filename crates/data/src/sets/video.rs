//! Decoded frames in one file: videos are read by the `ffmpeg` program once, scaled, and kept beside the data.
//!
//! The folder of a cache holds `frames.bin`, only ever appended to, and `index.json`, written aside, synced and renamed:
//! it says which bytes are which video, and vouches for them. What a run that was cut off left behind the last byte the
//! index knows is overwritten by the next.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use convstat_runner::interrupt;
use memmap2::MmapOptions;
use serde::{Deserialize, Serialize};

use super::ffmpeg;
use crate::images::Store;
use crate::{DataError, Result};

/// Time between two writes of the index and two lines on progress.
const PAUSE: Duration = Duration::from_secs(5);
const VERSION: u32 = 1;

/// What the index says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Index {
    version: u32,
    /// Height and width of a frame.
    stored: [usize; 2],
    /// Bytes of `frames.bin` that belong to videos.
    end: usize,
    /// Videos by their path in the data's folder.
    videos: BTreeMap<String, Entry>,
}

/// A file and what was decoded from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    source: Source,
    #[serde(default)]
    start: usize,
    #[serde(default)]
    frames: usize,
}

/// By what a changed file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    size: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

/// Decoded videos of one size.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    index: Index,
    /// Videos that could not be read. A run keeps them to itself: the reason (little memory, a bad `ffmpeg`) may not
    /// hold the next time.
    absent: BTreeMap<String, String>,
    /// The program that decodes.
    pub(super) program: PathBuf,
    /// Whether to stop.
    stop: fn() -> bool,
}

impl Cache {
    /// The cache in `folder` for frames of the `stored` height and width; what is there already is found again.
    ///
    /// # Errors
    /// A folder that cannot be made, an index that cannot be read.
    pub(super) fn open(folder: PathBuf, stored: [usize; 2]) -> Result<Self> {
        fs::create_dir_all(&folder).map_err(|e| unkept("create", &folder, e))?;
        let index = Index { stored, ..Index::default() };
        let (absent, program) = (BTreeMap::new(), "ffmpeg".into());
        let mut cache = Self { folder, index, absent, program, stop: interrupt::requested };
        cache.index = cache.read_index()?;
        Ok(cache)
    }

    fn read_index(&self) -> Result<Index> {
        let empty = Index { version: VERSION, stored: self.index.stored, ..Index::default() };
        let path = self.folder.join("index.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(empty),
            Err(e) => return Err(DataError::io("read", &path)(e)),
        };
        let mend = format!("remove {}, and the videos are decoded anew", self.folder.display());
        let mut index: Index =
            serde_json::from_str(&text).map_err(|e| DataError::data(&path, format!("{e}; {mend}")))?;
        if index.version > VERSION {
            let reason = format!(
                "is of format {}, newer than {VERSION}, which this program knows; {mend}",
                index.version
            );
            return Err(DataError::data(&path, reason));
        }
        let frame = self.frame();
        // Older indexes have videos that could not be read, without frames.
        index.videos.retain(|_, entry| entry.frames > 0);
        let inside = |entry: &Entry| {
            let end = entry.frames.checked_mul(frame).and_then(|n| n.checked_add(entry.start));
            end.is_some_and(|end| end <= index.end)
        };
        if index.stored != self.index.stored || !index.videos.values().all(inside) {
            return Err(DataError::data(&path, format!("does not fit its frames; {mend}")));
        }
        if index.end > 0 {
            let path = self.folder.join("frames.bin");
            let size = match fs::metadata(&path) {
                Ok(data) => data.len(),
                Err(e) if e.kind() == ErrorKind::NotFound => 0,
                Err(e) => return Err(DataError::io("read", &path)(e)),
            };
            // All gone, as where large files were cleared away: to be decoded anew.
            if size == 0 {
                return Ok(empty);
            }
            if size < index.end as u64 {
                let reason = format!("has {size} bytes, not the {} of its index; {mend}", index.end);
                return Err(DataError::data(&path, reason));
            }
        }
        Ok(index)
    }

    /// Bytes of a frame.
    fn frame(&self) -> usize {
        self.index.stored.iter().product::<usize>() * 3
    }

    /// First byte and number of frames of a video, or why it could not be read.
    pub(super) fn get(&self, video: &str) -> std::result::Result<(usize, usize), &str> {
        if let Some(reason) = self.absent.get(video) {
            return Err(reason);
        }
        self.index.videos.get(video).map(|entry| (entry.start, entry.frames)).ok_or("it was not decoded")
    }

    /// The decoded frames.
    ///
    /// # Errors
    /// A file that cannot be mapped.
    pub(super) fn store(&self) -> Result<Store> {
        let path = self.folder.join("frames.bin");
        let file = File::open(&path).map_err(DataError::io("open", &path))?;
        // SAFETY: of the bytes that the index knows none is changed or cut off by this program; that others leave
        // its cache alone has to be trusted, as with any file that is mapped.
        let map = unsafe { MmapOptions::new().len(self.index.end).map(&file) };
        Ok(Store::Mapped(map.map_err(DataError::io("map", &path))?))
    }

    /// The videos that have to be decoded, with what they are known by.
    fn missing<'a>(&mut self, root: &Path, videos: &[&'a str]) -> Vec<(&'a str, Source)> {
        let mut missing = Vec::new();
        for &video in videos {
            let found = fs::metadata(root.join(video)).and_then(|data| Ok((data.len(), data.modified()?)));
            match found {
                Ok((size, time)) => {
                    let modified = time.duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos() as u64);
                    let source = Source { size, modified };
                    if self.index.videos.get(video).is_none_or(|entry| entry.source != source) {
                        missing.push((video, source));
                    }
                }
                Err(e) => {
                    self.absent.insert(video.to_owned(), e.to_string());
                }
            }
        }
        missing
    }

    /// The file of frames, open for writing, and for this process alone until it is closed; `None` if an interruption came
    /// before another process was done with it.
    fn lock(&self, path: &Path) -> Result<Option<File>> {
        let mut options = OpenOptions::new();
        let file = options.create(true).truncate(false).write(true).open(path);
        let file = file.map_err(|e| unkept("write", path, e))?;
        let mut told = false;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::Error(e)) => return Err(DataError::io("lock", path)(e)),
                Err(TryLockError::WouldBlock) if (self.stop)() => return Ok(None),
                Err(TryLockError::WouldBlock) => {}
            }
            if !told {
                eprintln!("{}: waiting for another program that decodes", self.folder.display());
                told = true;
            }
            thread::sleep(ffmpeg::LOOK);
        }
    }

    /// Decodes those of the `videos` (paths in `root`) that are new, have changed or failed before, all processors at once.
    ///
    /// # Errors
    /// No `ffmpeg`, files of the cache that cannot be written, a signal. A video that cannot be read is none:
    /// [`get`](Self::get) says so.
    pub(super) fn ensure(&mut self, root: &Path, videos: &[&str]) -> Result<()> {
        let all = self.missing(root, videos).len();
        if all == 0 {
            return Ok(());
        }
        let stopped = |folder: &Path, done, all| DataError::Stopped { path: folder.to_owned(), done, all };
        let Some(works) = ffmpeg::works(&self.program, self.stop) else {
            return Err(stopped(&self.folder, 0, all));
        };
        if !works {
            let mend = "install ffmpeg, which reads the videos (Debian, Ubuntu: apt-get install ffmpeg)";
            return Err(DataError::bad("program", self.program.display(), format!("does not run: {mend}")));
        }
        let path = self.folder.join("frames.bin");
        let write = |e| unkept("write", &path, e);
        let Some(mut file) = self.lock(&path)? else { return Err(stopped(&self.folder, 0, all)) };
        // The other one may have decoded these.
        self.index = self.read_index()?;
        let missing = self.missing(root, videos);
        if self.index.end == 0 {
            // An index whose frames are gone must not vouch for those that come now.
            let index = self.folder.join("index.json");
            match fs::remove_file(&index) {
                Err(e) if e.kind() != ErrorKind::NotFound => return Err(unkept("remove", &index, e)),
                _ => {}
            }
        }
        file.set_len(self.index.end as u64).map_err(write)?;
        file.seek(SeekFrom::End(0)).map_err(write)?;
        let threads = thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        let next = AtomicUsize::new(0);
        let (program, stored, stop, missing) = (self.program.clone(), self.index.stored, self.stop, &missing);
        let decoded = thread::scope(|scope| {
            let (sender, receiver) = sync_channel(threads);
            for _ in 0..threads {
                let (sender, next, program) = (sender.clone(), &next, &program);
                scope.spawn(move || {
                    while let Some((video, source)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if stop() {
                            return;
                        }
                        let frames = ffmpeg::decode(program, &root.join(video), stored, stop);
                        // The other end is gone after an error.
                        if sender.send((*video, *source, frames)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let (mut done, mut before) = (0, Instant::now());
            for (video, source, frames) in receiver {
                let bytes = match frames {
                    Ok(bytes) => bytes,
                    Err(reason) => {
                        self.absent.insert(video.to_owned(), reason);
                        continue;
                    }
                };
                file.write_all(&bytes).map_err(write)?;
                let (start, frames) = (self.index.end, bytes.len() / self.frame());
                self.index.end += bytes.len();
                self.absent.remove(video);
                self.index.videos.insert(video.to_owned(), Entry { source, start, frames });
                done += 1;
                if before.elapsed() > PAUSE {
                    self.save(&file)?;
                    let (all, size) = (missing.len(), self.index.end as f64 / 1e9);
                    eprintln!("{done} of {all} videos decoded, {size:.2} GB in {}", self.folder.display());
                    before = Instant::now();
                }
            }
            self.save(&file)?;
            Ok::<_, DataError>(done)
        })?;
        if stop() { Err(stopped(&self.folder, decoded, missing.len())) } else { Ok(()) }
    }

    /// Writes the index of what is in `file`.
    fn save(&self, file: &File) -> Result<()> {
        let frames = self.folder.join("frames.bin");
        file.sync_data().map_err(|e| unkept("sync", &frames, e))?;
        let path = self.folder.join("index.json");
        let text = serde_json::to_vec(&self.index).map_err(|e| DataError::data(&path, e.to_string()))?;
        let aside = self.folder.join("index.tmp");
        let mut index = File::create(&aside).map_err(|e| unkept("write", &aside, e))?;
        index.write_all(&text).map_err(|e| unkept("write", &aside, e))?;
        index.sync_all().map_err(|e| unkept("sync", &aside, e))?;
        fs::rename(&aside, &path).map_err(|e| unkept("write", &path, e))
    }
}

/// A write to the cache that failed, and what to do.
fn unkept(action: &'static str, path: &Path, error: io::Error) -> DataError {
    if matches!(error.kind(), ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied) {
        let mend = "decoded videos are kept in the data folder: link UCF-101 and ucfTrainTestlist (ln -s) into a \
                    folder that can be written, and give that with --data";
        return DataError::data(path, format!("cannot {action} it ({error}); {mend}"));
    }
    DataError::unwritten(action, path, "the videos decoded before are kept")(error)
}

#[cfg(test)]
mod tests;
