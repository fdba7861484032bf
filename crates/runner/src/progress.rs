//! Progress: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Seconds between plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// How often the text beside the bar is made anew.
const TEXT_EVERY: Duration = Duration::from_millis(200);

/// Most characters of a name before the bar.
const MOST_NAME: usize = 30;

/// What a bar says of the rows so far beside their number; the runner itself knows no statistics.
pub trait Watch<R> {
    /// Sees a row that is done.
    fn see(&mut self, row: &R);
    /// What it has seen, in a few words.
    fn text(&self) -> String;
}

/// Sees nothing.
impl<R> Watch<R> for () {
    fn see(&mut self, _: &R) {}

    fn text(&self) -> String {
        String::new()
    }
}

/// A time in seconds as a reader takes it: `45 s`, `3 min 20 s`, `5 h 12 min`.
pub fn time_left(seconds: f64) -> String {
    let s =
        if seconds.is_finite() { seconds.max(0.0).round() as u64 } else { return "not known".to_owned() };
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..172_800 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} days {} h", s / 86_400, s % 86_400 / 3600),
    }
}

/// Counts tasks done.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    what: String,
    total: u64,
    done: u64,
    failures: u64,
    started: Instant,
    last: Instant,
}

impl Progress {
    /// Starts counting to `total`.
    pub fn new(what: &str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(total);
            let style = ProgressStyle::with_template(
                "{prefix} [{wide_bar}] {percent:>3}% {elapsed} gone\n  {pos}/{len} done{msg}",
            );
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("=> "));
            // The name is cut where it leaves no room for the bar; numbers never are.
            bar.set_prefix(what.chars().take(MOST_NAME).collect::<String>());
            bar
        });
        let now = Instant::now();
        Self { bar, what: what.to_owned(), total, done: 0, failures: 0, started: now, last: now }
    }

    /// Seconds so far, and those that the rest will take at the same pace.
    fn times(&self) -> (f64, f64) {
        let elapsed = self.started.elapsed().as_secs_f64();
        (elapsed, elapsed / self.done.max(1) as f64 * self.total.saturating_sub(self.done) as f64)
    }

    /// One more is done; `text` says more of all so far.
    pub fn step(&mut self, failed: bool, text: impl FnOnce() -> String) {
        self.done += 1;
        self.failures += u64::from(failed);
        let every = if self.bar.is_some() { TEXT_EVERY } else { LINE_EVERY };
        let is_due = self.last.elapsed() >= every || self.done == self.total;
        if is_due && (self.bar.is_some() || self.done < self.total) {
            self.last = Instant::now();
            match &self.bar {
                Some(bar) => {
                    let more = text();
                    let more = if more.is_empty() { more } else { format!(", {more}") };
                    let left = time_left(self.times().1);
                    bar.set_position(self.done);
                    bar.set_message(format!("{more}, {} errors, {left} left", self.failures));
                }
                None => self.line(),
            }
        }
    }

    fn line(&self) {
        let (elapsed, left) = self.times();
        eprintln!(
            "{}: {} of {} done, {} errors, {elapsed:.0} s elapsed, about {left:.0} s left",
            self.what, self.done, self.total, self.failures
        );
    }

    /// Ends the display with a line.
    pub fn finish(&mut self) {
        match self.bar.take() {
            Some(bar) => bar.abandon(),
            None => self.line(),
        }
    }
}
