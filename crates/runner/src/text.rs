//! Text files as users write them.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// Most bytes of a text file; a device or a pipe may have no end.
const MOST: u64 = 64 << 20;

/// The text of a file.
///
/// # Errors
/// A file that cannot be read, that is no UTF-8 or has more than 64 MiB.
pub fn read_text(path: &Path) -> Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MOST + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MOST {
        let reason = format!("it has more than {} MiB, which is no text of this program", MOST >> 20);
        return Err(Error::new(ErrorKind::InvalidData, reason));
    }
    Ok(text)
}
