//! Tests that break things: kills, signals, full and read-only disks, damaged files, several processes, other BLAS kernels,
//! many cells. Short in `make test`, long in `scripts/test-all.sh kills`.

#![cfg(test)]

#[path = "support/long.rs"]
mod long;
#[path = "support/rows.rs"]
mod rows_of;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use convstat::prelude::*;
use convstat::runner::{Column, RunDir, RunnerError, Table};
use convstat::study::{self, RunOptions, row::tabulate};
use long::{row, size};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rows_of::canonical;

/// A row of the table "kills" of docs/src/reliability.md.
fn figure(what: &str, value: &str) {
    row("kills", &[what, value]);
}

/// Thousands of fits of a millisecond, with real data sets and with the exact law.
fn study_text(replicates: usize) -> String {
    format!(
        r#"[study]
name = "soak"
seed = 3
replicates = {replicates}
[theory]
bounds = false
designs = 2
[[setting]]
name = "A"
input = [8, 8, 3]
kernel = [3, 3, 3]
pool = [3, 3, 1]
structure = {{ kind = "cnn", kernels = 2 }}
[[setting]]
name = "B"
input = [6, 4]
kernel = [2, 2]
pool = [2, 3]
structure = {{ kind = "cnn", kernels = 2, outputs = 2 }}
[[design]]
kind = "normal"
[[design]]
kind = "normal-exact"
[samples]
n = [40, 400]
"#
    )
}

struct Place {
    folder: tempfile::TempDir,
    rng: ChaCha8Rng,
}

impl Place {
    fn new(replicates: usize) -> Self {
        convstat::tensor::blas::single_thread().unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("s.toml"), study_text(replicates)).unwrap();
        Self { folder, rng: ChaCha8Rng::seed_from_u64(20_201_122) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convstat"));
        command.current_dir(self.folder.path()).env("NO_COLOR", "1").args(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        text(&output.stdout)
    }

    /// An uninterrupted run of the same study.
    fn whole(&self) -> BTreeSet<String> {
        self.ok(&["study", "run", "s.toml", "--out", "whole"]);
        canonical(&self.rows("whole"))
    }

    fn rows(&self, run: &str) -> Table {
        let (rows, damaged) = study::run::read_rows(&RunDir::open(&self.path(run)).unwrap()).unwrap();
        assert!(damaged.is_empty(), "{damaged:?}");
        rows
    }

    /// Rows of all parts as they lie there, those that stand twice too.
    fn raw_rows(&self, run: &str) -> usize {
        let parts = files(&self.path(run).join("parts"), "parquet");
        parts.iter().map(|p| Table::read(p).unwrap().rows()).sum()
    }

    /// Ends a child at a random moment within `most`.
    fn end_at_random(&mut self, mut child: Child, signal: &str, most: Duration) -> (ExitStatus, String) {
        std::thread::sleep(most.mul_f64(self.rng.random::<f64>()));
        let _ = Command::new("kill").args([signal, &child.id().to_string()]).stderr(Stdio::null()).status();
        let started = Instant::now();
        while child.try_wait().unwrap().is_none() {
            assert!(started.elapsed() < Duration::from_secs(60), "{signal} does not end it");
            std::thread::sleep(Duration::from_millis(2));
        }
        let output = child.wait_with_output().unwrap();
        (output.status, text(&output.stderr))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut files: Vec<PathBuf> = entries.filter(|p| p.extension().is_some_and(|e| e == extension)).collect();
    files.sort();
    files
}

/// Seconds of every replicate: a replicate that ran again has others.
fn seconds(table: &Table) -> HashMap<(String, i64), u64> {
    if table.rows() == 0 {
        return HashMap::new();
    }
    let keys =
        table.texts("cell").unwrap().iter().cloned().zip(table.ints("replicate").unwrap().iter().copied());
    keys.zip(table.floats("seconds").unwrap().iter().map(|s| s.to_bits())).collect()
}

#[test]
fn a_run_killed_again_and_again_loses_nothing() {
    let mut place = Place::new(size(400, 1500));
    let whole = place.whole();
    let kills = size(10, 300);
    let (mut done, mut completed, mut lost, mut twice) = (0, 0, 0, 0);
    let mut before = HashMap::new();
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    while done < kills {
        // Mostly kills, and the signals that a user and a cluster send.
        let signal = ["-KILL", "-KILL", "-INT", "-TERM"][place.rng.random_range(0..4)];
        let child = place.command(&["study", "run", "s.toml", "--out", "run"]).spawn().unwrap();
        let (status, stderr) = place.end_at_random(child, signal, Duration::from_millis(1500));
        if status.success() {
            assert_eq!(canonical(&place.rows("run")), whole);
            assert_eq!(place.raw_rows("run"), whole.len());
            completed += 1;
            fs::remove_dir_all(place.path("run")).unwrap();
            before.clear();
            continue;
        }
        done += 1;
        assert!(!stderr.contains("panicked"), "{stderr}");
        if signal != "-KILL" {
            // Before the handler stands, a signal ends the process as it does any.
            assert!(status.code() == Some(3) || status.code().is_none(), "{signal}: {status:?} {stderr}");
            assert!(status.code().is_none() || stderr.contains("the same command"), "{stderr}");
        }
        *codes.entry(format!("{signal} {:?}", status.code())).or_default() += 1;
        if !place.path("run").join("manifest.json").exists() {
            continue;
        }
        let now = seconds(&place.rows("run"));
        lost += before.keys().filter(|k| !now.contains_key(*k)).count();
        twice += before.iter().filter(|(k, s)| now.get(*k).is_some_and(|n| n != *s)).count();
        before = now;
    }
    println!("{codes:?}");
    assert_eq!((lost, twice), (0, 0));
    place.ok(&["study", "run", "s.toml", "--out", "run"]);
    assert_eq!(canonical(&place.rows("run")), whole);
    assert_eq!(place.raw_rows("run"), whole.len());
    figure("kills and signals at random moments of a run", &kills.to_string());
    figure(
        "runs completed between them, each identical to an uninterrupted one",
        &(completed + 1).to_string(),
    );
    figure("stored replicates lost; run again", &format!("{lost}; {twice}"));
}

#[test]
fn shards_killed_again_and_again_lose_nothing() {
    let mut place = Place::new(size(300, 1000));
    let whole = place.whole();
    let rounds = size(4, 60);
    let names = ["1/3", "2/3", "3/3"];
    let (mut kills, mut unions) = (0, 0);
    for round in 0..rounds {
        let children: Vec<Child> = names
            .iter()
            .map(|s| {
                let arguments = ["study", "run", "s.toml", "--out", "run", "--shard", s, "--threads", "1"];
                place.command(&arguments).spawn().unwrap()
            })
            .collect();
        // In the last round all may finish.
        let most = if round + 1 == rounds { Duration::from_secs(60) } else { Duration::from_millis(700) };
        for child in children {
            if round + 1 == rounds {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", text(&output.stderr));
            } else {
                let (status, stderr) = place.end_at_random(child, "-KILL", most);
                assert!(!stderr.contains("panicked") && !stderr.contains('×'), "{stderr}");
                kills += usize::from(!status.success());
            }
        }
        let output = place.run(&["study", "merge", "run"]);
        let complete = canonical(&place.rows("run")) == whole;
        assert_eq!(output.status.code(), Some(if complete { 0 } else { 3 }), "{}", text(&output.stderr));
        assert!(canonical(&place.rows("run")).is_subset(&whole));
        assert_eq!(place.raw_rows("run"), place.rows("run").rows(), "no row stands twice");
        if complete && round + 1 < rounds {
            unions += 1;
            fs::remove_dir_all(place.path("run")).unwrap();
        }
    }
    assert_eq!(canonical(&place.rows("run")), whole);
    let summary = |run: &str| canonical(&Table::read(&place.path(run).join("summary.parquet")).unwrap());
    assert_eq!(summary("run"), summary("whole"));
    figure("kills of three shards in one folder", &kills.to_string());
    figure("their unions, each identical to a run without shards", &(unions + 1).to_string());
}

/// The child of `acknowledged_rows_survive_kills`: writes rows one by one, a part each, and says so.
#[test]
fn writer() {
    let (Some(folder), Some(first)) =
        (std::env::var_os("CONVSTAT_WRITER"), std::env::var("CONVSTAT_FIRST").ok())
    else {
        return;
    };
    let study = Study::new(&study_text(1), &Overrides::default()).unwrap();
    let mut run = RunDir::create(Path::new(&folder), &study.description()).unwrap();
    let mut row = study::run_replicate(&study.plan, &study.plan.cells[0], 0);
    let mut out =
        std::fs::File::options().append(true).open(Path::new(&folder).join("acknowledged")).unwrap();
    for replicate in first.parse::<u64>().unwrap().. {
        row.replicate = replicate;
        run.write_part(&tabulate(&study.plan.file, std::slice::from_ref(&row))).unwrap();
        writeln!(out, "{replicate}").unwrap();
    }
}

#[test]
fn acknowledged_rows_survive_kills() {
    let mut place = Place::new(1);
    let kills = size(10, 200);
    let run = place.path("run");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("acknowledged"), "").unwrap();
    let last = || fs::read_to_string(run.join("acknowledged")).unwrap().lines().count() as i64;
    let mut found = BTreeSet::new();
    // A kill may come before the writer has begun.
    let study = Study::new(&study_text(1), &Overrides::default()).unwrap();
    drop(RunDir::create(&run, &study.description()).unwrap());
    for _ in 0..kills {
        let first = found.last().map_or(0, |l: &i64| l + 1);
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "writer", "--nocapture"])
            .env("CONVSTAT_WRITER", &run)
            .env("CONVSTAT_FIRST", first.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        place.end_at_random(child, "-KILL", Duration::from_millis(500));
        let replicates = |table: &Table| -> BTreeSet<i64> {
            if table.rows() == 0 {
                BTreeSet::new()
            } else {
                table.ints("replicate").unwrap().iter().copied().collect()
            }
        };
        let rows = place.rows("run");
        found = replicates(&rows);
        assert_eq!(found.len(), rows.rows(), "a row stands twice");
        assert_eq!(found.last().map_or(0, |l| l + 1), found.len() as i64, "a row is missing");
        // One more may be stored than was acknowledged.
        assert!(found.len() as i64 >= last() && found.len() as i64 <= last() + i64::from(kills));
    }
    // What a kill in the middle of merging left is put in order by the next writer.
    let writer = RunDir::take(&run).unwrap();
    writer.walk(&tabulate(&study.plan.file, &[]), |_, _| Ok::<_, RunnerError>(())).unwrap();
    assert_eq!(place.raw_rows("run"), found.len());
    assert!(files(&run.join("parts"), "tmp").is_empty());
    figure("kills of a writer that merges parts all the time", &kills.to_string());
    figure("rows it had acknowledged; lost; twice", &format!("{}; 0; 0", last()));
}

#[test]
fn damaged_files_are_noticed_and_their_replicates_run_again() {
    let mut place = Place::new(60);
    let whole = place.whole();
    let times = size(24, 1500);
    let study = Study::new(&study_text(60), &Overrides::default()).unwrap();
    let summary = |run: &Path| canonical(&Table::read(&run.join("summary.parquet")).unwrap());
    let expected = summary(&place.path("whole"));
    let (mut flipped, mut cut, mut refused) = (0, 0, 0);
    for round in 0..times {
        let run = place.path("run");
        if !run.exists() {
            let good = RunDir::create(&run, &study.description());
            let mut good = good.unwrap();
            let rows = place.rows("whole");
            for chunk in 0..4 {
                let keep: Vec<bool> = (0..rows.rows()).map(|i| i % 4 == chunk).collect();
                good.write_part(&rows.filter(&keep)).unwrap();
            }
            drop(good);
            fs::copy(place.path("whole").join("summary.parquet"), run.join("summary.parquet")).unwrap();
        }
        let mut victims = files(&run.join("parts"), "parquet");
        victims.extend([run.join("manifest.json"), run.join("summary.parquet")]);
        let victim = victims[place.rng.random_range(0..victims.len())].clone();
        let good = fs::read(&victim).unwrap();
        let mut bad = good.clone();
        if place.rng.random::<f64>() < 0.7 {
            let at = place.rng.random_range(0..bad.len());
            bad[at] ^= 1 << place.rng.random_range(0..8);
            flipped += 1;
        } else {
            bad.truncate(place.rng.random_range(0..bad.len()));
            cut += 1;
        }
        fs::write(&victim, &bad).unwrap();
        match study::run(&study, &run, RunOptions { threads: 2, shard: None }) {
            Ok(report) => {
                let is_part = victim.starts_with(run.join("parts"));
                assert_eq!(report.damaged.len(), usize::from(is_part), "round {round}: {}", victim.display());
                assert!(!is_part || report.execution.done > 0);
            }
            Err(e) => {
                // A changed manifest is never believed: with the right one all is as it was.
                assert!(victim.ends_with("manifest.json"), "{}: {e}", victim.display());
                let message = e.to_string();
                assert!(message.contains("manifest") || message.contains("format version"), "{message}");
                refused += 1;
                fs::write(&victim, &good).unwrap();
                study::run(&study, &run, RunOptions { threads: 2, shard: None }).unwrap();
            }
        }
        assert_eq!(canonical(&place.rows("run")), whole, "round {round}: {}", victim.display());
        assert_eq!(summary(&run), expected, "round {round}: {}", victim.display());
        if place.rng.random::<f64>() < 0.3 {
            fs::remove_dir_all(&run).unwrap();
        }
    }
    figure("bits flipped in parts, manifest and summary", &flipped.to_string());
    figure("files of a run cut off at random", &cut.to_string());
    figure("changes that went unnoticed", "0");
    assert!(refused > 0);
}

#[test]
fn one_process_writes_in_a_run_directory_until_it_ends() {
    let place = Place::new(20_000);
    let arguments = ["study", "run", "s.toml", "--out", "run"];
    let rounds = size(2, 30);
    for round in 0..rounds {
        let mut first = place.command(&arguments).spawn().unwrap();
        let started = Instant::now();
        while !place.path("run/.locks/run").exists() {
            assert!(started.elapsed() < Duration::from_secs(30));
            std::thread::sleep(Duration::from_millis(5));
        }
        std::thread::sleep(Duration::from_millis(100));
        let shard = ["study", "run", "s.toml", "--out", "run", "--shard", "1/2"];
        let seconds = [&arguments[..], &["study", "merge", "run"], &shard];
        // A shard waits a while for one that is just starting: once is enough.
        for second in &seconds[..if round == 0 { 3 } else { 2 }] {
            let output = place.run(second);
            assert_eq!(output.status.code(), Some(2), "{second:?}");
            assert!(
                text(&output.stderr).contains("another process is working in"),
                "{}",
                text(&output.stderr)
            );
        }
        assert!(place.run(&["study", "status", "run"]).status.code() == Some(3), "readers may read");
        first.kill().unwrap();
        first.wait().unwrap();
    }
    // The lock has gone with its process, whatever files it left.
    let mut next = place.command(&arguments).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    Command::new("kill").args(["-TERM", &next.id().to_string()]).status().unwrap();
    assert_eq!(next.wait().unwrap().code(), Some(3));
    figure("second processes refused while a first one writes", &rounds.to_string());
}

/// Runs a script in a namespace with a small file system at `small`; none where the system forbids it.
fn with_small_disk(place: &Place, kilobytes: usize, script: &str) -> Option<Output> {
    let small = place.path("small");
    fs::create_dir_all(&small).unwrap();
    let mount = format!("mount -t tmpfs -o size={kilobytes}k none {0:?} && cd {0:?}", small.display());
    for flags in ["-m", "-rm"] {
        let allowed =
            Command::new("unshare").args([flags, "sh", "-c", &mount]).stderr(Stdio::null()).status();
        if allowed.is_ok_and(|s| s.success()) {
            let mut command = Command::new("unshare");
            command.args([flags, "sh", "-c", &format!("{mount} && {script}")]).env("NO_COLOR", "1");
            return Some(command.output().unwrap());
        }
    }
    None
}

/// Runs a script's first command with files of a limited size, the others without the limit.
fn with_small_files(place: &Place, kilobytes: usize, script: &str) -> Output {
    let (first, rest) = script.split_once(';').unwrap();
    let limited = format!("(trap '' XFSZ; ulimit -f {}; {first})", 2 * kilobytes);
    let small = place.path("small");
    let _ = fs::remove_dir_all(small.join("run"));
    fs::create_dir_all(&small).unwrap();
    fs::write(small.join("ballast"), "").unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{limited}; {rest}")])
        .current_dir(small)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

#[test]
fn a_full_disk_stops_the_run_and_loses_nothing() {
    let place = Place::new(400);
    let whole = place.whole();
    // It fills up while the run goes on; when there is room again, the same command goes on.
    let script = format!(
        "{program} study run {study} --out run; echo \"first $?\" >&2; df . >&2; rm ballast; \
         {program} study run {study} --out run; echo \"second $?\" >&2; cp -r run {out}",
        program = env!("CARGO_BIN_EXE_convstat"),
        study = place.path("s.toml").display(),
        out = place.path("run").display(),
    );
    let rounds = size(2, 20);
    let mut refused = 0;
    for round in 0..rounds {
        let _ = fs::remove_dir_all(place.path("run"));
        let room = 40 + 15 * round;
        let full = format!("head -c {}k /dev/zero > ballast; {script}", 4096 - room);
        let (output, reason) = match with_small_disk(&place, 4096, &full) {
            Some(output) => (output, "No space left on device"),
            // Where no one may mount one: files may not grow beyond some kilobytes, which fails in the same place.
            None => (with_small_files(&place, 8 + 8 * round, &script), "File too large"),
        };
        let stderr = text(&output.stderr);
        assert!(!stderr.contains("panicked") && stderr.contains("second 0"), "{stderr}");
        assert_eq!(canonical(&place.rows("run")), whole);
        if stderr.contains("first 0") {
            continue;
        }
        refused += 1;
        // Messages are wrapped to the width of the terminal.
        let flat = stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
        assert!(flat.contains(reason), "{stderr}");
        let stored = stderr.contains("first 3") && stderr.contains("which are stored");
        // Code 2: there was no room from the start.
        assert!(stored || stderr.contains("first 2"), "{stderr}");
        assert!(
            !stored || stderr.contains("replicates were there already") || stderr.contains("stopped after 0"),
            "{stderr}"
        );
    }
    assert!(refused > 0, "the disk never filled");
    figure("runs on a disk that filled up, completed when there was room", &refused.to_string());
}

#[test]
fn a_directory_that_becomes_read_only_stops_the_run_and_loses_nothing() {
    let place = Place::new(700);
    let whole = place.whole();
    // Root may write everywhere: as another user then, with a program that it can reach.
    let is_root = fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let program = place.path("convstat");
    fs::copy(env!("CARGO_BIN_EXE_convstat"), &program).unwrap();
    for path in [place.path(""), program.clone(), place.path("s.toml")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    }
    let run = |arguments: &[&str]| {
        let mut command = if is_root {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command.current_dir(place.path("")).args(arguments).env("NO_COLOR", "1");
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let arguments = ["study", "run", "s.toml", "--out", "run"];
    let child = run(&arguments);
    let parts = place.path("run/parts");
    let started = Instant::now();
    while files(&parts, "parquet").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no part appears");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mode = |mode| fs::set_permissions(&parts, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o555);
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("Permission denied") && stderr.contains("which are stored"), "{stderr}");
    // From the start.
    let output = run(&arguments).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("cannot write in"), "{}", text(&output.stderr));
    mode(0o755);
    let output = run(&arguments).wait_with_output().unwrap();
    assert!(output.status.success() && text(&output.stderr).contains("were there already"));
    assert_eq!(canonical(&place.rows("run")), whole);
    figure("directories made read-only in the middle of a run; replicates lost", "1; 0");
}

#[test]
fn other_blas_kernels_agree_up_to_the_stated_rounding() {
    let place = Place::new(size(25, 250));
    place.ok(&["study", "run", "s.toml", "--out", "run"]);
    let verify = |kernel: Option<&str>| -> serde_json::Value {
        let mut command = place.command(&["study", "verify", "run", "--share", "1", "--json"]);
        kernel.map(|k| command.env("OPENBLAS_CORETYPE", k));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{kernel:?}: {}", text(&output.stdout));
        serde_json::from_str(&text(&output.stdout)).unwrap()
    };
    let found = verify(None);
    let count = |v: &serde_json::Value, key: &str| v["verification"][key].as_u64().unwrap();
    assert_eq!(count(&found, "identical"), count(&found, "stored"));
    let mut largest = 0.0f64;
    let mut others = 0;
    for kernel in ["Prescott", "Haswell"] {
        let found = verify(Some(kernel));
        others += count(&found, "rounding");
        largest = largest.max(found["verification"]["largest"].as_f64().unwrap());
    }
    assert!(others > 0, "OpenBLAS here has no other kernels (it is built for one processor)");
    figure(
        "replicates repeated with another BLAS kernel; largest relative difference",
        &format!("{others}; {largest:.1e}"),
    );
}

#[test]
fn many_cells_stay_small() {
    let cells = size(2_000, 100_000);
    let settings = 10;
    let mut text =
        "[study]\nname = \"many\"\nseed = 1\nreplicates = 1\n[theory]\nbounds = false\n".to_owned();
    for s in 0..settings {
        text += &format!(
            "[[setting]]\nname = \"S{s}\"\ninput = [4, 2]\nkernel = [2, 2]\npool = [2, 1]\n\
             structure = {{ kind = \"cnn\", kernels = 1 }}\n"
        );
    }
    let sizes: Vec<String> = (10..10 + cells / settings).map(|n| n.to_string()).collect();
    text += &format!("[[design]]\nkind = \"normal-exact\"\n[samples]\nn = [{}]\n", sizes.join(", "));
    let place = Place::new(1);
    fs::write(place.path("s.toml"), &text).unwrap();
    let started = Instant::now();
    for shard in ["1/2", "2/2"] {
        place.ok(&["study", "run", "s.toml", "--out", "run", "--shard", shard]);
    }
    place.ok(&["study", "merge", "run"]);
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(place.rows("run").rows(), cells);
    let parts = files(&place.path("run/parts"), "parquet");
    let bytes: u64 = parts.iter().map(|p| fs::metadata(p).unwrap().len()).sum();
    let manifest = fs::metadata(place.path("run/manifest.json")).unwrap().len();
    assert!(parts.len() <= 1 + cells / 50_000, "{}", parts.len());
    assert!(manifest < text.len() as u64 + 4096, "the manifest holds the study, not its cells");
    figure(
        "cells run for real in two shards and merged; seconds; parts; bytes a row",
        &format!("{cells}; {seconds:.1}; {}; {}", parts.len(), bytes / cells as u64),
    );
}

#[test]
fn more_replicates_run_only_the_new_ones() {
    let place = Place::new(40);
    place.ok(&["study", "run", "s.toml", "--out", "run"]);
    let before = seconds(&place.rows("run"));
    place.ok(&["study", "run", "s.toml", "--out", "run", "--replicates", "60"]);
    let after = seconds(&place.rows("run"));
    assert_eq!((before.len(), after.len()), (8 * 40, 8 * 60));
    assert!(before.iter().all(|(k, s)| after[k] == *s), "none ran twice");
    // A changed setting reruns its cells alone.
    let changed = study_text(60).replace("pool = [2, 3]", "pool = [2, 1]");
    fs::write(place.path("s.toml"), changed).unwrap();
    let output = place.run(&["study", "run", "s.toml", "--out", "run"]);
    assert!(text(&output.stderr).contains(&format!("{} replicates were there already", 4 * 60)));
    assert!(matches!(place.rows("run").columns()[0].1, Column::Text(_)));
}
