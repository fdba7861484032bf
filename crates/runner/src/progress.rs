//! Progress: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Counts tasks done.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    total: u64,
    done: u64,
    failures: u64,
    started: Instant,
    last_line: Instant,
}

impl Progress {
    /// Starts counting to `total`.
    pub fn new(what: &str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {eta} left");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.set_prefix(what.to_owned());
            bar
        });
        let now = Instant::now();
        Self { bar, what: what.to_owned(), total, done: 0, failures: 0, started: now, last_line: now }
    }

    /// One more is done.
    pub fn step(&mut self, failed: bool) {
        self.done += 1;
        self.failures += u64::from(failed);
        if let Some(bar) = &self.bar {
            if self.failures > 0 {
                bar.set_message(format!("({} failures)", self.failures));
            }
            bar.set_position(self.done);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            self.line();
        }
    }

    fn line(&self) {
        let elapsed = self.started.elapsed().as_secs_f64();
        let left = elapsed / self.done.max(1) as f64 * (self.total - self.done) as f64;
        eprintln!(
            "{}: {} of {} done, {} failures, {elapsed:.0} s elapsed, about {left:.0} s left",
            self.what, self.done, self.total, self.failures
        );
    }

    /// Ends the display with a line.
    pub fn finish(&mut self) {
        match self.bar.take() {
            Some(bar) => bar.finish(),
            None => self.line(),
        }
    }
}
