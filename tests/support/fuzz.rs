//! A harness for readers: generated and damaged inputs, each read under a watch for panics, hangs and memory.
//!
//! `CONVSTAT_REPLAY=FILE` runs one saved input alone; `CONVSTAT_SEED=N` changes the seed; `CONVSTAT_READER=NAME` takes one reader;
//! `CONVSTAT_FUZZ_SLOWDOWN=N` multiplies the time a case may take (sanitizers).

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use proptest::strategy::{Strategy, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::long::{row, size};

/// A single allocation beyond this is absurd for any input of the tests.
const ABSURD: usize = 1 << 30;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static REFUSED: AtomicUsize = AtomicUsize::new(0);

/// Counts live bytes and their peak over all threads.
struct Limiting;

impl Limiting {
    fn took(bytes: usize) {
        PEAK.fetch_max(LIVE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
    }

    /// Holds the thread for good: an allocator may not unwind, and null would end the process without a word on the
    /// input. The watch sees the mark and ends it.
    fn refuse(bytes: usize) {
        REFUSED.store(bytes, Relaxed);
        loop {
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

// SAFETY: hands every call on to the system's allocator, which keeps the contract; the counting touches no memory of it.
unsafe impl GlobalAlloc for Limiting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() > ABSURD {
            Self::refuse(layout.size());
        }
        Self::took(layout.size());
        // SAFETY: the caller's; memory that is given came from the system's allocator.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() > ABSURD {
            Self::refuse(layout.size());
        }
        Self::took(layout.size());
        // SAFETY: the caller's; memory that is given came from the system's allocator.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, p: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if size > ABSURD {
            Self::refuse(size);
        }
        LIVE.fetch_sub(layout.size(), Relaxed);
        Self::took(size);
        // SAFETY: the caller's; memory that is given came from the system's allocator.
        unsafe { System.realloc(p, layout, size) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's; memory that is given came from the system's allocator.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Limiting = Limiting;

/// Random choices of one case (splitmix64), and the runner of proptest's strategies.
pub struct Source {
    state: u64,
    runner: TestRunner,
    /// One thing in so many is odd; none for 0.
    oddness: usize,
}

/// Numbers at which arithmetic and allocations break.
const EDGES: [u64; 20] = [
    0,
    1,
    2,
    3,
    7,
    8,
    127,
    128,
    255,
    256,
    0x7fff,
    0xffff,
    0x10000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX,
];

impl Source {
    fn new(seed: u64) -> Self {
        let mut source = Self { state: seed, runner: TestRunner::default(), oddness: 0 };
        let key: Vec<u8> = (0..4).flat_map(|_| source.next().to_le_bytes()).collect();
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &key);
        source.runner = TestRunner::new_with_rng(Config::default(), rng);
        source.oddness = *source.pick(&[0, 150, 60, 60, 15]);
        source
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform below `n`, 0 for none.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    /// True once in `n` times.
    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    /// One of the list.
    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let i = self.below(list.len());
        &list[i]
    }

    /// A value of a strategy.
    pub fn draw<S: Strategy>(&mut self, strategy: &S) -> S::Value {
        strategy.new_tree(&mut self.runner).expect("strategies reject nothing").current()
    }

    /// A stretch of `bytes`, mostly short.
    fn range(&mut self, len: usize) -> std::ops::Range<usize> {
        let start = self.below(len + 1);
        let most = if self.one_in(4) { len } else { 16 };
        let end = (start + self.below(most + 1)).min(len);
        start..end
    }

    /// One of `seeds` after one to four changes.
    pub fn damaged(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.pick(seeds).clone();
        for _ in 0..=self.below(4) {
            self.damage(&mut bytes, seeds);
        }
        bytes.truncate(1 << 20);
        bytes
    }

    fn damage(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let len = bytes.len();
        match self.below(10) {
            0 => {
                for _ in 0..=self.below(8) {
                    let (at, bit) = (self.below(len), self.below(8));
                    if let Some(b) = bytes.get_mut(at) {
                        *b ^= 1 << bit;
                    }
                }
            }
            1 => bytes.truncate(self.below(len + 1)),
            2 => {
                let range = self.range(len);
                let (part, at) = (bytes[range].to_vec(), self.below(len + 1));
                let times = if self.one_in(8) { 50 } else { 1 };
                bytes.splice(at..at, part.repeat(times));
            }
            3 => {
                let range = self.range(len);
                bytes.drain(range);
            }
            4 => {
                // A piece of another input, or of this one, over what is there.
                let other = self.pick(seeds).clone();
                let (from, to) = (self.range(other.len()), self.range(len));
                bytes.splice(to, other[from].iter().copied());
            }
            5 => {
                let at = self.below(len + 1);
                let new: Vec<u8> = (0..=self.below(16)).map(|_| self.next() as u8).collect();
                bytes.splice(at..at, new);
            }
            6 | 7 => {
                // A length or a count, in either order of bytes.
                let width = *self.pick(&[1usize, 2, 4, 8]);
                let edge = if self.one_in(3) { len as u64 } else { *self.pick(&EDGES) };
                let mut word =
                    edge.wrapping_add(self.below(3) as u64).wrapping_sub(1).to_le_bytes()[..width].to_vec();
                if self.one_in(2) {
                    word.reverse();
                }
                let at = self.below(len.saturating_sub(width) + 1);
                let end = (at + width).min(len);
                bytes.splice(at..end, word);
            }
            8 => self.damage_text(bytes),
            _ => {
                let (a, b) = (self.range(len), self.range(len));
                let (a, b) = if a.start <= b.start { (a, b) } else { (b, a) };
                if a.end <= b.start {
                    let (first, middle, second) = (
                        bytes[a.clone()].to_vec(),
                        bytes[a.end..b.start].to_vec(),
                        bytes[b.clone()].to_vec(),
                    );
                    bytes.splice(a.start..b.end, [second, middle, first].concat());
                }
            }
        }
    }

    /// Changes a number, a line or the nesting of a text; leaves bytes that are none.
    fn damage_text(&mut self, bytes: &mut Vec<u8>) {
        let Ok(mut text) = String::from_utf8(bytes.clone()) else { return };
        match self.below(4) {
            0 | 1 => {
                let numbers: Vec<(usize, usize)> = {
                    let digit = |c: char| c.is_ascii_digit();
                    let starts = text.match_indices(digit).map(|(i, _)| i);
                    let starts: Vec<usize> =
                        starts.filter(|&i| i == 0 || !text.as_bytes()[i - 1].is_ascii_digit()).collect();
                    starts
                        .iter()
                        .map(|&i| (i, text[i..].find(|c| !digit(c)).map_or(text.len(), |n| i + n)))
                        .collect()
                };
                if let Some(&(start, end)) = numbers.get(self.below(numbers.len())) {
                    let number = self.draw(&odd_number());
                    text.replace_range(start..end, &number);
                }
            }
            2 => {
                let lines: Vec<&str> = text.lines().collect();
                let (from, to) = (self.below(lines.len()), self.below(lines.len() + 1));
                if let Some(line) = lines.get(from) {
                    let mut lines = lines.clone();
                    lines.insert(to.min(lines.len()), line);
                    text = lines.join("\n");
                }
            }
            _ => {
                let deep = *self.pick(&[3usize, 200, 20_000]);
                let (open, close) =
                    *self.pick(&[("[", "]"), ("(", ")"), ("{a=", "}"), ("{\"a\":", "}"), ("a.", "")]);
                let nest = open.repeat(deep) + "1" + &close.repeat(deep);
                let places: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
                let at = places.get(self.below(places.len())).copied().unwrap_or(0);
                text.insert_str(at, &nest);
            }
        }
        *bytes = text.into_bytes();
    }
}

/// Numbers as a text file has them, at an edge or of another kind.
const ODD_NUMBERS: &[&str] = &[
    "-1",
    "0",
    "1e308",
    "1e400",
    "-1e308",
    "nan",
    "inf",
    "-inf",
    "5e-324",
    "0.5",
    "-0.0",
    "17",
    "65536",
    "1000000",
    "2147483647",
    "4294967296",
    "4294967297",
    "1000000000000",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "\"1\"",
    "[]",
    "{}",
    "true",
    "",
];

/// Texts that break names.
const ODD_NAMES: &[&str] =
    &["", ".", "..", "a/b", "Ω ü 漢字", "a\\u0000b", "a\\nb", "\\\"", "-x", "CON", "a b"];

/// A number that is odd: a whole one that is 0 or large, or anything else.
pub fn odd_number() -> impl Strategy<Value = String> {
    proptest::prop_oneof![
        proptest::sample::select(&EDGES).prop_map(|n| n.to_string()),
        proptest::sample::select(ODD_NUMBERS).prop_map(str::to_owned),
    ]
}

impl Source {
    /// Whether the next thing is to be odd; how often is drawn once a case, so that many cases have few odd things.
    fn odd(&mut self) -> bool {
        self.oddness > 0 && self.one_in(self.oddness)
    }

    /// A number from `low` to `high`, or an odd one.
    pub fn number(&mut self, low: u64, high: u64) -> String {
        if self.odd() { self.draw(&odd_number()) } else { self.draw(&(low..=high)).to_string() }
    }

    /// A list of `length` numbers, or an odd one.
    pub fn list(&mut self, length: usize, low: u64, high: u64) -> String {
        let length = if self.odd() { self.draw(&(0usize..24)) } else { length };
        let numbers: Vec<String> = (0..length).map(|_| self.number(low, high)).collect();
        format!("[{}]", numbers.join(", "))
    }

    /// A quoted name.
    pub fn name(&mut self) -> String {
        let name = if self.odd() {
            self.draw(&proptest::sample::select(ODD_NAMES)).to_owned()
        } else {
            self.draw(&"[a-z][a-z0-9-]{0,6}")
        };
        format!("\"{name}\"")
    }

    /// One of the words, quoted, or an odd one.
    pub fn word(&mut self, words: &[&str]) -> String {
        if self.odd() { self.name() } else { format!("\"{}\"", self.pick(words)) }
    }

    /// Lines `key = value` of those keys that are present, each with its chance in percent; rarely a key is misspelt or
    /// left out.
    pub fn keys(&mut self, keys: &[(&str, usize, String)]) -> String {
        let mut text = String::new();
        for (key, percent, value) in keys {
            if self.below(100) < *percent && !(self.odd() && self.one_in(4)) {
                let odd = self.odd() && self.one_in(4);
                text += &format!("{key}{} = {value}\n", if odd { "s" } else { "" });
            }
        }
        text
    }
}

/// What a reader made of an input: done, or refused with a message.
pub type Verdict = Result<(), String>;

/// A reader under test.
pub struct Reader<'a> {
    /// Its name in the table.
    pub name: &'static str,
    /// Cases in the short and in the long mode.
    pub cases: (usize, usize),
    /// Time that one case may take.
    pub seconds: u64,
    /// Memory that one case may take: this many MiB, and this many bytes a byte of input.
    pub memory: (usize, usize),
    /// What an error has to name, for readers of files.
    pub names: Option<&'static str>,
    /// Makes an input.
    pub generate: Box<dyn FnMut(&mut Source) -> Vec<u8> + 'a>,
    /// Reads it, and does what a command would do with the result.
    pub read: Box<dyn FnMut(&[u8]) -> Verdict + 'a>,
}

#[derive(Clone)]
struct Running {
    started: Instant,
    most: Duration,
    reader: String,
    input: PathBuf,
}

static RUNNING: Mutex<Option<Running>> = Mutex::new(None);
static PANICS: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// Ends the process if a case takes too long or too much at once; its input is in the file already.
fn watch() {
    loop {
        std::thread::sleep(Duration::from_millis(20));
        let running = RUNNING.lock().expect("nothing panics while it is held").clone();
        let Some(running) = running else { continue };
        let refused = REFUSED.load(Relaxed);
        let reason = if refused > 0 {
            format!("asks for {refused} bytes at once")
        } else if running.started.elapsed() > running.most {
            format!("takes more than {:?}", running.most)
        } else {
            continue;
        };
        eprintln!("\n{}: {reason}; its input is {}", running.reader, running.input.display());
        std::process::exit(101);
    }
}

/// The words of a panic.
fn message(payload: &dyn std::any::Any) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal.or(payload.downcast_ref::<String>().map(String::as_str)).unwrap_or_default()
}

fn environment(key: &str) -> Option<u64> {
    std::env::var(key).ok()?.parse().ok()
}

/// Where inputs are written; one folder a test binary.
fn folder(binary: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{binary}"));
    fs::create_dir_all(&folder).expect("the target folder can be written");
    folder
}

/// Runs the readers, prints a line for each, and fails with the inputs that broke one.
///
/// # Panics
/// If any did.
pub fn run(binary: &str, readers: Vec<Reader<'_>>) {
    let folder = folder(binary);
    let seed = environment("CONVSTAT_SEED").unwrap_or(20201122);
    let slowdown = environment("CONVSTAT_FUZZ_SLOWDOWN").unwrap_or(1);
    let replay = std::env::var_os("CONVSTAT_REPLAY").map(PathBuf::from);
    let only = std::env::var("CONVSTAT_READER").ok();
    std::thread::spawn(watch);
    let usual = std::panic::take_hook();
    let replaying = replay.is_some();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PANICS
            .lock()
            .expect("nothing panics while it is held")
            .push(format!("{place}: {}", message(info.payload())));
        if replaying || !place.contains("crates/") && !place.contains("/registry/") {
            usual(info);
        }
    }));
    println!("seed {seed}; inputs in {}", folder.display());
    let (mut failures, mut total) = (Vec::new(), [0usize; 3]);
    for mut reader in readers {
        if only.as_ref().is_some_and(|only| only != reader.name) {
            continue;
        }
        let mut tally = Tally::default();
        let key = reader.name.bytes().fold(seed, |k, b| k.wrapping_mul(0x100_0000_01b3) ^ u64::from(b));
        let cases = size(reader.cases.0, reader.cases.1);
        let limit = Duration::from_secs(reader.seconds * slowdown);
        if let Some(path) = &replay {
            let stem = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if stem.starts_with(&format!("{}-", file_name(reader.name))) {
                let input = fs::read(path).expect("the file to replay can be read");
                let verdict = tally.case(&mut reader, &input, path.clone(), limit);
                println!("{}: {verdict:?}", reader.name);
            }
            continue;
        }
        for case in 0..cases {
            let mut source = Source::new(key.wrapping_add((case as u64).wrapping_mul(0x2545_f491_4f6c_dd1d)));
            let input = (reader.generate)(&mut source);
            let path = folder.join(format!("{}-current", file_name(reader.name)));
            fs::write(&path, &input).expect("the target folder can be written");
            if let Err(reason) = tally.case(&mut reader, &input, path.clone(), limit) {
                let kept = folder.join(format!("{}-{seed}-{case}", file_name(reader.name)));
                fs::rename(&path, &kept).expect("the target folder can be written");
                let line = format!(
                    "{} case {case}: {reason}; replay with CONVSTAT_REPLAY={}",
                    reader.name,
                    kept.display()
                );
                eprintln!("{line}");
                failures.push(line);
                if failures.len() > 40 {
                    break;
                }
            }
        }
        row(
            "fuzz",
            &[
                reader.name,
                &tally.cases.to_string(),
                &tally.accepted.to_string(),
                &tally.refused.to_string(),
                &format!("{:.0}", tally.slowest.as_secs_f64() * 1e3),
                &format!("{:.1}", tally.peak as f64 / 1e6),
            ],
        );
        for (sum, n) in total.iter_mut().zip([tally.cases, tally.accepted, tally.refused]) {
            *sum += n;
        }
    }
    println!("all readers of {binary} | {} | {} | {}", total[0], total[1], total[2]);
    assert!(failures.is_empty(), "seed {seed}, {} failures:\n{}", failures.len(), failures.join("\n"));
}

fn file_name(reader: &str) -> String {
    reader.replace([' ', '/', '.'], "_")
}

#[derive(Default)]
struct Tally {
    cases: usize,
    accepted: usize,
    refused: usize,
    slowest: Duration,
    peak: usize,
}

impl Tally {
    /// Runs one case; what is wrong with it.
    fn case(&mut self, reader: &mut Reader, input: &[u8], path: PathBuf, most: Duration) -> Verdict {
        self.cases += 1;
        PANICS.lock().expect("nothing panics while it is held").clear();
        let before = LIVE.load(Relaxed);
        PEAK.store(before, Relaxed);
        let started = Instant::now();
        let running = Running { started, most, reader: reader.name.to_owned(), input: path };
        *RUNNING.lock().expect("nothing panics while it is held") = Some(running);
        let verdict = catch_unwind(AssertUnwindSafe(|| (reader.read)(input)));
        *RUNNING.lock().expect("nothing panics while it is held") = None;
        let (took, peak) = (started.elapsed(), PEAK.load(Relaxed).saturating_sub(before));
        self.slowest = self.slowest.max(took);
        self.peak = self.peak.max(peak);
        let panics = PANICS.lock().expect("nothing panics while it is held").clone();
        // Panics of a library that its caller catches are no failures; those of these crates are, caught or not.
        if let Some(panic) = panics.iter().find(|p| verdict.is_err() || p.starts_with("crates/")) {
            return Err(format!("panicked at {panic}"));
        }
        let bound = (reader.memory.0 << 20) + reader.memory.1 * input.len();
        if peak > bound {
            return Err(format!("took {peak} bytes for {} of input; the bound is {bound}", input.len()));
        }
        match verdict {
            Ok(Ok(())) => self.accepted += 1,
            Ok(Err(message)) => {
                self.refused += 1;
                if message.trim().is_empty() || reader.names.is_some_and(|name| !message.contains(name)) {
                    return Err(format!(
                        "the message names no {}: {message:?}",
                        reader.names.unwrap_or("reason")
                    ));
                }
            }
            Err(_) => return Err("panicked without a place".to_owned()),
        }
        Ok(())
    }
}
