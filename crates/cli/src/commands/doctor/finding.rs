//! What was found of one thing.

use serde::Serialize;

use crate::output::wrap;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// There, and works.
    Ok,
    /// There, with something to know.
    Note,
    /// Not there; only single commands need it.
    Missing,
    /// Not as the core needs it.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Finding {
    pub name: &'static str,
    pub state: State,
    /// What was found.
    pub found: String,
    /// What needs it.
    pub needed_for: &'static str,
    /// What to do, where something is to be done.
    pub mend: Option<String>,
    /// Numbers for programs.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    pub numbers: serde_json::Value,
}

impl Finding {
    pub fn new(name: &'static str, needed_for: &'static str, state: State, found: impl Into<String>) -> Self {
        Self { name, state, found: found.into(), needed_for, mend: None, numbers: serde_json::Value::Null }
    }

    pub fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    pub fn numbers(mut self, numbers: serde_json::Value) -> Self {
        self.numbers = numbers;
        self
    }

    /// Two or three lines, none wider than the terminal.
    pub fn text(&self) -> String {
        let mark = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Missing => "-",
            State::Bad => "BAD",
        };
        let mut text = wrap(&format!("{mark:5}{:12}", self.name), &self.found);
        text += &wrap(&" ".repeat(17), &format!("for {}", self.needed_for));
        if let Some(mend) = &self.mend {
            text += &wrap(&" ".repeat(17), &format!("-> {mend}"));
        }
        text
    }
}
