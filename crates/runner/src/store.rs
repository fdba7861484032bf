//! The run directory: manifest, parts, lock.

use std::collections::HashSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::table::write_synced;
use crate::{Digest, Result, RunnerError, Table};

/// Version of the run directory's format that this program writes.
pub const FORMAT_VERSION: u32 = 1;

/// Who ran what, where and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// See [`FORMAT_VERSION`].
    pub format_version: u32,
    /// Name of the study.
    pub name: String,
    /// Text of the study file.
    pub study: String,
    /// SHA-256 of the text.
    pub study_sha256: String,
    /// Seed of the study.
    pub seed: u64,
    /// Replicates a cell asked for by the latest command.
    pub replicates: u64,
    /// Digest of the data it runs on, if it reads any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Program, machine, start.
    pub provenance: Provenance,
}

/// Program and machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// Program version.
    pub version: String,
    /// Commit it was built from, or "unknown".
    pub commit: String,
    /// BLAS library, version and kernel.
    pub blas: String,
    /// Operating system and processor architecture.
    pub system: String,
    /// Processor model.
    pub processor: String,
    /// Logical processors.
    pub processors: usize,
    /// Start of the first command on this run, RFC 3339 in UTC.
    pub started: String,
}

impl Provenance {
    /// Of this process; `blas` from the caller, which knows it.
    pub fn here(blas: String) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpuinfo
            .lines()
            .find_map(|l| l.strip_prefix("model name").and_then(|l| l.split_once(':')))
            .map_or_else(|| "unknown".to_owned(), |(_, m)| m.trim().to_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("CONVSTAT_COMMIT").to_owned(),
            blas,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        }
    }
}

/// Fails if the content of a part is not that of its name.
fn check_digest(path: &Path) -> Result<()> {
    let bytes = fs::read(path).map_err(RunnerError::io("read", path))?;
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    if name.ends_with(&Digest::of_bytes(&bytes).short()) {
        return Ok(());
    }
    let reason = "its content does not have the digest that its name gives".to_owned();
    Err(RunnerError::BadPart { path: path.to_owned(), reason })
}

/// A run directory.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held for as long as this process may write; none for readers.
    lock: Option<File>,
    parts_written: u64,
}

impl RunDir {
    /// Opens `path` for writing, creating it if needed, and takes the lock.
    ///
    /// # Errors
    /// The directory cannot be written, another process holds it, or a newer program wrote it.
    pub fn create(path: &Path) -> Result<Self> {
        fs::create_dir_all(path.join("parts")).map_err(RunnerError::io("create", path))?;
        let lock = File::open(path).map_err(RunnerError::io("open", path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(RunnerError::Locked { path: path.to_owned() }),
            Err(fs::TryLockError::Error(e)) => return Err(RunnerError::io("lock", path)(e)),
        }
        let run = Self { path: path.to_owned(), lock: Some(lock), parts_written: 0 };
        if run.manifest_path().exists() {
            run.manifest()?;
        }
        // A bad disk or permission shows now, not after hours.
        let probe = run.path.join("parts").join(".probe");
        File::create(&probe).map_err(RunnerError::io("write in", &run.path))?;
        fs::remove_file(&probe).map_err(RunnerError::io("write in", &run.path))?;
        run.remove_leftovers();
        Ok(run)
    }

    /// Opens `path` for reading.
    ///
    /// # Errors
    /// There is no manifest, or a newer program wrote it.
    pub fn open(path: &Path) -> Result<Self> {
        let run = Self { path: path.to_owned(), lock: None, parts_written: 0 };
        run.manifest()?;
        Ok(run)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn manifest_path(&self) -> PathBuf {
        self.path.join("manifest.json")
    }

    /// The manifest, if the run has been started.
    pub fn manifest_if_any(&self) -> Result<Option<Manifest>> {
        if self.manifest_path().exists() { self.manifest().map(Some) } else { Ok(None) }
    }

    /// The manifest.
    pub fn manifest(&self) -> Result<Manifest> {
        let path = self.manifest_path();
        let not_a_run = |reason: String| RunnerError::NotARun { path: self.path.clone(), reason };
        let text = fs::read_to_string(&path).map_err(|e| not_a_run(e.to_string()))?;
        // The version first: a newer format may have other keys.
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| not_a_run(e.to_string()))?;
        let found = value.get("format_version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found > u64::from(FORMAT_VERSION) {
            return Err(RunnerError::NewerFormat { path, found: found as u32, known: FORMAT_VERSION });
        }
        serde_json::from_value(value).map_err(|e| not_a_run(e.to_string()))
    }

    /// Writes the manifest of a command on this run, if it differs from that of an earlier one, whose start it keeps. `data`
    /// is the digest of the data that the run reads, if any; `blas` says what computes.
    ///
    /// # Errors
    /// The run is of other data.
    pub fn describe(
        &self,
        name: &str,
        text: &str,
        seed: u64,
        replicates: u64,
        data: Option<String>,
        blas: String,
    ) -> Result<()> {
        let earlier = self.manifest_if_any()?;
        if let Some(other) = earlier.as_ref().filter(|m| m.data.is_some() && m.data != data) {
            let reason = format!("its run \"{}\" is of other data", other.name);
            return Err(RunnerError::OtherRun { path: self.path.clone(), reason });
        }
        let mut manifest = Manifest {
            format_version: FORMAT_VERSION,
            name: name.to_owned(),
            study: text.to_owned(),
            study_sha256: Digest::of(text).hex(),
            seed,
            replicates,
            data,
            provenance: Provenance::here(blas),
        };
        if let Some(earlier) = &earlier {
            manifest.provenance.started = earlier.provenance.started.clone();
        }
        if earlier.as_ref() == Some(&manifest) { Ok(()) } else { self.write_manifest(&manifest) }
    }

    /// Writes the manifest (to a temporary name, synced, renamed).
    fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        let path = self.manifest_path();
        let text = serde_json::to_string_pretty(manifest)
            .map_err(|e| RunnerError::io("write", &path)(std::io::Error::other(e)))?;
        self.write_file("manifest.json", (text + "\n").as_bytes())
    }

    /// Writes a file of the run (to a temporary name, synced, renamed).
    pub fn write_file(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let temporary = self.path.join(format!("{name}.tmp"));
        write_synced(&temporary, bytes)?;
        fs::rename(&temporary, &path).map_err(RunnerError::io("write", &path))
    }

    /// Adds a part: written to a temporary name, synced, renamed.
    pub fn write_part(&mut self, rows: &Table) -> Result<PathBuf> {
        let parts = self.path.join("parts");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let encoding = |e: parquet::errors::ParquetError| RunnerError::BadPart {
            path: parts.clone(),
            reason: e.to_string(),
        };
        let bytes = rows.encode().map_err(encoding)?;
        // The name ends in the digest of the content, so that a changed bit shows.
        let digest = Digest::of_bytes(&bytes).short();
        let name = format!("{now:013}-{}-{}-{digest}", std::process::id(), self.parts_written);
        self.parts_written += 1;
        let temporary = parts.join(format!("{name}.tmp"));
        let path = parts.join(format!("{name}.parquet"));
        write_synced(&temporary, &bytes)?;
        fs::rename(&temporary, &path).map_err(RunnerError::io("write", &path))?;
        if let Ok(directory) = File::open(&parts) {
            // A crash of the machine after this point no longer loses the name.
            let _ = directory.sync_all();
        }
        Ok(path)
    }

    /// Whether this process holds the lock and may write.
    pub fn is_writable(&self) -> bool {
        self.lock.is_some()
    }

    /// All rows of all parts with the columns of `like`, and the parts that cannot be read, whose replicates have to
    /// run again. The holder of the lock puts those aside as `*.damaged`.
    pub fn read_parts(&self, like: &Table) -> Result<(Table, Vec<RunnerError>)> {
        let parts = self.path.join("parts");
        let mut names = Vec::new();
        for entry in fs::read_dir(&parts).map_err(RunnerError::io("read", &parts))? {
            let path = entry.map_err(RunnerError::io("read", &parts))?.path();
            if path.extension().is_some_and(|e| e == "parquet") {
                names.push(path);
            }
        }
        names.sort();
        let mut table = Table::default();
        let mut damaged = Vec::new();
        for path in names {
            let read = check_digest(&path).and_then(|()| Table::read(&path)).and_then(|part| {
                match like.first_difference(&part) {
                    None => table.append(part),
                    Some(column) => {
                        let reason = format!("column \"{column}\" is not one of this format");
                        Err(RunnerError::BadPart { path: path.clone(), reason })
                    }
                }
            });
            if let Err(e) = read {
                damaged.push(e);
                if self.is_writable() {
                    let aside = path.with_extension("damaged");
                    fs::rename(&path, &aside).map_err(RunnerError::io("rename", &path))?;
                }
            }
        }
        Ok((table, damaged))
    }

    /// Keys `(cell, replicate)` of rows present.
    pub fn present(table: &Table) -> Result<HashSet<(String, i64)>> {
        if table.rows() == 0 {
            return Ok(HashSet::new());
        }
        Ok(table.texts("cell")?.iter().cloned().zip(table.ints("replicate")?.iter().copied()).collect())
    }

    /// Temporary files that a killed process left; only the holder of the lock may call this.
    fn remove_leftovers(&self) {
        debug_assert!(self.lock.is_some());
        let entries = fs::read_dir(self.path.join("parts")).into_iter().flatten().flatten();
        for path in entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "tmp")) {
            let _ = fs::remove_file(path);
        }
    }
}
