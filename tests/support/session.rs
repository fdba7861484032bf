//! Sessions of pages, run as a reader would.

use std::path::Path;
use std::process::Command;

use super::pages::{Block, blocks, root, writes};

/// A command of a session and the output that the page shows.
struct Step {
    command: String,
    shown: Vec<String>,
}

fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in &block.lines {
        match (line.strip_prefix("$ "), line.strip_prefix("> "), steps.last_mut()) {
            (Some(command), ..) => steps.push(Step { command: command.to_owned(), shown: Vec::new() }),
            (None, Some(more), Some(step)) if step.shown.is_empty() => step.command += &format!("\n{more}"),
            (None, _, Some(step)) => step.shown.push(line.clone()),
            (None, _, None) => panic!("a session has to begin with a command, not with {line:?}"),
        }
    }
    steps
}

/// Whether a line of output is what the page shows; `…` stands for any text.
fn line_matches(shown: &str, line: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else { return false };
    let Some(last) = shown.split('…').skip(1).last() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    line.ends_with(last)
}

/// The same for lines; a line `…` stands for any number of them.
fn matches(shown: &[String], lines: &[&str]) -> bool {
    match shown.split_first() {
        None => lines.is_empty(),
        Some((first, rest)) if first == "…" => (0..=lines.len()).any(|skip| matches(rest, &lines[skip..])),
        Some((first, rest)) => {
            lines.split_first().is_some_and(|(line, lines)| line_matches(first, line) && matches(rest, lines))
        }
    }
}

/// Runs the sessions of a page in a directory of its own. `program` is the binary under test, `kind` the option of the blocks that
/// are its own. Returns how many commands ran.
pub fn run_page(page: &Path, program: &Path, kind: &str) -> usize {
    let text = std::fs::read_to_string(page).unwrap();
    let blocks = blocks(&text);
    if !blocks.iter().any(|b| b.language() == "console" && b.options() == kind) {
        return 0;
    }
    let place = tempfile::tempdir().unwrap();
    lay_out(page, &blocks, place.path());
    let path = std::env::var("PATH").unwrap_or_default();
    let mut new: Vec<String> = text.lines().map(str::to_owned).collect();
    let (mut ran, mut wrong) = (0, Vec::new());
    // From the last block on when the page is written anew would shift lines; replacements are kept and made in the end.
    let mut replacements = Vec::new();
    for block in blocks.iter().filter(|b| b.language() == "console" && b.options() == kind) {
        let mut written = Vec::new();
        for step in steps(block) {
            let output = Command::new("bash")
                .args(["-c", &step.command])
                .current_dir(place.path())
                .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
                .envs([("NO_COLOR", "1"), ("COLUMNS", "100"), ("LC_ALL", "C.UTF-8")])
                .output()
                .unwrap();
            ran += 1;
            let found = String::from_utf8_lossy(&output.stdout).into_owned();
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{}: $ {}\n{found}{errors}", page.display(), step.command);
            let lines: Vec<&str> = found.lines().map(str::trim_end).collect();
            let same = matches(&step.shown, &lines);
            if !same {
                wrong.push(format!("{}: $ {}\nprints\n{found}", page.display(), step.command));
            }
            let command = step.command.replace('\n', "\n> ");
            written.push(format!("$ {command}"));
            written.extend(if same { step.shown } else { lines.iter().map(|l| (*l).to_owned()).collect() });
        }
        replacements.push((block.line, block.lines.len(), written));
    }
    if writes() && !wrong.is_empty() {
        for (line, count, written) in replacements.into_iter().rev() {
            new.splice(line..line + count, written);
        }
        std::fs::write(page, new.join("\n") + "\n").unwrap();
    } else {
        assert!(
            wrong.is_empty(),
            "not what the page shows (`make reference` writes it anew):\n{}",
            wrong.join("\n")
        );
    }
    ran
}

/// The files that a page's commands find: those of its blocks, data beside it, and the repository's `docs` and `experiments`.
fn lay_out(page: &Path, blocks: &[Block], place: &Path) {
    for block in blocks {
        if let Some(name) = block.options().strip_prefix("file=") {
            std::fs::write(place.join(name), block.lines.join("\n") + "\n").unwrap();
        }
    }
    for entry in std::fs::read_dir(page.parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() && path.extension().is_some_and(|e| e == "npz") {
            std::fs::copy(&path, place.join(path.file_name().unwrap())).unwrap();
        }
    }
    for folder in ["docs", "experiments"] {
        std::os::unix::fs::symlink(root().join(folder).canonicalize().unwrap(), place.join(folder)).unwrap();
    }
}
