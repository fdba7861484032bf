//! Files that are there whole, or not at all.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::{Result, RunnerError};

/// Writes a file and syncs it to disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(RunnerError::io("write", path))?;
    file.write_all(bytes).map_err(RunnerError::io("write", path))?;
    file.sync_all().map_err(RunnerError::io("sync", path))
}

/// Writes a file under a temporary name, syncs and renames it: it is there whole, or not at all.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = PathBuf::from(temporary);
    let written = write_synced(&temporary, bytes)
        .and_then(|()| fs::rename(&temporary, path).map_err(RunnerError::io("write", path)));
    if written.is_err() {
        // It may take the last room on the disk.
        let _ = fs::remove_file(&temporary);
    }
    written
}
