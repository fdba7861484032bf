//! What comes out of an archive: it stays in its folder, and it is counted.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Component, Path, PathBuf};

use super::progress::{Progress, Stepped, go_on};
use super::sums::Tally;
use crate::{DataError, Result};

/// Bounds on what comes out of an archive, far above those of the data sets (UCF101: 13 320 files, 7 GB).
const MOST_BYTES: u64 = 64 << 30;
const MOST_RATIO: u64 = 200;
const MOST_FILES: u64 = 1_000_000;

/// What is kept where the disk is full.
pub(super) const KEPT: &str = "the archive is kept, and what came out of it is removed";

/// An archive that is whole, but not to be unpacked.
pub(super) fn unwanted(archive: &Path, reason: &str) -> DataError {
    let reason = format!("{reason}: remove {} to download it again", archive.display());
    DataError::data(archive, reason)
}

/// The path of an entry below `into`; `None` if it leads elsewhere.
fn inside(into: &Path, name: &Path) -> Option<PathBuf> {
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

impl<'a> Sink<'a> {
    /// For an archive of `packed` bytes.
    pub fn new(
        archive: &'a Path,
        packed: u64,
        into: &'a Path,
        place: &'a Path,
        progress: &'a mut dyn Progress,
    ) -> Self {
        // Small archives of text pack well.
        let limit = packed.saturating_mul(MOST_RATIO).clamp(16 << 20, MOST_BYTES);
        Self { archive, into, place, progress, limit, bytes: 0, entries: 0 }
    }

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

    pub fn file(&mut self, name: &Path, mut reader: impl Read) -> Stepped<()> {
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

    pub fn pump(
        &mut self,
        reader: &mut impl Read,
        mut write: impl FnMut(&[u8]) -> Result<()>,
    ) -> Stepped<()> {
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
