//! One file over HTTP: resumed, bounded in time, never put together from two versions.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use ureq::Agent;

use super::http::{Event, Fault, Head, next, request};
use super::progress::{Halt, Phase, Progress, Stepped, go_on};
use super::request::Patience;
use crate::{DataError, Result};

/// A file to download.
pub(super) struct Job<'a> {
    pub url: &'a str,
    /// Where it goes in the end.
    pub file: &'a Path,
    /// Its length, where known.
    pub expected: Option<u64>,
    /// Whether a checksum will tell a wrong file.
    pub has_sum: bool,
}

fn with_end(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push::<OsString>(end.into());
    name.into()
}

fn part_of(file: &Path) -> PathBuf {
    with_end(file, ".part")
}

fn origin_of(file: &Path) -> PathBuf {
    with_end(file, ".part.from")
}

/// Removes what is left of a download.
pub(super) fn discard(file: &Path) {
    // A leftover does no harm: the next download begins by looking at it.
    let _ = fs::remove_file(part_of(file));
    let _ = fs::remove_file(origin_of(file));
}

/// Which version of which file a part belongs to; kept beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin {
    url: String,
    /// Strong `ETag` or `Last-Modified`; empty if the server gives none.
    version: String,
    total: Option<u64>,
}

impl Origin {
    fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let [url, version, total, "end"] = text.lines().collect::<Vec<_>>()[..] else { return None };
        Some(Self { url: url.into(), version: version.into(), total: total.parse().ok() })
    }

    fn write(&self, path: &Path) -> Result<()> {
        let total = self.total.map_or_else(String::new, |t| t.to_string());
        let text = format!("{}\n{}\n{total}\nend\n", self.url, self.version);
        fs::write(path, text).map_err(DataError::unwritten("write", path, "nothing is lost"))
    }
}

impl Job<'_> {
    fn failed(&self, reason: &str) -> DataError {
        let (file, url) = (self.file.display(), self.url);
        let mend = format!("or download it by hand to {file}: the same command then checks it and goes on");
        DataError::data(self.file, format!("{url}: {reason}; try another place with --from, {mend}"))
    }

    /// Whether an earlier run has left a part of the file.
    pub fn has_part(&self) -> bool {
        fs::metadata(part_of(self.file)).is_ok_and(|part| part.len() > 0)
    }

    /// Downloads the file, or the rest of it, to its `.part`, whose path it returns.
    pub fn run(&self, patience: &Patience, progress: &mut dyn Progress) -> Stepped<PathBuf> {
        let done = self.tries(patience, progress);
        // Nothing to go on from.
        if done.is_err() && fs::metadata(part_of(self.file)).is_ok_and(|m| m.is_file() && m.len() == 0) {
            discard(self.file);
        }
        done
    }

    fn tries(&self, patience: &Patience, progress: &mut dyn Progress) -> Stepped<PathBuf> {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(5)
            .user_agent(concat!("convstat-train/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(patience.stall))
            .timeout_recv_response(Some(patience.stall))
            .timeout_per_read(Some(patience.stall));
        if self.url.starts_with("https://") {
            // No redirect to a place that is not verified.
            config = config.https_only(true);
        }
        let agent: Agent = config.build().into();
        let part = part_of(self.file);
        let (mut best, mut failures, mut reached) = (0, 0, false);
        loop {
            let Some(fault) = self.attempt(&agent, &part, &name, patience.stall, progress, &mut reached)?
            else {
                return Ok(part);
            };
            let kept = fs::metadata(&part).map_or(0, |m| m.len());
            // A server that starts anew each time makes no progress.
            if kept > best {
                (best, failures) = (kept, 0);
            }
            failures += 1;
            let reason = match fault {
                Fault::Lasting(reason) => return Err(self.failed(&reason).into()),
                Fault::Unreachable(reason) if !reached => return Err(self.failed(&reason).into()),
                Fault::Lost(reason) | Fault::Unreachable(reason) => reason,
            };
            if failures > patience.tries {
                let reason = format!("{reason}; given up after {failures} tries, {kept} bytes are kept");
                return Err(self.failed(&reason).into());
            }
            let pause = patience.pause * (1 << (failures - 1).min(6));
            progress.note(&format!("{name}: {reason}; {kept} bytes are kept, next try in {pause:?}"));
            let start = Instant::now();
            while start.elapsed() < pause {
                go_on()?;
                std::thread::sleep(Duration::from_millis(20).min(pause));
            }
        }
    }

    /// One connection; `None` when the file is whole.
    fn attempt(
        &self,
        agent: &Agent,
        path: &Path,
        name: &str,
        stall: Duration,
        progress: &mut dyn Progress,
        reached: &mut bool,
    ) -> Stepped<Option<Fault>> {
        let mut part = Part::open(self, path)?;
        if part.len > 0 && part.total == Some(part.len) {
            return Ok(None);
        }
        let (sender, events) = sync_channel(8);
        let (agent, url, len, version) = (agent.clone(), self.url.to_owned(), part.len, part.version.clone());
        std::thread::spawn(move || request(&agent, &url, len, &version, &sender));
        loop {
            match next(&events, stall)? {
                Event::Head(head) => {
                    *reached = true;
                    if let Answer::Ends(fault) = part.answered(head, name, progress)? {
                        return Ok(fault);
                    }
                    progress.begin(name, Phase::Download, part.total.or(self.expected));
                    progress.at(part.len);
                }
                Event::Bytes(bytes) => {
                    part.append(&bytes)?;
                    progress.at(part.len);
                    if self.expected.is_some_and(|expected| part.len > expected) {
                        part.clear()?;
                        let reason = "the file there is longer than the right one";
                        return Ok(Some(Fault::Lasting(reason.into())));
                    }
                }
                Event::Complete => return part.complete(),
                Event::Fault(fault) => return Ok(Some(fault)),
            }
        }
    }
}

/// The part of a file that a connection goes on with.
struct Part<'a> {
    job: &'a Job<'a>,
    path: &'a Path,
    file: File,
    /// Its bytes, and those of the whole file where they are known.
    len: u64,
    total: Option<u64>,
    /// The version of the file that it is of; empty if nothing tells.
    version: String,
}

/// What a server's first answer means.
enum Answer {
    /// Bytes follow.
    GoesOn,
    /// The connection ends here: with a fault, or because the file is whole.
    Ends(Option<Fault>),
}

impl<'a> Part<'a> {
    fn open(job: &'a Job<'a>, path: &'a Path) -> Result<Self> {
        let file =
            File::options().append(true).create(true).open(path).map_err(DataError::io("write", path))?;
        let len = file.metadata().map_err(DataError::io("read", path))?.len();
        // Without a version and a sum, nothing would tell a part of an older file.
        let origin = Origin::read(&origin_of(job.file))
            .filter(|o| o.url == job.url && (job.has_sum || !o.version.is_empty()));
        let (total, version) = origin.map_or((None, None), |o| (o.total, Some(o.version)));
        let is_known = version.is_some();
        let mut part = Self { job, path, file, len, total, version: version.unwrap_or_default() };
        if !is_known && len > 0 {
            part.clear()?;
        }
        Ok(part)
    }

    /// Follows the first answer; what it begins anew is written down.
    fn answered(&mut self, head: Head, name: &str, progress: &mut dyn Progress) -> Stepped<Answer> {
        let lost = |reason: String| Ok(Answer::Ends(Some(Fault::Lost(reason))));
        let lasting = |reason: String| Ok(Answer::Ends(Some(Fault::Lasting(reason))));
        match head.status {
            200 => {
                if self.len > 0 {
                    progress.note(&format!("{name}: the server starts anew"));
                    self.clear()?;
                }
                self.total = head.length;
                let (url, version) = (self.job.url.to_owned(), head.version);
                Origin { url, version, total: self.total }.write(&origin_of(self.job.file))?;
            }
            206 if self.len > 0 && head.continues(self.len, &self.version, self.total) => {
                self.total = head.range.1;
            }
            // The part is as long as the whole file.
            416 if self.len > 0 && head.range.1 == Some(self.len) => return Ok(Answer::Ends(None)),
            206 | 416 => {
                let len = self.len;
                self.clear()?;
                return lost(format!("the server cannot go on after {len} bytes"));
            }
            status @ (408 | 429 | 500..) => return lost(format!("the server answers with status {status}")),
            status => return lasting(format!("the server answers with status {status}")),
        }
        match (self.total, self.job.expected) {
            (Some(total), Some(expected)) if total != expected => {
                self.clear()?;
                lasting(format!("the file there has {total} bytes, the right one {expected}"))
            }
            _ => Ok(Answer::GoesOn),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Stepped<()> {
        self.file.write_all(bytes).map_err(|e| self.unwritten(e))?;
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// After the last byte: `None` if the file is whole.
    fn complete(&self) -> Stepped<Option<Fault>> {
        if self.total.or(self.job.expected).is_some_and(|total| self.len < total) {
            return Ok(Some(Fault::Lost(format!("the connection was closed after {} bytes", self.len))));
        }
        self.file.sync_all().map_err(|e| self.unwritten(e))?;
        Ok(None)
    }

    fn clear(&mut self) -> Result<()> {
        // A leftover origin is harmless with an empty part.
        let _ = fs::remove_file(origin_of(self.job.file));
        self.len = 0;
        self.file.set_len(0).map_err(DataError::io("write", self.path))
    }

    /// What is written stays; a full disk says what to do.
    fn unwritten(&self, error: std::io::Error) -> Halt {
        let kept = fs::metadata(self.path).map_or(0, |m| m.len());
        Halt::Failed(DataError::unwritten("write", self.path, &format!("{kept} bytes are kept"))(error))
    }
}
