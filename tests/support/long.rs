//! Tests in two sizes: short in `make test`, long (`CONVSTAT_LONG`) in `make test-all`, which puts what they find into the book.

// Every test uses a part of it.
#![allow(dead_code)]

use std::io::Write as _;
use std::path::Path;

/// Whether the long form is wanted.
pub fn is_long() -> bool {
    std::env::var_os("CONVSTAT_LONG").is_some()
}

/// `short` in `make test`, `long` in `make test-all`.
pub fn size<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Prints a row of a table, and appends it to `CONVSTAT_FIGURES/TABLE.md` where that is set.
pub fn row(table: &str, cells: &[&str]) {
    let line = format!("| {} |", cells.join(" | "));
    println!("{line}");
    if let Some(folder) = std::env::var_os("CONVSTAT_FIGURES") {
        let path = Path::new(&folder).join(table).with_extension("md");
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}
