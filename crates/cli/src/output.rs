//! Standard output: a closed pipe ends the program quietly.

use std::io::Write;

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

/// Writes to standard output.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => other.map_err(Failure::from_error),
    }
}

/// Writes JSON alone.
pub fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value).map_err(Failure::from_error)?;
    print(&(text + "\n"))
}

/// Columns of the terminal; 80 where there is none.
pub fn width() -> usize {
    terminal_size::terminal_size().map_or(80, |(w, _)| usize::from(w.0).clamp(40, 200))
}

/// Words after a beginning, wrapped to the terminal; further lines are indented as wide as the beginning.
pub fn wrap(beginning: &str, words: &str) -> String {
    let indent = " ".repeat(beginning.chars().count());
    let mut lines = vec![beginning.to_owned()];
    let mut used = indent.len();
    for (i, word) in words.split_whitespace().enumerate() {
        let length = word.chars().count();
        let is_first = used == indent.len();
        if !is_first && used + 1 + length > width() {
            lines.push(indent.clone());
            used = indent.len();
        } else if i > 0 && !is_first {
            lines.last_mut().into_iter().for_each(|l| l.push(' '));
            used += 1;
        }
        lines.last_mut().into_iter().for_each(|l| l.push_str(word));
        used += length;
    }
    lines.iter().map(|l| format!("{}\n", l.trim_end())).collect()
}
