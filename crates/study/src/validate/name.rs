//! Names of files.

use crate::{Result, StudyError};

/// Fails on a name that is not one of a file on every system.
pub(crate) fn check_file_name(key: &str, name: &str) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed) {
        return Ok(());
    }
    let mend = "give a name of letters, digits, - _ . and spaces that does not begin with a dot";
    Err(StudyError::bad(key, format!("{name:?}"), mend))
}
