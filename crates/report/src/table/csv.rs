//! Comma-separated values, every digit.

use convstat_runner::Column;

use super::columns::find;
use super::format::{PaperTable, TableData, TableFormat};
use crate::Result;
use crate::csv::line;

/// Comma-separated values.
pub(super) const FORMAT: TableFormat = TableFormat { name: "csv", extension: "csv", write };

/// Numbers in the shortest form that reads back as the same one; NaN and inf by name.
fn write(data: &TableData) -> Result<PaperTable> {
    let table = data.columns;
    let all: Vec<String> = table.columns().iter().map(|(n, _)| n.clone()).collect();
    let names = if data.options.columns.is_empty() { &all } else { &data.options.columns };
    let columns: Vec<&Column> = names.iter().map(|n| find(table, n)).collect::<Result<_>>()?;
    let mut out = line(names);
    for row in 0..table.rows() {
        out += &line(columns.iter().map(|column| match column {
            Column::Text(v) => v[row].clone(),
            Column::Int(v) => v[row].to_string(),
            Column::Float(v) => format!("{:?}", v[row]),
        }));
    }
    Ok(out.into())
}
