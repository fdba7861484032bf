//! What someone meets who has never seen the program: help, examples, completions, templates, errors that point at the line,
//! progress, and the doctor.

#![cfg(test)]

#[path = "support/place.rs"]
mod place;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

// Links the BLAS that ndarray uses.
use convstat as _;
use place::{Place, message};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convstat");

/// Names of the commands under some words, as their help lists them.
fn subcommands(place: &Place, words: &[&str]) -> Vec<String> {
    let help = place.ok(&[words, &["--help"]].concat());
    if words.is_empty() {
        // The overview: two blanks, a name, its purpose, in every group before the options.
        let listed = help.split("\nOptions").next().unwrap();
        let name = |l: &str| Some(l.strip_prefix("  ")?.split_whitespace().next()?.to_owned());
        return listed.lines().filter_map(name).filter(|n| n != "help").collect();
    }
    let Some((_, listed)) = help.split_once("Commands:\n") else { return Vec::new() };
    let name = |l: &str| {
        Some(l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?.split_whitespace().next()?.to_owned())
    };
    listed.lines().take_while(|l| !l.is_empty()).filter_map(name).filter(|n| n != "help").collect()
}

/// All commands that do something, as words.
fn commands(place: &Place) -> Vec<Vec<String>> {
    let mut all = Vec::new();
    for command in subcommands(place, &[]) {
        let below = subcommands(place, &[&command]);
        if below.is_empty() {
            all.push(vec![command]);
        } else {
            all.extend(below.into_iter().map(|b| vec![command.clone(), b]));
        }
    }
    assert!(all.len() >= 19, "{all:?}");
    all
}

/// Commands whose output is a script.
const NO_DATA: [&str; 1] = ["completions"];

/// The example lines of a help, continued lines joined.
fn examples(help: &str) -> Vec<String> {
    let joined = help.replace("\\\n", " ");
    joined.lines().map(str::trim).filter(|l| l.starts_with("convstat ")).map(str::to_owned).collect()
}

/// The words of an example, as a shell reads them: to the first run of blanks outside quotes, which sets the remark apart.
fn shell_words(line: &str) -> Vec<String> {
    let mut command = String::new();
    let (mut quoted, mut blanks) = (false, 0);
    for c in line.split(" > ").next().unwrap().split("; ").next().unwrap().chars() {
        quoted ^= c == '\'';
        blanks = if c == ' ' && !quoted { blanks + 1 } else { 0 };
        command.push(c);
        // Continued lines are indented by more than remarks are.
        if blanks == 2 && !line.contains("      --") {
            break;
        }
    }
    let script = format!("for word in {command}; do printf '%s\\n' \"$word\"; done");
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn every_command_has_examples_that_parse_and_json() {
    let place = Place::new();
    let mut parsed = 0;
    for words in commands(&place) {
        let mut call: Vec<&str> = words.iter().map(String::as_str).collect();
        call.push("--help");
        let help = place.ok(&call);
        let is_this = |e: &&String| e.starts_with(&format!("convstat {}", words.join(" ")));
        let found = examples(&help);
        assert!(found.iter().any(|e| is_this(&e)), "{words:?} has no example: {help}");
        let reads = help.contains("--json") || help.contains("table, json");
        assert!(
            reads || NO_DATA.contains(&words.last().unwrap().as_str()) || help.contains("- json:"),
            "{words:?} has no --json"
        );
        for example in found {
            // What parses goes on to a file that is not here, or is stopped by --help, which the parser sees last.
            let arguments = shell_words(&example);
            let mut arguments: Vec<&str> = arguments[1..].iter().map(String::as_str).collect();
            let wrong = [&arguments[..], &["--no-such-option"]].concat();
            let output = place.run(&wrong);
            assert_eq!(output.status.code(), Some(2), "{example}");
            assert!(
                message(&output).contains("'--no-such-option'"),
                "{example} does not parse: {}",
                message(&output)
            );
            arguments.push("--help");
            place.ok(&arguments);
            parsed += 1;
        }
    }
    assert!(parsed >= 40, "{parsed}");
}

#[test]
fn the_overview_groups_all_commands() {
    let place = Place::new();
    let overview = place.ok(&[]);
    assert_eq!(overview, place.ok(&["--help"]));
    assert_eq!(overview, place.ok(&["help"]));
    assert!(!overview.contains("\nOther\n"), "a command has no group:\n{overview}");
    for text in ["Studies: ", "Your own data", "convstat study new", "Exit codes"] {
        assert!(overview.contains(text), "{text}: {overview}");
    }
    assert!(overview.is_ascii(), "{overview}");
    assert!(message(&place.run(&["stdy"])).contains("similar subcommand exists: 'study'"));
    assert!(message(&place.run(&["run", "x.toml"])).contains("similar subcommand exists: 'study run'"));
    for words in [&["study", "plan"][..], &["audit"]] {
        let help = place.ok(&[words, &["--help"]].concat());
        let (own, global) = help.split_once("Global options:").unwrap();
        assert!(
            global.contains("--memory") && global.contains("--color") && !own.contains("--memory"),
            "{help}"
        );
    }
}

#[test]
fn completions_and_man_pages_name_every_command() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let text = place.ok(&["completions", shell]);
        for words in commands(&place) {
            assert!(text.contains(words.last().unwrap().as_str()), "{shell}: {words:?}");
        }
        place.text(&format!("completions.{shell}"), &text);
    }
    // In a real bash: the words that it offers.
    let offers = |line: &str| {
        let script = format!(
            "source completions.bash; COMP_WORDS=({line} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _convstat convstat '' \"${{COMP_WORDS[@]: -2:1}}\"; \
             echo \"${{COMPREPLY[@]}}\""
        );
        let output = Command::new("bash")
            .current_dir(place.folder())
            .args(["--norc", "-c", &script])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for command in subcommands(&place, &[]) {
        assert!(words(&offers("convstat")).contains(&command), "{command}");
    }
    assert!(words(&offers("convstat study")).contains(&"status".to_owned()));
    assert!(words(&offers("convstat study status")).contains(&"--watch".to_owned()));
    for (line, value) in [
        ("convstat audit --format", "latex"),
        ("convstat study new --template", "kr-ratio"),
        ("convstat figures --kind", "nested-loop"),
        ("convstat table --format", "markdown"),
        ("convstat notebook --format", "quarto"),
        ("convstat select --criterion", "cv-one-se"),
    ] {
        assert!(words(&offers(line)).contains(&value.to_owned()), "{line}");
    }

    let listed: Vec<PathBuf> = serde_json::from_str(&place.ok(&["man", "--out", "pages", "--json"])).unwrap();
    for words in commands(&place) {
        let page = format!("convstat-{}.1", words.join("-"));
        assert!(listed.contains(&Path::new("pages").join(&page)), "{page}: {listed:?}");
        let text = std::fs::read_to_string(place.path("pages").join(&page)).unwrap();
        assert!(text.contains(".SH OPTIONS") && text.contains("EXAMPLES"), "{page}");
    }
}

#[test]
fn a_new_study_is_written_once_and_runs() {
    let place = Place::new();
    let listed: Value = serde_json::from_str(&place.ok(&["study", "new", "--list", "--json"])).unwrap();
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap()).collect();
    for wanted in ["rate", "kr-ratio", "bounds", "selection"] {
        assert!(names.contains(&wanted), "{names:?}");
    }
    place.ok(&["study", "new", "mine", "--template", "kr-ratio"]);
    let text = std::fs::read_to_string(place.path("mine.toml")).unwrap();
    assert!(text.contains("name = \"mine\"") && text.contains("kernels = 32"));
    let output = place.run(&["study", "new", "mine"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(message(&output).contains("mine.toml is there already") && message(&output).contains("--force"));
    assert_eq!(std::fs::read_to_string(place.path("mine.toml")).unwrap(), text);
    place.ok(&["study", "new", "mine", "--force"]);
    assert!(place.ok(&["study", "new", "other.toml"]).starts_with("other.toml written"));
    assert_ne!(std::fs::read_to_string(place.path("mine.toml")).unwrap(), text);
    assert!(
        message(&place.run(&["study", "new", "--template", "rat"]))
            .contains("a similar value exists: 'rate'")
    );
    place.ok(&["study", "plan", "mine.toml", "--json"]);
    assert_eq!(place.ok(&["study", "new", "--template", "kr-ratio", "mine", "--out", "-"]), text);
    assert_eq!(place.run(&["study", "new", ".bad"]).status.code(), Some(2));
    assert!(!place.path(".bad.toml").exists());
}

const STUDY: &str = r#"[study]
name = "tiny"
seed = 1
replicates = 4

[[setting]]
name = "A"
input = [6, 6]
kernel = [3, 3]
pool = [2, 2]
structure = { kind = "cnn", kernels = 1 }

[[setting]]
name = "B"
input = [6, 6]
kernel = [3, 3]
structure = { kind = "tucker", ranks = [2, 2], r = 2, kernels = 2 }

[[design]]
kind = "normal"

[noise]
kind = "normal"
sigma = 1.0

[samples]
n = [60, 90]

[[estimator]]
solver = "levenberg-marquardt"
starts = ["spectral", "oracle"]

[[estimator]]
name = "second"
solver = "als"
max_iterations = 200

[theory]
bounds = false
draws = 20

[[check]]
kind = "risk"
range = [0.1, 0.2]
"#;

/// A study of cells that take a millisecond a replicate.
fn quick(replicates: u64) -> String {
    let a = STUDY.find("[[setting]]\nname = \"B\"").unwrap();
    let b = STUDY.find("[[design]]").unwrap();
    let text = format!("{}{}", &STUDY[..a], &STUDY[b..])
        .replace("solver = \"als\"\nmax_iterations = 200", "solver = \"ols\"");
    text.replace("replicates = 4", &format!("replicates = {replicates}"))
}

/// The line on which `text` stands in the study.
fn line_of(study: &str, text: &str) -> usize {
    let at = study.find(text).unwrap_or_else(|| panic!("no {text}"));
    study[..at].matches('\n').count() + 1
}

#[test]
fn errors_point_at_the_line_and_suggest() {
    let place = Place::new();
    // What is changed to what; where the error has to point (the line of this text); what it has to say.
    let table = [
        ("seed = 1", "sed = 1", "sed = 1", "did you mean \"seed\"?"),
        ("seed = 1", "seed = 1.5", "seed = 1.5", "invalid type"),
        ("seed = 1\n", "", "[study]", "missing field `seed`"),
        ("replicates = 4", "replicates = 0", "replicates = 0", "at least 1"),
        ("replicates = 4", "replicates = 4x", "replicates = 4x", ""),
        ("name = \"tiny\"", "name = \"a/b\"", "name = \"a/b\"", "letters"),
        ("[[setting]]\nname = \"A\"", "[[seting]]\nname = \"A\"", "[[seting]]", "did you mean \"setting\"?"),
        ("pool = [2, 2]", "pol = [2, 2]", "pol = [2, 2]", "did you mean \"pool\"?"),
        ("pool = [2, 2]", "pool = [2, 2, 2]", "pool = [2, 2, 2]", "one entry a mode"),
        ("pool = [2, 2]", "pool = [9, 2]", "pool = [9, 2]", "exceeds"),
        ("pool = [2, 2]", "pool = [0, 2]", "pool = [0, 2]", "at least 1"),
        ("kind = \"cnn\"", "kind = \"cmn\"", "kind = \"cmn\"", "did you mean \"cnn\"?"),
        ("\"cnn\", kernels", "\"cnn\", kernals", "kernals", "did you mean \"kernels\"?"),
        ("kernels = 1 }", "kernels = 0 }", "kernels = 0", "kernels"),
        (
            "name = \"B\"",
            "name = \"A\"",
            "name = \"A\"\ninput = [6, 6]\nkernel = [3, 3]\nstructure",
            "stands twice",
        ),
        ("\nkernel = [3, 3]\nstructure", "\nkernel = [3, 9]\nstructure", "kernel = [3, 9]", "setting \"B\""),
        ("ranks = [2, 2]", "ranks = [2, 2, 2]", "ranks = [2, 2, 2]", "setting \"B\""),
        (
            "kind = \"normal\"\n\n[noise]",
            "kind = \"nomal\"\n\n[noise]",
            "kind = \"nomal\"",
            "did you mean \"normal\"?",
        ),
        ("kind = \"normal\"\n\n[noise]", "kind = \"var1\"\nrho = 2.0\n\n[noise]", "rho = 2.0", "rho"),
        ("kind = \"normal\"\nsigma", "kind = \"cauchy\"\nsigma", "kind = \"cauchy\"", "unknown variant"),
        ("sigma = 1.0", "sigma = -1.0", "sigma = -1.0", "at least 0"),
        ("sigma = 1.0", "sigma = nan", "sigma = nan", "finite"),
        ("n = [60, 90]", "n = [60, 0]", "n = [60, 0]", "between 1"),
        ("n = [60, 90]", "n = []", "n = []", "at least one"),
        ("n = [60, 90]", "", "[samples]", "give either n"),
        ("solver = \"als\"", "solver = \"asl\"", "solver = \"asl\"", "did you mean \"als\"?"),
        ("max_iterations = 200", "max_iterations = 0", "max_iterations = 0", "at least 1"),
        ("max_iterations = 200", "tolerance = -1.0", "tolerance = -1.0", "above 0"),
        ("max_iterations = 200", "lambda = inf", "lambda = inf", "unknown field `lambda`"),
        ("max_iterations = 200", "steps = 10", "steps = 10", "unknown field `steps`"),
        ("max_iterations = 200", "starts = []", "starts = []", "give at least one of spectral"),
        (
            "starts = [\"spectral\", \"oracle\"]",
            "starts = [\"spectal\"]",
            "starts = [\"spectal\"]",
            "spectral",
        ),
        ("draws = 20", "draws = 1", "draws = 1", "needs two"),
        ("draws = 20", "confidence = 1.0", "confidence = 1.0", "between 0 and 1"),
        ("draws = 20", "drows = 20", "drows = 20", "did you mean \"draws\"?"),
        ("kind = \"risk\"", "kind = \"rsk\"", "kind = \"rsk\"", "did you mean \"risk\"?"),
        ("range = [0.1, 0.2]", "range = [0.2, 0.1]", "range = [0.2, 0.1]", "lowest"),
        ("range = [0.1, 0.2]", "settings = [\"C\"]", "settings = [\"C\"]", "no [[setting]] has this name"),
        (
            "range = [0.1, 0.2]",
            "estimators = [\"x\"]",
            "estimators = [\"x\"]",
            "no [[estimator]] has this name",
        ),
        ("range = [0.1, 0.2]", "rang = [0.1, 0.2]", "rang = [0.1, 0.2]", "did you mean \"range\"?"),
        ("range = [0.1, 0.2]", "mcse = -3.0", "mcse = -3.0", "above 0"),
    ];
    let mut wrong = BTreeMap::new();
    for (from, to, at, expected) in table {
        let study = STUDY.replacen(from, to, 1);
        assert_ne!(study, STUDY, "{from}");
        place.text("s.toml", &study);
        let output = place.run(&["study", "plan", "s.toml"]);
        assert_eq!(output.status.code(), Some(2), "{to}");
        let said = message(&output);
        let place_of = format!("s.toml:{}:", line_of(&study, at));
        if !said.contains(&place_of) || !said.contains(expected) {
            wrong.insert(to, format!("no {place_of} or {expected:?} in: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn options_and_paths_are_named_in_errors() {
    let place = Place::new();
    place.text("study.toml", STUDY);
    for (set, expected) in [
        ("noise.sigma=-1", "at least 0"),
        ("noise.sgma=1", "did you mean \"sigma\"?"),
        ("samples.n=[0]", "between 1 and 2^53"),
        ("theory.draws=x", "invalid type"),
        ("noise.sigma", "write it as key=value"),
        ("setting.name=\"x\"", "not of lists"),
    ] {
        let said =
            message(&place.run(&["study", "plan", "study.toml", "--set", "study.seed=3", "--set", set]));
        assert!(
            said.contains("[command line:1:1]") && said.contains(&format!("--set {set}")),
            "{set}: {said}"
        );
        assert!(said.contains(expected) && !said.contains("study.toml:"), "{set}: {said}");
    }
    let said_by = |arguments: &[&str]| message(&place.run(arguments));
    assert!(said_by(&["study", "plan", "study.toml", "--replicates", "0"]).contains("--replicates = 0"));
    assert!(said_by(&["study", "plan", "stdy.toml"]).contains("did you mean study.toml?"));
    assert!(said_by(&["study", "plan", "non/study.toml"]).contains("there is no folder non"));
    std::fs::create_dir(place.path("experiments")).unwrap();
    place.text("experiments/rate.toml", STUDY);
    assert!(said_by(&["study", "plan", "rate.toml"]).contains("did you mean experiments/rate.toml?"));
    std::fs::create_dir_all(place.path("runs/tiny")).unwrap();
    assert!(said_by(&["study", "status", "runs/tny"]).contains("did you mean runs/tiny?"));
    assert!(said_by(&["study", "run", "study"]).contains("did you mean study.toml?"));
    let file = said_by(&["study", "status", "study.toml"]);
    assert!(
        file.contains("study.toml is a file; a run directory is wanted") && file.contains("runs/NAME"),
        "{file}"
    );
    place.text("tiny.toml", STUDY);
    assert!(said_by(&["study", "status", "tiny.toml"]).contains("study run makes it: runs/tiny"));
    place.text("g.toml", "input = [6, 6]\nkernel = [3, 3]\n");
    assert!(
        said_by(&["bound", "--geometry", "g.toml", "--structure", "cnn", "--n", "5"])
            .contains("write --structure '{ kind = \"cnn\", kernels = 3 }'")
    );
    assert!(
        said_by(&["bound", "--geometry", "stdy.toml", "--structure", "{}", "--n", "5"])
            .contains("did you mean study.toml?")
    );
    assert!(
        said_by(&["fit", "--x", "stdy.toml", "--y", "y.npy", "--structure", "{ kind = \"dense\" }"])
            .contains("study.toml?")
    );
}

#[test]
fn colours_are_there_when_asked_for() {
    let place = Place::new();
    let coloured = |output: &Output| [&output.stdout, &output.stderr].iter().any(|s| s.contains(&0x1b));
    for arguments in [&["study", "plan", "none.toml"][..], &["--help"], &["study", "nothing"]] {
        for (colour, no_colour, expected) in [
            ("auto", "", false),
            ("auto", "1", false),
            ("never", "", false),
            ("always", "", true),
            ("always", "1", true),
        ] {
            let mut command = place.command(&[&["--color", colour], arguments].concat());
            let output = command.env("NO_COLOR", no_colour).output().unwrap();
            assert_eq!(coloured(&output), expected, "{arguments:?} --color {colour}, NO_COLOR={no_colour}");
        }
    }
}

#[test]
fn another_studys_folder_is_refused() {
    let place = Place::new();
    place.text("tiny.toml", STUDY);
    place.text("other.toml", &STUDY.replace("\"tiny\"", "\"other\""));
    place.text("changed.toml", &STUDY.replace("n = [60, 90]", "n = [60, 90, 120]"));
    let run = |file: &str, out: &str| place.run(&["study", "run", file, "--out", out, "--json"]);
    assert!(run("tiny.toml", "run").status.code() != Some(2));
    let before = std::fs::read(place.path("run/manifest.json")).unwrap();
    let refused = |output: Output| {
        assert_eq!(output.status.code(), Some(2), "{}", message(&output));
        let text = message(&output);
        assert!(text.contains("\"tiny\"") && text.contains("--out"), "{text}");
        assert_eq!(std::fs::read(place.path("run/manifest.json")).unwrap(), before);
    };
    let output = run("other.toml", "run");
    assert!(message(&output).contains("\"other\""));
    refused(output);
    refused(place.run(&["study", "run", "other.toml", "--out", "run", "--shard", "1/2"]));
    run("other.toml", "other");
    refused(place.run(&["study", "merge", "other", "--out", "run"]));
    run("changed.toml", "changed");
    refused(place.run(&["study", "merge", "changed", "--out", "run"]));
    // A study that has grown goes on in its own folder.
    let output = run("changed.toml", "run");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["missing_replicates"], 0);
    assert!(message(&output).contains("32 replicates were there already"), "{}", message(&output));
}

#[test]
fn tables_fit_eighty_columns() {
    let place = Place::new();
    place.text("tiny.toml", &STUDY.replace("name = \"B\"", "name = \"a setting whose name is rather long\""));
    place.run(&["study", "run", "tiny.toml", "--out", "run"]);
    for arguments in [&["study", "merge", "run"][..], &["study", "check", "run"], &["study", "status", "run"]]
    {
        let output = place.run(arguments);
        let text = String::from_utf8(output.stdout).unwrap();
        let widest = text.lines().max_by_key(|l| l.chars().count()).unwrap();
        assert!(widest.chars().count() <= 80, "{arguments:?}: {widest}");
        assert!(text.lines().count() > 2, "{text}");
    }
    // Without a terminal the width is what COLUMNS says.
    let output = place.command(&["study", "merge", "run"]).env("COLUMNS", "200").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().next().unwrap().ends_with("fail"), "{text}");
    assert!(text.contains("MCSE: Monte Carlo standard error"), "{text}");
}

#[test]
fn verdicts_have_colours() {
    let place = Place::new();
    place.text("tiny.toml", &quick(20));
    place.run(&["study", "run", "tiny.toml", "--out", "run"]);
    let text = |colour: &str| {
        let output = place.run(&["--color", colour, "study", "check", "run"]);
        String::from_utf8(output.stdout).unwrap()
    };
    let coloured = text("always");
    assert!(coloured.contains("\u{1b}[3"), "{coloured}");
    let plain = text("never");
    assert!(!plain.contains('\u{1b}') && (plain.contains("passed:") || plain.contains("failed:")), "{plain}");
}

#[test]
fn cells_have_numbers_that_rerun_takes() {
    let place = Place::new();
    place.text("tiny.toml", &quick(4));
    let listed: Value =
        serde_json::from_str(&place.ok(&["study", "plan", "tiny.toml", "--cells", "--json"])).unwrap();
    assert_eq!((listed.as_array().unwrap().len(), &listed[3]["number"]), (4, &Value::from(3)));
    let text = place.ok(&["study", "plan", "tiny.toml", "--cells"]);
    let last = text.lines().last().unwrap();
    assert!(
        last.trim_start().starts_with('3') && last.contains(listed[3]["cell"].as_str().unwrap()),
        "{text}"
    );
    let plan: Value = serde_json::from_str(&place.ok(&["study", "plan", "tiny.toml", "--json"])).unwrap();
    assert_eq!(
        (&plan["settings"][0]["first_cell"], &plan["settings"][0]["last_cell"]),
        (&0.into(), &3.into())
    );
    assert!(place.ok(&["study", "plan", "tiny.toml"]).contains("0..3"));
    place.run(&["study", "run", "tiny.toml", "--out", "run"]);
    let output = place.run(&["study", "rerun", "run", "--cell", "3", "--replicate", "4", "--json"]);
    let row: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(row["cell"], listed[3]["cell"]);
    assert!(
        message(&output).contains("4 replicates a cell, from 0; this is none of them"),
        "{}",
        message(&output)
    );
}

#[test]
fn names_with_commas_are_chosen() {
    let place = Place::new();
    let study = STUDY.replace("name = \"A\"", "name = \"linear, K = 1\"");
    place.text("tiny.toml", &study.replace("range = [0.1, 0.2]", "settings = [\"linear, K = 1\"]"));
    place.run(&["study", "run", "tiny.toml", "--out", "run"]);
    let draw = |settings: &[&'static str]| {
        let given: Vec<&str> = settings.iter().flat_map(|s| ["--settings", s]).collect();
        place.run(&[&["figures", "run", "--format", "svg"], &given[..]].concat())
    };
    for settings in [&["linear, K = 1"][..], &["linear, K = 1", "B"], &["B"]] {
        assert_eq!(draw(settings).status.code(), Some(0), "{settings:?}: {}", message(&draw(settings)));
    }
    assert_eq!(draw(&["B,C"]).status.code(), Some(2));
    let output = place.run(&["study", "check", "run"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("settings \"linear, K = 1\""), "{text}");
}

#[test]
fn tables_and_notebooks_say_what_they_wrote() {
    let place = Place::new();
    place.text("tiny.toml", &quick(4));
    place.run(&["study", "run", "tiny.toml", "--out", "run"]);
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&place.ok(arguments)).unwrap() };
    let table = json(&["table", "run", "--out", "t.md", "--json"]);
    assert_eq!((&table["table"], &table["format"]), (&"t.md".into(), &"markdown".into()));
    assert!(json(&["table", "run", "--json"])["text"].as_str().unwrap().contains("toprule"));
    assert_eq!(place.ok(&["table", "run", "--out", "t.csv"]), "t.csv\n");
    let notebook = json(&["notebook", "run", "--out", "n.qmd", "--json"]);
    assert_eq!((&notebook["notebook"], &notebook["format"]), (&"n.qmd".into(), &"quarto".into()));
}

/// Ends a child that a failed test would leave.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_watch_follows_a_run_to_its_end() {
    let place = Place::new();
    place.text("tiny.toml", &quick(3000));
    let mut run = Running(
        place
            .command(&["study", "run", "tiny.toml", "--out", "run", "--threads", "1"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let started = Instant::now();
    let begun = |p: &Place| {
        std::fs::read_dir(p.path("run/parts"))
            .is_ok_and(|d| d.flatten().any(|e| e.path().extension().is_some_and(|e| e == "parquet")))
    };
    while !begun(&place) {
        assert!(started.elapsed() < Duration::from_secs(60), "no part");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What stands there says so, and a run that is stopped is gone on with by the command that it names.
    let status: Value =
        serde_json::from_slice(&place.run(&["study", "status", "run", "--json"]).stdout).unwrap();
    assert!(status["done"].as_u64().unwrap() > 0, "{status}");
    assert_eq!(status["planned"], 4 * 3000, "{status}");
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    let output = place.run(&["study", "status", "run"]);
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("MCSE up to") && text.contains("next: convstat study run run\n"), "{text}");

    let mut again = Running(
        place
            .command(&["study", "run", "run", "--set", "noise.sigma=1.0"])
            .stderr(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .unwrap(),
    );
    let watch = place
        .command(&["study", "status", "run", "--watch", "--interval", "0.2", "--json"])
        .output()
        .unwrap();
    assert!(again.0.wait().unwrap().code() != Some(2));
    assert_eq!(watch.status.code(), Some(0), "{}", message(&watch));
    let looks: Vec<Value> =
        String::from_utf8(watch.stdout).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let done: Vec<u64> = looks.iter().map(|l| l["done"].as_u64().unwrap()).collect();
    assert!(done.is_sorted() && looks.len() > 1, "{done:?}");
    let last = looks.last().unwrap();
    assert!(last["ended"] == true && last["done"] == last["planned"] && last["cells_done"] == 4, "{last}");
    assert!(looks[..looks.len() - 1].iter().all(|l| l["ended"] == false));
    // What the bar and the watch show is what the summary says.
    let merged: Value =
        serde_json::from_slice(&place.run(&["study", "merge", "run", "--json"]).stdout).unwrap();
    let rows = merged["summary"].as_array().unwrap();
    let relative = |r: &Value| r["err_pred_mcse"].as_f64().unwrap() / r["err_pred"].as_f64().unwrap();
    let largest = rows.iter().map(relative).fold(0.0, f64::max);
    let shown = last["largest_relative_mcse"].as_f64().unwrap();
    assert!((shown / largest - 1.0).abs() < 1e-9, "{shown} {largest}");
}

#[test]
fn a_terminal_has_a_bar_that_fits() {
    let place = Place::new();
    place.text("tiny.toml", &quick(500));
    // util-linux's script gives the program a terminal.
    let inner = format!("stty cols 72 rows 24; {PROGRAM} study run tiny.toml --out run");
    let mut child = Command::new("script")
        .current_dir(place.folder())
        .args(["-qec", &inner, "/dev/null"])
        .env("TERM", "xterm")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut bytes = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut bytes).unwrap();
    child.wait().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let bars: Vec<&str> = text.split(['\r', '\n']).filter(|l| l.contains("MCSE up to")).collect();
    assert!(!bars.is_empty(), "{text}");
    let last = bars.last().unwrap();
    assert!(last.contains("2000/2000 done, 4/4 cells") && last.contains("0 errors"), "{last}");
    for bar in bars {
        // Without what moves the cursor: an escape ends with a letter. A full first line is followed by the second at once.
        let end = |part: &str| part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |i| i + 1);
        let plain =
            |part: &str| if part.starts_with('[') { part[end(part)..].to_owned() } else { part.to_owned() };
        let shown: String = bar.split('\u{1b}').map(plain).collect();
        // What is printed after the bar begins where its last line, filled to the width, ends.
        let shown = shown.split_inclusive(" left").next().unwrap();
        for line in shown.split_inclusive(" gone") {
            assert!(line.trim_end().chars().count() <= 72, "{line:?}");
        }
    }
}

#[test]
fn the_doctor_says_what_is_there() {
    let place = Place::new();
    let found: Value = serde_json::from_str(&place.ok(&["doctor", "--json"])).unwrap();
    assert_eq!(found["ok"], true);
    let all = found["findings"].as_array().unwrap();
    let of =
        |name: &str| all.iter().find(|f| f["name"] == name).unwrap_or_else(|| panic!("no {name}: {found}"));
    assert!(of("BLAS")["numbers"]["gflops_one_thread"].as_f64().unwrap() > 0.1);
    assert!(of("memory")["numbers"]["total_bytes"].as_f64().unwrap() > 1e8);
    assert!(of("disk")["numbers"]["free_bytes"].as_f64().unwrap() > 1e6);
    for finding in all {
        assert!(!finding["needed_for"].as_str().unwrap().is_empty());
        assert!(finding["state"] != "missing" || finding["mend"].is_string(), "{finding}");
    }
    assert!(std::fs::read_dir(place.folder()).unwrap().next().is_none(), "the probe is gone");
    let text = place.ok(&["doctor"]);
    assert!(text.lines().all(|l| l.chars().count() <= 80), "{text}");
    // Without any program in PATH: single commands lack theirs, the core works.
    let output = place.command(&["doctor", "--json"]).env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let state = |name: &str| {
        found["findings"].as_array().unwrap().iter().find(|f| f["name"] == name).unwrap()["state"].clone()
    };
    for name in ["ffmpeg", "bsdtar", "Slurm", "Python", "Jupyter", "browser"] {
        assert_eq!(state(name), "missing", "{name}");
    }
    assert_eq!(state("BLAS"), "ok");
}
