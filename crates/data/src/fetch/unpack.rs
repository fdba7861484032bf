//! Archives: unpacked beside their place and renamed when they are whole. Nothing leaves the folder they are unpacked into,
//! and nothing in it is a link.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::progress::{Halt, Phase, Progress, Stepped};
use super::rar;
use super::sink::{KEPT, Sink, tally, unwanted};
use super::sources::Format;
use super::sums::Tally;
use crate::DataError;

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

impl Sink<'_> {
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
    let mut sink = Sink::new(job.archive, packed, into, job.place, progress);
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
