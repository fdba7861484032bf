//! `fetch`: data sets from their official places.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use convstat_data::fetch::{
    FileReport, Patience, Phase, Progress, Report, Request, State, Sums, fetch, sources_of,
};
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::failure::{Failure, Result, print};

/// Options of `fetch`.
#[derive(Debug, Args)]
pub struct Fetch {
    /// Data set: cifar10, svhn, svhn-extra (with the extra images) or ucf101
    name: String,
    /// Folder with data sets
    #[arg(long, default_value = "data")]
    data: PathBuf,
    /// Mirror: URL of a folder with the files, in place of the official ones
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// Sums in place of the official ones, in the format of md5sum or sha256sum
    #[arg(long, value_name = "FILE")]
    sums: Option<PathBuf>,
    /// Print the result as JSON alone
    #[arg(long)]
    json: bool,
}

/// Shows how far it is: a bar on a terminal, lines otherwise.
struct Screen {
    bar: Option<ProgressBar>,
    what: String,
    total: Option<u64>,
    last: Instant,
}

/// Time between two lines.
const PAUSE: Duration = Duration::from_secs(20);

impl Progress for Screen {
    fn begin(&mut self, file: &str, phase: Phase, total: Option<u64>) {
        let verb = match phase {
            Phase::Download => "downloading",
            Phase::Check => "checking",
            Phase::Unpack => "unpacking",
        };
        self.what = format!("{file}: {verb}");
        self.total = total;
        self.last = Instant::now();
        match &self.bar {
            Some(bar) => {
                let template = if total.is_some() {
                    "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta} left"
                } else {
                    "{msg} {spinner} {bytes} {bytes_per_sec}"
                };
                let style = ProgressStyle::with_template(template);
                bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
                bar.set_length(total.unwrap_or(0));
                bar.set_position(0);
                bar.reset_eta();
                bar.set_message(self.what.clone());
            }
            None => match total {
                Some(total) => eprintln!("{}, {}", self.what, HumanBytes(total)),
                None => eprintln!("{}", self.what),
            },
        }
    }

    fn at(&mut self, bytes: u64) {
        match &self.bar {
            Some(bar) => bar.set_position(bytes),
            None if self.last.elapsed() > PAUSE => {
                self.last = Instant::now();
                let of = self.total.map_or_else(String::new, |t| format!(" of {}", HumanBytes(t)));
                eprintln!("{}, {}{of}", self.what, HumanBytes(bytes));
            }
            None => {}
        }
    }

    fn note(&mut self, line: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{line}")),
            None => eprintln!("{line}"),
        }
    }
}

/// Fetches a data set.
pub fn run(args: &Fetch) -> Result<ExitCode> {
    let request = Request {
        sources: sources_of(&args.name)?,
        folder: args.data.clone(),
        from: args.from.clone(),
        sums: args.sums.as_deref().map(Sums::read).transpose()?,
        patience: Patience::default(),
    };
    let bar = std::io::stderr().is_terminal().then(|| ProgressBar::new(0));
    let mut screen = Screen { bar, what: String::new(), total: None, last: Instant::now() };
    let report = fetch(&request, &mut screen)?;
    if let Some(bar) = screen.bar {
        bar.finish_and_clear();
    }
    print(&if args.json { json(args, &report) } else { lines(args, &report) })?;
    let interrupted = report.interrupted();
    let mut failed = false;
    for file in report.files {
        if let State::Failed(error) = file.state {
            failed = true;
            eprintln!("{:?}", miette::Report::new(Failure::from(error)));
        }
    }
    if interrupted {
        eprintln!("partly done: the same command goes on from here");
        return Ok(ExitCode::from(3));
    }
    Ok(ExitCode::from(if failed { 2 } else { 0 }))
}

fn state(file: &FileReport) -> &'static str {
    match file.state {
        State::InPlace => "in place",
        State::Fetched => "fetched",
        State::Failed(_) => "failed",
        State::Unfinished => "unfinished",
    }
}

fn lines(args: &Fetch, report: &Report) -> String {
    let mut text = String::new();
    for file in &report.files {
        text += &format!("{}: {}", file.path.display(), state(file));
        if let Some(d) = &file.digests {
            text += &format!(", {} has {} bytes, SHA-256 {}", file.name, d.bytes, d.sha256);
        }
        text.push('\n');
    }
    let (there, all) = (report.in_place(), report.files.len());
    let new = report.files.iter().any(|f| matches!(f.state, State::Fetched));
    text + &if there < all || new {
        format!("{}: {there} of {all} files are in place", args.name)
    } else {
        format!("{}: everything was in place already", args.name)
    }
}

fn json(args: &Fetch, report: &Report) -> String {
    let files: Vec<_> = report
        .files
        .iter()
        .map(|f| {
            let error = match &f.state {
                State::Failed(e) => Some(e.to_string()),
                _ => None,
            };
            let digests = f.digests.as_ref();
            serde_json::json!({
                "name": f.name, "path": f.path.display().to_string(), "state": state(f), "error": error,
                "bytes": digests.map(|d| d.bytes), "md5": digests.map(|d| &d.md5), "sha256": digests.map(|d| &d.sha256),
            })
        })
        .collect();
    let (there, all) = (report.in_place(), report.files.len());
    serde_json::json!({ "data_set": args.name, "in_place": there, "of": all, "files": files }).to_string()
}
