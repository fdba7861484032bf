//! Downloads data sets: resumed, checked, unpacked. The only part of the program that uses the network.
//!
//! A file goes to `NAME.part`, and to its name once its length and checksum are right; an archive is unpacked into a hidden
//! folder beside its place, and renamed when it is whole. So whatever is in place is whole, and the same command goes on after
//! any interruption. A new data set is a line a file in [`SOURCES`].

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod download;
mod http;
mod rar;
mod sources;
mod sums;
mod unpack;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use convstat_runner::interrupt;

pub use sources::{Action, SOURCES, Source, sources_of};
pub use sums::{Digests, Sum, Sums};
pub use unpack::Format;

use crate::{DataError, Result};
use sums::Record;

/// What is done with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It comes over the network.
    Download,
    /// Its checksums are computed.
    Check,
    /// It is unpacked.
    Unpack,
}

/// Hears how far it is.
pub trait Progress {
    /// A phase of a file begins, with its number of bytes where that is known.
    fn begin(&mut self, file: &str, phase: Phase, total: Option<u64>);
    /// So many bytes of the phase are done.
    fn at(&mut self, bytes: u64);
    /// Something that a user may want to know.
    fn note(&mut self, line: &str);
}

/// Tells nobody.
impl Progress for () {
    fn begin(&mut self, _: &str, _: Phase, _: Option<u64>) {}
    fn at(&mut self, _: u64) {}
    fn note(&mut self, _: &str) {}
}

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Time without a byte until a connection counts as lost.
    pub stall: Duration,
    /// Connections without progress that are tried before a file is given up.
    pub tries: u32,
    /// Pause before the second try; it doubles each time.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(60), tries: 6, pause: Duration::from_secs(1) }
    }
}

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// The files.
    pub sources: Vec<Source>,
    /// The data folder.
    pub folder: PathBuf,
    /// A mirror: it replaces all of each URL but the file's name.
    pub from: Option<String>,
    /// Sums that replace the known ones (and the known lengths).
    pub sums: Option<Sums>,
    /// How long servers are waited for.
    pub patience: Patience,
}

/// What became of a file.
#[derive(Debug)]
pub enum State {
    /// It was there already.
    InPlace,
    /// It is there now.
    Fetched,
    /// It is not there.
    Failed(DataError),
    /// An interruption came before it was there.
    Unfinished,
}

/// A file, and what became of it.
#[derive(Debug)]
pub struct FileReport {
    /// The file's name.
    pub name: &'static str,
    /// Where the file is, or the folder that was unpacked.
    pub path: PathBuf,
    /// What became of it.
    pub state: State,
    /// Length and checksums, if they were computed.
    pub digests: Option<Digests>,
}

/// What became of all files.
#[derive(Debug)]
pub struct Report {
    /// By file.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Number of files that are in place.
    pub fn in_place(&self) -> usize {
        self.files.iter().filter(|f| matches!(f.state, State::InPlace | State::Fetched)).count()
    }

    /// Whether an interruption came before the end.
    pub fn interrupted(&self) -> bool {
        self.files.iter().any(|f| matches!(f.state, State::Unfinished))
    }
}

/// Why a file is not in place.
enum Halt {
    Interrupted,
    Failed(DataError),
}

impl From<DataError> for Halt {
    fn from(e: DataError) -> Self {
        Self::Failed(e)
    }
}

type Stepped<T> = std::result::Result<T, Halt>;

/// Stops after an interruption.
fn go_on() -> Stepped<()> {
    if interrupt::requested() { Err(Halt::Interrupted) } else { Ok(()) }
}

/// Whether a mirror is a URL that names a host.
fn is_mirror(from: &str) -> bool {
    let uri = from.parse::<ureq::http::Uri>();
    ["http://", "https://"].iter().any(|scheme| from.starts_with(scheme))
        && uri.is_ok_and(|uri| uri.host().is_some_and(|host| !host.is_empty()))
}

/// Fetches what is missing. A file that fails does not keep the others from being fetched; the report says which.
///
/// # Errors
/// A mirror that is no URL, a list of sums that lacks a file.
pub fn fetch(request: &Request, progress: &mut dyn Progress) -> Result<Report> {
    if let Some(from) = &request.from
        && !is_mirror(from)
    {
        let mend = "give a URL that begins with http:// or https:// and names a host, such as \
                    https://mirror.example.org/data";
        return Err(DataError::bad("--from", from, mend));
    }
    if let Some(sums) = &request.sums {
        request.sources.iter().try_for_each(|s| sums.of(s.name()).map(drop))?;
    }
    let mut files = Vec::new();
    for source in &request.sources {
        let folder = request.folder.join(source.folder);
        let path = match source.action {
            Action::Keep => folder.join(source.name()),
            Action::Unpack { top, .. } => folder.join(top),
        };
        let (state, digests) = match go_on().and_then(|()| one(request, source, &folder, &path, progress)) {
            Ok(done) => done,
            Err(Halt::Interrupted) => (State::Unfinished, None),
            Err(Halt::Failed(e)) => (State::Failed(e), None),
        };
        files.push(FileReport { name: source.name(), path, state, digests });
    }
    Ok(Report { files })
}

/// The folder, for this process alone until the handle is dropped.
fn lock(folder: &Path) -> Result<File> {
    fs::create_dir_all(folder).map_err(DataError::io("create", folder))?;
    let lock = File::open(folder).map_err(DataError::io("open", folder))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => {
            Err(DataError::data(folder, "another process fetches into this folder: wait until it is done"))
        }
        Err(fs::TryLockError::Error(e)) => Err(DataError::io("lock", folder)(e)),
    }
}

/// Brings one file to its place.
fn one(
    request: &Request,
    source: &Source,
    folder: &Path,
    place: &Path,
    progress: &mut dyn Progress,
) -> Stepped<(State, Option<Digests>)> {
    let name = source.name();
    let _lock = lock(folder)?;
    let mut record = Record::read(folder)?;
    if let Action::Unpack { format, top, has } = source.action {
        if place.exists() {
            return unpack::check(place, has, record.tally(top)).map(|()| (State::InPlace, None));
        }
        if format == Format::Rar {
            // Better known now than after hours of download.
            rar::available(place)?;
        }
    }
    let file = folder.join(name);
    let was_there = file.exists();
    let stated = match &request.sums {
        Some(sums) => Some(sums.of(name)?.clone()),
        None => source.sum.clone(),
    };
    let found = if was_there {
        let found = sums::digests(&file, name, progress)?;
        verify(&file, stated.as_ref(), &record, &found).map_err(|(reason, mend)| {
            DataError::data(
                &file,
                format!("{reason}: {}", mend.unwrap_or("remove it and run the same command")),
            )
        })?;
        found
    } else {
        let url = request
            .from
            .as_ref()
            .map_or(source.url.to_owned(), |from| format!("{}/{name}", from.trim_end_matches('/')));
        let expected = if request.sums.is_some() { None } else { source.bytes };
        let job = download::Job { url: &url, file: &file, expected, has_sum: stated.is_some() };
        let resumed = job.has_part();
        let part = job.run(&request.patience, progress)?;
        let found = sums::digests(&part, name, progress)?;
        if let Err((reason, mend)) = verify(&file, stated.as_ref(), &record, &found) {
            let mend = mend.map_or_else(
                || {
                    download::discard(&file);
                    let mend = if resumed {
                        "it was put together from this run and an earlier one; the same command downloads it again \
                         from the start"
                    } else {
                        "try again later, or another place with --from"
                    };
                    format!("what came from {url} was removed; {mend}")
                },
                Into::into,
            );
            return Err(DataError::data(&file, format!("{reason}: {mend}")).into());
        }
        fs::rename(&part, &file).map_err(DataError::io("write", &file))?;
        download::discard(&file);
        found
    };
    if let Action::Unpack { format, top, has } = source.action {
        let tally = unpack::unpack(&unpack::Job { archive: &file, format, top, has, place }, progress)?;
        // Not before: without a published sum it may have been anything, and the right file would be refused later.
        record.set_sum(name, &found.sha256)?;
        record.set_tally(top, tally)?;
        return Ok((State::Fetched, Some(found)));
    }
    record.set_sum(name, &found.sha256)?;
    Ok((if was_there { State::InPlace } else { State::Fetched }, Some(found)))
}

/// Whether these are the digests of the right file; if not, why, and a mend where it is a particular one.
fn verify(
    file: &Path,
    stated: Option<&Sum>,
    record: &Record,
    found: &Digests,
) -> std::result::Result<(), (String, Option<&'static str>)> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    match (stated, record.sum(&name)) {
        (Some(sum), _) => match sum.differs(found) {
            Some(other) => Err((format!("{other}, but the right one has {sum}"), None)),
            None => Ok(()),
        },
        (None, Some(sum)) => match sum.differs(found) {
            Some(other) => Err((
                format!("{other}, but it was {sum} before, as checksums.txt beside it says"),
                Some("if the new one is right, remove its line there and run the same command"),
            )),
            None => Ok(()),
        },
        (None, None) => Ok(()),
    }
}
