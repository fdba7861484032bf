//! Tables of named columns, to and from Parquet.

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::pages::check_pages;
use crate::{Result, RunnerError};

/// Rows, and bytes of texts, that a byte of a file may stand for. Runs of one value pack without bound; rows of replicates
/// and cells differ, and take more than a byte each.
const MOST_ROWS_A_BYTE: usize = 8;
const MOST_TEXT_A_BYTE: usize = 1024;

/// One column. Missing floats are NaN; missing texts are empty.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    /// Whole numbers.
    Int(Vec<i64>),
    /// Numbers.
    Float(Vec<f64>),
    /// Texts.
    Text(Vec<String>),
}

impl Column {
    /// Rows.
    pub fn len(&self) -> usize {
        match self {
            Self::Int(v) => v.len(),
            Self::Float(v) => v.len(),
            Self::Text(v) => v.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the entries of a column of the same kind.
    fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.extend(b),
            (Self::Float(a), Self::Float(b)) => a.extend(b),
            (Self::Text(a), Self::Text(b)) => a.extend(b),
            (a, b) => debug_assert!(false, "columns of different kinds: {a:?} {b:?}"),
        }
    }
}

/// Named columns of equal length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    columns: Vec<(String, Column)>,
}

impl Table {
    /// A table from its columns.
    pub fn new(columns: Vec<(&str, Column)>) -> Self {
        Self { columns: columns.into_iter().map(|(n, c)| (n.to_owned(), c)).collect() }
    }

    /// Rows.
    pub fn rows(&self) -> usize {
        self.columns.first().map_or(0, |(_, c)| c.len())
    }

    /// Names and columns, in order.
    pub fn columns(&self) -> &[(String, Column)] {
        &self.columns
    }

    fn find(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|(n, _)| n == name).map(|(_, c)| c)
    }

    /// A column of whole numbers.
    pub fn ints(&self, name: &str) -> Result<&[i64]> {
        match self.find(name) {
            Some(Column::Int(v)) => Ok(v),
            _ => Err(RunnerError::NoColumn { column: name.to_owned(), kind: "integer" }),
        }
    }

    /// A column of numbers.
    pub fn floats(&self, name: &str) -> Result<&[f64]> {
        match self.find(name) {
            Some(Column::Float(v)) => Ok(v),
            _ => Err(RunnerError::NoColumn { column: name.to_owned(), kind: "number" }),
        }
    }

    /// A column of texts.
    pub fn texts(&self, name: &str) -> Result<&[String]> {
        match self.find(name) {
            Some(Column::Text(v)) => Ok(v),
            _ => Err(RunnerError::NoColumn { column: name.to_owned(), kind: "text" }),
        }
    }

    /// The first column whose name or kind differs from that of `other`.
    pub fn first_difference(&self, other: &Self) -> Option<String> {
        let kind = |c: &Column| std::mem::discriminant(c);
        let same = |a: &(String, Column), b: &(String, Column)| a.0 == b.0 && kind(&a.1) == kind(&b.1);
        let pairs = self.columns.iter().zip(&other.columns);
        let by_pair = pairs.filter(|(a, b)| !same(a, b)).map(|(a, _)| a.0.clone()).next();
        let shorter = self.columns.len().min(other.columns.len());
        by_pair.or_else(|| self.columns.get(shorter).or(other.columns.get(shorter)).map(|(n, _)| n.clone()))
    }

    /// Appends the rows of a table with the same columns.
    pub fn append(&mut self, other: Self) -> Result<()> {
        if self.columns.is_empty() {
            *self = other;
            return Ok(());
        }
        // All or nothing: a table that does not fit leaves this one as it was.
        if let Some(name) = self.first_difference(&other) {
            return Err(RunnerError::NoColumn { column: name, kind: "matching" });
        }
        for ((_, column), (_, more)) in self.columns.iter_mut().zip(other.columns) {
            column.extend(more);
        }
        Ok(())
    }

    /// Writes Parquet (Snappy) to `path` and syncs it to disk.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_synced(path, &self.encode().map_err(|e| bad(path, &e))?)
    }

    /// The bytes of a Parquet file.
    pub(crate) fn encode(&self) -> std::result::Result<Vec<u8>, ParquetError> {
        let fields = self
            .columns
            .iter()
            .map(|(name, column)| {
                let (physical, logical) = match column {
                    Column::Int(_) => (Physical::INT64, None),
                    Column::Float(_) => (Physical::DOUBLE, None),
                    Column::Text(_) => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
                };
                let field = Type::primitive_type_builder(name, physical)
                    .with_repetition(Repetition::REQUIRED)
                    .with_logical_type(logical);
                field.build().map(Arc::new)
            })
            .collect::<std::result::Result<Vec<_>, _>>()?;
        let schema = Arc::new(Type::group_type_builder("rows").with_fields(fields).build()?);
        let properties = Arc::new(WriterProperties::builder().set_compression(Compression::SNAPPY).build());
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, properties)?;
        let mut group = writer.next_row_group()?;
        for (_, column) in &self.columns {
            let Some(mut out) = group.next_column()? else { break };
            match column {
                Column::Int(v) => out.typed::<Int64Type>().write_batch(v, None, None)?,
                Column::Float(v) => out.typed::<DoubleType>().write_batch(v, None, None)?,
                Column::Text(v) => {
                    let texts: Vec<ByteArray> = v.iter().map(|s| ByteArray::from(s.as_str())).collect();
                    out.typed::<ByteArrayType>().write_batch(&texts, None, None)?
                }
            };
            out.close()?;
        }
        group.close()?;
        writer.into_inner()
    }

    /// Reads Parquet with integer, number and text columns without nulls.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(RunnerError::io("read", path))?;
        // The reader panics on some damaged files.
        let read = std::panic::catch_unwind(|| Self::decode(bytes.into()));
        match read {
            Ok(table) => table.map_err(|e| bad(path, &e)),
            Err(_) => Err(RunnerError::BadPart {
                path: path.to_owned(),
                reason: "its pages make no sense".to_owned(),
            }),
        }
    }

    fn decode(bytes: Bytes) -> std::result::Result<Self, ParquetError> {
        let size = bytes.len();
        let reader = SerializedFileReader::new(bytes.clone())?;
        check_pages(&bytes, reader.metadata())?;
        let mut table = Self::default();
        let (mut all, mut texts_length) = (0usize, 0usize);
        for g in 0..reader.num_row_groups() {
            let group = reader.get_row_group(g)?;
            let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(usize::MAX);
            all = all.saturating_add(rows);
            if all > size.saturating_mul(MOST_ROWS_A_BYTE) {
                return Err(ParquetError::General(format!("{all} rows in {size} bytes")));
            }
            let mut columns = Vec::new();
            for (i, descriptor) in group.metadata().schema_descr().columns().iter().enumerate() {
                let column = match group.get_column_reader(i)? {
                    ColumnReader::Int64ColumnReader(mut r) => {
                        let mut v = Vec::with_capacity(rows);
                        r.read_records(rows, None, None, &mut v)?;
                        Column::Int(v)
                    }
                    ColumnReader::DoubleColumnReader(mut r) => {
                        let mut v = Vec::with_capacity(rows);
                        r.read_records(rows, None, None, &mut v)?;
                        Column::Float(v)
                    }
                    ColumnReader::ByteArrayColumnReader(mut r) => {
                        let mut v = Vec::with_capacity(rows);
                        r.read_records(rows, None, None, &mut v)?;
                        texts_length =
                            v.iter().fold(texts_length, |sum, text| sum.saturating_add(text.len()));
                        if texts_length > size.saturating_mul(MOST_TEXT_A_BYTE) {
                            return Err(ParquetError::General(format!(
                                "texts of {texts_length} bytes in {size}"
                            )));
                        }
                        let texts = v.iter().map(|b| b.as_utf8().map(str::to_owned));
                        Column::Text(texts.collect::<std::result::Result<_, _>>()?)
                    }
                    _ => {
                        return Err(ParquetError::General(format!(
                            "column {} is of another kind",
                            descriptor.name()
                        )));
                    }
                };
                if column.len() != rows {
                    return Err(ParquetError::General(format!("column {} is cut short", descriptor.name())));
                }
                columns.push((descriptor.name().to_owned(), column));
            }
            table.append(Self { columns }).map_err(|e| ParquetError::General(e.to_string()))?;
        }
        Ok(table)
    }
}

/// Writes a file and syncs it to disk.
pub(crate) fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = File::create(path).map_err(RunnerError::io("write", path))?;
    file.write_all(bytes).map_err(RunnerError::io("write", path))?;
    file.sync_all().map_err(RunnerError::io("sync", path))
}

fn bad(path: &Path, error: &ParquetError) -> RunnerError {
    RunnerError::BadPart { path: path.to_owned(), reason: error.to_string() }
}
