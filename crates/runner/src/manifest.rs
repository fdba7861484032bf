//! The manifest of a run: who ran what, where and when.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::{Digest, Result, RunDir, RunnerError};

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
    fn digest(&self) -> String {
        let bare = Self { sha256: None, ..self.clone() };
        Digest::of(&serde_json::to_string(&bare).unwrap_or_default()).hex()
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

impl RunDir {
    /// The manifest of the run at `path`, if there is one.
    ///
    /// # Errors
    /// It cannot be read, or a newer program wrote it.
    pub fn manifest_at(path: &Path) -> Result<Option<Manifest>> {
        Self::at(path).manifest_if_any()
    }

    /// The manifest, if the run has been started.
    pub(crate) fn manifest_if_any(&self) -> Result<Option<Manifest>> {
        if self.path().join("manifest.json").exists() { self.manifest().map(Some) } else { Ok(None) }
    }

    /// The manifest.
    pub fn manifest(&self) -> Result<Manifest> {
        let path = self.path().join("manifest.json");
        let not_a_run = |reason: String| RunnerError::NotARun { path: self.path().to_owned(), reason };
        let text = crate::read_text(&path).map_err(|e| not_a_run(e.to_string()))?;
        // The version first: a newer format may have other keys.
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| not_a_run(e.to_string()))?;
        let found = value.get("format_version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found > u64::from(FORMAT_VERSION) {
            return Err(RunnerError::NewerFormat { path, found, known: FORMAT_VERSION });
        }
        let manifest: Manifest = serde_json::from_value(value).map_err(|e| not_a_run(e.to_string()))?;
        if manifest.sha256.as_ref().is_some_and(|stated| *stated != manifest.digest()) {
            return Err(not_a_run("its entries do not have the digest that it states".to_owned()));
        }
        Ok(manifest)
    }

    /// Writes the manifest of a command on this run, if it is not there yet. The provenance stays that of the first command.
    ///
    /// # Errors
    /// The run is of another study, or of other data.
    pub(crate) fn describe(&self, about: &Description) -> Result<()> {
        let earlier = self.manifest_if_any()?;
        if let Some(other) = earlier.as_ref().filter(|m| m.name != about.name) {
            let reason = format!("it is the run of study \"{}\", not of \"{}\"", other.name, about.name);
            return Err(RunnerError::OtherRun { path: self.path().to_owned(), reason });
        }
        if let Some(other) = earlier.as_ref().filter(|m| m.data.is_some() && m.data != about.data) {
            let reason = format!("its run \"{}\" is of other data", other.name);
            return Err(RunnerError::OtherRun { path: self.path().to_owned(), reason });
        }
        let mut manifest = about.manifest();
        if let Some(earlier) = earlier {
            if is_same_run(&earlier, &manifest) {
                return Ok(());
            }
            manifest.provenance = earlier.provenance;
        }
        manifest.sha256 = Some(manifest.digest());
        let text = serde_json::to_string_pretty(&manifest).map_err(std::io::Error::other);
        let text = text.map_err(RunnerError::io("write", &self.path().join("manifest.json")))?;
        self.write_file("manifest.json", (text + "\n").as_bytes())
    }

    /// Fails if another shard at work has described another run.
    pub(crate) fn agree(&self, about: &Description) -> Result<()> {
        let found = self.manifest()?;
        if is_same_run(&found, &about.manifest()) {
            return Ok(());
        }
        let what = format!(
            "other shards are at work on run \"{}\" with another study text, seed, data or number of replicates ({})",
            found.name, found.replicates
        );
        Err(RunnerError::Shard { path: self.path().to_owned(), what })
    }
}
