//! Decoded frames in one file: videos are read by the `ffmpeg` program once, scaled, and kept beside the data.
//!
//! The folder of a cache holds `frames.bin`, only ever appended to, and `index.json`, written aside, synced and renamed:
//! it says which bytes are which video, and vouches for them. What a run that was cut off left behind the last byte the
//! index knows is overwritten by the next.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use convstat_runner::interrupt;
use memmap2::MmapOptions;
use serde::{Deserialize, Serialize};

use super::Store;
use crate::{Result, TrainError};

/// Most frames and bytes of one video: a broken file must not fill disk or memory.
const MOST_FRAMES: usize = 20_000;
const MOST_BYTES: usize = 4 << 30;
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
    #[serde(flatten)]
    content: Content,
}

/// By what a changed file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    size: u64,
    /// Nanoseconds since 1970.
    modified: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Content {
    Frames { start: usize, frames: usize },
    Broken { reason: String },
}

/// What came of one video.
enum Decoded {
    Frames(Vec<u8>),
    Broken(String),
    /// Nothing that holds for the next time: a signal ended it.
    Stopped(String),
}

/// Decoded videos of one size.
#[derive(Debug)]
pub(super) struct Cache {
    folder: PathBuf,
    index: Index,
    /// Videos that could not be read, for a reason that may not hold the next time.
    absent: BTreeMap<String, String>,
    /// The program that decodes.
    pub(super) program: PathBuf,
}

impl Cache {
    /// The cache in `folder` for frames of the `stored` height and width; what is there already is found again.
    ///
    /// # Errors
    /// A folder that cannot be made, an index that cannot be read.
    pub(super) fn open(folder: PathBuf, stored: [usize; 2]) -> Result<Self> {
        fs::create_dir_all(&folder).map_err(TrainError::io("create", &folder))?;
        let index = Index { version: VERSION, stored, ..Index::default() };
        let mut cache = Self { folder, index, absent: BTreeMap::new(), program: "ffmpeg".into() };
        cache.read_index()?;
        Ok(cache)
    }

    fn read_index(&mut self) -> Result<()> {
        let path = self.folder.join("index.json");
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(()),
            Err(e) => return Err(TrainError::io("read", &path)(e)),
        };
        let mend = "remove its folder, and the videos are decoded anew";
        let index: Index =
            serde_json::from_str(&text).map_err(|e| TrainError::data(&path, format!("{e}; {mend}")))?;
        if index.version > VERSION {
            let reason = format!(
                "is of format {}, newer than {VERSION}, which this program knows; {mend}",
                index.version
            );
            return Err(TrainError::data(&path, reason));
        }
        let frame = self.frame();
        let inside = |entry: &Entry| match entry.content {
            Content::Frames { start, frames } => {
                let end = frames.checked_mul(frame).and_then(|n| n.checked_add(start));
                frames > 0 && end.is_some_and(|end| end <= index.end)
            }
            Content::Broken { .. } => true,
        };
        if index.stored != self.index.stored || !index.videos.values().all(inside) {
            return Err(TrainError::data(&path, format!("does not fit its frames; {mend}")));
        }
        if index.end > 0 {
            let path = self.folder.join("frames.bin");
            let size = fs::metadata(&path).map_err(TrainError::io("read", &path))?.len();
            if size < index.end as u64 {
                let reason = format!("has {size} bytes, not the {} of its index; {mend}", index.end);
                return Err(TrainError::data(&path, reason));
            }
        }
        self.index = index;
        Ok(())
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
        match self.index.videos.get(video).map(|entry| &entry.content) {
            Some(&Content::Frames { start, frames }) => Ok((start, frames)),
            Some(Content::Broken { reason }) => Err(reason),
            None => Err("it was not decoded"),
        }
    }

    /// The decoded frames.
    ///
    /// # Errors
    /// A file that cannot be mapped.
    pub(super) fn store(&self) -> Result<Store> {
        let path = self.folder.join("frames.bin");
        let file = File::open(&path).map_err(TrainError::io("open", &path))?;
        // SAFETY: of the bytes that the index knows none is changed or cut off by this program; that others leave
        // its cache alone has to be trusted, as with any file that is mapped.
        let map = unsafe { MmapOptions::new().len(self.index.end).map(&file) };
        Ok(Store::Mapped(map.map_err(TrainError::io("map", &path))?))
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

    /// Decodes those of the `videos` (paths in `root`) that are new or have changed, all processors at once.
    ///
    /// # Errors
    /// No `ffmpeg`, files of the cache that cannot be written, a signal. A video that cannot be read is none:
    /// [`get`](Self::get) says so.
    pub(super) fn ensure(&mut self, root: &Path, videos: &[&str]) -> Result<()> {
        if self.missing(root, videos).is_empty() {
            return Ok(());
        }
        let found = Command::new(&self.program).arg("-version").stdin(Stdio::null()).output();
        if !found.is_ok_and(|output| output.status.success()) {
            let mend = "install ffmpeg, which reads the videos (Debian, Ubuntu: apt-get install ffmpeg)";
            return Err(TrainError::bad("program", self.program.display(), format!("does not run: {mend}")));
        }
        let path = self.folder.join("frames.bin");
        let write = |e| TrainError::io("write", &path)(e);
        let mut file =
            OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(write)?;
        if file.try_lock().is_err() {
            eprintln!("{}: waiting for another program that decodes", self.folder.display());
            file.lock().map_err(TrainError::io("lock", &path))?;
        }
        // The other one may have decoded these.
        self.read_index()?;
        let missing = self.missing(root, videos);
        file.set_len(self.index.end as u64).map_err(write)?;
        file.seek(SeekFrom::End(0)).map_err(write)?;
        let threads = thread::available_parallelism().map_or(1, usize::from).min(missing.len());
        let next = AtomicUsize::new(0);
        let (program, stored, missing) = (self.program.clone(), self.index.stored, &missing);
        let decoded = thread::scope(|scope| {
            let (sender, receiver) = sync_channel(threads);
            for _ in 0..threads {
                let (sender, next, program) = (sender.clone(), &next, &program);
                scope.spawn(move || {
                    while let Some((video, source)) = missing.get(next.fetch_add(1, Ordering::Relaxed)) {
                        if interrupt::requested() {
                            return;
                        }
                        let made = decode(program, &root.join(video), stored);
                        // The other end is gone after an error.
                        if sender.send((*video, *source, made)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let (mut done, mut before) = (0, Instant::now());
            for (video, source, made) in receiver {
                let content = match made {
                    Decoded::Frames(bytes) => {
                        file.write_all(&bytes).map_err(write)?;
                        let start = self.index.end;
                        self.index.end += bytes.len();
                        Content::Frames { start, frames: bytes.len() / self.frame() }
                    }
                    Decoded::Broken(reason) => Content::Broken { reason },
                    Decoded::Stopped(reason) => {
                        self.absent.insert(video.to_owned(), reason);
                        continue;
                    }
                };
                self.index.videos.insert(video.to_owned(), Entry { source, content });
                done += 1;
                if before.elapsed() > PAUSE {
                    self.save(&file)?;
                    let (all, size) = (missing.len(), self.index.end as f64 / 1e9);
                    eprintln!("{done} of {all} videos decoded, {size:.2} GB in {}", self.folder.display());
                    before = Instant::now();
                }
            }
            self.save(&file)?;
            Ok::<_, TrainError>(done)
        })?;
        if interrupt::requested() {
            let (path, all) = (self.folder.clone(), missing.len());
            return Err(TrainError::Stopped { path, done: decoded, all });
        }
        Ok(())
    }

    /// Writes the index of what is in `file`.
    fn save(&self, file: &File) -> Result<()> {
        file.sync_data().map_err(TrainError::io("sync", &self.folder.join("frames.bin")))?;
        let path = self.folder.join("index.json");
        let text = serde_json::to_vec(&self.index).map_err(|e| TrainError::data(&path, e.to_string()))?;
        let aside = self.folder.join("index.tmp");
        let mut index = File::create(&aside).map_err(TrainError::io("write", &aside))?;
        index.write_all(&text).map_err(TrainError::io("write", &aside))?;
        index.sync_all().map_err(TrainError::io("sync", &aside))?;
        fs::rename(&aside, &path).map_err(TrainError::io("write", &path))
    }
}

/// All frames of a video, scaled, as red, green and blue bytes.
fn decode(program: &Path, path: &Path, [height, width]: [usize; 2]) -> Decoded {
    // ffmpeg makes do with what there is of a file that was cut short.
    match cut_short(path) {
        Ok(None) => {}
        Ok(Some(reason)) => return Decoded::Broken(reason),
        Err(e) => return Decoded::Stopped(e.to_string()),
    }
    let frame = height * width * 3;
    let most = MOST_FRAMES.min(MOST_BYTES / frame.max(1)).max(1);
    // Not a path that ffmpeg could take for an option or an address.
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    let child = Command::new(program)
        .args(["-nostdin", "-v", "error", "-threads", "1", "-i"])
        .arg(input)
        .args(["-map", "0:v:0", "-vf", &format!("scale={width}:{height}")])
        .args(["-frames:v", &(most + 1).to_string(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(e) => return Decoded::Stopped(e.to_string()),
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both are read at once, or ffmpeg would wait for one while the other is waited for.
    let said = thread::spawn(move || {
        let mut last = String::new();
        let lines = stderr.into_iter().flat_map(|e| BufReader::new(e).split(b'\n'));
        for line in lines.map_while(std::result::Result::ok) {
            let line = String::from_utf8_lossy(&line[..line.len().min(1000)]).trim().to_owned();
            if !line.is_empty() {
                last = line;
            }
        }
        last
    });
    let mut bytes = Vec::new();
    let read = stdout.map_or(Ok(0), |out| out.take(((most + 1) * frame) as u64).read_to_end(&mut bytes));
    let status = child.wait();
    let said = said.join().unwrap_or_default();
    let status = match (read, status) {
        (Ok(_), Ok(status)) => status,
        (Err(e), _) | (_, Err(e)) => return Decoded::Stopped(e.to_string()),
    };
    let frames = bytes.len() / frame;
    match status.code() {
        None => Decoded::Stopped(format!("ffmpeg was ended by a signal ({status})")),
        Some(_) if interrupt::requested() => Decoded::Stopped("stopped".to_owned()),
        _ if frames > most => Decoded::Broken(format!("it has more than {most} frames")),
        Some(code) if code != 0 => Decoded::Broken(format!("ffmpeg ended with {code}: {said}")),
        _ if frames == 0 => Decoded::Broken(format!("it has no frames: {said}")),
        _ if !bytes.len().is_multiple_of(frame) => {
            Decoded::Broken(format!("{} bytes are not whole frames of {frame}: {said}", bytes.len()))
        }
        _ => Decoded::Frames(bytes),
    }
}

/// Why a file is not whole, if its head (RIFF, as .avi has it) says so.
fn cut_short(path: &Path) -> std::io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = [0; 8];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(Some(format!("it has {size} bytes"))),
        Err(e) => return Err(e),
    }
    let [b'R', b'I', b'F', b'F', length @ ..] = head else { return Ok(None) };
    let length = u32::from_le_bytes(length);
    // What is written to a pipe has no true length.
    let whole = u64::from(length) + 8;
    Ok((length != u32::MAX && whole > size)
        .then(|| format!("it is cut short: {size} bytes of the {whole} its head promises")))
}
