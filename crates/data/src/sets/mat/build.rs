use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;

pub fn element(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = [kind.to_le_bytes(), (data.len() as u32).to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

/// An element of at most four bytes in the tag.
pub fn small(kind: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = (kind | (data.len() as u32) << 16).to_le_bytes().to_vec();
    bytes.extend(data);
    bytes.resize(8, 0);
    bytes
}

/// An array of the elements after the flags.
pub fn parts(flags: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    let flags = element(super::UINT32, &u64::from(flags).to_le_bytes());
    element(super::MATRIX, &[flags, parts.concat()].concat())
}

pub fn sizes(dims: &[i32]) -> Vec<u8> {
    element(super::INT32, &dims.iter().flat_map(|size| size.to_le_bytes()).collect::<Vec<_>>())
}

/// An array of a class with values as bytes of a type.
pub fn array(class: u32, storage: u32, dims: &[i32], name: &str, values: &[u8]) -> Vec<u8> {
    parts(class, &[sizes(dims), element(super::INT8, name.as_bytes()), element(storage, values)])
}

pub fn compressed(data: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    let stream = encoder.finish().unwrap();
    let head = [super::COMPRESSED.to_le_bytes(), (stream.len() as u32).to_le_bytes()].concat();
    [head, stream].concat()
}

pub fn file(variables: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"MATLAB 5.0 MAT-file, made by a test".to_vec();
    bytes.resize(124, b' ');
    bytes.extend(b"\0\x01IM");
    bytes.extend(variables.concat());
    bytes
}
