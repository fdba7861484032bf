//! Identities of cells key the random streams and the stored rows: those of all studies are pinned.
//!
//! A renamed key or a changed default would move every random number. `CONVSTAT_DOCS=write` writes the fixture anew.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convstat_runner::Digest;
use convstat_study::{Plan, StudyFile};
use serde::{Deserialize, Serialize};

/// What is pinned of a study.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Pinned {
    /// Digest of the texts that identities are digests of, a line a cell.
    texts: String,
    /// The identities in the order of the plan, parted by spaces.
    cells: String,
}

fn studies() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| {
        p.extension().is_some_and(|e| e == "toml")
            && !p.file_stem().unwrap().to_string_lossy().starts_with("ablation")
    });
    files.sort();
    files
}

#[test]
fn identities_of_all_studies_are_pinned() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/identities.json");
    let mut found = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for path in studies() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let plan = Plan::new(StudyFile::parse(&std::fs::read_to_string(&path).unwrap()).unwrap()).unwrap();
        let lines: Vec<String> = plan.cells.iter().map(|c| plan.identity(c).unwrap()).collect();
        for (cell, line) in plan.cells.iter().zip(&lines) {
            assert_eq!(cell.id, Digest::of(line).short(), "{line}");
        }
        let cells: Vec<&str> = plan.cells.iter().map(|c| c.id.as_str()).collect();
        let pinned = Pinned { texts: Digest::of(&lines.join("\n")).hex(), cells: cells.join(" ") };
        found.insert(name.clone(), pinned);
        texts.insert(name, lines);
    }
    assert!(found.len() >= 17, "{:?}", found.keys());
    if std::env::var_os("CONVSTAT_DOCS").is_some_and(|v| v == "write") {
        std::fs::create_dir_all(fixture.parent().unwrap()).unwrap();
        std::fs::write(&fixture, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
        return;
    }
    let pinned: BTreeMap<String, Pinned> =
        serde_json::from_str(&std::fs::read_to_string(&fixture).unwrap()).unwrap();
    let names = |all: &BTreeMap<String, Pinned>| all.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&found), names(&pinned), "another list of studies");
    for (name, now) in &found {
        let then = &pinned[name];
        let (then_ids, now_ids): (Vec<&str>, Vec<&str>) =
            (then.cells.split(' ').collect(), now.cells.split(' ').collect());
        assert_eq!(now_ids.len(), then_ids.len(), "{name}: another number of cells");
        let moved = then_ids.iter().zip(&now_ids).position(|(a, b)| a != b);
        if let Some(i) = moved {
            panic!("{name}: cell {i} was {} and is {}, of\n{}", then_ids[i], now_ids[i], texts[name][i]);
        }
        assert_eq!(now.texts, then.texts, "{name}: the texts changed, their digests did not");
    }
}
