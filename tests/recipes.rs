//! The recipes of `docs/src/how-to/extend.md`: each one file and one line, applied to a copy of the sources, built and run there.

#![cfg(test)]

#[path = "support/pages.rs"]
mod pages;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use pages::{Block, blocks, root};

/// What a recipe adds: a file, and lines in a file that is there.
struct Recipe {
    heading: String,
    file: Option<Block>,
    edit: Option<Block>,
}

/// The recipes of the page, a section each.
fn recipes(page: &str) -> Vec<Recipe> {
    let mut found = Vec::new();
    for section in page.split("\n## ").skip(1) {
        let of = |language: &str| {
            let mut here =
                blocks(section).into_iter().filter(|b| b.language() == language && target(b).is_some());
            let first = here.next();
            assert!(here.next().is_none(), "two {language} blocks in one recipe:\n{section}");
            first
        };
        let heading = section.lines().next().unwrap_or_default().to_owned();
        let recipe = Recipe { heading, file: of("rust"), edit: of("diff") };
        if recipe.file.is_some() || recipe.edit.is_some() {
            found.push(recipe);
        }
    }
    found
}

/// The path behind `file=`.
fn target(block: &Block) -> Option<&str> {
    block.info.split_once("file=").map(|(_, path)| path.trim())
}

/// The text after a change as `diff -u` writes it, each at the one place that has its lines. A line `…` stands between places.
fn edited(text: &str, block: &Block) -> String {
    let mut text = text.to_owned();
    for hunk in block.lines.split(|line| line == "…") {
        let join = |signs: &[char]| -> String {
            let lines = hunk.iter().filter(|l| l.starts_with(signs));
            lines.map(|l| format!("{}\n", l.get(1..).unwrap_or_default())).collect()
        };
        let old = join(&[' ', '-']);
        assert!(
            !old.is_empty() && text.matches(&old).count() == 1,
            "{}: not one place has\n{old}",
            block.info
        );
        text = text.replacen(&old, &join(&[' ', '+']), 1);
    }
    text
}

/// The files under `folder` of the repository, by their paths.
fn read(folder: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        if root().join(&path).is_dir() {
            read(&path, into);
        } else {
            into.insert(path.clone(), std::fs::read(root().join(&path)).unwrap());
        }
    }
}

/// Writes the files into `place`, those alone that differ, so that cargo builds only what has changed, and removes all others.
fn write(files: &BTreeMap<PathBuf, Vec<u8>>, place: &Path) {
    for (path, bytes) in files {
        let path = place.join(path);
        if std::fs::read(&path).is_ok_and(|there| there == *bytes) {
            continue;
        }
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
    }
    remove_others(files, place, Path::new(""));
}

fn remove_others(files: &BTreeMap<PathBuf, Vec<u8>>, place: &Path, folder: &Path) {
    for entry in std::fs::read_dir(place.join(folder)).unwrap() {
        let path = folder.join(entry.unwrap().file_name());
        if place.join(&path).is_dir() {
            remove_others(files, place, &path);
        } else if !files.contains_key(&path) {
            std::fs::remove_file(place.join(&path)).unwrap();
        }
    }
}

/// The sources with every recipe of the page, in which the workspace has the crate that uses what they add.
fn with_recipes() -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in ["crates", "tools", "tests", "docs/src"] {
        read(Path::new(folder), &mut files);
    }
    for name in ["Cargo.toml", "Cargo.lock", "README.md"] {
        files.insert(name.into(), std::fs::read(root().join(name)).unwrap());
    }
    let page = std::fs::read_to_string(root().join("docs/src/how-to/extend.md")).unwrap();
    let recipes = recipes(&page);
    let headings: Vec<&str> = recipes.iter().map(|r| r.heading.as_str()).collect();
    assert_eq!(headings, THINGS);
    for recipe in &recipes {
        let (Some(file), Some(edit)) = (&recipe.file, &recipe.edit) else {
            panic!("{}: a recipe is a file and an edit", recipe.heading);
        };
        let (path, registry) = (PathBuf::from(target(file).unwrap()), PathBuf::from(target(edit).unwrap()));
        let text = edited(std::str::from_utf8(&files[&registry]).unwrap(), edit);
        files.insert(registry, text.into_bytes());
        let old = files.insert(path, format!("{}\n", file.lines.join("\n")).into_bytes());
        assert!(old.is_none(), "{}: the file is there already", recipe.heading);
    }
    files.insert("Cargo.toml".into(), manifest(&files).into_bytes());
    files
}

/// The manifest of the workspace with one more member, and without optimisation of its own crates, which are built here alone.
fn manifest(files: &BTreeMap<PathBuf, Vec<u8>>) -> String {
    let mut text = String::from_utf8(files[Path::new("Cargo.toml")].clone()).unwrap();
    text = text.replacen("members = [", "members = [\"tests/extended\", ", 1);
    for path in files.keys().filter(|p| p.starts_with("crates") && p.ends_with("Cargo.toml")) {
        let own = std::str::from_utf8(&files[path]).unwrap();
        let name = own.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        text += &format!("\n[profile.release.package.{name}]\nopt-level = 0\n");
    }
    text
}

/// What can be added, as the page's headings name it.
const THINGS: [&str; 9] = [
    "A structure",
    "A solver",
    "A bound",
    "A design",
    "A check",
    "A figure",
    "A table",
    "A data set",
    "A block",
];

/// A recipe changes one registry by one line, and by those that Rust needs to see the file.
#[test]
fn every_recipe_is_a_file_and_a_line() {
    let page = std::fs::read_to_string(root().join("docs/src/how-to/extend.md")).unwrap();
    for recipe in recipes(&page) {
        let edit = recipe.edit.unwrap();
        let added = edit.lines.iter().filter(|l| l.starts_with('+'));
        let names_the_file =
            |l: &&String| ["+mod ", "+pub mod ", "+pub use "].iter().any(|p| l.starts_with(p));
        assert_eq!(added.filter(|l| !names_the_file(l)).count(), 1, "{}", recipe.heading);
    }
}

#[test]
fn every_recipe_works() {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let place = target.join("tmp/recipes");
    write(&with_recipes(), &place);
    let mut command = Command::new(env!("CARGO"));
    // The features of what lies outside the workspace are those of `make test`, so that nothing of it is built again.
    command
        .args(["test", "--offline", "--release", "--workspace", "--test", "extended", "--manifest-path"])
        .arg(place.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUST_BACKTRACE");
    // Build scripts would run again for what cargo tells this test of its own package.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
    let output = command.output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let passed = format!("{} passed; 0 failed", THINGS.len());
    assert!(output.status.success() && text.contains(&passed), "{text}");
}
