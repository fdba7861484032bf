//! A page of the reference made of a program's own help.

use std::path::Path;
use std::process::Command;

use super::pages::{commands_in, root, writes};

/// Compares the page with the help of `program` and of all its commands, or writes it anew.
pub fn check(program: &Path, name: &str, page: &str) {
    let mut text = format!(
        "# The command line: {name}\n\nWhat `{name} --help` and `{name} COMMAND --help` print, 100 columns wide. `make reference` writes \
         this page.\n"
    );
    describe(program, &[name.to_owned()], &mut text);
    let path = root().join("docs/src/reference").join(page);
    if writes() {
        std::fs::write(&path, &text).unwrap();
    }
    let there = std::fs::read_to_string(&path).unwrap_or_default();
    let first = there.lines().zip(text.lines()).find(|(a, b)| a != b);
    assert!(there == text, "{page} is not the program's help (`make reference` writes it anew): {first:?}");
}

/// The help of a command, then that of the commands below it.
fn describe(program: &Path, command: &[String], text: &mut String) {
    let output = Command::new(program)
        .args(&command[1..])
        .arg("--help")
        .envs([("COLUMNS", "100"), ("NO_COLOR", "1"), ("LC_ALL", "C.UTF-8")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?} --help");
    let help = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    text.push_str(&format!("\n## {}\n\n```text\n{}\n```\n", command.join(" "), lines.join("\n").trim_end()));
    for name in commands_in(&help) {
        describe(program, &[command, &[name]].concat(), text);
    }
}
