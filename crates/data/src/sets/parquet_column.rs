//! Columns of a Parquet file that somebody else has written.

use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::DataType;
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;

/// Pages whose dictionaries have no more entries than their bytes have room for: the decoder believes the number.
struct Pages(Box<dyn PageReader>);

impl Iterator for Pages {
    type Item = std::result::Result<Page, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl PageReader for Pages {
    fn get_next_page(&mut self) -> std::result::Result<Option<Page>, ParquetError> {
        let page = self.0.get_next_page()?;
        match &page {
            // An entry has its length before it, or is a number of eight bytes.
            Some(Page::DictionaryPage { buf, num_values, .. }) if *num_values as usize > buf.len() / 4 => {
                Err(ParquetError::General(format!("a dictionary of {num_values} in {} bytes", buf.len())))
            }
            _ => Ok(page),
        }
    }

    fn peek_next_page(&mut self) -> std::result::Result<Option<PageMetadata>, ParquetError> {
        self.0.peek_next_page()
    }

    fn skip_next_page(&mut self) -> std::result::Result<(), ParquetError> {
        self.0.skip_next_page()
    }
}

/// The column of a row group.
pub(super) fn column(group: &dyn RowGroupReader, name: &str) -> std::result::Result<ColumnReader, String> {
    let descriptors = group.metadata().schema_descr().columns();
    let found = descriptors.iter().enumerate().find(|(_, column)| column.path().string() == name);
    let Some((index, descriptor)) = found else {
        let names: Vec<_> = descriptors.iter().map(|column| column.path().string()).collect();
        return Err(format!("no column {name} among {}", names.join(", ")));
    };
    let pages = group.get_column_page_reader(index).map_err(|e| e.to_string())?;
    Ok(get_column_reader(descriptor.clone(), Box::new(Pages(pages))))
}

/// The next `rows` values of a column without nulls, where the rows before were `done`.
pub(super) fn values<T: DataType>(
    reader: &mut ColumnReaderImpl<T>,
    name: &str,
    done: usize,
    rows: usize,
) -> std::result::Result<Vec<T::T>, String> {
    let (mut levels, mut values, mut read) = (Vec::new(), Vec::new(), 0);
    while read < rows {
        let (records, ..) = reader
            .read_records(rows - read, Some(&mut levels), None, &mut values)
            .map_err(|e| format!("row {}, {name}: {e}", done + read))?;
        read += records;
        if records == 0 {
            return Err(format!("column {name} ends after {} rows", done + read));
        }
    }
    if values.len() != rows {
        // The level of a value that is there is the highest.
        let most = levels.iter().max().copied().unwrap_or(0).max(1);
        let row = done + levels.iter().position(|&level| level < most).unwrap_or(0);
        return Err(format!("row {row} has no {name}"));
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader of one page.
    struct One(Option<Page>);

    impl Iterator for One {
        type Item = std::result::Result<Page, ParquetError>;

        fn next(&mut self) -> Option<Self::Item> {
            self.0.take().map(Ok)
        }
    }

    impl PageReader for One {
        fn get_next_page(&mut self) -> std::result::Result<Option<Page>, ParquetError> {
            Ok(self.0.take())
        }

        fn peek_next_page(&mut self) -> std::result::Result<Option<PageMetadata>, ParquetError> {
            Ok(None)
        }

        fn skip_next_page(&mut self) -> std::result::Result<(), ParquetError> {
            Ok(())
        }
    }

    #[test]
    fn dictionaries_that_cannot_be() {
        for (num_values, good) in [(0, true), (4, true), (5, false), (u32::MAX, false)] {
            let encoding = parquet::basic::Encoding::PLAIN;
            let buf = vec![0; 16].into();
            let page = Page::DictionaryPage { buf, num_values, encoding, is_sorted: false };
            assert_eq!(Pages(Box::new(One(Some(page)))).get_next_page().is_ok(), good);
        }
    }
}
