//! The documentation: sessions run, study files are read, commands exist, links lead somewhere.

#![cfg(test)]

#[path = "support/pages.rs"]
mod pages;
#[path = "support/session.rs"]
mod session;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

// Links the BLAS that ndarray uses.
use convstat::report::figures;
use convstat::study::StudyFile;
use pages::{Block, blocks, commands_in, pages, prose, root};

const PROGRAM: &str = env!("CARGO_BIN_EXE_convstat");

fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()))
}

#[test]
fn sessions_print_what_pages_show() {
    let pages = pages();
    let ran: usize = std::thread::scope(|scope| {
        let running: Vec<_> =
            pages.iter().map(|p| scope.spawn(|| session::run_page(p, Path::new(PROGRAM), ""))).collect();
        running.into_iter().map(|r| r.join().unwrap_or_else(|e| std::panic::resume_unwind(e))).sum()
    });
    assert!(ran >= 15, "{ran} commands ran");
}

#[test]
fn blocks_say_what_they_are() {
    for page in pages() {
        for block in blocks(&read(&page)) {
            let place = format!("{}:{}", page.display(), block.line);
            let known = ["console", "sh", "toml", "rust", "diff", "python", "text", "json", "math"];
            assert!(known.contains(&block.language()), "{place}: ```{}", block.info);
            if block.language() == "console" {
                let options = block.options();
                let reason = options.strip_prefix("ignore: ").is_some_and(|r| r.len() > 10);
                assert!(options.is_empty() || options == "train" || reason, "{place}: ```{}", block.info);
            }
        }
    }
}

#[test]
fn files_on_pages_are_read() {
    let mut studies = 0;
    for page in pages() {
        for block in blocks(&read(&page)).iter().filter(|b| b.language() == "toml") {
            let place = format!("{}:{}", page.display(), block.line);
            let text = block.lines.join("\n");
            let table: toml::Table = toml::from_str(&text).unwrap_or_else(|e| panic!("{place}: {e}"));
            if table.contains_key("study") {
                let file = StudyFile::parse(&text).and_then(|file| figures::check(&file));
                file.unwrap_or_else(|e| panic!("{place}: {e}"));
                studies += 1;
            }
        }
    }
    assert!(studies >= 1);
}

/// Help texts by command.
struct Help(HashMap<Vec<String>, String>);

impl Help {
    fn of(&mut self, command: &[String]) -> &str {
        self.0.entry(command.to_vec()).or_insert_with(|| {
            let output = std::process::Command::new(PROGRAM).args(command).arg("--help").output().unwrap();
            assert!(output.status.success(), "convstat {command:?} --help");
            String::from_utf8(output.stdout).unwrap()
        })
    }

    /// Whether the help of `command` lists `sub` as a command.
    fn has_command(&mut self, command: &[String], sub: &str) -> bool {
        commands_in(self.of(command)).iter().any(|c| c == sub)
    }
}

/// The lines of a block, those that end with a backslash joined with the next, comments cut off.
fn commands(block: &Block) -> Vec<String> {
    let text = block.lines.join("\n").replace("\\\n", " ");
    let strip = |line: &str| line.split(" # ").next().unwrap_or_default().trim().to_owned();
    text.lines().map(|l| strip(l.trim_start_matches("$ "))).collect()
}

#[test]
fn commands_and_options_exist() {
    let mut help = Help(HashMap::new());
    let mut checked = 0;
    for page in pages() {
        for block in blocks(&read(&page)).iter().filter(|b| ["sh", "console"].contains(&b.language())) {
            for line in commands(block) {
                let Some(rest) =
                    line.strip_prefix("convstat ").or_else(|| line.strip_prefix("target/release/convstat "))
                else {
                    continue;
                };
                let mut command = Vec::new();
                let words: Vec<&str> = rest.split_whitespace().collect();
                for word in &words {
                    if !help.has_command(&command, word) {
                        break;
                    }
                    command.push((*word).to_owned());
                }
                let place = format!("{}:{}: {line}", page.display(), block.line);
                assert!(!command.is_empty(), "{place}: no such command");
                for option in words.iter().filter(|w| w.starts_with("--")) {
                    let name = option.split('=').next().unwrap_or(option);
                    let text = help.of(&command);
                    let listed =
                        text.split(|c: char| c.is_whitespace() || "=[,".contains(c)).any(|w| w == name);
                    assert!(listed, "{place}: convstat {} has no {name}", command.join(" "));
                }
                checked += 1;
            }
        }
    }
    assert!(checked >= 20, "{checked} commands");
}

/// The targets of a page's links.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1);
    targets.filter_map(|rest| rest.split([')', ' ']).next()).map(str::to_owned).collect()
}

/// The anchor that GitHub and mdBook give a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages().into_iter().chain([root().join("CONTRIBUTING.md"), root().join("CHANGELOG.md")]) {
        for link in links(&read(&page)) {
            if link.contains("://") {
                continue;
            }
            let (file, place) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            let found = target.exists()
                && (place.is_empty()
                    || read(&target)
                        .lines()
                        .any(|l| l.starts_with('#') && anchor(l.trim_start_matches('#')) == place));
            if !found {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_summary_has_every_page_once() {
    let folder = root().join("docs/src").canonicalize().unwrap();
    let mut listed = BTreeSet::new();
    for link in links(&read(&folder.join("SUMMARY.md"))) {
        assert!(listed.insert(folder.join(&link)), "{link} stands twice");
    }
    let there: BTreeSet<PathBuf> = pages()
        .into_iter()
        .map(|p| p.canonicalize().unwrap())
        .filter(|p| p.starts_with(&folder) && !p.ends_with("SUMMARY.md"))
        .collect();
    assert_eq!(listed, there);
}

/// `scripts/prose.sh` on these pages: whether no page's sentences have more than 20 words on average, and what it prints.
fn are_short(pages: &[PathBuf]) -> (bool, String) {
    let script = root().join("scripts/prose.sh").canonicalize().unwrap();
    let output = std::process::Command::new(script).args(["--mean", "20"]).args(pages).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn sentences_are_short() {
    let pages: Vec<PathBuf> = pages().iter().map(|p| p.canonicalize().unwrap()).collect();
    let (short, printed) = are_short(&pages);
    assert!(short, "{printed}");
    assert!(read(&root().join("README.md")).lines().count() <= 130);

    let place = tempfile::tempdir().unwrap();
    let page = place.path().join("page.md");
    let sentence = "word ".repeat(20);
    std::fs::write(&page, format!("{sentence}word.\n\n| a table | {sentence} |\n\n```text\nShort.\n```\n"))
        .unwrap();
    assert!(!are_short(std::slice::from_ref(&page)).0);
    std::fs::write(&page, format!("{sentence}`a b`. Word.\n")).unwrap();
    assert!(are_short(&[page]).0);
}
