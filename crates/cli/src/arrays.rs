//! NumPy files: `.npy`, `.npz` and `.npz:name`, of any real number type or truth values (1 and 0).

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::fs::File;
use std::io::{BufReader, BufWriter, Cursor, Read};
use std::path::Path;

use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{ReadNpyError, ReadNpyExt, WriteNpyExt};

use crate::failure::Failure;

/// Reads an array; `name` is the array looked for first in an `.npz` with several.
pub fn read(path: &str, name: &str) -> Result<ArrayD<f64>, Failure> {
    let (file, wanted) = match path.rsplit_once(".npz:") {
        Some((stem, array)) => (format!("{stem}.npz"), Some(array)),
        None => (path.to_owned(), None),
    };
    let opened = File::open(&file).map_err(|e| Failure::cannot_read(Path::new(&file), &e))?;
    let bytes = if file.ends_with(".npz") {
        entry_of_npz(opened, &file, wanted, name)?
    } else {
        bytes_of(opened).map_err(|e| Failure::new(format!("cannot read {file}: {e}")))?
    };
    decode(&bytes).map_err(|reason| {
        Failure::new(format!("cannot read {path}: {reason}"))
            .help("save it with numpy.save(path, array) as a real array, for instance float64")
    })
}

/// All bytes, up to the memory limit.
fn bytes_of(source: impl Read) -> Result<Vec<u8>, String> {
    let limit = convstat::tensor::memory::limit();
    let mut bytes = Vec::new();
    source.take(limit + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > limit {
        return Err(format!("it is larger than the limit of {limit} bytes; raise it with --memory GIB"));
    }
    Ok(bytes)
}

fn entry_of_npz(file: File, path: &str, wanted: Option<&str>, name: &str) -> Result<Vec<u8>, Failure> {
    let cannot = |reason: String| Failure::new(format!("cannot read {path}: {reason}"));
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| cannot(e.to_string()))?;
    let names: Vec<String> = archive.file_names().map(|n| n.trim_end_matches(".npy").to_owned()).collect();
    let choice = match wanted {
        Some(w) => names.iter().find(|n| *n == w),
        None if names.len() == 1 => names.first(),
        None => names.iter().find(|n| n.eq_ignore_ascii_case(name)),
    };
    let Some(choice) = choice else {
        let first = names.first().map_or("array", String::as_str);
        return Err(Failure::new(format!("{path} holds the arrays {}", names.join(", ")))
            .help(format!("name one of them, for instance {path}:{first}")));
    };
    let entry = archive.by_name(&format!("{choice}.npy")).map_err(|e| cannot(e.to_string()))?;
    bytes_of(entry).map_err(cannot)
}

/// The array of an `.npy` file, tried with each number type in turn.
fn decode(bytes: &[u8]) -> Result<ArrayD<f64>, String> {
    check_header(bytes)?;
    macro_rules! attempt {
        ($to:expr, $($number:ty)*) => {
            $(match ArrayD::<$number>::read_npy(Cursor::new(bytes)) {
                Ok(array) => return Ok(array.mapv($to)),
                Err(ReadNpyError::WrongDescriptor(_)) => {}
                Err(e) => return Err(e.to_string()),
            })*
        };
    }
    attempt!(|v| v, f64);
    attempt!(f64::from, f32 i32 i16 i8 u32 u16 u8);
    attempt!(|v| v as f64, i64 u64);
    attempt!(|v| f64::from(u8::from(v)), bool);
    Err("its numbers are of a type that is not supported (float16, complex, text or object)".to_owned())
}

/// Most bytes of a header and deepest nesting in it that are believed, as NumPy itself has it; the parser recurses.
const MOST_HEADER: usize = 10_000;
const MOST_NESTING: usize = 20;

/// The text of the header and the bytes after it.
fn split_header(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (version, rest) = bytes.strip_prefix(b"\x93NUMPY")?.split_at_checked(2)?;
    let (length, rest) = rest.split_at_checked(if version.first() == Some(&1) { 2 } else { 4 })?;
    let length = length.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte));
    rest.split_at_checked(length)
}

/// The sizes in a header's text, if it gives them once and as plain numbers.
fn sizes(header: &str) -> Option<Vec<u128>> {
    let header = header.replace('"', "'");
    let (_, rest) = header.split_once("'shape'")?;
    let (sizes, after) =
        rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('(')?.split_once(')')?;
    let plain = |size: &str| size.trim_end_matches('L').parse().ok();
    let given = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    given.map(plain).collect::<Option<_>>().filter(|_| !after.contains("'shape'"))
}

/// Fails if the header cannot be parsed safely, or names more entries than there are bytes: the reader would allocate
/// them first.
fn check_header(bytes: &[u8]) -> Result<(), String> {
    let Some((header, data)) = split_header(bytes) else {
        return Err("it is no .npy file, or it is cut short in its header".to_owned());
    };
    let header = String::from_utf8_lossy(header);
    let nesting = header.chars().fold((0usize, 0), |(depth, most), c| match c {
        '(' | '[' | '{' => (depth + 1, most.max(depth + 1)),
        ')' | ']' | '}' => (depth.saturating_sub(1), most),
        _ => (depth, most),
    });
    if header.len() > MOST_HEADER || nesting.1 > MOST_NESTING {
        let (bytes, depth) = (header.len(), nesting.1);
        return Err(format!(
            "its header has {bytes} bytes, nested {depth} deep; at most {MOST_HEADER} and {MOST_NESTING} are read"
        ));
    }
    let Some(sizes) = sizes(&header) else {
        return Err(format!("its header names no shape of whole numbers: {}", header.trim_end()));
    };
    let entries = sizes.iter().fold(1u128, |product, size| product.saturating_mul(*size));
    if entries > data.len() as u128 {
        let have = data.len();
        return Err(format!("its header names shape {sizes:?} but {have} bytes follow it; it is cut short"));
    }
    Ok(())
}

/// Writes an array as float64 `.npy` in C order.
pub fn write(path: &Path, array: &ArrayD<f64>) -> Result<(), Failure> {
    let failed = |e: &dyn std::fmt::Display| Failure::new(format!("cannot write {}: {e}", path.display()));
    let file = File::create(path).map_err(|e| failed(&e))?;
    array.as_standard_layout().write_npy(BufWriter::new(file)).map_err(|e| failed(&e))
}

/// Fails if two outputs would go to one file.
pub fn check_distinct(options: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
    for (i, (name, path)) in options.iter().enumerate() {
        let same = |(_, other): &&(&str, Option<&Path>)| path.is_some() && other == path;
        if let (Some((other, _)), Some(path)) = (options.iter().take(i).find(same), path) {
            return Err(Failure::new(format!("{other} and {name} are the same file, {}", path.display()))
                .help("give each output its own file"));
        }
    }
    Ok(())
}

/// Fails if an output would replace an input.
pub fn check_kept(inputs: &[&str], outputs: &[(&str, Option<&Path>)]) -> Result<(), Failure> {
    for (option, path) in outputs {
        let Some(path) = path else { continue };
        let real = |p: &Path| p.canonicalize().unwrap_or_else(|_| p.to_owned());
        let same = |input: &&&str| {
            let stem =
                input.rsplit_once(".npz:").map_or((**input).to_owned(), |(stem, _)| format!("{stem}.npz"));
            real(Path::new(&stem)) == real(path)
        };
        if let Some(input) = inputs.iter().find(same) {
            return Err(Failure::new(format!("{option} {} would replace the input {input}", path.display()))
                .help("give the output another file"));
        }
    }
    Ok(())
}

/// Fails now, not after the work, if a file cannot be written; leaves none behind.
pub fn check_writable(path: &Path) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::new(format!("cannot write {}: {e}", path.display()));
    let is_there = path.exists();
    File::options().create(true).append(true).open(path).map_err(failed)?;
    if is_there { Ok(()) } else { std::fs::remove_file(path).map_err(failed) }
}

/// An array in another shape of the same size.
pub fn reshape(array: &ArrayD<f64>, shape: &[usize]) -> ArrayD<f64> {
    convstat::tensor::algebra::shaped(IxDyn(shape), convstat::tensor::algebra::entries(array))
}
