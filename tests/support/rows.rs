//! Rows of a run as they are compared: identical is equal rows, sorted, without `seconds`.

use std::collections::BTreeSet;

use convstat::runner::{Column, Table};

/// Rows as sorted texts, every bit of every number, without the seconds.
pub fn canonical(table: &Table) -> BTreeSet<String> {
    let row = |i: usize| {
        let columns = table.columns().iter().filter(|(name, _)| name != "seconds");
        let values = columns.map(|(name, c)| match c {
            Column::Int(v) => format!("{name}={}", v[i]),
            Column::Float(v) => format!("{name}={:016x}", v[i].to_bits()),
            Column::Text(v) => format!("{name}={}", v[i]),
        });
        values.collect::<Vec<_>>().join("|")
    };
    (0..table.rows()).map(row).collect()
}
