//! NumPy files: `.npy`, `.npz` and `.npz:name`, of any real number type.

use std::fs::File;
use std::io::{BufWriter, Cursor};
use std::path::Path;

use ndarray::{ArrayD, IxDyn, OwnedRepr};
use ndarray_npy::{NpzReader, ReadNpyError, ReadNpyExt, ReadNpzError, WriteNpyExt};

use crate::failure::Failure;

/// Reads with each number type in turn until one is the file's; the result as `f64`.
macro_rules! first_type {
    (|$kind:ident| $read:expr) => {
        'found: {
            first_type!(@ 'found, $kind, $read, f64 f32 i64 i32 i16 i8 u64 u32 u16 u8);
            Err("its numbers are of a type that is not supported (complex, big-endian, text or object)".to_owned())
        }
    };
    (@ $found:lifetime, $kind:ident, $read:expr, $($number:ty)*) => {
        $({
            type $kind = $number;
            match $read {
                Ok(array) => break $found Ok(array.mapv(|v| v as f64)),
                Err(ReadNpyError::WrongDescriptor(_)) => {}
                Err(e) => break $found Err(e.to_string()),
            }
        })*
    };
}

/// Reads an array; `name` is the array looked for first in an `.npz` with several.
pub fn read(path: &str, name: &str) -> Result<ArrayD<f64>, Failure> {
    let (file, wanted) = match path.rsplit_once(".npz:") {
        Some((stem, array)) => (format!("{stem}.npz"), Some(array)),
        None => (path.to_owned(), None),
    };
    let cannot = |reason: String| {
        Failure::new(format!("cannot read {path}: {reason}"))
            .help("save it with numpy.save(path, array) as a real array, for instance float64")
    };
    let bytes = std::fs::read(&file).map_err(|e| Failure::new(format!("cannot read {file}: {e}")))?;
    let array = if file.ends_with(".npz") {
        let mut archive = NpzReader::new(Cursor::new(bytes)).map_err(|e| cannot(e.to_string()))?;
        let names = archive.names().map_err(|e| cannot(e.to_string()))?;
        let choice = match wanted {
            Some(w) => names.iter().find(|n| *n == w),
            None if names.len() == 1 => names.first(),
            None => names.iter().find(|n| n.eq_ignore_ascii_case(name)),
        };
        let choice = choice.ok_or_else(|| {
            let first = names.first().map_or("array", String::as_str);
            Failure::new(format!("{file} holds the arrays {}", names.join(", ")))
                .help(format!("name one of them, for instance {file}:{first}"))
        })?;
        first_type!(|Kind| archive.by_name::<OwnedRepr<Kind>, IxDyn>(choice).map_err(|e| match e {
            ReadNpzError::Npy(e) => e,
            ReadNpzError::Zip(e) => ReadNpyError::Io(std::io::Error::other(e)),
        }))
    } else {
        first_type!(|Kind| ArrayD::<Kind>::read_npy(Cursor::new(&bytes)))
    };
    let array = array.map_err(cannot)?;
    convstat::tensor::memory::check(&format!("the array in {path}"), array.shape())?;
    Ok(array)
}

/// Writes an array as float64 `.npy` in C order.
pub fn write(path: &Path, array: &ArrayD<f64>) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::new(format!("cannot write {}: {e}", path.display()));
    let file = File::create(path).map_err(|e| failed(&e))?;
    array.as_standard_layout().write_npy(BufWriter::new(file)).map_err(|e| failed(&e))
}

/// Fails now, not after the work, if a file cannot be written.
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    match File::options().create(true).append(true).open(path) {
        Ok(_) => Ok(()),
        Err(e) => Err(Failure::new(format!("cannot write {}: {e}", path.display()))),
    }
}

/// An array in another shape of the same size.
pub fn reshape(array: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    convstat::tensor::algebra::shaped(IxDyn(shape), convstat::tensor::algebra::entries(array))
}
