//! Archives: unpacked beside their place and renamed when they are whole. Nothing leaves the folder they are unpacked into,
//! and nothing in it is a link.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;

use super::sums::Tally;
use super::{Halt, Phase, Progress, Stepped, go_on, rar};
use crate::{DataError, Result};

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.tar.gz`.
    TarGz,
    /// `.zip`.
    Zip,
    /// `.rar`, by the program `bsdtar`.
    Rar,
}

/// Bounds on what comes out of an archive, far above those of the data sets (UCF101: 13 320 files, 7 GB).
const MOST_BYTES: u64 = 64 << 30;
const MOST_RATIO: u64 = 200;
const MOST_FILES: u64 = 1_000_000;

/// Most bytes between two files of a tar archive: their heads, long names and attributes, which are read as a whole, and
/// what folders and empty blocks take.
const MOST_HEADER: u64 = 1 << 20;

/// A source of which no more is read than there is room for.
struct Metered<'a, R> {
    source: R,
    room: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let room = self.room.get();
        if room == 0 && !out.is_empty() {
            return Err(std::io::Error::other(format!(
                "more than {MOST_HEADER} bytes in the head of an entry"
            )));
        }
        let most = usize::try_from(room).unwrap_or(usize::MAX).min(out.len());
        let n = self.source.read(out.get_mut(..most).unwrap_or_default())?;
        if room < u64::MAX {
            self.room.set(room - n as u64);
        }
        Ok(n)
    }
}

/// An archive to unpack.
pub(super) struct Job<'a> {
    pub archive: &'a Path,
    pub format: Format,
    /// Its top folder.
    pub top: &'a str,
    /// Something that is in the top folder.
    pub has: &'a str,
    /// Where the top folder goes.
    pub place: &'a Path,
}

/// What is kept where the disk is full.
pub(super) const KEPT: &str = "the archive is kept, and what came out of it is removed";

/// An archive that is whole, but not to be unpacked.
fn unwanted(archive: &Path, reason: &str) -> DataError {
    let reason = format!("{reason}: remove {} to download it again", archive.display());
    DataError::data(archive, reason)
}

/// The path of an entry below `into`; `None` if it leads elsewhere.
pub(super) fn inside(into: &Path, name: &Path) -> Option<PathBuf> {
    let mut path = into.to_owned();
    for part in name.components() {
        match part {
            Component::CurDir => {}
            // Elsewhere `\` separates folders.
            Component::Normal(part) if !part.to_string_lossy().contains('\\') => path.push(part),
            _ => return None,
        }
    }
    Some(path)
}

/// Takes the entries of an archive, and counts them.
pub(super) struct Sink<'a> {
    pub archive: &'a Path,
    pub into: &'a Path,
    /// Where the top folder goes in the end.
    pub place: &'a Path,
    pub progress: &'a mut dyn Progress,
    limit: u64,
    bytes: u64,
    entries: u64,
}

impl Sink<'_> {
    pub fn broken(&self, reason: impl std::fmt::Display) -> DataError {
        let mend = "remove it and run the same command to download it again";
        DataError::data(self.archive, format!("not a whole archive ({reason}): {mend}"))
    }

    pub fn refused(&self, name: &str, reason: &str) -> DataError {
        let reason = format!("entry {name:?} {reason}, and nothing of the archive is left in place");
        unwanted(self.archive, &reason)
    }

    /// Counts an entry, and gives the path that it goes to.
    pub fn entry(&mut self, name: &Path) -> Stepped<PathBuf> {
        go_on()?;
        self.entries += 1;
        if self.entries > MOST_FILES {
            return Err(self.broken(format!("more than {MOST_FILES} entries")).into());
        }
        let path = inside(self.into, name);
        path.ok_or_else(|| self.refused(&name.to_string_lossy(), "leads out of the folder").into())
    }

    /// Counts bytes that come out of the archive, `bytes` in all.
    pub fn count(&mut self, bytes: u64) -> Stepped<()> {
        go_on()?;
        if bytes > self.limit {
            let reason = format!("more than {} bytes come out of it", self.limit);
            return Err(self.broken(reason).into());
        }
        self.bytes = bytes;
        self.progress.at(bytes);
        Ok(())
    }

    pub fn folder(&mut self, name: &Path) -> Stepped<()> {
        let path = self.entry(name)?;
        Ok(fs::create_dir_all(&path).map_err(DataError::unwritten("create", &path, KEPT))?)
    }

    fn file(&mut self, name: &Path, mut reader: impl Read) -> Stepped<()> {
        let path = self.entry(name)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(DataError::unwritten("create", folder, KEPT))?;
        }
        let mut file = File::create_new(&path).map_err(|e| match e.kind() {
            ErrorKind::AlreadyExists => self.refused(&name.to_string_lossy(), "comes twice"),
            _ => DataError::unwritten("create", &path, KEPT)(e),
        })?;
        self.pump(&mut reader, |bytes| {
            file.write_all(bytes).map_err(DataError::unwritten("write", &path, KEPT))
        })?;
        Ok(file.sync_all().map_err(DataError::unwritten("sync", &path, KEPT))?)
    }

    fn pump(&mut self, reader: &mut impl Read, mut write: impl FnMut(&[u8]) -> Result<()>) -> Stepped<()> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let n = match reader.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => n,
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(self.broken(e).into()),
            };
            self.count(self.bytes + n as u64)?;
            write(buffer.get(..n).unwrap_or_default())?;
        }
    }

    fn tar_gz(&mut self, file: File) -> Stepped<()> {
        let room = Cell::new(MOST_HEADER);
        let source = Metered { source: GzDecoder::new(BufReader::new(file)), room: &room };
        let mut archive = tar::Archive::new(source);
        for entry in archive.entries().map_err(|e| self.broken(e))? {
            let entry = entry.map_err(|e| self.broken(e))?;
            let name = entry.path().map_err(|e| self.broken(e))?.into_owned();
            room.set(u64::MAX);
            match entry.header().entry_type() {
                kind if kind.is_dir() => self.folder(&name)?,
                kind if kind.is_file() || kind.is_contiguous() => self.file(&name, entry)?,
                kind if kind.is_pax_global_extensions() => {}
                _ => return Err(self.refused(&name.to_string_lossy(), "is a link or a device").into()),
            }
            room.set(MOST_HEADER);
        }
        room.set(u64::MAX);
        // The checksum of gzip stands behind the end of the tar archive.
        self.pump(&mut archive.into_inner(), |_| Ok(()))
    }

    fn zip(&mut self, file: File) -> Stepped<()> {
        let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| self.broken(e))?;
        for i in 0..archive.len() {
            let entry = archive.by_index(i).map_err(|e| self.broken(e))?;
            let name = PathBuf::from(entry.name());
            // Kind of file of Unix; 0 where the archive comes from another system.
            let kind = entry.unix_mode().unwrap_or(0) & 0o170_000;
            if entry.is_dir() {
                self.folder(&name)?;
            } else if [0, 0o100_000].contains(&kind) {
                self.file(&name, entry)?;
            } else {
                return Err(self.refused(&name.to_string_lossy(), "is a link or a device").into());
            }
        }
        Ok(())
    }
}

/// Counts the files below a folder; `None` if there is anything but files and folders.
pub(super) fn tally(folder: &Path) -> Result<Option<Tally>> {
    let mut total = Tally::default();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).map_err(DataError::io("read", &folder))? {
            let path = entry.map_err(DataError::io("read", &folder))?.path();
            let meta = fs::symlink_metadata(&path).map_err(DataError::io("read", &path))?;
            if meta.is_dir() {
                open.push(path);
            } else if meta.is_file() {
                total = Tally { files: total.files + 1, bytes: total.bytes + meta.len() };
            } else {
                return Ok(None);
            }
        }
    }
    Ok(Some(total))
}

/// Whether a folder that is in place is whole, as far as a quick look tells.
pub(super) fn check(place: &Path, has: &str, record: Option<Tally>) -> Stepped<()> {
    let mend = "remove the folder and run the same command, or bring back what is missing";
    if !place.join(has).exists() {
        return Err(DataError::data(place, format!("there is no {has} in it: {mend}")).into());
    }
    // A folder that was unpacked by hand has no record.
    let Some(then) = record else { return Ok(()) };
    match tally(place)? {
        Some(now) if now == then => Ok(()),
        now => {
            let now = now.unwrap_or_default();
            let counts = format!("{} files of {} bytes", now.files, now.bytes);
            let reason = format!(
                "{counts} are there, {} files of {} bytes were unpacked: {mend}",
                then.files, then.bytes
            );
            Err(DataError::data(place, reason).into())
        }
    }
}

/// Unpacks the top folder of an archive to its place.
pub(super) fn unpack(job: &Job, progress: &mut dyn Progress) -> Stepped<Tally> {
    let (archive, name) = (job.archive, job.archive.file_name().unwrap_or_default().to_string_lossy());
    let aside = job.archive.with_file_name(format!(".{name}.unpacking"));
    let remove = || match fs::remove_dir_all(&aside) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(DataError::io("remove", &aside)(e)),
        _ => Ok(()),
    };
    // What an earlier run has left.
    remove()?;
    fs::create_dir(&aside).map_err(DataError::unwritten("create", &aside, KEPT))?;
    progress.begin(&name, Phase::Unpack, None);
    let done = fill(job, &aside, progress).and_then(|tally| {
        let top = aside.join(job.top);
        if !top.join(job.has).exists() {
            let reason =
                format!("there is no {}/{} in it: not the archive that is expected", job.top, job.has);
            return Err(Halt::Failed(unwanted(archive, &reason)));
        }
        fs::rename(&top, job.place).map_err(DataError::io("create", job.place))?;
        Ok(tally)
    });
    let removed = remove();
    let tally = done?;
    removed?;
    Ok(tally)
}

/// Unpacks into `into`; counts what is in the top folder.
fn fill(job: &Job, into: &Path, progress: &mut dyn Progress) -> Stepped<Tally> {
    let file = File::open(job.archive).map_err(DataError::io("read", job.archive))?;
    let packed = file.metadata().map_err(DataError::io("read", job.archive))?.len();
    // Small archives of text pack well.
    let limit = packed.saturating_mul(MOST_RATIO).clamp(16 << 20, MOST_BYTES);
    let mut sink =
        Sink { archive: job.archive, into, place: job.place, progress, limit, bytes: 0, entries: 0 };
    match job.format {
        Format::TarGz => sink.tar_gz(file)?,
        Format::Zip => sink.zip(file)?,
        Format::Rar => rar::unpack(&mut sink, file)?,
    }
    // Extra care: what bsdtar wrote is seen only here.
    if tally(into)?.is_none() {
        return Err(sink.refused(job.top, "holds a link or a device").into());
    }
    let top = into.join(job.top);
    if !top.is_dir() {
        let reason = format!("there is no folder {} in it: not the archive that is expected", job.top);
        return Err(unwanted(job.archive, &reason).into());
    }
    Ok(tally(&top)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        let into = Path::new("a");
        for (name, path) in [("b", "a/b"), ("./b//c/", "a/b/c"), ("...", "a/..."), ("", "a")] {
            assert_eq!(inside(into, Path::new(name)), Some(PathBuf::from(path)));
        }
        for name in ["/b", "..", "b/../c", "../a/b", r"b\c", r"..\b"] {
            assert_eq!(inside(into, Path::new(name)), None, "{name}");
        }
    }
}
