//! One file over HTTP: resumed, bounded in time, never put together from two versions.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use ureq::Agent;

use super::http::{Event, Fault, next, request};
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
            progress.note(&format!("{name}: {reason}; {kept} bytes are kept, next try in {:?}", pause));
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
        part: &Path,
        name: &str,
        stall: Duration,
        progress: &mut dyn Progress,
        reached: &mut bool,
    ) -> Stepped<Option<Fault>> {
        let mut file =
            File::options().append(true).create(true).open(part).map_err(DataError::io("write", part))?;
        let mut len = file.metadata().map_err(DataError::io("read", part))?.len();
        let origin_path = origin_of(self.file);
        // Without a version and a sum, nothing would tell a part of an older file.
        let origin = Origin::read(&origin_path)
            .filter(|o| o.url == self.url && (self.has_sum || !o.version.is_empty()));
        if origin.is_none() && len > 0 {
            self.clear(&file, part)?;
            len = 0;
        }
        let mut total = origin.as_ref().and_then(|o| o.total);
        if len > 0 && total == Some(len) {
            return Ok(None);
        }
        let (sender, events) = sync_channel(8);
        let (agent, url) = (agent.clone(), self.url.to_owned());
        let version = origin.map(|o| o.version).unwrap_or_default();
        let asked = version.clone();
        std::thread::spawn(move || request(&agent, &url, len, &asked, &sender));
        let lost = |reason: String| Ok(Some(Fault::Lost(reason)));
        loop {
            match next(&events, stall)? {
                Event::Head(head) => {
                    *reached = true;
                    match head.status {
                        200 => {
                            if len > 0 {
                                progress.note(&format!("{name}: the server starts anew"));
                                self.clear(&file, part)?;
                                len = 0;
                            }
                            total = head.length;
                            let (url, version) = (self.url.to_owned(), head.version);
                            Origin { url, version, total }.write(&origin_path)?;
                        }
                        206 if len > 0 && head.continues(len, &version, total) => {
                            total = head.range.1;
                        }
                        // The part is as long as the whole file.
                        416 if len > 0 && head.range.1 == Some(len) => return Ok(None),
                        206 | 416 => {
                            self.clear(&file, part)?;
                            return lost(format!("the server cannot go on after {len} bytes"));
                        }
                        status @ (408 | 429 | 500..) => {
                            return lost(format!("the server answers with status {status}"));
                        }
                        status => {
                            let reason = format!("the server answers with status {status}");
                            return Ok(Some(Fault::Lasting(reason)));
                        }
                    }
                    if let (Some(total), Some(expected)) = (total, self.expected)
                        && total != expected
                    {
                        self.clear(&file, part)?;
                        let reason = format!("the file there has {total} bytes, the right one {expected}");
                        return Ok(Some(Fault::Lasting(reason)));
                    }
                    progress.begin(name, Phase::Download, total.or(self.expected));
                    progress.at(len);
                }
                Event::Bytes(bytes) => {
                    file.write_all(&bytes).map_err(|e| Self::unwritten(part, e))?;
                    len += bytes.len() as u64;
                    progress.at(len);
                    if self.expected.is_some_and(|expected| len > expected) {
                        self.clear(&file, part)?;
                        return Ok(Some(Fault::Lasting(
                            "the file there is longer than the right one".into(),
                        )));
                    }
                }
                Event::End if total.or(self.expected).is_some_and(|total| len < total) => {
                    return lost(format!("the connection was closed after {len} bytes"));
                }
                Event::End => {
                    file.sync_all().map_err(|e| Self::unwritten(part, e))?;
                    return Ok(None);
                }
                Event::Fault(fault) => return Ok(Some(fault)),
            }
        }
    }

    fn clear(&self, file: &File, part: &Path) -> Result<()> {
        // A leftover origin is harmless with an empty part.
        let _ = fs::remove_file(origin_of(self.file));
        file.set_len(0).map_err(DataError::io("write", part))
    }

    /// What is written stays; a full disk says what to do.
    fn unwritten(part: &Path, error: std::io::Error) -> Halt {
        let kept = fs::metadata(part).map_or(0, |m| m.len());
        Halt::Failed(DataError::unwritten("write", part, &format!("{kept} bytes are kept"))(error))
    }
}
