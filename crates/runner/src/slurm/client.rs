//! Slurm's client programs.

use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::{Result, RunnerError};

/// How long a question may take. Without a controller the clients themselves try for minutes.
pub const QUESTION: Duration = Duration::from_secs(10);

/// How long a submission may take: one that is ended early may have been accepted.
pub const SUBMISSION: Duration = Duration::from_secs(60);

/// Runs `program` and returns its standard output; after `limit` it is killed.
///
/// # Errors
/// It is not in PATH, gives no answer in time, or fails: then with what it says.
pub fn call(program: &'static str, arguments: &[String], limit: Duration) -> Result<String> {
    let failed = |reason: String| RunnerError::SlurmFailed { program, reason };
    let mut child = Command::new(program)
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => RunnerError::SlurmMissing { program },
            _ => failed(e.to_string()),
        })?;
    let (sender, receiver) = mpsc::channel();
    // Threads of their own, not joined: where the program is a wrapper, its children may hold the pipes open after it is
    // killed.
    let read = |stream: Option<Box<dyn Read + Send>>, is_output: bool| {
        let sender = sender.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                let _ = stream.read_to_end(&mut bytes);
            }
            let _ = sender.send((is_output, String::from_utf8_lossy(&bytes).into_owned()));
        });
    };
    read(child.stdout.take().map(|s| Box::new(s) as _), true);
    read(child.stderr.take().map(|s| Box::new(s) as _), false);
    let deadline = std::time::Instant::now() + limit;
    let (mut output, mut error) = (String::new(), String::new());
    for _ in 0..2 {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        match receiver.recv_timeout(left) {
            Ok((true, text)) => output = text,
            Ok((false, text)) => error = text,
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(RunnerError::SlurmSilent { program, seconds: limit.as_secs() });
            }
        }
    }
    let status = child.wait().map_err(|e| failed(e.to_string()))?;
    if status.success() {
        return Ok(output);
    }
    let message = error.trim();
    Err(failed(if message.is_empty() { status.to_string() } else { message.to_owned() }))
}

/// Whether `program` can be found.
///
/// # Errors
/// It is not in PATH.
pub fn find(program: &'static str) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if std::env::split_paths(&path).any(|folder| folder.join(program).is_file()) {
        return Ok(());
    }
    Err(RunnerError::SlurmMissing { program })
}
