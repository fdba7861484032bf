//! Which module of a crate uses which, read from its source as text: `use` trees and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// For each child of a module: the children it uses, and the files where it does.
pub type Edges = BTreeMap<String, BTreeMap<String, Vec<String>>>;

type Module = Vec<String>;

/// One import: the path, the name it gets here, whether it is passed on.
struct Import {
    path: Vec<String>,
    alias: String,
    public: bool,
}

struct File {
    module: Module,
    name: String,
    imports: Vec<Import>,
    paths: BTreeSet<Vec<String>>,
}

/// The files of a crate with what they name.
pub struct Crate {
    files: Vec<File>,
    modules: BTreeSet<Module>,
}

impl Crate {
    /// Reads the crate whose source is in a folder; a binary beside a library is left out.
    pub fn read(src: &Path) -> Self {
        let library = src.join("lib.rs").exists();
        let mut files = Vec::new();
        for path in rust_files(src) {
            let relative = path.strip_prefix(src).unwrap();
            let mut module: Module =
                relative.with_extension("").iter().map(|p| p.to_string_lossy().into_owned()).collect();
            if library && module == ["main"] {
                continue;
            }
            if module.last().is_some_and(|m| m == "mod") || module == ["lib"] || module == ["main"] {
                module.pop();
            }
            let tokens = tokens(&std::fs::read_to_string(&path).unwrap());
            let (imports, paths) = names(&tokens);
            files.push(File { module, name: relative.display().to_string(), imports, paths });
        }
        let modules = files.iter().map(|f| f.module.clone()).collect();
        Self { files, modules }
    }

    /// The edges between the children of each module that has any; what a module defines itself is "(name)".
    pub fn edges(&self) -> BTreeMap<String, Edges> {
        let mut all: BTreeMap<String, Edges> = BTreeMap::new();
        for file in &self.files {
            let mut targets = BTreeSet::new();
            for import in &file.imports {
                let facade = import.public && self.starts(&file.module, &import.path) > file.module.len();
                if !facade {
                    targets.extend(self.target(&file.module, &import.path, 0));
                }
            }
            for path in &file.paths {
                targets.extend(self.target(&file.module, path, 0));
            }
            for target in targets {
                let common = file.module.iter().zip(&target).take_while(|(a, b)| a == b).count();
                let node = |m: &Module| {
                    m.get(common)
                        .cloned()
                        .unwrap_or_else(|| format!("({})", m.last().map_or("crate", String::as_str)))
                };
                let (from, to) = (node(&file.module), node(&target));
                if from != to {
                    let edges = all.entry(target[..common].join("::")).or_default();
                    edges.entry(from).or_default().entry(to).or_default().push(file.name.clone());
                }
            }
        }
        all
    }

    fn file(&self, module: &[String]) -> Option<&File> {
        self.files.iter().find(|f| f.module == module)
    }

    /// The absolute path; None: of another crate, or a local name.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let mut at = module.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|s| s == "super") {
                    at.pop()?;
                    rest = &rest[1..];
                }
            }
            first => {
                at.push(first.to_owned());
                if !self.modules.contains(&at) {
                    return None;
                }
                at.pop();
            }
        }
        at.extend(rest.iter().cloned());
        Some(at)
    }

    /// How many segments of the path are modules.
    fn starts(&self, module: &[String], path: &[String]) -> usize {
        self.absolute(module, path).map_or(0, |full| self.depth(&full))
    }

    fn depth(&self, full: &[String]) -> usize {
        (0..=full.len()).rev().find(|&k| self.modules.contains(&full[..k])).unwrap_or(0)
    }

    /// The module that defines what a path names.
    fn target(&self, module: &[String], path: &[String], hops: usize) -> Option<Module> {
        let full = self.absolute(module, path)?;
        let depth = self.depth(&full);
        let (at, rest) = full.split_at(depth);
        let Some(name) = rest.first() else { return Some(at.to_vec()) };
        let file = self.file(at)?;
        if hops < 8
            && let Some(import) = file.imports.iter().find(|i| i.alias == *name)
        {
            let mut path = import.path.clone();
            path.extend(rest[1..].iter().cloned());
            // A name of another crate that is passed on belongs to no module.
            return self.target(at, &path, hops + 1);
        }
        Some(at.to_vec())
    }
}

/// Every Rust file below a folder, sorted.
pub fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// A cycle among the nodes, its first node repeated at the end.
pub fn cycle(edges: &Edges) -> Option<Vec<String>> {
    let mut done = BTreeSet::new();
    for start in edges.keys() {
        let mut path = Vec::new();
        if let Some(found) = walk(edges, start, &mut path, &mut done) {
            return Some(found);
        }
    }
    None
}

fn walk(
    edges: &Edges,
    node: &str,
    path: &mut Vec<String>,
    done: &mut BTreeSet<String>,
) -> Option<Vec<String>> {
    if let Some(k) = path.iter().position(|p| p == node) {
        let mut found = path[k..].to_vec();
        found.push(node.to_owned());
        return Some(found);
    }
    if done.contains(node) {
        return None;
    }
    path.push(node.to_owned());
    for next in edges.get(node).into_iter().flat_map(BTreeMap::keys) {
        if let Some(found) = walk(edges, next, path, done) {
            return Some(found);
        }
    }
    path.pop();
    done.insert(node.to_owned());
    None
}

/// Identifiers and single marks, without comments, strings, characters and modules of tests.
fn tokens(text: &str) -> Vec<String> {
    let bytes = text.as_bytes();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &text[at..];
        let byte = bytes[at];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if rest.starts_with("/*") {
            at += rest.find("*/").map_or(rest.len(), |k| k + 2);
        } else if let Some(hashes) = raw_string(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let open = rest.find('"').unwrap() + 1;
            at += open + rest[open..].find(&end).map_or(rest.len() - open, |k| k + end.len());
        } else if byte == b'"' {
            at += 1;
            while at < bytes.len() && bytes[at] != b'"' {
                at += if bytes[at] == b'\\' { 2 } else { 1 };
            }
            at += 1;
        } else if byte == b'\'' {
            // A character or a lifetime.
            let mut chars = rest[1..].char_indices();
            let first = chars.next().map_or(' ', |c| c.1);
            if first == '\\' {
                at += 3 + rest[3..].find('\'').unwrap_or(0) + 1;
            } else if rest[1 + first.len_utf8()..].starts_with('\'') {
                at += 2 + first.len_utf8();
            } else {
                at += 1;
            }
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
            at += end;
        } else if rest.starts_with("::") {
            found.push("::".to_owned());
            at += 2;
        } else {
            let c = rest.chars().next().unwrap();
            if !c.is_whitespace() {
                found.push(c.to_string());
            }
            at += c.len_utf8();
        }
    }
    without_tests(&found)
}

fn raw_string(rest: &str) -> Option<usize> {
    let rest = rest.strip_prefix('b').unwrap_or(rest).strip_prefix('r')?;
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

fn without_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    while at < tokens.len() {
        if tokens[at..].iter().map(String::as_str).take(mark.len()).eq(mark) {
            at += mark.len();
            let mut depth = 0usize;
            while at < tokens.len() {
                match tokens[at].as_str() {
                    "{" => depth += 1,
                    "}" => depth -= 1,
                    _ => (),
                }
                let end = depth == 0 && (tokens[at] == "}" || tokens[at] == ";");
                at += 1;
                if end {
                    break;
                }
            }
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn names(tokens: &[String]) -> (Vec<Import>, BTreeSet<Vec<String>>) {
    let mut imports = Vec::new();
    let mut paths = BTreeSet::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            let public = at > 0 && (tokens[at - 1] == "pub" || tokens[at - 1] == ")");
            at += 1;
            tree(tokens, &mut at, &mut Vec::new(), public, &mut imports);
        } else if is_name(&tokens[at])
            && (at == 0 || tokens[at - 1] != "::")
            && tokens.get(at + 1).is_some_and(|t| t == "::")
        {
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|t| t == "::")
                && tokens.get(at + 2).is_some_and(|t| is_name(t))
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            paths.insert(path);
            at += 1;
        } else {
            at += 1;
        }
    }
    (imports, paths)
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn tree(
    tokens: &[String],
    at: &mut usize,
    prefix: &mut Vec<String>,
    public: bool,
    imports: &mut Vec<Import>,
) {
    let depth = prefix.len();
    loop {
        match tokens.get(*at).map(String::as_str) {
            Some("::") => *at += 1,
            Some("{") => {
                *at += 1;
                while tokens.get(*at).is_some_and(|t| t != "}") {
                    tree(tokens, at, prefix, public, imports);
                    if tokens.get(*at).is_some_and(|t| t == ",") {
                        *at += 1;
                    }
                }
                *at += 1;
                break;
            }
            Some(name) if is_name(name) || name == "*" => {
                if name != "self" || prefix.is_empty() {
                    prefix.push(name.to_owned());
                }
                *at += 1;
                if tokens.get(*at).is_none_or(|t| t != "::") {
                    let mut alias = prefix.last().cloned().unwrap_or_default();
                    if tokens.get(*at).is_some_and(|t| t == "as") {
                        alias.clone_from(&tokens[*at + 1]);
                        *at += 2;
                    }
                    let mut path = prefix.clone();
                    if alias == "*" {
                        path.pop();
                    }
                    imports.push(Import { path, alias, public });
                    break;
                }
            }
            _ => break,
        }
    }
    prefix.truncate(depth);
}
