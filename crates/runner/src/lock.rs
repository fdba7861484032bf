//! Locks of a run directory: OS locks, gone with their process however it ends.
//!
//! The locks are on empty files in `RUN/.locks`, since network file systems lock files between machines, but directories on one
//! machine only. A file that a killed process left is no lock.

use std::fs::{self, File, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::{Result, RunnerError, Shard};

/// How long a shard waits for another that is just starting.
const PATIENCE: Duration = Duration::from_secs(10);

/// The right to write in a run directory.
#[derive(Debug)]
pub(crate) struct Lock {
    _files: Vec<LockedFile>,
    exclusive: bool,
}

/// A locked file; removed with the lock where no one else can hold it.
#[derive(Debug)]
pub struct LockedFile {
    file: File,
    path: PathBuf,
    remove: bool,
}

impl Drop for LockedFile {
    fn drop(&mut self) {
        if self.remove {
            // What stays is an empty file without a lock.
            let _ = fs::remove_file(&self.path);
            let _ = self.path.parent().map(fs::remove_dir);
        }
    }
}

impl Lock {
    /// The directory for this process alone.
    pub fn exclusive(run: &Path) -> Result<Self> {
        let own = alone_in(run, "run")?;
        // What shards left; all of them would hold this lock.
        for entry in fs::read_dir(folder_of(run)).into_iter().flatten().flatten() {
            if entry.path() != own.path {
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(Self { _files: vec![own], exclusive: true })
    }

    /// The directory together with other shards. If no one else is in it, `enter` runs before others may enter; if others are,
    /// `agree` has to find that they do the same.
    pub fn shared(
        run: &Path,
        shard: Shard,
        enter: impl Fn() -> Result<()>,
        agree: impl Fn() -> Result<()>,
    ) -> Result<Self> {
        let busy = |what: String| RunnerError::Shard { path: run.to_owned(), what };
        let group = |of: u64| format!("of-{of}");
        let started = Instant::now();
        let place = loop {
            if let Some(mut whole) = acquire(run, "run", true)? {
                enter()?;
                // Others enter from here on.
                whole.remove = false;
                whole.file.unlock().map_err(RunnerError::io("unlock", &whole.path))?;
            }
            if let Some(shared) = acquire(run, "run", false)? {
                break shared;
            }
            if started.elapsed() > PATIENCE {
                return Err(RunnerError::Locked { path: run.to_owned() });
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        agree()?;
        let of = acquire(run, &group(shard.of()), false)?.ok_or_else(|| {
            busy(format!("a run in another number of shards than {} is at work", shard.of()))
        })?;
        for other in groups(run)? {
            if other != shard.of() && acquire(run, &group(other), true)?.is_none() {
                let what = format!("a run in {other} shards is at work, this one is of {}", shard.of());
                return Err(busy(what));
            }
        }
        let own = acquire(run, &format!("shard-{}-of-{}", shard.index(), shard.of()), true)?
            .ok_or_else(|| busy(format!("shard {shard} is at work already")))?;
        Ok(Self { _files: vec![own, of, place], exclusive: false })
    }

    /// Whether no other process writes.
    pub fn is_exclusive(&self) -> bool {
        self.exclusive
    }
}

/// Whether a process holds the lock of a directory, without touching it: to take it, however briefly, would turn away a process
/// that starts. None where no process of this machine does but there is a lock file: one of another machine may.
pub(crate) fn is_locked(run: &Path) -> Option<bool> {
    let Ok(file) = fs::metadata(folder_of(run).join("run")) else { return Some(false) };
    let locks = fs::read_to_string("/proc/locks").ok()?;
    let inode = format!(":{} ", file.ino());
    locks.lines().any(|l| l.contains("FLOCK") && l.contains(&inode)).then_some(true)
}

/// Numbers of shards of which there are lock files.
fn groups(run: &Path) -> Result<Vec<u64>> {
    let folder = folder_of(run);
    let entries = fs::read_dir(&folder).map_err(RunnerError::io("read", &folder))?;
    let number = |name: std::ffi::OsString| name.to_str()?.strip_prefix("of-")?.parse().ok();
    Ok(entries.flatten().filter_map(|e| number(e.file_name())).collect())
}

/// Where the lock files of a directory are.
fn folder_of(directory: &Path) -> PathBuf {
    directory.join(".locks")
}

/// The lock `name` of a directory, for this process alone.
///
/// # Errors
/// Another process holds it.
pub(crate) fn alone_in(directory: &Path, name: &str) -> Result<LockedFile> {
    acquire(directory, name, true)?.ok_or_else(|| RunnerError::Locked { path: directory.to_owned() })
}

/// Locks `.locks/NAME` of a directory, if no other process prevents it.
fn acquire(directory: &Path, name: &str, exclusive: bool) -> Result<Option<LockedFile>> {
    let folder = folder_of(directory);
    let path = folder.join(name);
    loop {
        fs::create_dir_all(&folder).map_err(RunnerError::io("create", &folder))?;
        let file = match File::options().read(true).write(true).create(true).truncate(false).open(&path) {
            // Its last user has just removed the folder.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && directory.exists() => continue,
            opened => opened.map_err(RunnerError::io("write in", &folder))?,
        };
        match if exclusive { file.try_lock() } else { file.try_lock_shared() } {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(RunnerError::io("lock", &path)(e)),
        }
        // Its last holder may have removed the file after it was opened here.
        let ours = file.metadata().map_err(RunnerError::io("lock", &path))?;
        if fs::metadata(&path).is_ok_and(|m| (m.dev(), m.ino()) == (ours.dev(), ours.ino())) {
            return Ok(Some(LockedFile { file, path, remove: exclusive }));
        }
    }
}
