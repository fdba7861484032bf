//! A folder of its own with the program run in it: `place.text("s.toml", TEXT); place.ok(&["study", "run", "s.toml"])`.

// Every test uses a part of it.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ndarray::ArrayD;
use ndarray_npy::{ReadNpyExt, WriteNpyExt};

/// The folder; it is gone with the value.
pub struct Place(tempfile::TempDir);

impl Place {
    /// An empty one.
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// One with a study, `s.toml`, that has run into the folder `run`.
    pub fn with_run(study: &str, run: &str) -> Self {
        let place = Self::new();
        place.text("s.toml", study);
        place.ok(&["study", "run", "s.toml", "--out", run]);
        place
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a text file.
    pub fn text(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// Writes an array as .npy.
    pub fn array(&self, name: &str, array: &ArrayD<f64>) {
        array.write_npy(std::fs::File::create(self.path(name)).unwrap()).unwrap();
    }

    /// Reads an array from .npy.
    pub fn read(&self, name: &str) -> ArrayD<f64> {
        ArrayD::read_npy(std::fs::File::open(self.path(name)).unwrap()).unwrap()
    }

    /// The program with arguments, in the folder, without colours.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convstat"));
        command.current_dir(self.0.path()).env("NO_COLOR", "1").args(arguments);
        command
    }

    /// Runs it to its end.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Its standard output; it has to end with 0.
    pub fn ok(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", message(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// It has to end with 2 and a message with all of `expected`.
    pub fn refuses(&self, arguments: &[&str], expected: &[&str]) {
        let output = self.run(arguments);
        let errors = message(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(!errors.contains("panicked"), "{errors}");
        for text in expected {
            assert!(errors.contains(text), "{arguments:?}: no {text:?} in: {errors}");
        }
    }
}

/// Standard error in one line, without the frame of a diagnostic.
pub fn message(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).replace('│', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
