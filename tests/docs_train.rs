//! The documentation of `convstat-train`: its reference, the keys of ablation files, and the sessions of pages that run it.

#![cfg(test)]

#[path = "support/help.rs"]
mod help;
#[path = "support/keys.rs"]
mod keys;
#[path = "support/pages.rs"]
mod pages;
#[path = "support/session.rs"]
mod session;

use std::collections::BTreeSet;
use std::path::Path;

use convstat_data::DATASETS;
use convstat_train::ablation::AblationFile;
use convstat_train::blocks::{BLOCKS, BlockSpec};
use keys::{in_backticks, known, rows, unquoted, with_line};

const PROGRAM: &str = env!("CARGO_BIN_EXE_convstat-train");

#[test]
fn the_command_line_reference_is_the_programs_help() {
    help::check(Path::new(PROGRAM), "convstat-train", "cli-train.md");
}

#[test]
fn sessions_print_what_pages_show() {
    let ran: usize = pages::pages().iter().map(|p| session::run_page(p, Path::new(PROGRAM), "train")).sum();
    assert!(ran >= 1);
}

const BASE: &str = r#"
[ablation]
name = "reference"
[data]
name = "digits"
[network]
[[network.stages]]
r = 8
[grid]
[training]
epochs = 1
batch = 2
[training.optimiser]
kind = "sgd"
rate = 0.1
"#;

/// Header of a table, which the page has as a heading; the keys that a table which is not in [`BASE`] has to have.
const TABLES: [(&str, &str); 10] = [
    ("[ablation]", ""),
    ("[data]", ""),
    ("[data.augment]", ""),
    ("[data.clip]", ""),
    ("[network]", ""),
    ("[[network.stages]]", ""),
    ("[grid]", ""),
    ("[training]", ""),
    ("[training.early_stop]", "patience = 1\nvalidation = 0.1"),
    ("[training.schedule]", ""),
];

fn page() -> String {
    std::fs::read_to_string(pages::root().join("docs/src/reference/ablation-file.md")).unwrap()
}

fn refused(text: &str) -> String {
    match AblationFile::parse(text) {
        Ok(_) => panic!("it is taken: {text}"),
        Err(e) => e.to_string(),
    }
}

fn keys_of(heading: &str) -> BTreeSet<String> {
    rows(&page(), heading).iter().map(|r| unquoted(&r[0])).collect()
}

#[test]
fn keys_of_ablation_files_are_those_that_the_reader_knows() {
    let page = page();
    let tables = known(&refused(&format!("{BASE}[zzz]\n")));
    let headings = TABLES.iter().map(|(header, _)| header.trim_matches(['[', ']']).to_owned());
    assert_eq!(headings.filter(|h| !h.contains('.')).collect::<BTreeSet<_>>(), tables);
    for (header, _) in TABLES {
        assert_eq!(
            keys_of(&format!("`{header}`")),
            known(&refused(&with_line(BASE, header, "", "zzz = 1"))),
            "{header}"
        );
    }
    let optimisers = known(&refused(&BASE.replace("\"sgd\"", "\"zzz\"")));
    for kind in &optimisers {
        let of = format!("`{kind}`");
        let listed = rows(&page, "`[training.optimiser]`").into_iter().filter(|r| r[1].contains(&of));
        let text = BASE.replace("kind = \"sgd\"", &format!("zzz = 1\nkind = \"{kind}\""));
        assert_eq!(
            listed.map(|r| unquoted(&r[0])).collect::<BTreeSet<_>>(),
            known(&refused(&text)),
            "{kind}"
        );
    }
    assert_eq!(optimisers.len(), 2);
    let head = |keys: &str| refused(&format!("{BASE}[network.head]\n{keys}\n"));
    assert_eq!(keys_of("`[network.head]`"), known(&head("kind = \"zzz\"")));
    for row in rows(&page, "`[network.head]`").iter().filter(|r| r[1] != "none") {
        let message = head(&format!("kind = \"{}\"\nranks = [1]\nzzz = 1", unquoted(&row[0])));
        assert_eq!(
            in_backticks(&row[1]),
            in_backticks(&message).into_iter().filter(|k| k != "zzz").collect(),
            "{message}"
        );
    }
}

#[test]
fn blocks_are_those_that_the_reader_knows() {
    let table = rows(&page(), "Blocks");
    let listed: Vec<String> = table.iter().map(|r| unquoted(&r[0])).collect();
    assert_eq!(listed.iter().collect::<BTreeSet<_>>().len(), listed.len());
    let names: BTreeSet<String> = BLOCKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), names);
    for row in &table {
        let kind = unquoted(&row[0]);
        let keys = toml::from_str(&format!("kind = \"{kind}\"\nzzz = 1")).unwrap();
        let message = BlockSpec::Table(keys).build().unwrap_err().to_string();
        let named: BTreeSet<String> = in_backticks(&message).into_iter().filter(|k| k != "zzz").collect();
        assert_eq!(in_backticks(&row[1]), named, "{kind}: {message}");
    }
}

#[test]
fn values_of_ablation_files_are_those_that_the_reader_knows() {
    let page = page();
    let row = |heading: &str, key: &str| {
        let found = rows(&page, heading).into_iter().find(|r| unquoted(&r[0]) == key).unwrap();
        in_backticks(found.last().unwrap())
    };
    let sets: BTreeSet<String> = DATASETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert!(sets.is_subset(&row("`[data]`", "name")), "{sets:?}");
    for (header, key, line) in
        [("[grid]", "fixed", "fixed = [\"zzz\"]"), ("[training.schedule]", "kind", "kind = \"zzz\"")]
    {
        let values = known(&refused(&with_line(BASE, header, "", line)));
        assert!(values.len() == 3 && values.is_subset(&row(&format!("`{header}`"), key)), "{values:?}");
    }
}

#[test]
fn defaults_of_ablation_files_are_those_of_the_reader() {
    let page = page();
    let parsed = |text: &str| AblationFile::parse(text).unwrap_or_else(|e| panic!("{e}:\n{text}"));
    let (mut checked, mut required) = (0, 0);
    for (header, needed) in TABLES {
        for row in rows(&page, &format!("`{header}`")) {
            let (key, default) = (unquoted(&row[0]), &row[2]);
            if default == "required" && BASE.contains(&format!("\n{key} = ")) {
                let line = |l: &&str| !l.starts_with(&format!("{key} = "));
                let text: String = BASE.lines().filter(line).map(|l| format!("{l}\n")).collect();
                assert!(refused(&text).contains(&key), "{header} {key}");
                required += 1;
            }
            let Some(literal) = default.strip_prefix('`').and_then(|d| d.strip_suffix('`')) else { continue };
            let with = |line: &str| parsed(&with_line(BASE, header, needed, line));
            assert_eq!(with(&format!("{key} = {literal}")), with(""), "{header} {key} = {literal}");
            checked += 1;
        }
    }
    for row in rows(&page, "`[training.optimiser]`").iter().filter(|r| r[3].starts_with('`')) {
        for kind in in_backticks(&row[1]) {
            let base = BASE.replace("\"sgd\"", &format!("\"{kind}\""));
            let with = base
                .replace("rate = 0.1", &format!("rate = 0.1\n{} = {}", unquoted(&row[0]), unquoted(&row[3])));
            assert_eq!(parsed(&with), parsed(&base), "{kind}: {row:?}");
            checked += 1;
        }
    }
    assert!(checked >= 25 && required >= 4, "{checked} {required}");
}
