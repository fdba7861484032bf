//! Runs, resumes and reruns studies.

use std::path::{Path, PathBuf};

use convstat_estimate::TracePoint;
use convstat_runner::{
    Description, Execution, Manifest, Present, RunDir, RunnerError, Shard, Table, Task, TaskResult, Walked,
    execute, interrupt, thread_pool,
};
use convstat_tensor::blas;

use crate::checks::{CheckOutcome, run_checks};
use crate::place::in_text;
use crate::plan::Plan;
use crate::replicate::{follow_replicate, run_replicate};
use crate::row::{Row, tabulate};
use crate::running::Running;
use crate::summary::{Groups, Summary};
use crate::{Result, StudyError, StudyFile};

/// What the command line changes in a study file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Replicates a cell.
    pub replicates: Option<u64>,
    /// `key=value` pairs, the key dotted (`study.seed=7`, `noise.sigma=0.5`), the value TOML.
    pub set: Vec<String>,
}

/// A study file as it will run.
#[derive(Debug)]
pub struct Study {
    /// Its text, keys that were set included; the number of replicates may be another.
    pub text: String,
    /// Its plan.
    pub plan: Plan,
}

impl Study {
    /// Reads and plans a study.
    ///
    /// # Errors
    /// What is wrong in the file, with the place.
    pub fn new(text: &str, overrides: &Overrides) -> Result<Self> {
        // Before overrides, so that places in messages are those of the file.
        let mut file = StudyFile::parse(text)?;
        let mut changed = text.to_owned();
        if !overrides.set.is_empty() {
            (file, changed) = with_set(text, &overrides.set)?;
        }
        if let Some(replicates) = overrides.replicates {
            file.study.replicates = replicates;
            file.check().map_err(|e| match e {
                StudyError::BadValue { value, mend, .. } => StudyError::bad("--replicates", value, &mend),
                other => other,
            })?;
        }
        let plan = Plan::new(file).map_err(|e| in_text(blame_set(e, &overrides.set), text))?;
        Ok(Self { plan, text: changed })
    }

    /// The study of an existing run, from its manifest.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let manifest = run.manifest()?;
        Self::new(&manifest.study, &Overrides { replicates: Some(manifest.replicates), set: Vec::new() })
    }
}

/// Parts of a dotted key, more than any has.
const MOST_NESTING: usize = 8;

/// A study file with keys set, and its text.
///
/// # Errors
/// The pair from which on the file is wrong: the file itself is right.
fn with_set(text: &str, set: &[String]) -> Result<(StudyFile, String)> {
    let read = |pairs: &[String]| {
        let text = apply(text, pairs)?;
        Ok((StudyFile::parse(&text)?, text))
    };
    read(set).map_err(|error| {
        let right = (0..set.len()).rev().find(|&i| read(&set[..i]).is_ok()).unwrap_or(0);
        let pair = set[right].clone();
        match error {
            StudyError::File { message, help, .. } => StudyError::Set { pair, message, help },
            StudyError::BadValue { key, mend, .. } if key == "--set" => {
                StudyError::Set { pair, message: mend, help: None }
            }
            other => StudyError::Set { pair, message: other.to_string(), help: None },
        }
    })
}

/// An error of a key that was set, as one of the option.
fn blame_set(error: StudyError, set: &[String]) -> StudyError {
    let inner = match &error {
        StudyError::Setting { source, .. } => source,
        other => other,
    };
    let StudyError::BadValue { key, .. } = inner else { return error };
    let sets = |pair: &&String| {
        let name = pair.split('=').next().unwrap_or_default().trim();
        key == name || name.strip_prefix(key).or(key.strip_prefix(name)).is_some_and(|r| r.starts_with('.'))
    };
    match set.iter().find(sets) {
        Some(pair) => StudyError::Set { pair: pair.clone(), message: error.to_string(), help: None },
        None => error,
    }
}

/// Sets dotted keys in a TOML text.
fn apply(text: &str, set: &[String]) -> Result<String> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|e| StudyError::bad("study file", "", e.message()))?;
    for pair in set {
        let bad = |mend: &str| StudyError::bad("--set", pair, mend);
        let (key, value) = pair.split_once('=').ok_or_else(|| bad("write it as key=value"))?;
        let parsed: toml::Table = toml::from_str(&format!("v = {value}"))
            .or_else(|_| toml::from_str(&format!("v = {value:?}")))
            .map_err(|_| bad("the value has to be TOML"))?;
        let Some(value) = parsed.get("v").cloned() else { return Err(bad("the value has to be TOML")) };
        let mut parts: Vec<&str> = key.trim().split('.').collect();
        // Tables are written and dropped by recursion.
        if parts.len() > MOST_NESTING {
            return Err(bad(&format!(
                "the key has {} parts; no key has more than {MOST_NESTING}",
                parts.len()
            )));
        }
        let last = parts.pop().unwrap_or_default();
        let mut at = &mut table;
        for part in parts {
            let entry = at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            at = entry.as_table_mut().ok_or_else(|| {
                bad("only keys of tables can be set (study, noise, truth, samples, theory), not of lists")
            })?;
        }
        at.insert(last.to_owned(), value);
    }
    toml::to_string(&table).map_err(|e| StudyError::bad("--set", set.join(" "), &e.to_string()))
}

/// How a study runs; nothing here changes a result.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Threads; 0: one a processor.
    pub threads: usize,
    /// The share to run, if not all.
    pub shard: Option<Shard>,
}

/// What a run brought.
#[derive(Debug)]
pub struct RunReport {
    /// How the execution ended.
    pub execution: Execution,
    /// Replicates of its share that were there already.
    pub present: usize,
    /// Parts that could not be read; their replicates ran again.
    pub damaged: Vec<String>,
    /// The summary, if all replicates are there; not of a shard.
    pub summary: Option<Summary>,
    /// Checks of the summary.
    pub checks: Vec<CheckOutcome>,
}

impl Study {
    /// What the manifest of its run says.
    pub fn description(&self) -> Description<'_> {
        let header = &self.plan.file.study;
        Description {
            name: &header.name,
            text: &self.text,
            seed: header.seed,
            replicates: self.plan.replicates(),
            data: None,
            blas: blas::description(),
        }
    }
}

/// Prepares `out` for processes that are to run shards of a study: its manifest is written, and its lock given back.
///
/// # Errors
/// A run directory that cannot be used or written, or that another process works in.
pub fn prepare(study: &Study, out: &Path) -> Result<()> {
    RunDir::create(out, &study.description())?;
    Ok(())
}

/// Runs what is missing of a study in `out`, then summarises and checks it; a shard runs what is missing of its share, and
/// leaves summary and checks to [`merge`].
///
/// # Errors
/// A run directory that cannot be used or written; what is stored stays.
pub fn run(study: &Study, out: &Path, options: RunOptions) -> Result<RunReport> {
    blas::single_thread()?;
    let mut run = match options.shard {
        None => RunDir::create(out, &study.description())?,
        Some(shard) => RunDir::create_shard(out, shard, &study.description())?,
    };
    let plan = &study.plan;
    let (walked, mut running) = look(plan, &run)?;
    let mut present = 0;
    let mut tasks = Vec::new();
    // Replicate by replicate, so that cells fill evenly.
    for replicate in 0..plan.replicates() {
        for (cell, c) in plan.cells.iter().enumerate() {
            if options.shard.is_some_and(|s| plan.shard_of(cell, replicate, s.of()) != s.index()) {
                continue;
            }
            if walked.present.contains(&c.id, replicate) {
                present += 1;
            } else {
                tasks.push(Task { cell, replicate });
            }
        }
    }
    let damaged = walked.damaged.iter().map(ToString::to_string).collect();
    drop(walked);
    let execution = if tasks.is_empty() {
        Execution { done: 0, failures: 0, interrupted: false }
    } else {
        let work = |task: Task| {
            let row = run_replicate(plan, &plan.cells[task.cell], task.replicate);
            if row.outcome.is_failed() { TaskResult::Failed(row) } else { TaskResult::Done(row) }
        };
        let name = match options.shard {
            None => plan.file.study.name.clone(),
            Some(shard) => format!("{}, shard {shard}", plan.file.study.name),
        };
        let table = |rows: &[Row]| tabulate(&plan.file, rows);
        execute(&mut run, &name, &tasks, options.threads, work, table, &mut running)?
    };
    let mut report = RunReport { execution, present, damaged, summary: None, checks: Vec::new() };
    if !execution.interrupted {
        interrupt::all_stored();
        if options.shard.is_none() {
            let summarised = thread_pool(options.threads)?.install(|| summarise(study, &mut run));
            let (summary, checks) = summarised.map_err(|e| match e {
                // All replicates are stored: the same command has only to write what it finds.
                StudyError::Runner(source @ RunnerError::Io { .. }) => {
                    RunnerError::Stopped { stored: execution.done, source: Box::new(source) }.into()
                }
                other => other,
            })?;
            (report.summary, report.checks) = (Some(summary), checks);
        }
    }
    Ok(report)
}

/// What is there of a run, and how far its cells are.
///
/// # Errors
/// The parts cannot be read.
pub fn look<'a>(plan: &'a Plan, run: &RunDir) -> Result<(Walked, Running<'a>)> {
    let mut running = Running::new(plan);
    let walked = run.walk(&tabulate(&plan.file, &[]), |rows, _| running.add(rows))?;
    Ok((walked, running))
}

/// What is there of a run.
pub fn walk(run: &RunDir) -> Result<Walked> {
    run.walk(&columns_of(run)?, |_, _| Ok(()))
}

/// A table without rows that has the columns of a run's parts.
fn columns_of(run: &RunDir) -> Result<Table> {
    Ok(tabulate(&StudyFile::parse(&run.manifest()?.study)?, &[]))
}

/// Replicates that are missing, by shard of `of`.
pub fn missing_by_shard(plan: &Plan, present: &Present, of: u64) -> Vec<u64> {
    let mut missing = vec![0; of as usize];
    for (cell, c) in plan.cells.iter().enumerate() {
        for replicate in (0..plan.replicates()).filter(|&r| !present.contains(&c.id, r)) {
            missing[plan.shard_of(cell, replicate, of) as usize - 1] += 1;
        }
    }
    missing
}

/// The rows of a run, and the parts that could not be read.
pub fn read_rows(run: &RunDir) -> Result<(Table, Vec<RunnerError>)> {
    Ok(run.read_parts(&columns_of(run)?)?)
}

/// Summarises a run and runs its checks; its only writer writes summary.parquet and checks.json and merges small parts, a
/// reader writes nothing.
pub fn summarise(study: &Study, run: &mut RunDir) -> Result<(Summary, Vec<CheckOutcome>)> {
    blas::single_thread()?;
    let like = tabulate(&study.plan.file, &[]);
    let mut groups = Groups::new(&study.plan);
    let walked = run.walk(&like, |rows, _| groups.add(rows))?;
    let path = run.path().join("summary.parquet");
    let earlier = Table::read(&path).ok();
    let summary = Summary::new(groups, earlier.as_ref())?;
    let checks = run_checks(&study.plan.file, &summary)?;
    if !run.is_exclusive() {
        return Ok((summary, checks));
    }
    run.compact(&walked, &like)?;
    run.write_table("summary.parquet", &summary.to_table(&study.plan))?;
    let json = serde_json::to_string_pretty(&checks).map_err(std::io::Error::other);
    let json = json.map_err(RunnerError::io("write", &path))?;
    run.write_file("checks.json", (json + "\n").as_bytes())?;
    Ok((summary, checks))
}

/// A merged run.
#[derive(Debug)]
pub struct Merged {
    /// The study.
    pub study: Study,
    /// Its summary.
    pub summary: Summary,
    /// Its checks.
    pub checks: Vec<CheckOutcome>,
    /// Parts that could not be read.
    pub damaged: Vec<String>,
}

/// Unites the rows of runs of one study in `out` (which may be the only run), merges small parts, summarises and checks.
///
/// # Errors
/// Runs of different studies, `out` among them, or one that cannot be read or written.
pub fn merge(runs: &[PathBuf], out: &Path, threads: usize) -> Result<Merged> {
    blas::single_thread()?;
    let opened = runs.iter().map(|path| Ok(RunDir::open(path)?)).collect::<Result<Vec<_>>>()?;
    let Some(first) = opened.first() else { return Err(StudyError::bad("run", "none", "give at least one")) };
    let manifest = first.manifest()?;
    let mut study = Study::of_run(first)?;
    for one in &opened {
        let other = one.manifest()?;
        if (&other.study_sha256, other.seed) != (&manifest.study_sha256, manifest.seed) {
            let mend =
                format!("its study differs from that of {}; give runs of one study", first.path().display());
            return Err(StudyError::bad("run", one.path().display(), &mend));
        }
        if other.replicates > study.plan.replicates() {
            study = Study::of_run(one)?;
        }
    }
    if let Some(there) = Manifest::find(out)?
        && (&there.study_sha256, there.seed) != (&manifest.study_sha256, manifest.seed)
    {
        let reason = format!(
            "it is the run of study \"{}\" with another text or seed than that of \"{}\" in {}",
            there.name,
            manifest.name,
            first.path().display()
        );
        return Err(RunnerError::OtherRun { path: out.to_owned(), reason }.into());
    }
    let mut run = RunDir::create(out, &study.description())?;
    let like = tabulate(&study.plan.file, &[]);
    let mut walked = walk(&run)?;
    let mut damaged: Vec<String> = walked.damaged.iter().map(ToString::to_string).collect();
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    for other in opened.iter().filter(|r| !same(r.path(), out)) {
        let unread = run.absorb(other, &mut walked.present, &like)?;
        damaged.extend(unread.iter().map(ToString::to_string));
    }
    let (summary, checks) = thread_pool(threads)?.install(|| summarise(&study, &mut run))?;
    Ok(Merged { study, summary, checks, damaged })
}

/// Repeats one replicate of a cell; its row and every step of its fit.
pub fn rerun(study: &Study, cell: &str, replicate: u64) -> Result<(Row, Vec<TracePoint>)> {
    blas::single_thread()?;
    let cell = study.plan.find_cell(cell)?;
    let mut steps = Vec::new();
    let row = follow_replicate(&study.plan, cell, replicate, Some(&mut |step| steps.push(*step)));
    Ok((row, steps))
}
