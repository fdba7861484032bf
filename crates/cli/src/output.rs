//! Standard output: a closed pipe ends the program quietly.

use std::io::Write;
use std::path::Path;

use crate::failure::Failure;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Done.
    Done,
    /// A check failed.
    CheckFailed,
    /// Partly done; the same command resumes.
    Partly,
}

impl Status {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::CheckFailed => 1,
            Self::Partly => 3,
        }
    }
}

/// `a, b or c`.
pub fn either(words: impl IntoIterator<Item = String>) -> String {
    let words: Vec<String> = words.into_iter().collect();
    match words.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} or {last}", others.join(", ")),
        _ => words.concat(),
    }
}

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(Failure::from_error),
    }
}

/// Writes a text file.
pub fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))
}

/// Writes JSON alone.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::from_error)?;
    print(&(text + "\n"))
}

/// Columns: those that `COLUMNS` asks for, else the terminal's; 80 where there is none.
pub fn width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|c| c.trim().parse().ok());
    let terminal = || terminal_size::terminal_size().map(|(w, _)| usize::from(w.0));
    asked.or_else(terminal).map_or(80, |w| w.clamp(40, 500))
}

/// Words after a beginning, wrapped to the terminal; further lines are indented as wide as the beginning.
pub fn wrap(beginning: &str, words: &str) -> String {
    fill(beginning, beginning.chars().count(), words, width())
}

/// Lines wrapped to the terminal, each indented as it begins; what follows further by four.
pub fn wrap_lines(text: &str) -> String {
    let width = width();
    let one = |line: &str| {
        if line.chars().count() <= width {
            return format!("{line}\n");
        }
        let words = line.trim_start();
        let indent = line.chars().count() - words.chars().count();
        fill(&" ".repeat(indent), indent + 4, words, width)
    };
    text.lines().map(one).collect()
}

fn fill(beginning: &str, indent: usize, words: &str, width: usize) -> String {
    let mut text = beginning.to_owned();
    let mut used = beginning.chars().count();
    let mut is_first = true;
    for word in words.split_whitespace() {
        let length = word.chars().count();
        if !is_first && used + 1 + length > width {
            text += "\n";
            text += &" ".repeat(indent);
            used = indent;
        } else if !is_first {
            text.push(' ');
            used += 1;
        }
        text += word;
        used += length;
        is_first = false;
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_wrapped_between_them() {
        assert_eq!(fill("a  ", 3, "bb cc dddd", 8), "a  bb cc\n   dddd\n");
        assert_eq!(fill("  ", 6, "bb cc", 4), "  bb\n      cc\n");
    }
}
