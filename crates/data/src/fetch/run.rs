//! One file after another: downloaded, checked, unpacked.

use std::fs::{self, File};
use std::path::Path;

use super::progress::{Halt, Progress, Stepped, go_on};
use super::request::{FileReport, Report, Request, State};
use super::sources::{Action, Format, Source};
use super::sums::{Digests, Record, Sum};
use super::{download, rar, sums, unpack};
use crate::{DataError, Result};

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
