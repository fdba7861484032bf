//! Studies on a real Slurm: the merged result of a job array whose tasks are killed is that of a local run.

#![cfg(test)]

#[path = "support/cluster.rs"]
mod cluster;
#[path = "support/place.rs"]
mod place;
#[path = "support/rows.rs"]
mod rows_of;

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Output};

use cluster::{Cluster, signal, wait};
use convstat::runner::{RunDir, Table};
use convstat::study::run::read_rows;
use place::message;
use rows_of::canonical;
use serde_json::Value;

/// Some twenty seconds on one processor.
const STUDY: &str = r#"
[study]
name = "on a cluster"
seed = 20201122
replicates = 250

[[setting]]
name = "A"
input = [8, 8, 3]
kernel = [3, 3, 3]
pool = [3, 3, 1]
structure = { kind = "cnn", kernels = 1 }

[[setting]]
name = "B"
input = [8, 8, 3]
kernel = [3, 3, 3]
pool = [3, 3, 1]
structure = { kind = "cp", rank = 2, kernels = 2 }

[samples]
n = [400, 1600, 6400]

[theory]
draws = 4
bounds = false

[[check]]
kind = "risk"
range = [0.07, 0.09]
"#;

const SHARDS: u64 = 4;

fn convstat(cluster: &Cluster, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = cluster.command(env!("CARGO_BIN_EXE_convstat"));
    command.current_dir(folder).env("NO_COLOR", "1").args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}; {errors}"))
}

fn rows(run: &Path) -> BTreeSet<String> {
    let (rows, damaged) = read_rows(&RunDir::open(run).unwrap()).unwrap();
    assert!(damaged.is_empty(), "{damaged:?}");
    let set = canonical(&rows);
    assert_eq!(set.len(), rows.rows(), "a replicate is stored twice");
    set
}

#[test]
#[expect(clippy::too_many_lines, reason = "one cluster from its start to its end")]
fn a_job_array_with_killed_tasks_gives_the_local_result() {
    let cluster = Cluster::start(SHARDS as usize);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("study.toml"), STUDY).unwrap();
    let name = "a run, 100% of it's";
    let submit = ["study", "submit", "study.toml", "--engine", "slurm", "--out", name, "--json"];
    let with = |more: &[&'static str]| [&submit[..], more].concat();
    let run = folder.join(name);
    let status = || json(&convstat(&cluster, folder, &["study", "status", name, "--json"]));
    let shard = |i: u64| status()["slurm"]["shards"][i as usize - 1].clone();

    // What cannot be, before anything is written.
    for (more, expected) in [
        (&["--shards", "4", "--time", "1"][..], "--time 00:01:00; a task is told to stop"),
        (&["--shards", "4", "--time", "soon"], "--time soon; write minutes"),
        (&["--shards", "4", "--sbatch=--array=1-9"], "--sbatch --array=1-9; convstat sets --array itself"),
        (&["--shards", "4", "--out", "back\\slash"], "a path that holds '\\\\'"),
        (&["--shards", "0"], "0 is not in 1..=1000000"),
    ] {
        let more = [&submit[..4], &["slurm"], more].concat();
        let output = convstat(&cluster, folder, &more);
        assert_eq!(output.status.code(), Some(2), "{more:?}");
        assert!(message(&output).contains(expected), "{more:?}: {}", message(&output));
    }
    let dry = json(&convstat(&cluster, folder, &with(&["--shards", "4", "--dry-run"])));
    assert!(!run.exists());
    assert_eq!(dry["would_submit"], serde_json::json!([1, 2, 3, 4]));
    let command = dry["dry_run"]["array_command"].as_str().unwrap();
    for part in
        ["--array=1-4", "--requeue", "--open-mode=append", "--time=00:10:00", "--mem=512M", "100%% of"]
    {
        assert!(command.contains(part), "no {part} in {command}");
    }

    // A refusal of Slurm's own is passed on, and leaves nothing behind that is in the way.
    let output = convstat(&cluster, folder, &with(&["--shards", "5000"]));
    assert!(message(&output).contains("below the cluster's MaxArraySize"), "{}", message(&output));
    let output = convstat(&cluster, folder, &with(&["--shards", "4", "--partition", "none"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("sbatch failed: sbatch: error: invalid partition specified"));
    assert!(!run.join("slurm.json").exists(), "no submission, no record");

    let submitted = json(&convstat(&cluster, folder, &with(&["--shards", "4", "--partition", "main"])));
    assert_eq!(submitted["submitted"], serde_json::json!([1, 2, 3, 4]));
    let array = submitted["array_job"].as_u64().unwrap();
    let record: Value = serde_json::from_slice(&std::fs::read(run.join("slurm.json")).unwrap()).unwrap();
    assert_eq!(record["submissions"].as_array().unwrap().len(), 1);
    let first = &record["submissions"][0];
    assert_eq!(
        (&first["array_job"], &first["indices"], &first["shards"]),
        (&array.into(), &"1-4".into(), &4.into())
    );

    // One task is killed and one told to stop, each with some of its replicates stored and some missing.
    let half_way = |i: u64| {
        let process = cluster.task_process(i)?;
        (shard(i)["done"].as_u64()? > 0).then_some(process)
    };
    let killed = wait("shard 2 to store replicates", 30, || half_way(2));
    signal("KILL", &[killed]);
    let stopped = wait("shard 3 to store replicates", 30, || half_way(3));
    signal("TERM", &[stopped]);

    // Another cut of the run, or another text, has to wait until no task is left.
    let output = convstat(&cluster, folder, &with(&["--shards", "3"]));
    assert_eq!(output.status.code(), Some(2));
    let said = message(&output);
    assert!(
        said.contains("--shards 3: shards") && said.contains("of 4 are still queued or running"),
        "{said}"
    );
    let output = convstat(&cluster, folder, &with(&["--shards", "4", "--replicates", "251"]));
    assert!(
        message(&output).contains("queued or running with another study text or number"),
        "{}",
        message(&output)
    );

    // The stopped task went back to the queue by itself; Slurm would let it wait two minutes, and needs a moment to forget
    // the credential of its first start.
    let task = format!("{array}_3");
    let waits = || (shard(3)["state"] == "PENDING").then_some(());
    wait("shard 3 to go back to the queue", 30, waits);
    let hurried = cluster.call("scontrol", &["update", &format!("jobid={task}"), "StartTime=now+4"]);
    assert!(hurried.status.success(), "{hurried:?}");

    // The killed task has failed, and alone is submitted again.
    let failed = wait("shard 2 to fail", 30, || Some(shard(2)).filter(|s| s["state"] == "FAILED"));
    assert_eq!(
        (&failed["exit_code"], &failed["source"]),
        (&Value::from(137), &Value::from("squeue")),
        "{failed}"
    );
    assert!(failed["last_line"].as_str().unwrap().contains("Killed"), "{failed}");
    assert!(
        failed["done"].as_u64() > Some(0) && failed["done"].as_u64() < failed["planned"].as_u64(),
        "{failed}"
    );
    let text = convstat(&cluster, folder, &["study", "status", name]);
    assert_eq!(text.status.code(), Some(3));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("FAILED (exit code 137)") && text.contains("next: submit again"), "{text}");
    // As the status advises, to the letter.
    let advice = text.lines().last().unwrap().trim();
    let program = env!("CARGO_BIN_EXE_convstat");
    let script = format!("convstat() {{ '{program}' \"$@\"; }}; {advice} --json");
    let again = json(&cluster.command("bash").args(["-c", &script]).output().unwrap());
    assert_eq!(again["submitted"], serde_json::json!([2]), "{again} {text}");
    let output = convstat(&cluster, folder, &with(&["--shards", "4"]));
    assert_eq!(json(&output)["submitted"], serde_json::json!([]));

    // The first merge job is replaced by one that follows both arrays.
    let done =
        wait("the merge job", 150, || Some(status()).filter(|s| s["slurm"]["merge"]["state"] == "COMPLETED"));
    assert_eq!(done["done"], done["planned"]);
    assert_eq!(done["slurm"]["merge"]["job"], again["merge_job"]);
    assert!(done["slurm"]["next"].as_str().unwrap().starts_with("nothing"), "{done}");
    let first = cluster.call("scontrol", &["show", "job", &submitted["merge_job"].to_string()]);
    assert!(String::from_utf8_lossy(&first.stdout).contains("JobState=CANCELLED"));
    let starts = |job: u64, i: u64| {
        let log = std::fs::read_to_string(run.join(format!("slurm/{job}_{i}.log"))).unwrap_or_default();
        log.lines().filter(|l| l.contains(&format!("shard {i} of 4 on"))).count()
    };
    assert_eq!([1, 2, 3, 4].map(|i| starts(array, i)), [1, 1, 2, 1]);
    let second = again["array_job"].as_u64().unwrap();
    assert_eq!([1, 2, 3, 4].map(|i| starts(second, i)), [0, 1, 0, 0]);

    // The same rows and the same summary as without Slurm.
    let local = convstat(&cluster, folder, &["study", "run", "study.toml", "--out", "local"]);
    assert!(local.status.success(), "{}", message(&local));
    assert_eq!(rows(&run), rows(&folder.join("local")));
    let summary = |run: &Path| canonical(&Table::read(&run.join("summary.parquet")).unwrap());
    assert_eq!(summary(&run), summary(&folder.join("local")));
    let checks = |run: &Path| std::fs::read_to_string(run.join("checks.json")).unwrap();
    assert_eq!(checks(&run), checks(&folder.join("local")));

    // Nothing is left to do; another cut is now allowed.
    let output = convstat(&cluster, folder, &with(&["--shards", "3"]));
    assert_eq!((output.status.code(), &json(&output)["missing_replicates"]), (Some(0), &Value::from(0)));

    let output = convstat(&cluster, folder, &[&submit[..7], &["--shards", "4", "--dry-run"]].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("no replicate is missing") && !text.contains("--array="), "{text}");

    // A controller that hangs: the status says so, soon.
    cluster.freeze_controller();
    let started = std::time::Instant::now();
    let silent = status();
    assert!(started.elapsed().as_secs() < 25, "{:?}", started.elapsed());
    assert!(silent["slurm"]["silent"].as_str().unwrap().contains("gave no answer in 10 s"), "{silent}");
    assert_eq!(silent["done"], done["done"]);
    let states: Vec<_> = (0..4).map(|i| silent["slurm"]["shards"][i]["state"].clone()).collect();
    if cluster.has_accounts() {
        // Accounts answer for themselves; shard 2 by its second task.
        assert_eq!(states, ["COMPLETED"; 4], "{silent}");
        assert_eq!(silent["slurm"]["shards"][1]["source"], "sacct");
        assert_eq!(silent["slurm"]["merge"]["state"], "COMPLETED");
    } else {
        assert_eq!(states, [Value::Null, Value::Null, Value::Null, Value::Null], "{silent}");
    }
}

#[test]
fn a_task_goes_back_to_the_queue_at_its_limit_but_not_when_it_is_cancelled() {
    let cluster = Cluster::start(2);
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    std::fs::write(folder.join("study.toml"), STUDY).unwrap();
    let submit =
        ["study", "submit", "study.toml", "--engine", "slurm", "--shards", "2", "--out", "run", "--json"];
    let array = json(&convstat(&cluster, folder, &submit))["array_job"].as_u64().unwrap();
    let status = || json(&convstat(&cluster, folder, &["study", "status", "run", "--json"]))["slurm"].clone();
    let stored = |i: usize| (status()["shards"][i - 1]["done"].as_u64()? > 0).then_some(());
    let log = |i: usize| std::fs::read_to_string(folder.join(format!("run/slurm/{array}_{i}.log"))).unwrap();
    let ends_as = |i: usize, state: &str| (status()["shards"][i - 1]["state"] == state).then_some(());

    // What --signal=B:USR1@S sends before the time limit.
    wait("shard 1 to store replicates", 30, || stored(1));
    let warned = cluster.call("scancel", &["--batch", "--signal=USR1", &format!("{array}_1")]);
    assert!(warned.status.success(), "{warned:?}");
    wait("shard 1 to go back to the queue", 30, || ends_as(1, "PENDING"));
    assert!(log(1).contains("all stored") && log(1).contains("back to the queue"), "{}", log(1));

    // Told to end once, not twice: it stores what it has.
    wait("shard 2 to store replicates", 30, || stored(2));
    let cancelled = cluster.call("scancel", &[&array.to_string()]);
    assert!(cancelled.status.success(), "{cancelled:?}");
    for i in [1, 2] {
        wait("the end of a cancelled task", 30, || ends_as(i, "CANCELLED"));
    }
    wait("the end of its program", 30, || cluster.task_process(2).is_none().then_some(()));
    assert!(log(2).contains("all stored") && !log(2).contains("back to the queue"), "{}", log(2));

    // The merge job runs all the same, and says which shards are incomplete.
    let merge =
        wait("the merge job", 60, || Some(status()["merge"].clone()).filter(|m| m["state"] == "FAILED"));
    assert!(merge["last_line"].as_str().unwrap().contains("missing"), "{merge}");
    assert!(status()["command"].as_str().unwrap().contains("study submit"));
}

#[test]
fn without_slurm_the_submission_says_so_and_the_dry_run_works() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("study.toml"), STUDY).unwrap();
    let convstat = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convstat"));
        command.current_dir(place.path()).env("PATH", "/nonexistent").env("NO_COLOR", "1");
        command
            .args(["study", "submit", "study.toml", "--shards", "2", "--out", "run"])
            .args(more)
            .output()
            .unwrap()
    };
    let output = convstat(&["--engine", "slurm"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("sbatch is not in PATH"), "{}", message(&output));
    assert!(!place.path().join("run").exists());
    let output = convstat(&["--engine", "slurm", "--dry-run"]);
    assert_eq!(output.status.code(), Some(0), "{}", message(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("--shard \"$SLURM_ARRAY_TASK_ID/2\"") && text.contains("--array=1-2"), "{text}");
    // Programs that are there and do not work: nothing is written.
    let programs = place.path().join("programs");
    std::fs::create_dir(&programs).unwrap();
    for name in ["sbatch", "squeue"] {
        let path = programs.join(name);
        std::fs::write(&path, "#!/bin/sh\necho 'error: no controller' >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_convstat"));
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
    command.current_dir(place.path()).env("PATH", path).env("NO_COLOR", "1");
    let submit = ["study", "submit", "study.toml", "--shards", "2", "--out", "run", "--engine", "slurm"];
    let output = command.args(submit).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("squeue failed: error: no controller"), "{}", message(&output));
    assert!(!place.path().join("run").exists());
    let output = convstat(&["--engine", "pbs"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("possible values: slurm"), "{}", message(&output));
}
