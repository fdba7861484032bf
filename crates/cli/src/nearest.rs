//! What a path that does not exist was meant to be.

use std::path::{Path, PathBuf};

use convstat::text::spelling::likeness;

/// Below this two names are not alike (of 1).
const ALIKE: f64 = 0.6;

/// Folders where study files and runs usually are.
const USUAL: [&str; 2] = ["experiments", "runs"];

/// Advice that names the nearest file or folder, if `path` does not exist.
pub fn path(path: &Path) -> Option<String> {
    if path.exists() {
        return None;
    }
    let name = path.file_name()?.to_string_lossy().into_owned();
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|f| !f.is_dir()) {
        return Some(format!("there is no folder {}", folder.display()));
    }
    // A study's name in place of its file.
    let file = path.with_file_name(format!("{name}.toml"));
    if file.is_file() {
        return Some(format!("did you mean {}?", file.display()));
    }
    let usual = USUAL.iter().map(|u| Path::new(u).join(&name)).find(|p| folder.is_none() && p.exists());
    let near = usual.or_else(|| in_folder(folder.unwrap_or(Path::new(".")), &name))?;
    let near = near.strip_prefix(".").unwrap_or(&near);
    Some(format!("did you mean {}?", near.display()))
}

/// The entry of a folder whose name is most like `name`.
fn in_folder(folder: &Path, name: &str) -> Option<PathBuf> {
    let score = |entry: &std::fs::DirEntry| {
        likeness(&name.to_lowercase(), &entry.file_name().to_string_lossy().to_lowercase())
    };
    let entries = std::fs::read_dir(folder).ok()?.flatten();
    let best = entries.map(|e| (score(&e), e.path())).filter(|(s, _)| *s >= ALIKE);
    best.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(&a.1))).map(|(_, path)| path)
}
