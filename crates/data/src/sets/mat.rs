//! Numeric arrays of MATLAB MAT-files of versions 5 to 7 (MathWorks, "MAT-File Format", 2023), little-endian.
//!
//! A file is a header of 128 bytes, then elements: a tag (type and size in bytes), then data. An array is an element, or
//! an element in a zlib stream that is an element; its own elements are flags, sizes, name and values. Values come as a
//! stream, so that memory holds what the caller keeps; a size is believed only as far as the file can bear it out.

use std::fs;
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::bufread::ZlibDecoder;

use crate::{DataError, Result};

const HEADER: u64 = 128;
const HDF5: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Types of elements.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const MATRIX: u32 = 14;
const COMPRESSED: u32 = 15;
const UTF8: u32 = 16;
/// Classes of arrays that hold numbers: double, single, and eight of integers.
const NUMERIC: std::ops::RangeInclusive<u32> = 6..=15;
/// Flag of an array with an imaginary part.
const COMPLEX: u32 = 0x800;
/// Most axes and most bytes of a name that are believed; MATLAB's names have 63.
const MOST_AXES: usize = 32;
const MOST_NAME: usize = 255;
/// Most bytes that one byte of a deflate stream becomes.
const INFLATION: u64 = 1032;

/// Bytes of a value of a type; `None`: not a type of numbers.
fn width(storage: u32) -> Option<usize> {
    match storage {
        INT8 | UINT8 => Some(1),
        3 | 4 => Some(2),
        INT32 | UINT32 | 7 => Some(4),
        9 | 12 | 13 => Some(8),
        _ => None,
    }
}

/// A value from its bytes.
fn value(storage: u32, bytes: &[u8]) -> Option<f64> {
    Some(match (storage, bytes) {
        (INT8, &[a]) => i8::from_le_bytes([a]).into(),
        (UINT8, &[a]) => a.into(),
        (3, &[a, b]) => i16::from_le_bytes([a, b]).into(),
        (4, &[a, b]) => u16::from_le_bytes([a, b]).into(),
        (INT32, &[a, b, c, d]) => i32::from_le_bytes([a, b, c, d]).into(),
        (UINT32, &[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]).into(),
        (7, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]).into(),
        (9, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]),
        (12, &[a, b, c, d, e, f, g, h]) => i64::from_le_bytes([a, b, c, d, e, f, g, h]) as f64,
        (13, &[a, b, c, d, e, f, g, h]) => u64::from_le_bytes([a, b, c, d, e, f, g, h]) as f64,
        _ => return None,
    })
}

/// The file, for messages.
#[derive(Clone, Copy)]
struct Context<'a> {
    path: &'a Path,
    mend: &'a str,
}

impl Context<'_> {
    fn bad(&self, reason: impl std::fmt::Display) -> DataError {
        DataError::data(self.path, format!("{reason}; {}", self.mend))
    }

    fn fill(&self, source: &mut dyn Read, out: &mut [u8], what: &str) -> Result<()> {
        source.read_exact(out).map_err(|e| match e.kind() {
            ErrorKind::UnexpectedEof => self.bad(format!("cut short in {what}")),
            _ if e.raw_os_error().is_some() => DataError::io("read", self.path)(e),
            _ => self.bad(format!("{what} cannot be unpacked: the file is damaged")),
        })
    }

    fn word(&self, source: &mut dyn Read, what: &str) -> Result<u32> {
        let mut bytes = [0; 4];
        self.fill(source, &mut bytes, what)?;
        Ok(u32::from_le_bytes(bytes))
    }

    /// Type, bytes of data and bytes after them of an element of an array. Four bytes or less may stand in the tag.
    fn tag(&self, source: &mut dyn Read, what: &str) -> Result<(u32, usize, usize)> {
        let word = self.word(source, what)?;
        let (kind, size) = (word & 0xffff, (word >> 16) as usize);
        match size {
            0 => {
                let size = self.word(source, what)? as usize;
                Ok((kind, size, size.wrapping_neg() % 8))
            }
            1..=4 => Ok((kind, size, 4 - size)),
            _ => Err(self.bad(format!("{what}: {size} bytes in a place for 4: the file is damaged"))),
        }
    }

    /// The data of an element of one of these types and of `most` bytes at most.
    fn element(&self, source: &mut dyn Read, kinds: &[u32], most: usize, what: &str) -> Result<Vec<u8>> {
        let (kind, size, padding) = self.tag(source, what)?;
        if !kinds.contains(&kind) || size > most {
            let reason =
                format!("{what}: {size} bytes of type {kind}, where at most {most} of type {kinds:?}");
            return Err(self.bad(format!("{reason} were expected: the file is damaged")));
        }
        let mut data = vec![0; size + padding];
        self.fill(source, &mut data, what)?;
        data.truncate(size);
        Ok(data)
    }

    /// Hands the array of an element of `size` bytes to `visit`, if it holds real numbers; whether all was read.
    fn array(
        &self,
        source: &mut dyn Read,
        size: u64,
        visit: &mut dyn FnMut(&mut Array) -> Result<()>,
    ) -> Result<bool> {
        let mut source = source.take(size);
        let flags = self.element(&mut source, &[UINT32], 8, "the flags of an array")?;
        let flags = value(UINT32, flags.get(..4).unwrap_or_default()).unwrap_or_default() as u32;
        if !NUMERIC.contains(&(flags & 0xff)) || flags & COMPLEX != 0 {
            return Ok(false);
        }
        let dims = self.element(&mut source, &[INT32], 4 * MOST_AXES, "the sizes of an array")?;
        let (dims, rest) = dims.as_chunks::<4>();
        let sizes: Option<Vec<usize>> =
            dims.iter().map(|&size| usize::try_from(i32::from_le_bytes(size)).ok()).collect();
        let dims = match sizes {
            Some(sizes) if rest.is_empty() && sizes.len() >= 2 => sizes,
            _ => return Err(self.bad("the sizes of an array make no sense: the file is damaged")),
        };
        let name = self.element(&mut source, &[INT8, UTF8], MOST_NAME, "the name of an array")?;
        let name = String::from_utf8_lossy(&name).into_owned();
        let (storage, bytes, _) = self.tag(&mut source, "the values of an array")?;
        let count = dims.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let needed = count.and_then(|count| count.checked_mul(width(storage)?));
        // At most the padding to eight bytes may follow the values.
        let fits = (source.limit().checked_sub(bytes as u64)).is_some_and(|padding| padding < 8);
        let (Some(left), true) = (count, needed == Some(bytes) && fits) else {
            let reason =
                format!("array {name} of sizes {dims:?} has {bytes} bytes of type {storage} in {size}");
            return Err(self.bad(format!("{reason}, which do not fit: the file is damaged")));
        };
        let mut array = Array { name, dims, left, storage, source: &mut source, context: *self };
        visit(&mut array)?;
        let all = array.left == 0;
        let mut padding = vec![0; if all { source.limit() as usize } else { 0 }];
        self.fill(&mut source, &mut padding, "an array")?;
        Ok(all)
    }

    /// [`array`](Self::array) of a zlib stream.
    fn compressed(
        &self,
        source: impl std::io::BufRead,
        most: u64,
        visit: &mut dyn FnMut(&mut Array) -> Result<()>,
    ) -> Result<()> {
        let mut source = ZlibDecoder::new(source);
        let what = "a compressed array";
        let (kind, size) = (self.word(&mut source, what)?, u64::from(self.word(&mut source, what)?));
        if kind != MATRIX || size > most {
            let reason =
                format!("{what} of type {kind} and {size} bytes, where type {MATRIX} and at most {most}");
            return Err(self.bad(format!("{reason} bytes were expected: the file is damaged")));
        }
        if self.array(&mut source, size, visit)? {
            // The check sum is compared at the end of the stream only.
            match source.read(&mut [0]) {
                Ok(0) => {}
                Ok(_) => {
                    return Err(self.bad("a compressed array is longer than it says: the file is damaged"));
                }
                Err(_) => return Err(self.bad("the check sum of an array is wrong: the file is damaged")),
            }
        }
        Ok(())
    }

    fn header(&self, source: &mut dyn Read) -> Result<()> {
        let mut header = Vec::new();
        source.take(HEADER).read_to_end(&mut header).map_err(DataError::io("read", self.path))?;
        if header.is_empty() {
            return Err(self.bad("the file is empty"));
        }
        let end = header.get(124..).unwrap_or_default();
        if header.starts_with(HDF5) || header.starts_with(b"MATLAB 7.3") || end == [0, 2, b'I', b'M'] {
            let reason = "a MAT-file of version 7.3 (HDF5), where versions 5 to 7 are read";
            return Err(self.bad(format!("{reason} (MATLAB's save writes them with -v7)")));
        }
        match end {
            [0, 1, b'I', b'M'] => Ok(()),
            [1, 0, b'M', b'I'] => Err(self.bad("a big-endian MAT-file, where little-endian ones are read")),
            _ => Err(self.bad("not a MAT-file of version 5 to 7 (an error page under its name?)")),
        }
    }
}

/// A numeric array, its values still to be read.
pub(super) struct Array<'a> {
    /// Name of the variable.
    pub name: String,
    /// Sizes, two or more; the first axis is the fastest.
    pub dims: Vec<usize>,
    /// Values not yet read.
    left: usize,
    storage: u32,
    source: &'a mut dyn Read,
    context: Context<'a>,
}

impl Array<'_> {
    /// The next values, each of which must be a whole number from 0 to 255.
    ///
    /// # Errors
    /// Other values, fewer values than `out` has room for, a file that is cut short or damaged.
    pub fn read(&mut self, out: &mut [u8]) -> Result<()> {
        let what = format!("the values of array {}", self.name);
        let bytes = width(self.storage).unwrap_or_default();
        self.left = self
            .left
            .checked_sub(out.len())
            .ok_or_else(|| self.bad(format!("only {} values are left", self.left)))?;
        if self.storage == UINT8 {
            return self.context.fill(self.source, out, &what);
        }
        let mut buffer = [0; 8];
        for slot in out {
            let bytes = buffer.split_at_mut(bytes).0;
            self.context.fill(self.source, bytes, &what)?;
            let number = value(self.storage, bytes).unwrap_or(f64::NAN);
            *slot = number as u8;
            if f64::from(*slot) != number {
                return Err(self.bad(format!("value {number} is not a whole number from 0 to 255")));
            }
        }
        Ok(())
    }

    /// An array that is not what was expected.
    pub fn bad(&self, reason: impl std::fmt::Display) -> DataError {
        self.context.bad(format!("array {}: {reason}", self.name))
    }
}

/// Hands each array of real numbers in the file to `visit`, in order; other variables and values that `visit` does not
/// read are skipped. `mend` ends each message about the file.
///
/// # Errors
/// No such file, a file of another format or that is cut short or damaged, and those of `visit`.
pub(super) fn read(path: &Path, mend: &str, visit: &mut dyn FnMut(&mut Array) -> Result<()>) -> Result<()> {
    let context = Context { path, mend };
    let file = fs::File::open(path).map_err(|e| match e.kind() {
        ErrorKind::NotFound => context.bad("no such file"),
        _ => DataError::io("read", path)(e),
    })?;
    let length = file.metadata().map_err(DataError::io("read", path))?.len();
    let mut source = BufReader::new(file);
    context.header(&mut source)?;
    let mut position = HEADER;
    while position < length {
        source.seek(SeekFrom::Start(position)).map_err(DataError::io("read", path))?;
        let what = "the head of a variable";
        let (kind, size) = (context.word(&mut source, what)?, u64::from(context.word(&mut source, what)?));
        let start = position + 8;
        position = start + size;
        if position > length {
            let reason =
                format!("cut short: {size} bytes are announced at byte {start}, the file has {length}");
            return Err(context.bad(reason));
        }
        let mut element = source.by_ref().take(size);
        match kind {
            MATRIX => {
                context.array(&mut element, size, visit)?;
            }
            COMPRESSED => context.compressed(element, size * INFLATION, visit)?,
            _ => {
                return Err(
                    context.bad(format!("type {kind} at byte {start} is no array: the file is damaged"))
                );
            }
        }
    }
    Ok(())
}

/// Files to read in tests.
#[cfg(test)]
pub(super) mod build;

#[cfg(test)]
mod tests;
