//! `convstat study submit`

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use convstat::prelude::*;
use convstat::runner::slurm::{
    self, DryRun, Job, Layout, Queue, Record, Resources, Submitted, client, command_line, parse_time,
};
use convstat::runner::{Present, RunDir, slurm::quoted};
use convstat::study::estimate_cost::{Cost, estimate_cost};
use convstat::study::run::{missing_by_shard, prepare, walk};

use super::input::StudyInput;
use super::resources::memory;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// The estimate is from a few replicates on the machine that submits: nodes may be slower, and shards uneven.
const TIME_FACTOR: f64 = 3.0;
/// Below this a limit is no help to the scheduler.
const LEAST_TIME: u64 = 600;
const MEMORY_FACTOR: f64 = 2.0;
const LEAST_MEMORY: u64 = 512;

/// What runs the shards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// A job array of a cluster under Slurm
    Slurm,
}

/// `study submit`.
#[derive(Debug, Args)]
pub struct Submit {
    #[command(flatten)]
    input: StudyInput,
    /// What runs the shards
    #[arg(long, value_enum)]
    engine: Engine,
    /// Tasks to cut the run into
    #[arg(long, value_name = "M", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    shards: u64,
    /// Run directory, on a file system that all nodes share (default runs/NAME)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Partition (default: the cluster's)
    #[arg(long)]
    partition: Option<String>,
    /// Account (default: yours)
    #[arg(long)]
    account: Option<String>,
    /// Time limit of a task: minutes, HH:MM:SS or D-HH:MM:SS (default: three times what study plan estimates, at least 10
    /// minutes)
    #[arg(long)]
    time: Option<String>,
    /// Memory of a task in MiB (default: twice what study plan estimates, at least 512)
    #[arg(long, value_name = "MIB")]
    mem: Option<u64>,
    /// Threads, and processors, of a task
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1024))]
    threads: u64,
    /// A further option of sbatch, as in --sbatch=--qos=long; may be given several times
    #[arg(long, value_name = "OPTION", allow_hyphen_values = true)]
    sbatch: Vec<String>,
    /// Print scripts and commands, and submit nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// What becomes of each shard.
struct Shards {
    /// To submit now.
    submit: Vec<u64>,
    /// Queued or running already.
    alive: Vec<u64>,
    /// Replicates that are missing.
    missing: u64,
}

/// Whether the manifest at `out` is that of this study.
fn is_described(study: &Study, out: &Path) -> bool {
    let manifest = RunDir::open(out).and_then(|run| run.manifest());
    manifest.is_ok_and(|m| m.study == study.text && m.replicates == study.plan.replicates())
}

impl Submit {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let Engine::Slurm = self.engine;
        let study = self.input.study()?;
        let out = self.input.out(self.out.as_ref(), &study);
        let out = std::path::absolute(&out)
            .map_err(|e| Failure::new(format!("--out {}: {e}; give a folder", out.display())))?;
        let layout = Layout::new(&out)?;
        if !self.dry_run {
            client::find("sbatch")?;
            // A Slurm that does not work is found out before there is a folder.
            slurm::state::arrays_named(&study.plan.file.study.name).map_err(|e| {
                Failure::from(e).help(
                    "nothing is submitted or written: submit where Slurm answers; --dry-run prints the scripts without it",
                )
            })?;
        }
        let cost = estimate_cost(&study.plan)?;
        let resources = self.resources(&cost)?;
        let job = self.job(&study, &out, &layout)?;
        let _lock = if self.dry_run { None } else { Some(layout.lock()?) };
        let mut record = Record::read(&out)?;
        if self.dry_run && client::find("squeue").is_err() {
            // What is queued is not known then, and nothing is submitted.
            record = None;
        }
        let mut queue = Queue::default();
        if let Some(record) = &mut record {
            record.complete()?;
            queue = slurm::query(record);
            if let Some(reason) = &queue.silent {
                let message = format!("which tasks of {} are queued is not known: {reason}", out.display());
                return Err(Failure::new(message));
            }
        }
        let shards = self.shards(&study, &out, &layout, record.as_ref(), &queue)?;
        if self.dry_run && !shards.submit.is_empty() {
            return self.show(&shards, &DryRun::new(&layout, &job, &shards.submit, &resources));
        }
        if shards.submit.is_empty() {
            return self.nothing(&out, &shards);
        }
        // A merge job that runs holds the lock, and the array waits for it.
        let is_merging = record.as_ref().is_some_and(|r| !queue.merges(r).1.is_empty());
        if shards.alive.is_empty() && !(is_merging && is_described(&study, &out)) {
            prepare(&study, &out)?;
        }
        let run = RunDir::open(&out)?;
        run.write_file("slurm/study.toml", study.text.as_bytes())?;
        let submitted = slurm::submit(&run, &layout, &job, &shards.submit, &resources, record, &queue)?;
        self.report(&out, &shards, &resources, &submitted)
    }

    /// Time and memory asked for, or estimated.
    fn resources(&self, cost: &Cost) -> Result<Resources, Failure> {
        let share = cost.cpu_seconds / self.shards.min(cost.replicates).max(1) as f64 / self.threads as f64;
        // A shard is at least one replicate long.
        let estimated = TIME_FACTOR * share.max(cost.longest_replicate);
        let time = match &self.time {
            Some(text) => parse_time(text)?,
            None => (estimated.ceil() as u64).max(LEAST_TIME).div_ceil(60) * 60,
        };
        let estimated = MEMORY_FACTOR * memory(cost, self.threads as usize) / f64::from(1u32 << 20);
        let memory = self.mem.unwrap_or((estimated.ceil() as u64).max(LEAST_MEMORY));
        let resources = Resources {
            partition: self.partition.clone(),
            account: self.account.clone(),
            time,
            warning: Resources::warning_for(cost.longest_replicate, time),
            memory,
            threads: self.threads as usize,
            options: self.sbatch.clone(),
        };
        resources.check()?;
        Ok(resources)
    }

    /// The commands of the jobs: this program, with absolute paths.
    fn job(&self, study: &Study, out: &Path, layout: &Layout) -> Result<Job, Failure> {
        let program = std::env::current_exe()
            .map_err(|e| Failure::new(format!("where this program is installed is not known: {e}")))?;
        let text = |path: &Path| {
            let text = path.to_str().map(str::to_owned);
            text.ok_or_else(|| Failure::new(format!("{}: scripts need a path in UTF-8", path.display())))
        };
        let mut command = vec![text(&program)?];
        let limit = convstat::tensor::memory::limit() as f64 / f64::from(1u32 << 30);
        command.extend(["--memory".to_owned(), limit.to_string(), "study".to_owned()]);
        let with = |arguments: &[&str]| {
            [command.clone(), arguments.iter().map(ToString::to_string).collect()].concat()
        };
        let replicates = study.plan.replicates();
        let (file, out) = (text(&layout.file("study.toml"))?, text(out)?);
        Ok(Job {
            name: study.plan.file.study.name.clone(),
            task: with(&["run", &file, "--replicates", &replicates.to_string(), "--out", &out]),
            merge: with(&["merge", &out]),
            shards: self.shards,
            replicates,
        })
    }

    /// Shards that miss replicates, those of them that wait or run left out.
    fn shards(
        &self,
        study: &Study,
        out: &Path,
        layout: &Layout,
        record: Option<&Record>,
        queue: &Queue,
    ) -> Result<Shards, Failure> {
        let alive = record.map(|r| queue.alive(r)).unwrap_or_default();
        let numbers = |shards: &[(u64, u64)]| {
            let numbers: Vec<u64> = shards.iter().map(|s| s.0).collect();
            slurm::ranges::ranges(&numbers)
        };
        if let Some(&(_, of)) = alive.iter().find(|(_, of)| *of != self.shards) {
            let message = format!(
                "--shards {}: shards {} of {of} are still queued or running in {}",
                self.shards,
                numbers(&alive),
                out.display()
            );
            let help = format!("give --shards {of}, or wait for them, or cancel them with scancel");
            return Err(Failure::new(message).help(help));
        }
        let file = layout.file("study.toml");
        let replicates = record.and_then(|r| r.submissions.last()).map(|s| s.replicates);
        let is_other = std::fs::read_to_string(&file).is_ok_and(|text| text != study.text)
            || replicates != Some(study.plan.replicates());
        if !alive.is_empty() && is_other {
            let message = format!(
                "shards {} in {} are queued or running with another study text or number of replicates ({})",
                numbers(&alive),
                out.display(),
                file.display()
            );
            let help = format!(
                "wait for them, or cancel them with scancel, or submit that file with --replicates {}, or give another --out",
                replicates.unwrap_or_default()
            );
            return Err(Failure::new(message).help(help));
        }
        let present = if out.join("manifest.json").exists() {
            walk(&RunDir::open(out)?)?.present
        } else {
            Present::default()
        };
        let missing = missing_by_shard(&study.plan, &present, self.shards);
        let alive: Vec<u64> = alive.iter().map(|a| a.0).collect();
        let misses = |i: &u64| missing[*i as usize - 1] > 0 && !alive.contains(i);
        Ok(Shards {
            submit: (1..=self.shards).filter(misses).collect(),
            alive,
            missing: missing.iter().sum(),
        })
    }

    fn show(&self, shards: &Shards, dry: &DryRun) -> Result<Status, Failure> {
        if self.json {
            print_json(
                &serde_json::json!({ "submitted": [], "would_submit": shards.submit, "dry_run": dry }),
            )?;
        } else {
            print(&format!(
                "# slurm/array.sh\n{}\n# slurm/merge.sh\n{}\n# submitted by\n{}\n{}\n",
                dry.array_script, dry.merge_script, dry.array_command, dry.merge_command
            ))?;
        }
        eprintln!("dry run: nothing is submitted");
        Ok(Status::Done)
    }

    fn nothing(&self, out: &Path, shards: &Shards) -> Result<Status, Failure> {
        let summary = if shards.missing == 0 {
            "no replicate is missing: nothing to submit".to_owned()
        } else {
            let alive = slurm::ranges::ranges(&shards.alive);
            format!(
                "the {} missing replicates are of shards that are queued or running already: {alive}",
                shards.missing
            )
        };
        let next = if shards.missing == 0 { "merge" } else { "status" };
        if self.json {
            print_json(&serde_json::json!({
                "run": out, "shards": self.shards, "submitted": [], "queued": shards.alive,
                "missing_replicates": shards.missing,
            }))?;
        } else {
            print(&format!("{summary}\nconvstat study {next} {}\n", quoted(&out.display().to_string())))?;
        }
        Ok(Status::Done)
    }

    fn report(
        &self,
        out: &Path,
        shards: &Shards,
        resources: &Resources,
        submitted: &Submitted,
    ) -> Result<Status, Failure> {
        let status = match &submitted.merge {
            Ok(_) => Status::Done,
            Err(reason) => {
                eprintln!(
                    "warning: the array is submitted, the merge job is not ({reason}); when the tasks are done: convstat \
                     study merge {}",
                    quoted(&out.display().to_string())
                );
                Status::Partly
            }
        };
        if self.json {
            print_json(&serde_json::json!({
                "run": out, "shards": self.shards, "submitted": shards.submit, "queued": shards.alive,
                "missing_replicates": shards.missing, "array_job": submitted.array,
                "merge_job": submitted.merge.as_ref().ok(), "resources": resources,
            }))?;
            return Ok(status);
        }
        let merge = submitted.merge.as_ref().map_or("none".to_owned(), ToString::to_string);
        print(&format!(
            "shards {} of {} submitted as job array {}; merge job {merge} follows them\neach task: {}{}\na task stops {} s before \
             its time limit and goes back to the queue\nlook: convstat study status {}\n",
            slurm::ranges::ranges(&shards.submit),
            self.shards,
            submitted.array,
            command_line(&resources.arguments()),
            if self.time.is_none() { " (time: 3 times the estimate, at least 10 minutes)" } else { "" },
            resources.warning,
            quoted(&out.display().to_string()),
        ))?;
        Ok(status)
    }
}
