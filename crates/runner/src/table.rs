//! Tables of named columns, to and from Parquet.

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use crate::pages::check_pages;
use crate::write::write_synced;
use crate::{Digest, Result, RunnerError};

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
    fn extend(&mut self, other: Self) -> Result<()> {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => a.extend(b),
            (Self::Float(a), Self::Float(b)) => a.extend(b),
            (Self::Text(a), Self::Text(b)) => a.extend(b),
            _ => return Err(RunnerError::internal("rows of two tables", "columns of different kinds")),
        }
        Ok(())
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
    ///
    /// # Errors
    /// There is none of this name.
    pub fn ints(&self, name: &str) -> Result<&[i64]> {
        match self.find(name) {
            Some(Column::Int(v)) => Ok(v),
            _ => Err(RunnerError::NoColumn { column: name.to_owned(), kind: "integer" }),
        }
    }

    /// A column of numbers.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn floats(&self, name: &str) -> Result<&[f64]> {
        match self.find(name) {
            Some(Column::Float(v)) => Ok(v),
            _ => Err(RunnerError::NoColumn { column: name.to_owned(), kind: "number" }),
        }
    }

    /// A column of texts.
    ///
    /// # Errors
    /// There is none of this name.
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
    ///
    /// # Errors
    /// Other columns: then this table stays as it was.
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
            column.extend(more)?;
        }
        Ok(())
    }

    /// Writes Parquet (Snappy) to `path` and syncs it to disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_synced(path, &self.encoded(path, &[])?)
    }

    /// The bytes of a Parquet file for `path` with this metadata.
    pub(crate) fn encoded(&self, path: &Path, metadata: &[(&str, String)]) -> Result<Vec<u8>> {
        self.encode(metadata).map_err(|e| bad(path, e.to_string()))
    }

    fn encode(&self, metadata: &[(&str, String)]) -> std::result::Result<Vec<u8>, ParquetError> {
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
        let own = KeyValue::new(CONTENT.to_owned(), self.content_digest().hex());
        let pairs =
            metadata.iter().map(|(k, v)| KeyValue::new((*k).to_owned(), v.clone())).chain([own]).collect();
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_key_value_metadata(Some(pairs))
            .build();
        let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::new(properties))?;
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

    /// The rows for which `keep` says so.
    #[must_use]
    pub fn filter(&self, keep: &[bool]) -> Self {
        fn kept<T: Clone>(values: &[T], keep: &[bool]) -> Vec<T> {
            values.iter().zip(keep).filter(|(_, k)| **k).map(|(v, _)| v.clone()).collect()
        }
        let columns = self.columns.iter().map(|(name, column)| {
            let column = match column {
                Column::Int(v) => Column::Int(kept(v, keep)),
                Column::Float(v) => Column::Float(kept(v, keep)),
                Column::Text(v) => Column::Text(kept(v, keep)),
            };
            (name.clone(), column)
        });
        Self { columns: columns.collect() }
    }

    /// The row `i` as a table.
    #[must_use]
    pub fn row(&self, i: usize) -> Self {
        let columns = self.columns.iter().map(|(name, column)| {
            let column = match column {
                Column::Int(v) => Column::Int(v.get(i).copied().into_iter().collect()),
                Column::Float(v) => Column::Float(v.get(i).copied().into_iter().collect()),
                Column::Text(v) => Column::Text(v.get(i).cloned().into_iter().collect()),
            };
            (name.clone(), column)
        });
        Self { columns: columns.collect() }
    }

    /// The row `i` as names and texts; the texts of numbers differ if a bit does.
    pub fn record(&self, i: usize) -> Vec<(&str, String)> {
        let text = |column: &Column| match column {
            Column::Int(v) => v.get(i).map(ToString::to_string),
            Column::Float(v) => v.get(i).map(|v| format!("{v:.16e}")),
            Column::Text(v) => v.get(i).cloned(),
        };
        self.columns.iter().filter_map(|(name, column)| Some((name.as_str(), text(column)?))).collect()
    }

    /// Reads Parquet with integer, number and text columns without nulls.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or has other columns.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(RunnerError::io("read", path))?;
        Self::from_bytes(bytes).map(|(table, _)| table).map_err(|reason| bad(path, reason))
    }

    /// The table of a Parquet file and its metadata, or what is wrong with it.
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> std::result::Result<(Self, HashMap<String, String>), String> {
        // The reader panics on some damaged files.
        let read = std::panic::catch_unwind(|| Self::decode(bytes.into()));
        read.map_err(|_| "its pages make no sense".to_owned())?.map_err(|e| e.to_string())
    }

    fn decode(bytes: Bytes) -> std::result::Result<(Self, HashMap<String, String>), ParquetError> {
        let size = bytes.len();
        let reader = SerializedFileReader::new(bytes.clone())?;
        check_pages(&bytes, reader.metadata())?;
        let pairs = reader.metadata().file_metadata().key_value_metadata();
        let pairs = pairs.into_iter().flatten().filter_map(|p| Some((p.key.clone(), p.value.clone()?)));
        let metadata: HashMap<String, String> = pairs.collect();
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
        // Not every changed bit makes a page unreadable.
        if metadata.get(CONTENT).is_some_and(|stated| *stated != table.content_digest().hex()) {
            let reason = "its values do not have the digest that it states";
            return Err(ParquetError::General(reason.to_owned()));
        }
        Ok((table, metadata))
    }

    /// Digest of names and values.
    fn content_digest(&self) -> Digest {
        let mut bytes = Vec::new();
        for (name, column) in &self.columns {
            let mut add = |text: &str| {
                bytes.extend((text.len() as u64).to_le_bytes());
                bytes.extend(text.as_bytes());
            };
            add(name);
            match column {
                Column::Text(v) => v.iter().for_each(|text| add(text)),
                Column::Int(v) => bytes.extend(v.iter().flat_map(|v| v.to_le_bytes())),
                Column::Float(v) => bytes.extend(v.iter().flat_map(|v| v.to_bits().to_le_bytes())),
            }
        }
        Digest::of_bytes(&bytes)
    }
}

/// Key of the digest of a table's content in its metadata.
const CONTENT: &str = "convstat.content";

fn bad(path: &Path, reason: String) -> RunnerError {
    RunnerError::BadPart { path: path.to_owned(), reason }
}
