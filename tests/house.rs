//! The house: modules of a crate form a DAG, crates and files stay small.
//!
//! The children of every module are held against each other, so that a folder has no cycle inside, nor one with its neighbours.
//! `pub use` in a parent is a facade: a name that goes through it counts for the module that defines it. What a parent defines
//! itself is a node of its own, so that a child that uses it and is used by it closes a cycle.

#![cfg(test)]

#[path = "support/modules.rs"]
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use modules::{Crate, cycle};

/// Lines a crate of ours may have, tests inside files counted.
const CRATE_LINES: usize = 8000;
/// Lines a file of ours may have.
const FILE_LINES: usize = 450;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn crates() -> Vec<PathBuf> {
    let mut crates: Vec<PathBuf> = std::fs::read_dir(root().join("crates"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.join("src").is_dir())
        .collect();
    crates.sort();
    assert!(crates.len() > 10, "{crates:?}");
    crates
}

#[test]
fn modules_form_a_dag() {
    let mut found = Vec::new();
    for folder in crates() {
        let parsed = Crate::read(&folder.join("src"));
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        for (parent, edges) in parsed.edges() {
            if let Some(path) = cycle(&edges) {
                let place = if parent.is_empty() { name.clone() } else { format!("{name}::{parent}") };
                let why: Vec<String> = path
                    .windows(2)
                    .map(|pair| {
                        format!("    {} -> {}: {}", pair[0], pair[1], edges[&pair[0]][&pair[1]].join(", "))
                    })
                    .collect();
                found.push(format!("{place}: {}\n{}", path.join(" -> "), why.join("\n")));
            }
        }
    }
    assert!(found.is_empty(), "modules that import each other in a circle:\n{}", found.join("\n"));
}

#[test]
fn crates_and_files_stay_small() {
    let mut large = Vec::new();
    for folder in crates() {
        let mut total = 0;
        for file in modules::rust_files(&folder.join("src")) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            total += lines;
            if lines > FILE_LINES {
                large.push(format!("{}: {lines} lines, at most {FILE_LINES}", file.display()));
            }
        }
        if total > CRATE_LINES {
            large.push(format!("{}: {total} lines, at most {CRATE_LINES}", folder.display()));
        }
    }
    assert!(large.is_empty(), "{}", large.join("\n"));
}

#[test]
fn a_circle_is_found_and_named() {
    let edge = |to: &str| BTreeMap::from([(to.to_owned(), vec!["x.rs".to_owned()])]);
    let edges = BTreeMap::from([
        ("a".to_owned(), edge("b")),
        ("b".to_owned(), edge("c")),
        ("c".to_owned(), edge("a")),
    ]);
    let path = cycle(&edges).unwrap();
    assert_eq!(path.len(), 4);
    assert_eq!(path.iter().collect::<BTreeSet<_>>().len(), 3);
    let open = BTreeMap::from([("a".to_owned(), edge("b")), ("b".to_owned(), edge("c"))]);
    assert_eq!(cycle(&open), None);
}

#[test]
fn paths_lead_to_the_module_that_defines_the_name() {
    let folder = tempdir();
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "pub mod a;\npub mod b;\nmod deep;\npub use a::Thing;\n");
    write(
        "a.rs",
        "pub struct Thing; // use crate::b::Other;\n#[cfg(test)]\nmod tests { use crate::b::Other; }\n",
    );
    write("b.rs", "use crate::{Thing, deep::{self, Inner as I}};\npub struct Other;\n");
    write("deep/mod.rs", "mod one;\nmod two;\npub use one::Inner;\npub fn own() { two::g() }\n");
    write("deep/one.rs", "pub struct Inner;\nfn f() { super::own() }\n");
    write("deep/two.rs", "pub fn g() { let _ = \"crate::b::Other\"; super::Inner; }\n");
    let edges = Crate::read(&folder).edges();
    let pairs = |parent: &str| -> Vec<String> {
        edges[parent].iter().flat_map(|(from, to)| to.keys().map(move |t| format!("{from}>{t}"))).collect()
    };
    assert_eq!(pairs(""), ["b>a", "b>deep"]);
    assert_eq!(
        pairs("deep"),
        ["one>(deep)", "two>one", "(deep)>two"]
            .map(str::to_owned)
            .into_iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert!(cycle(&edges["deep"]).is_some());
    std::fs::remove_dir_all(&folder).unwrap();
}

fn tempdir() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("convstat-house-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
