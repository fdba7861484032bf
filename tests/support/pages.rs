//! Pages of the documentation and their code blocks.
//!
//! What the first line of a block says:
//!
//! | block | meaning |
//! |---|---|
//! | ```` ```console ```` | a session: `$ command` (lines that follow with `> ` belong to it), then its standard output |
//! | ```` ```console ignore: REASON ```` | not run, for this reason |
//! | ```` ```console train ```` | as `console`, for the program `convstat-train` |
//! | ```` ```sh ```` | commands that take long: not run, but commands and options have to exist |
//! | ```` ```toml file=NAME ```` | a file that the page's commands find |
//!
//! A line `…` of the output stands for any lines, `…` in a line for any text. Blocks of one page share a directory.

// Every test uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The README and all pages of the book.
pub fn pages() -> Vec<PathBuf> {
    let mut found = vec![root().join("README.md")];
    let mut folders = vec![root().join("docs/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// A fenced block of a page.
#[derive(Debug, Clone)]
pub struct Block {
    /// Number of its first line of text, from 0.
    pub line: usize,
    /// What stands behind the fence: the language, then options.
    pub info: String,
    /// Its lines.
    pub lines: Vec<String>,
}

impl Block {
    /// The first word behind the fence.
    pub fn language(&self) -> &str {
        self.info.split([' ', ',']).next().unwrap_or_default()
    }

    /// What follows it.
    pub fn options(&self) -> &str {
        self.info[self.language().len()..].trim_start_matches([' ', ','])
    }
}

/// The blocks of a page.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                open = true;
                found.push(Block { line: number + 1, info: info.trim().to_owned(), lines: Vec::new() });
            }
            None if open => found.last_mut().unwrap().lines.push(line.to_owned()),
            None => {}
        }
    }
    assert!(!open, "a block has no end");
    found
}

/// A page without its blocks and code spans.
pub fn prose(text: &str) -> String {
    let mut open = false;
    let lines = text.lines().filter(|line| {
        let fence = line.starts_with("```");
        open ^= fence;
        !open && !fence
    });
    let text: String = lines.map(|l| format!("{l}\n")).collect();
    text.split('`').step_by(2).collect()
}

/// Whether the blocks are to be written anew instead of compared (`make reference`).
pub fn writes() -> bool {
    std::env::var_os("CONVSTAT_DOCS").is_some_and(|v| v == "write")
}

/// Commands that a help text lists, under "Commands:" or in the groups of an overview.
pub fn commands_in(help: &str) -> Vec<String> {
    let list = match help.split_once("\nCommands:\n") {
        Some((_, list)) => list.split("\n\n").next(),
        None => help.split_once("\nOptions\n").map(|(groups, _)| groups),
    };
    // Wrapped descriptions are indented further.
    let name = |l: &str| {
        let line = l.strip_prefix("  ").filter(|l| !l.starts_with(' '))?;
        line.split_whitespace().next().map(str::to_owned)
    };
    list.unwrap_or_default().lines().filter_map(name).filter(|n| n != "help").collect()
}
