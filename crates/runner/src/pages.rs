//! What the pages of a Parquet file claim, checked before its reader makes room for it.
//!
//! A page's head (Thrift's compact protocol) says how long the page is before and after compression and, for a dictionary,
//! how many entries it has; the reader of crate `parquet` believes both.

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use parquet::errors::ParquetError;
use parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};

/// Most bytes that one byte of a Snappy stream becomes (a copy of 64 bytes takes two or three), rounded up.
const INFLATION: i64 = 32;
/// Deepest structure of a page's head, rounded up.
const MOST_NESTING: usize = 8;

/// Fails unless every page of every column lies in `bytes`, is no longer than Snappy can make it, and has no dictionary of
/// more entries than its bytes have room for.
///
/// # Errors
/// What the first bad page claims.
pub fn check_pages(bytes: &[u8], metadata: &ParquetMetaData) -> Result<(), ParquetError> {
    for column in metadata.row_groups().iter().flat_map(RowGroupMetaData::columns) {
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
        let range = usize::try_from(start).ok().zip(usize::try_from(column.compressed_size()).ok());
        let chunk = range.and_then(|(start, length)| bytes.get(start..)?.get(..length));
        let name = column.column_path();
        let bad = |what: String| ParquetError::General(format!("column {name}: {what}"));
        let mut rest = chunk.ok_or_else(|| bad("its pages do not lie in the file".to_owned()))?;
        while !rest.is_empty() {
            let mut head = Head::default();
            let mut reader = Compact { rest };
            reader
                .structure(0, &mut |path, value| head.note(path, value))
                .ok_or_else(|| bad("the head of a page makes no sense".to_owned()))?;
            let length = usize::try_from(head.compressed).ok();
            let Some(after) = length.and_then(|length| reader.rest.get(length..)) else {
                return Err(bad(format!("a page of {} bytes, which are not there", head.compressed)));
            };
            if !(0..=head.compressed.saturating_mul(INFLATION).saturating_add(64))
                .contains(&head.uncompressed)
            {
                return Err(bad(format!("a page of {} bytes in {}", head.uncompressed, head.compressed)));
            }
            // An entry has its length before it, or is a number of eight bytes.
            if head.entries > head.uncompressed / 4 {
                return Err(bad(format!("a dictionary of {} in {} bytes", head.entries, head.uncompressed)));
            }
            rest = after;
        }
    }
    Ok(())
}

/// Numbers of a page's head.
#[derive(Default)]
struct Head {
    uncompressed: i64,
    compressed: i64,
    /// Entries of a dictionary.
    entries: i64,
}

impl Head {
    fn note(&mut self, path: [i64; 2], value: i64) {
        match path {
            [2, 0] => self.uncompressed = value,
            [3, 0] => self.compressed = value,
            [7, 1] => self.entries = value,
            _ => {}
        }
    }
}

/// A reader of Thrift's compact protocol that keeps numbers and passes over the rest; `None` where it makes no sense.
struct Compact<'a> {
    rest: &'a [u8],
}

impl Compact<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn skip(&mut self, n: u64) -> Option<()> {
        self.rest = self.rest.get(usize::try_from(n).ok()?..)?;
        Some(())
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn signed(&mut self) -> Option<i64> {
        let n = self.number()?;
        Some((n >> 1) as i64 ^ -((n & 1) as i64))
    }

    /// Reads a structure; `note` gets the numbers of its fields, and of those of structures in them.
    fn structure(&mut self, depth: usize, note: &mut dyn FnMut([i64; 2], i64)) -> Option<()> {
        self.fields(depth, [0, 0], note)
    }

    fn fields(&mut self, depth: usize, place: [i64; 2], note: &mut dyn FnMut([i64; 2], i64)) -> Option<()> {
        let mut field = 0i64;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            field = match head >> 4 {
                0 => self.signed()?,
                more => field.checked_add(i64::from(more))?,
            };
            let mut path = place;
            if let Some(slot) = path.get_mut(depth) {
                *slot = field;
            }
            self.value(head & 15, depth, path, note)?;
        }
    }

    fn value(
        &mut self,
        kind: u8,
        depth: usize,
        path: [i64; 2],
        note: &mut dyn FnMut([i64; 2], i64),
    ) -> Option<()> {
        match kind {
            // True and false stand in the field's head.
            1 | 2 => Some(()),
            3 => self.skip(1),
            4..=6 => {
                let value = self.signed()?;
                if depth < 2 {
                    note(path, value);
                }
                Some(())
            }
            7 => self.skip(8),
            8 => {
                let length = self.number()?;
                self.skip(length)
            }
            9 | 10 => {
                let head = self.byte()?;
                let size = if head >> 4 == 15 { self.number()? } else { u64::from(head >> 4) };
                for _ in 0..size {
                    match head & 15 {
                        1 | 2 => self.skip(1)?,
                        kind => self.value(kind, MOST_NESTING.min(depth + 2), path, note)?,
                    }
                }
                Some(())
            }
            12 if depth < MOST_NESTING => self.fields(depth + 1, path, note),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(bytes: &[u8]) -> Option<(i64, i64, i64, usize)> {
        let (mut head, mut reader) = (Head::default(), Compact { rest: bytes });
        reader.structure(0, &mut |path, value| head.note(path, value))?;
        Some((head.uncompressed, head.compressed, head.entries, reader.rest.len()))
    }

    #[test]
    fn reads_the_numbers_of_a_head() {
        // type 2, 300 bytes uncompressed, 20 compressed, field 7 a dictionary of 5 entries, encoding 0.
        let bytes = [0x15, 4, 0x15, 0xd8, 4, 0x15, 40, 0x4c, 0x15, 10, 0x15, 0, 0, 0, 9, 9];
        assert_eq!(head(&bytes), Some((300, 20, 5, 2)));
        (0..14).for_each(|n| assert_eq!(head(&bytes[..n]), None, "{n}"));
        // Structures in structures without end.
        assert_eq!(head(&vec![0x1c; 100_000]), None);
        assert_eq!(head(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
    }
}
