//! The parts of a run: append-only tables, a row a replicate.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::manifest::Provenance;
use crate::write::replace;
use crate::{Digest, Result, RunDir, RunnerError, Table};

/// Small parts of this process that are kept before they are merged into one.
const MOST_SMALL: usize = 64;

/// A part with this many rows is not small.
const LARGE: usize = 100_000;

/// Key of a part's provenance in its metadata.
const PROVENANCE: &str = "convstat.provenance";

/// Replicates that a run holds.
#[derive(Debug, Clone, Default)]
pub struct Present {
    cells: HashMap<String, u32>,
    replicates: HashSet<(u32, i64)>,
}

impl Present {
    /// Whether it holds this replicate of the cell.
    pub fn contains(&self, cell: &str, replicate: u64) -> bool {
        self.cells.get(cell).is_some_and(|&c| self.replicates.contains(&(c, replicate as i64)))
    }

    /// Adds the replicates of a table of rows; which of them were not there.
    fn add(&mut self, rows: &Table) -> Result<Vec<bool>> {
        let (cells, replicates) = (rows.texts("cell")?, rows.ints("replicate")?);
        Ok(cells.iter().zip(replicates).map(|(cell, &r)| self.insert(cell, r)).collect())
    }

    /// Adds a replicate; false if it was there.
    fn insert(&mut self, cell: &str, replicate: i64) -> bool {
        let next = self.cells.len() as u32;
        let cell = match self.cells.get(cell) {
            Some(&c) => c,
            None => *self.cells.entry(cell.to_owned()).or_insert(next),
        };
        self.replicates.insert((cell, replicate))
    }
}

/// What a walk through the parts has found.
#[derive(Debug, Default)]
pub struct Walked {
    /// Replicates there.
    pub present: Present,
    /// Parts that cannot be read, whose replicates have to run again.
    pub damaged: Vec<RunnerError>,
    /// Programs and machines that computed the rows, with the number of rows; none for rows that do not say.
    pub origins: HashMap<Option<Provenance>, usize>,
    /// Every good part, its rows, and who wrote it.
    parts: Vec<(PathBuf, usize, Option<Provenance>)>,
}

/// A provenance without its time: commands of one program on one machine are alike.
fn anytime(provenance: &Provenance) -> Provenance {
    Provenance { started: String::new(), ..provenance.clone() }
}

/// The content of a part and who computed it.
fn read_part(path: &Path, like: &Table) -> Result<(Table, Option<Provenance>)> {
    let bytes = fs::read(path).map_err(RunnerError::io("read", path))?;
    let bad = |reason: String| RunnerError::BadPart { path: path.to_owned(), reason };
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.ends_with(&Digest::of_bytes(&bytes).short()) {
        return Err(bad("its content does not have the digest that its name gives".to_owned()));
    }
    let (table, metadata) = Table::from_bytes(bytes).map_err(bad)?;
    if let Some(column) = like.first_difference(&table) {
        return Err(bad(format!("column \"{column}\" is not one of this format")));
    }
    let provenance = metadata.get(PROVENANCE).and_then(|text| serde_json::from_str(text).ok());
    Ok((table, provenance))
}

impl RunDir {
    /// Reads part by part; each replicate once. The only writer puts damaged parts aside (`*.damaged`) and takes rows out that
    /// stand twice, as they do after a process was killed while it merged parts.
    ///
    /// # Errors
    /// The folder cannot be read, or those of `take`.
    pub fn walk<E: From<RunnerError>>(
        &self,
        like: &Table,
        mut take: impl FnMut(&Table, Option<&Provenance>) -> std::result::Result<(), E>,
    ) -> std::result::Result<Walked, E> {
        let mut walked = Walked::default();
        let mut seen = HashSet::new();
        // Other shards merge their parts while this one reads: look again until nothing is new.
        loop {
            let mut names = self.part_names()?;
            names.retain(|n| !seen.contains(n));
            if names.is_empty() {
                return Ok(walked);
            }
            for path in names {
                let read = read_part(&path, like);
                seen.insert(path.clone());
                let (table, provenance) = match read {
                    Ok(good) => good,
                    Err(RunnerError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                        continue;
                    }
                    // What cannot be read now may be good: only what is seen to be damaged is put aside.
                    Err(e @ RunnerError::Io { .. }) => return Err(e.into()),
                    Err(e) => {
                        if self.is_exclusive() {
                            let aside = path.with_extension("damaged");
                            fs::rename(&path, &aside).map_err(RunnerError::io("rename", &path))?;
                        }
                        walked.damaged.push(e);
                        continue;
                    }
                };
                let new = walked.present.add(&table)?;
                let count = new.iter().filter(|n| **n).count();
                *walked.origins.entry(provenance.as_ref().map(anytime)).or_default() += count;
                if count == table.rows() {
                    take(&table, provenance.as_ref())?;
                    walked.parts.push((path, count, provenance));
                    continue;
                }
                let table = table.filter(&new);
                if count > 0 {
                    take(&table, provenance.as_ref())?;
                }
                if self.is_exclusive() {
                    if count > 0 {
                        let place = self.place(&table, provenance.as_ref())?;
                        seen.insert(place.clone());
                        walked.parts.push((place, count, provenance));
                    }
                    fs::remove_file(&path).map_err(RunnerError::io("remove", &path))?;
                }
            }
        }
    }

    /// All rows, and the parts that cannot be read.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read_parts(&self, like: &Table) -> Result<(Table, Vec<RunnerError>)> {
        let mut table = Table::default();
        let walked = self.walk(like, |part, _| table.append(part.clone()))?;
        Ok((table, walked.damaged))
    }

    /// Parts, the oldest first.
    fn part_names(&self) -> Result<Vec<PathBuf>> {
        let parts = self.parts();
        let mut names = Vec::new();
        for entry in fs::read_dir(&parts).map_err(RunnerError::io("read", &parts))? {
            let path = entry.map_err(RunnerError::io("read", &parts))?.path();
            if path.extension().is_some_and(|e| e == "parquet") {
                names.push(path);
            }
        }
        names.sort();
        Ok(names)
    }

    /// Adds a part: written to a temporary name, synced, renamed.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write_part(&mut self, rows: &Table) -> Result<()> {
        let path = self.place(rows, self.provenance.as_ref())?;
        self.small_parts.push((path, rows.rows()));
        let waiting: usize = self.small_parts.iter().map(|(_, rows)| rows).sum();
        if self.small_parts.len() >= MOST_SMALL || waiting >= LARGE {
            let small = std::mem::take(&mut self.small_parts);
            let paths: Vec<PathBuf> = small.into_iter().map(|(path, _)| path).collect();
            let provenance = self.provenance.clone();
            let merged = self.merge(&paths, provenance.as_ref(), rows)?;
            self.small_parts.extend(merged.filter(|(_, rows)| *rows < LARGE));
        }
        Ok(())
    }

    /// Adds the rows of another run that are not `present` yet; the parts of it that cannot be read.
    ///
    /// # Errors
    /// The other run cannot be read, or this one not written.
    pub fn absorb(&self, other: &Self, present: &mut Present, like: &Table) -> Result<Vec<RunnerError>> {
        let walked = other.walk(like, |table, provenance| {
            let new = present.add(table)?;
            if new.contains(&true) {
                self.place(&table.filter(&new), provenance)?;
            }
            Ok::<_, RunnerError>(())
        })?;
        Ok(walked.damaged)
    }

    /// Merges the small parts of a walk, so that a run of many has few.
    ///
    /// # Errors
    /// A part cannot be written or removed.
    pub fn compact(&mut self, walked: &Walked, like: &Table) -> Result<()> {
        let mut groups: HashMap<Option<Provenance>, Vec<(&PathBuf, usize)>> = HashMap::new();
        for (path, rows, provenance) in walked.parts.iter().filter(|(_, rows, _)| *rows < LARGE) {
            groups.entry(provenance.as_ref().map(anytime)).or_default().push((path, *rows));
        }
        for (provenance, parts) in groups {
            let mut batch: Vec<PathBuf> = Vec::new();
            let mut waiting = 0;
            for (i, (path, rows)) in parts.iter().enumerate() {
                batch.push((*path).clone());
                waiting += rows;
                if waiting >= LARGE || i + 1 == parts.len() {
                    if batch.len() > 1 {
                        self.merge(&batch, provenance.as_ref(), like)?;
                    }
                    (batch, waiting) = (Vec::new(), 0);
                }
            }
        }
        self.small_parts.clear();
        Ok(())
    }

    /// Writes the rows of parts as one, then removes them; the new part and its rows. Nothing happens if one is damaged.
    fn merge(
        &self,
        parts: &[PathBuf],
        provenance: Option<&Provenance>,
        like: &Table,
    ) -> Result<Option<(PathBuf, usize)>> {
        let mut table = Table::default();
        for path in parts {
            match read_part(path, like) {
                Ok((rows, _)) => table.append(rows)?,
                Err(_) => return Ok(None),
            }
        }
        let merged = self.place(&table, provenance)?;
        for path in parts {
            fs::remove_file(path).map_err(RunnerError::io("remove", path))?;
        }
        Ok(Some((merged, table.rows())))
    }

    /// Writes a part under a name of its own.
    fn place(&self, rows: &Table, provenance: Option<&Provenance>) -> Result<PathBuf> {
        /// Parts of this process so far: a millisecond may hold several.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let parts = self.parts();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis());
        let text = provenance.and_then(|p| serde_json::to_string(p).ok());
        let metadata: Vec<(&str, String)> = text.map(|t| (PROVENANCE, t)).into_iter().collect();
        let bytes = rows.encoded(&parts, &metadata)?;
        // The name ends in the digest of the content, so that a changed bit shows.
        let digest = Digest::of_bytes(&bytes).short();
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = parts.join(format!("{now:013}-{}-{number}-{digest}.parquet", std::process::id()));
        replace(&path, &bytes)?;
        if let Ok(directory) = File::open(&parts) {
            // A crash of the machine after this point no longer loses the name.
            let _ = directory.sync_all();
        }
        Ok(path)
    }
}
