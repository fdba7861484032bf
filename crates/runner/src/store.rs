//! The run directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::lock::Lock;
use crate::manifest::{Description, Manifest, Provenance};
use crate::write::replace;
use crate::{Result, RunnerError, Shard, Table};

/// A run directory.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Kept for as long as this process may write; none for readers.
    lock: Option<Lock>,
    /// Of this process, as every part that it writes says.
    pub(crate) provenance: Option<Provenance>,
    /// Small parts that this process has written, with their rows.
    pub(crate) small_parts: Vec<(PathBuf, usize)>,
}

impl RunDir {
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: None, provenance: None, small_parts: Vec::new() }
    }

    /// Opens `path` for writing by this process alone, creating it if needed, and describes the run.
    ///
    /// # Errors
    /// The directory cannot be written, another process writes in it, or a newer program wrote it.
    pub fn create(path: &Path, about: &Description) -> Result<Self> {
        let mut run = Self::at(path);
        fs::create_dir_all(run.parts()).map_err(RunnerError::io("create", path))?;
        run.lock = Some(Lock::exclusive(path)?);
        run.enter(about)?;
        Ok(run)
    }

    /// Opens `path` for writing by one shard beside others.
    ///
    /// # Errors
    /// As [`create`](Self::create); the same shard, a run in another number of shards, or of another study is at work in it.
    pub fn create_shard(path: &Path, shard: Shard, about: &Description) -> Result<Self> {
        let mut run = Self::at(path);
        fs::create_dir_all(run.parts()).map_err(RunnerError::io("create", path))?;
        let lock = Lock::shared(path, shard, || Self::at(path).enter(about), || about.agree(path))?;
        run.lock = Some(lock);
        run.provenance = Some(Provenance::here(&about.blas));
        Ok(run)
    }

    /// Opens the run at `path` for writing by this process alone, as it is.
    ///
    /// # Errors
    /// There is no manifest, another process writes in it, or a newer program wrote it.
    pub fn take(path: &Path) -> Result<Self> {
        let mut run = Self::open(path)?;
        run.lock = Some(Lock::exclusive(path)?);
        run.remove_leftovers();
        Ok(run)
    }

    /// Opens `path` for reading.
    ///
    /// # Errors
    /// There is no manifest, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Self> {
        let run = Self::at(path);
        run.manifest()?;
        Ok(run)
    }

    /// Whether a process writes in it: told where it does so on this machine, and where there is none anywhere.
    pub fn is_at_work(&self) -> Option<bool> {
        crate::lock::is_locked(&self.path)
    }

    /// What the only writer does first.
    fn enter(&mut self, about: &Description) -> Result<()> {
        Manifest::find(&self.path)?;
        // A bad disk or permission shows now, not after hours.
        let probe = self.parts().join(".probe");
        File::create(&probe).map_err(RunnerError::io("write in", &self.path))?;
        fs::remove_file(&probe).map_err(RunnerError::io("write in", &self.path))?;
        self.remove_leftovers();
        self.provenance = Some(Provenance::here(&about.blas));
        about.write(&self.path)
    }

    /// Its manifest.
    ///
    /// # Errors
    /// There is none, it cannot be read, or a newer program wrote it.
    pub fn manifest(&self) -> Result<Manifest> {
        Manifest::read(&self.path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of the parts.
    pub(crate) fn parts(&self) -> PathBuf {
        self.path.join("parts")
    }

    /// Whether this process alone may write.
    pub fn is_exclusive(&self) -> bool {
        self.lock.as_ref().is_some_and(Lock::is_exclusive)
    }

    /// Writes a file of the run (to a temporary name, synced, renamed).
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        replace(&self.path.join(name), bytes)
    }

    /// Writes a table as a file of the run, as [`write_file`](Self::write_file) does.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_table(&self, name: &str, table: &Table) -> Result<()> {
        let path = self.path.join(name);
        replace(&path, &table.encoded(&path, &[])?)
    }

    /// Removes temporary files that killed processes left.
    fn remove_leftovers(&self) {
        for folder in [self.parts(), self.path.clone()] {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            for path in entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "tmp")) {
                let _ = fs::remove_file(path);
            }
        }
    }
}
