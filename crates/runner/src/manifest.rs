//! The manifest of a run: who ran what, where and when.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::write::replace;
use crate::{Digest, Result, RunnerError};

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
    /// Program, machine, start; every part says the same of itself.
    pub provenance: Provenance,
    /// SHA-256 of the other entries, as compact JSON in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
}

impl Manifest {
    /// Digest of its entries.
    fn digest(&self) -> Result<String> {
        let bare = Self { sha256: None, ..self.clone() };
        let text =
            serde_json::to_string(&bare).map_err(|e| RunnerError::internal("JSON of a manifest", e))?;
        Ok(Digest::of(&text).hex())
    }
}

/// Program and machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
    /// Start of the command, in the manifest of the first one; RFC 3339 in UTC.
    pub started: String,
}

impl Provenance {
    /// Of this process; `blas` from the caller, which knows it.
    pub fn here(blas: &str) -> Self {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpuinfo
            .lines()
            .find_map(|l| l.strip_prefix("model name").and_then(|l| l.split_once(':')))
            .map_or_else(|| "unknown".to_owned(), |(_, m)| m.trim().to_owned());
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            commit: env!("CONVSTAT_COMMIT").to_owned(),
            blas: blas.to_owned(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            processor,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            started: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
        }
    }

    /// Whether the same program with the same BLAS kernel on the same kind of processor: then results have the same bits.
    pub fn has_same_arithmetic(&self, other: &Self) -> bool {
        fn key(p: &Provenance) -> [&str; 5] {
            [&p.version, &p.commit, &p.blas, &p.system, &p.processor]
        }
        key(self) == key(other)
    }
}

/// What a command is about to run.
#[derive(Debug, Clone)]
pub struct Description<'a> {
    /// Name of the study.
    pub name: &'a str,
    /// Text of the study file.
    pub text: &'a str,
    /// Seed of the study.
    pub seed: u64,
    /// Replicates a cell.
    pub replicates: u64,
    /// Digest of the data it reads, if any.
    pub data: Option<String>,
    /// What computes: BLAS library, version and kernel.
    pub blas: String,
}

impl Description<'_> {
    fn manifest(&self) -> Manifest {
        Manifest {
            format_version: FORMAT_VERSION,
            name: self.name.to_owned(),
            study: self.text.to_owned(),
            study_sha256: Digest::of(self.text).hex(),
            seed: self.seed,
            replicates: self.replicates,
            data: self.data.clone(),
            provenance: Provenance::here(&self.blas),
            sha256: None,
        }
    }
}

/// Whether two manifests are of the same run.
fn is_same_run(a: &Manifest, b: &Manifest) -> bool {
    fn key(m: &Manifest) -> (&str, &str, u64, u64, Option<&str>) {
        (&m.name, &m.study_sha256, m.seed, m.replicates, m.data.as_deref())
    }
    key(a) == key(b)
}

/// Name of the manifest in a run directory.
const MANIFEST: &str = "manifest.json";

impl Manifest {
    /// The manifest of the run at `run`, if the run has been started.
    ///
    /// # Errors
    /// It cannot be read, or a newer program wrote it.
    pub fn find(run: &Path) -> Result<Option<Self>> {
        if run.join(MANIFEST).exists() { Self::read(run).map(Some) } else { Ok(None) }
    }

    /// The manifest of the run at `run`.
    ///
    /// # Errors
    /// There is none, it cannot be read, or a newer program wrote it.
    pub fn read(run: &Path) -> Result<Self> {
        let path = run.join(MANIFEST);
        let not_a_run = |reason: String| RunnerError::NotARun { path: run.to_owned(), reason };
        let text = crate::read_text(&path).map_err(|e| not_a_run(e.to_string()))?;
        // The version first: a newer format may have other keys.
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| not_a_run(e.to_string()))?;
        let found = value.get("format_version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found > u64::from(FORMAT_VERSION) {
            return Err(RunnerError::NewerFormat { path, found, known: FORMAT_VERSION });
        }
        let manifest: Self = serde_json::from_value(value).map_err(|e| not_a_run(e.to_string()))?;
        if let Some(stated) = &manifest.sha256
            && *stated != manifest.digest()?
        {
            return Err(not_a_run("its entries do not have the digest that it states".to_owned()));
        }
        Ok(manifest)
    }
}

impl Description<'_> {
    /// Writes the manifest of a command on the run at `run`, if it is not there yet. The provenance stays that of the first command.
    ///
    /// # Errors
    /// The run is of another study, or of other data; the manifest cannot be read or written.
    pub(crate) fn write(&self, run: &Path) -> Result<()> {
        let earlier = Manifest::find(run)?;
        if let Some(other) = earlier.as_ref().filter(|m| m.name != self.name) {
            let reason = format!("it is the run of study \"{}\", not of \"{}\"", other.name, self.name);
            return Err(RunnerError::OtherRun { path: run.to_owned(), reason });
        }
        if let Some(other) = earlier.as_ref().filter(|m| m.data.is_some() && m.data != self.data) {
            let reason = format!("its run \"{}\" is of other data", other.name);
            return Err(RunnerError::OtherRun { path: run.to_owned(), reason });
        }
        let mut manifest = self.manifest();
        if let Some(earlier) = earlier {
            if is_same_run(&earlier, &manifest) {
                return Ok(());
            }
            manifest.provenance = earlier.provenance;
        }
        manifest.sha256 = Some(manifest.digest()?);
        let path = run.join(MANIFEST);
        let text = serde_json::to_string_pretty(&manifest).map_err(std::io::Error::other);
        let text = text.map_err(RunnerError::io("write", &path))?;
        replace(&path, (text + "\n").as_bytes())
    }

    /// Checks that the run at `run`, where other shards are at work, is this one.
    ///
    /// # Errors
    /// It is another, or its manifest cannot be read.
    pub(crate) fn agree(&self, run: &Path) -> Result<()> {
        let found = Manifest::read(run)?;
        if is_same_run(&found, &self.manifest()) {
            return Ok(());
        }
        let what = format!(
            "other shards are at work on run \"{}\" with another study text, seed, data or number of replicates ({})",
            found.name, found.replicates
        );
        Err(RunnerError::Shard { path: run.to_owned(), what })
    }
}
