//! The reference says what the program says: help texts, keys of study files with their defaults, of architecture files, columns
//! of tables.

#![cfg(test)]

#[path = "support/help.rs"]
mod help;
#[path = "support/keys.rs"]
mod keys;
#[path = "support/pages.rs"]
mod pages;

use std::collections::BTreeSet;
use std::path::Path;

use convstat::cnn::families::FAMILIES;
use convstat::estimate::Method;
use convstat::prelude::*;
use convstat::report::figures;
use convstat::runner::Table;
use convstat::study::{RunOptions, row::tabulate, run};
use keys::{in_backticks, known, rows, unquoted, with_line};
use pages::root;

fn page(name: &str) -> String {
    std::fs::read_to_string(root().join("docs/src/reference").join(name)).unwrap()
}

#[test]
fn the_command_line_reference_is_the_programs_help() {
    help::check(Path::new(env!("CARGO_BIN_EXE_convstat")), "convstat", "cli.md");
}

const BASE: &str = r#"
[study]
name = "reference"
seed = 1
replicates = 2
[[setting]]
name = "CNN"
input = [6, 6]
kernel = [3, 3]
structure = { kind = "cnn", kernels = 1 }
[samples]
n = [50]
"#;

/// The message for [`BASE`] with `line` added to a table that `header` opens.
fn refused(header: &str, line: &str) -> String {
    let text = with_line(BASE, header, "", line);
    match StudyFile::parse(&text).and_then(|file| figures::check(&file)) {
        Ok(()) => panic!("{header} takes {line}"),
        Err(e) => e.to_string(),
    }
}

/// Heading of the reference, header of the table, the keys that a table which is not in [`BASE`] has to have.
const TABLES: [(&str, &str, &str); 13] = [
    ("`[study]`", "[study]", ""),
    ("`[[setting]]`", "[[setting]]", ""),
    ("`[[setting.deeper]]`", "[[setting.deeper]]", "kernel = [1, 1]"),
    ("`[[design]]`", "[[design]]", ""),
    ("`[noise]`", "[noise]", ""),
    ("`[response]`", "[response]", "family = \"logistic\""),
    ("`[truth]`", "[truth]", ""),
    ("`[samples]`", "[samples]", ""),
    ("`[[estimator]]`", "[[estimator]]", "solver = \"als\""),
    ("`[inference]`", "[inference]", "level = 0.9"),
    ("`[theory]`", "[theory]", ""),
    ("`[[check]]`", "[[check]]", ""),
    ("`[[figure]]`", "[[figure]]", "kind = \"rate\""),
];

#[test]
fn every_table_of_a_study_file_is_in_the_reference() {
    let page = page("study-file.md");
    let tables = known(&refused("[zzz]", "")).into_iter().collect::<BTreeSet<_>>();
    let headings = TABLES.iter().filter(|t| !t.1.contains('.'));
    let listed = headings.map(|(_, header, _)| header.trim_matches(['[', ']']).to_owned());
    assert_eq!(listed.collect::<BTreeSet<_>>(), tables);
    for (heading, ..) in TABLES {
        assert!(!rows(&page, heading).is_empty(), "{heading} has no keys");
    }
}

#[test]
fn keys_are_those_that_the_reader_knows() {
    let page = page("study-file.md");
    for (heading, header, _) in TABLES {
        let listed: BTreeSet<String> = rows(&page, heading).iter().map(|r| unquoted(&r[0])).collect();
        // Tables of several kinds have their keys by kind, below.
        if header == "[[estimator]]" {
            // Each solver has its own.
            let of = |m: Method| known(&refused(header, &format!("solver = \"{}\"\nzzz = 1", m.name())));
            assert_eq!(listed, Method::all().into_iter().flat_map(of).collect(), "{heading}");
        } else if ["[[design]]", "[[check]]"].contains(&header) {
            assert_eq!(listed, known(&refused(header, "kind = \"zzz\"")), "{heading}");
        } else {
            assert_eq!(listed, known(&refused(header, "zzz = 1")), "{heading}");
        }
    }
    for (heading, kinds, header) in
        [("Keys of designs", "`[[design]]`", "[[design]]"), ("Keys of checks", "`[[check]]`", "[[check]]")]
    {
        let table = rows(&page, heading);
        for kind in rows(&page, kinds) {
            let keys =
                table.iter().filter(|r| r[1] == "all" || r[1].contains(&kind[0])).map(|r| unquoted(&r[0]));
            let expected =
                known(&refused(header, &format!("kind = {}\nzzz = 1", kind[0].replace('`', "\""))));
            assert_eq!(keys.collect::<BTreeSet<_>>(), expected, "{heading}, {}", kind[0]);
        }
    }
    assert_eq!(
        known(&refused("[samples.sqrt_dm_over_n]", "zzz = 1")),
        BTreeSet::from(["from", "to", "steps"].map(str::to_owned))
    );
}

#[test]
fn keys_of_structures_are_those_that_the_reader_knows() {
    let page = page("study-file.md");
    let table = rows(&page, "Structures");
    let listed: Vec<String> = table.iter().map(|r| unquoted(&r[0])).collect();
    assert_eq!(listed, FAMILIES.iter().map(|(name, _)| (*name).to_owned()).collect::<Vec<_>>());
    for row in &table {
        let kind = unquoted(&row[0]);
        let keys: BTreeSet<String> = in_backticks(&row[1]);
        let text = match kind.as_str() {
            "einsum" => "{ einsum = \"ab->ab\", zzz = 1 }".to_owned(),
            kind => format!("{{ kind = \"{kind}\", zzz = 1 }}"),
        };
        let message = StructureSpec::parse(&text).unwrap_err().to_string();
        assert_eq!(keys, known(&message), "{kind}: {message}");
    }
}

#[test]
fn values_are_those_that_the_reader_knows() {
    let page = page("study-file.md");
    for (heading, header, key, before) in [
        ("`[noise]`", "[noise]", "kind", ""),
        ("`[response]`", "[response]", "family", ""),
        ("`[truth]`", "[truth]", "draw", ""),
        ("`[[setting]]`", "[[setting]]", "activation", ""),
        ("`[[estimator]]`", "[[estimator]]", "solver", ""),
        ("`[[estimator]]`", "[[estimator]]", "starts", ""),
        ("`[[estimator]]`", "[[estimator]]", "select", "solver = \"als\"\n"),
        ("`[[figure]]`", "[[figure]]", "kind", ""),
        ("Keys of checks", "[[check]]", "norm", "kind = \"rate\"\n"),
        ("Keys of checks", "[[check]]", "of", "kind = \"coverage\"\n"),
    ] {
        let value = if ["starts", "of"].contains(&key) { "[\"zzz\"]" } else { "\"zzz\"" };
        let mut expected = known(&refused(header, &format!("{before}{key} = {value}")));
        // What stands for leaving the table out, and is refused.
        if key == "family" {
            expected.remove("gaussian");
        }
        let row = rows(&page, heading).into_iter().find(|r| unquoted(&r[0]) == key).unwrap();
        let named = in_backticks(row.last().unwrap());
        assert!(expected.is_subset(&named), "{heading} {key}: {named:?} lacks some of {expected:?}");
    }
}

/// A study file as it is stored.
fn stored(text: &str) -> serde_json::Value {
    serde_json::to_value(StudyFile::parse(text).unwrap_or_else(|e| panic!("{e}:\n{text}"))).unwrap()
}

#[test]
fn defaults_are_those_of_the_reader() {
    let page = page("study-file.md");
    let (mut checked, mut required) = (0, 0);
    // The others are tables of several kinds.
    for (heading, header, needed) in
        TABLES.into_iter().filter(|t| !["[[design]]", "[[check]]"].contains(&t.1))
    {
        for row in rows(&page, heading) {
            let (key, default) = (unquoted(&row[0]), &row[1]);
            if default == "required" && BASE.contains(&format!("\n{key} = ")) {
                let text: String = BASE
                    .lines()
                    .filter(|l| !l.starts_with(&format!("{key} = ")))
                    .map(|l| format!("{l}\n"))
                    .collect();
                let message = StudyFile::parse(&text).unwrap_err().to_string();
                assert!(message.contains(&key), "{heading} {key}: {message}");
                required += 1;
            }
            let Some(literal) = default.strip_prefix('`').and_then(|d| d.strip_suffix('`')) else { continue };
            // The penalty is of solvers without starts.
            let needed = if key == "lambda" { "solver = \"ridge\"" } else { needed };
            let table = |line: &str| with_line(BASE, header, needed, line);
            assert_eq!(
                stored(&table(&format!("{key} = {literal}"))),
                stored(&table("")),
                "{heading} {key} = {literal}"
            );
            checked += 1;
        }
    }
    assert!(checked >= 12 && required >= 5, "{checked} {required}");
}

#[test]
fn columns_are_those_of_the_tables() {
    let text = format!(
        "{BASE}[[design]]\nkind = \"normal-exact\"\n[inference]\nlevel = 0.95\n[theory]\nbounds = false\n[[estimator]]\nsolver = \"als\"\n\
         [[estimator]]\nsolver = \"levenberg-marquardt\"\nstarts = [\"spectral\"]\nselect = \"bic\"\nover = {{ kernels = [1, 2] }}\n"
    );
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("run");
    let study = Study::new(&text, &Overrides::default()).unwrap();
    run(&study, &out, RunOptions::default()).unwrap();
    let names = |table: &Table| table.columns().iter().map(|c| c.0.clone()).collect::<Vec<_>>();
    let page = page("formats.md");
    let listed = |heading: &str| rows(&page, heading).iter().map(|r| unquoted(&r[0])).collect::<Vec<_>>();
    assert_eq!(listed("Columns of parts"), names(&tabulate(&study.plan.file, &[])));
    assert_eq!(listed("Columns of the summary"), names(&Table::read(&out.join("summary.parquet")).unwrap()));
    // The manifest has the keys that the page names.
    let manifest: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("manifest.json")).unwrap()).unwrap();
    let keys: BTreeSet<String> = manifest.as_object().unwrap().keys().cloned().collect();
    assert_eq!(listed("manifest.json").into_iter().collect::<BTreeSet<_>>(), keys);
}

/// Names that the reader of architecture files knows, as the error of this text lists them.
fn architecture_names(text: &str) -> BTreeSet<String> {
    let message = match convstat::graph::toml_file::parse(text) {
        Ok(_) => panic!("it is taken: {text}"),
        Err(e) => e.to_string(),
    };
    let listed = message.split_once("(known: ").unwrap_or_else(|| panic!("{message}")).1;
    listed.trim_end_matches(')').split(", ").map(str::to_owned).collect()
}

/// A file of one layer.
fn of_layer(layer: &str) -> String {
    format!("name = \"n\"\ninput = [4, 8, 8]\n[[layer]]\n{layer}\n")
}

#[test]
fn keys_of_architecture_files_are_those_that_the_reader_knows() {
    let page = page("architecture-file.md");
    let names = |heading: &str| rows(&page, heading).iter().map(|r| unquoted(&r[0])).collect::<BTreeSet<_>>();
    assert_eq!(names("Top level"), architecture_names("zzz = 1\nname = \"n\"\ninput = [4]\n"));
    let in_layers: BTreeSet<String> = names("`[[layer]]`").union(&names("Kinds")).cloned().collect();
    assert_eq!(in_layers, architecture_names(&of_layer("zzz = 1")));
    let explained = names("Keys of kinds");
    let mut used = BTreeSet::new();
    for row in rows(&page, "Kinds").iter().filter(|r| r[1] != "none") {
        let kind = unquoted(&row[0]);
        let keys = in_backticks(&row[1]);
        assert_eq!(keys, architecture_names(&of_layer(&format!("{kind} = {{ zzz = 1 }}"))), "{kind}");
        used.extend(keys);
    }
    assert_eq!(explained, used);
    // Values, and which keys have none of their own.
    let row = |key: &str| rows(&page, "Keys of kinds").into_iter().find(|r| unquoted(&r[0]) == key).unwrap();
    for key in ["norm", "activation"] {
        assert_eq!(
            in_backticks(&row(key)[3]),
            architecture_names(&of_layer(&format!("{key} = \"zzz\""))),
            "{key}"
        );
    }
    for (layer, key) in [
        ("conv = { kernel = 3 }", "out"),
        ("conv = { out = 8 }", "kernel"),
        ("bottleneck = { out = 8 }", "r"),
        ("inverted_residual = { out = 8 }", "expand"),
        ("tucker = { out = 8 }", "ranks"),
        ("shuffle = {}", "groups"),
        ("pool = {}", "kind"),
    ] {
        let message = convstat::graph::toml_file::parse(&of_layer(layer)).unwrap_err().to_string();
        assert!(message.contains(&format!("missing field `{key}`")), "{layer}: {message}");
        assert!(row(key)[2].contains("required"), "{key}");
    }
}
