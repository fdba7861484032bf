//! Decoded frames in one file: videos are read by the `ffmpeg` program once, scaled, and kept beside the data.
//!
//! The folder of a cache holds `frames.bin`, only ever appended to, and `index.json`, written aside, synced and renamed:
//! it says which bytes are which video, and vouches for them. What a run that was cut off left behind the last byte the
//! index knows is overwritten by the next.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use convstat_runner::interrupt;
use memmap2::MmapOptions;
use serde::{Deserialize, Serialize};

use crate::images::Store;
use crate::{DataError, Result};

/// Most frames and bytes of one video: a broken file must not fill disk or memory.
const MOST_FRAMES: usize = 20_000;
const MOST_BYTES: usize = 4 << 30;
/// Most bytes that `ffmpeg -version` may write.
const MOST_WORDS: usize = 1 << 20;
/// Time between two writes of the index and two lines on progress.
const PAUSE: Duration = Duration::from_secs(5);
/// Time between two looks for an interruption.
const LOOK: Duration = Duration::from_millis(100);
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
            thread::sleep(LOOK);
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
        let succeeded = match run(Command::new(&self.program).arg("-version"), MOST_WORDS, self.stop) {
            Ok(None) => return Err(stopped(&self.folder, 0, all)),
            Ok(Some(ended)) => ended.status.success(),
            Err(_) => false,
        };
        if !succeeded {
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
                        let made = decode(program, &root.join(video), stored, stop);
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
                let bytes = match made {
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

/// A program that has ended: how, what it wrote, and the last line of its complaints.
struct Ended {
    status: ExitStatus,
    bytes: Vec<u8>,
    said: String,
}

/// Runs a program, and takes up to `most` bytes of it; `None` if it was killed because of `stop`.
fn run(command: &mut Command, most: usize, stop: fn() -> bool) -> io::Result<Option<Ended>> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both are read at once, or the program would wait for one while the other is waited for.
    let said = thread::spawn(move || {
        let mut last = String::new();
        let lines = stderr.into_iter().flat_map(|e| BufReader::new(e).split(b'\n'));
        for line in lines.map_while(std::result::Result::ok) {
            let line = String::from_utf8_lossy(line.get(..1000).unwrap_or(&line)).trim().to_owned();
            if !line.is_empty() {
                last = line;
            }
        }
        last
    });
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map_or(Ok(0), |out| out.take(most as u64).read_to_end(&mut bytes));
        // Nobody listens any more after an interruption.
        let _ = sender.send(read.map(|_| (bytes, said.join().unwrap_or_default())));
    });
    let mut read = None;
    loop {
        if stop() {
            // It may have ended by itself. The threads are not waited for: a child of its own may keep their pipes open.
            let _ = child.kill();
            let _ = child.wait();
            return Ok(None);
        }
        if read.is_none() {
            match receiver.recv_timeout(LOOK) {
                Ok(all) => read = Some(all),
                Err(RecvTimeoutError::Timeout) => {}
                Err(e) => return Err(io::Error::other(e)),
            }
        } else if let Some(status) = child.try_wait()? {
            let (bytes, said) = read.unwrap_or_else(|| Ok(Default::default()))?;
            return Ok(Some(Ended { status, bytes, said }));
        } else {
            // What closes its pipes is about to end.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// All frames of a video, scaled, as red, green and blue bytes; or why there are none.
fn decode(
    program: &Path,
    path: &Path,
    [height, width]: [usize; 2],
    stop: fn() -> bool,
) -> std::result::Result<Vec<u8>, String> {
    // ffmpeg makes do with what there is of a file that was cut short.
    if let Some(reason) = cut_short(path).map_err(|e| e.to_string())? {
        return Err(reason);
    }
    let frame = height * width * 3;
    let most = MOST_FRAMES.min(MOST_BYTES / frame.max(1)).max(1);
    // Not a path that ffmpeg could take for an option or an address.
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    let mut command = Command::new(program);
    command
        .args(["-nostdin", "-v", "error", "-threads", "1", "-i"])
        .arg(input)
        .args(["-map", "0:v:0", "-vf", &format!("scale={width}:{height}")])
        .args(["-frames:v", &(most + 1).to_string(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let ended = run(&mut command, (most + 1) * frame, stop).map_err(|e| e.to_string())?;
    // A terminal's Ctrl-C ends ffmpeg as well, maybe before its last frame.
    let Some(Ended { status, bytes, said }) = ended.filter(|_| !stop()) else {
        return Err("stopped".to_owned());
    };
    let frames = bytes.len() / frame;
    match status.code() {
        None => Err(format!("ffmpeg was ended by a signal ({status})")),
        _ if frames > most => Err(format!("it has more than {most} frames")),
        Some(code) if code != 0 => Err(format!("ffmpeg ended with {code}: {said}")),
        _ if frames == 0 => Err(format!("it has no frames: {said}")),
        _ if !bytes.len().is_multiple_of(frame) => {
            Err(format!("{} bytes are not whole frames of {frame}: {said}", bytes.len()))
        }
        _ => Ok(bytes),
    }
}

/// Why a file is not whole, if its head (RIFF, as .avi has it) says so.
fn cut_short(path: &Path) -> io::Result<Option<String>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: usize = 2 * 4 * 3;

    /// A program that stands for `ffmpeg`, with lines of a shell that decode.
    fn program(folder: &Path, lines: &str) -> PathBuf {
        let path = folder.join("fake ffmpeg");
        // Written by another process: one that forks meanwhile would keep it busy.
        let write =
            "printf '#!/bin/sh\\n[ \"$1\" = -version ] && exit\\n%s\\n' \"$1\" > \"$2\" && chmod +x \"$2\"";
        let status = Command::new("sh").args(["-c", write, "sh", lines]).arg(&path).status().unwrap();
        assert!(status.success());
        path
    }

    /// A cache in `folder/cache` of videos that are decoded by `lines`, and two files that stand for videos.
    fn cache(folder: &Path, lines: &str) -> Cache {
        for path in ["a", "b"].map(|name| folder.join(name)).iter().filter(|path| !path.exists()) {
            fs::write(path, "words of a video").unwrap();
        }
        let mut cache = Cache::open(folder.join("cache"), [2, 4]).unwrap();
        cache.program = program(folder, lines);
        cache
    }

    /// Two frames a video.
    const TWO: &str = "head -c 48 /dev/zero";

    #[test]
    fn what_failed_is_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut bad =
            cache(folder, &format!("case \"$*\" in */a*) echo no memory >&2; exit 1;; esac; {TWO}"));
        bad.ensure(folder, &["a", "b"]).unwrap();
        assert_eq!((bad.get("a"), bad.get("b")), (Err("ffmpeg ended with 1: no memory"), Ok((0, 2))));
        let index = fs::read_to_string(folder.join("cache/index.json")).unwrap();
        assert!(!index.contains("memory") && !index.contains("\"a\""), "{index}");
        // An index that an older program wrote.
        let time = fs::metadata(folder.join("a")).unwrap().modified().unwrap();
        let time = time.duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let entry = format!("\"a\":{{\"size\":16,\"modified\":{time},\"reason\":\"no memory\"}},\"b\"");
        fs::write(folder.join("cache/index.json"), index.replace("\"b\"", &entry)).unwrap();
        let mut good = cache(folder, TWO);
        good.ensure(folder, &["a"]).unwrap();
        assert_eq!((good.get("a"), good.get("b")), (Ok((2 * FRAME, 2)), Ok((0, 2))));
    }

    #[test]
    fn frames_that_are_gone_are_decoded_anew() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        cache(folder, TWO).ensure(folder, &["a", "b"]).unwrap();
        fs::remove_file(folder.join("cache/frames.bin")).unwrap();
        let mut again = cache(folder, TWO);
        assert!(again.get("a").is_err());
        again.ensure(folder, &["b"]).unwrap();
        assert_eq!((again.get("b"), again.store().unwrap().len()), (Ok((0, 2)), 2 * FRAME));
        assert!(cache(folder, TWO).get("a").is_err());
    }

    #[test]
    fn an_interruption_is_heard() {
        static STUCK: AtomicUsize = AtomicUsize::new(0);
        static LOCKED: AtomicUsize = AtomicUsize::new(0);
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        // While ffmpeg is stuck.
        let mut stuck = cache(folder, "sleep 20");
        stuck.stop = || STUCK.fetch_add(1, Ordering::SeqCst) > 8;
        let start = Instant::now();
        let error = stuck.ensure(folder, &["a", "b"]).unwrap_err();
        assert!(matches!(error, DataError::Stopped { done: 0, all: 2, .. }), "{error}");
        // While another program decodes.
        let lock = File::open(folder.join("cache/frames.bin")).unwrap();
        lock.lock().unwrap();
        let mut waiting = cache(folder, TWO);
        waiting.stop = || LOCKED.fetch_add(1, Ordering::SeqCst) > 8;
        let error = waiting.ensure(folder, &["a", "b"]).unwrap_err();
        assert!(matches!(error, DataError::Stopped { done: 0, all: 2, .. }), "{error}");
        assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
        drop(lock);
        waiting.stop = || false;
        waiting.ensure(folder, &["a", "b"]).unwrap();
    }

    #[test]
    fn failed_writes_say_what_to_do() {
        let path = Path::new("data/.convstat-cache");
        for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied] {
            let error = unkept("create", path, kind.into()).to_string();
            assert!(error.contains("data/.convstat-cache: cannot create it"), "{error}");
            assert!(
                error.contains("link UCF-101 and ucfTrainTestlist") && error.contains("--data"),
                "{error}"
            );
        }
        #[cfg(target_os = "linux")]
        {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            let mut full = cache(folder, TWO);
            std::os::unix::fs::symlink("/dev/full", folder.join("cache/index.tmp")).unwrap();
            let error = full.ensure(folder, &["a"]).unwrap_err().to_string();
            assert!(error.contains("No space left") && error.contains("make room"), "{error}");
        }
    }
}
