//! Scalars as a `TensorBoard` event file.
//!
//! The file is a sequence of `TFRecord`s (`tensorflow/core/lib/io/record_writer.cc`), each a protocol buffer
//! `Event` (`tensorflow/core/util/event.proto`, `tensorflow/core/framework/summary.proto`). Two messages with
//! five fields do not warrant a protobuf compiler, so they are written by hand.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::{Result, TrainError};

/// What the first record of every event file says.
const FILE_VERSION: &str = "brain.Event:2";

/// Wire types of protocol buffers.
const VARINT: u64 = 0;
const FIXED64: u64 = 1;
const BYTES: u64 = 2;
const FIXED32: u64 = 5;

/// Appends scalars to an event file of its own. Records are buffered; dropping the writer writes what is
/// buffered but loses the error if that fails, so call [`EventWriter::flush`] at the end.
#[derive(Debug)]
pub struct EventWriter {
    file: BufWriter<File>,
    path: PathBuf,
}

impl EventWriter {
    /// Starts a new file `events.out.tfevents.<unix seconds>.<host>` in `folder`, which is made if missing.
    /// An existing file is never touched: the name gets a counter (`.001`, ...) until it is free.
    ///
    /// # Errors
    /// [`TrainError::Io`] if folder or file cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
        let stem = format!("events.out.tfevents.{}.{}", now() as u64, host());
        let mut path = folder.join(&stem);
        let mut counter = 0_u64;
        let file = loop {
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => break file,
                // TensorBoard reads the files of a folder in the order of their names, hence the zeros.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    counter += 1;
                    path = folder.join(format!("{stem}.{counter:03}"));
                }
                Err(error) => return Err(TrainError::io("create", &path)(error)),
            }
        };
        let mut writer = Self { file: BufWriter::new(file), path };
        let mut event = Vec::new();
        put_fixed64(&mut event, 1, now());
        put_bytes(&mut event, 3, FILE_VERSION.as_bytes());
        writer.record(&event)?;
        Ok(writer)
    }

    /// The file written to.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `value` of the curve `tag` at `step` (optimiser steps or epochs, as the caller likes), stamped
    /// with the current time. Infinite and NaN values are written as they are.
    ///
    /// # Errors
    /// [`TrainError::Io`] if the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: i64, value: f32) -> Result<()> {
        let mut inner = Vec::with_capacity(tag.len() + 16);
        put_bytes(&mut inner, 1, tag.as_bytes());
        put_key(&mut inner, 2, FIXED32);
        inner.extend_from_slice(&value.to_le_bytes());
        let mut summary = Vec::with_capacity(inner.len() + 8);
        put_bytes(&mut summary, 1, &inner);
        let mut event = Vec::with_capacity(summary.len() + 32);
        put_fixed64(&mut event, 1, now());
        put_key(&mut event, 2, VARINT);
        // An int64 goes out as its two's complement, not zigzagged.
        put_varint(&mut event, step as u64);
        put_bytes(&mut event, 5, &summary);
        self.record(&event)
    }

    /// Hands everything to the operating system, so that a running `TensorBoard` sees it.
    ///
    /// # Errors
    /// [`TrainError::Io`] if the file cannot be written.
    pub fn flush(&mut self) -> Result<()> {
        self.file.flush().map_err(TrainError::io("write", &self.path))
    }

    /// One `TFRecord`: length, its checksum, data, their checksum; numbers little-endian.
    fn record(&mut self, data: &[u8]) -> Result<()> {
        let length = (data.len() as u64).to_le_bytes();
        let mut frame = Vec::with_capacity(data.len() + 16);
        frame.extend_from_slice(&length);
        frame.extend_from_slice(&masked_crc(&length).to_le_bytes());
        frame.extend_from_slice(data);
        frame.extend_from_slice(&masked_crc(data).to_le_bytes());
        self.file.write_all(&frame).map_err(TrainError::io("write", &self.path))
    }
}

/// CRC-32C, rotated and shifted as `TFRecord` wants it (checksums of data that hold checksums are weak).
fn masked_crc(data: &[u8]) -> u32 {
    crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Seconds since 1970; 0 on a clock set before that.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// The machine's name as far as it is fit for a file name. The standard library has no call for it.
fn host() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")))
        .unwrap_or_default();
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')).take(64).collect();
    if name.is_empty() { "convstat".to_owned() } else { name }
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn put_key(out: &mut Vec<u8>, field: u64, wire: u64) {
    put_varint(out, field << 3 | wire);
}

fn put_fixed64(out: &mut Vec<u8>, field: u64, value: f64) {
    put_key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_key(out, field, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn varint(data: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (&byte, rest) = data.split_first().unwrap();
            *data = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    /// Fields of a message: number, value of a varint (else 0), bytes of the others.
    fn fields(mut data: &[u8]) -> Vec<(u64, u64, &[u8])> {
        let mut found = Vec::new();
        while !data.is_empty() {
            let key = varint(&mut data);
            let (number, length) = match key & 7 {
                VARINT => (varint(&mut data), 0),
                FIXED64 => (0, 8),
                FIXED32 => (0, 4),
                BYTES => (0, varint(&mut data) as usize),
                wire => panic!("wire type {wire}"),
            };
            let (bytes, rest) = data.split_at(length);
            data = rest;
            found.push((key >> 3, number, bytes));
        }
        found
    }

    fn records(mut data: &[u8]) -> Vec<&[u8]> {
        let mut found = Vec::new();
        while !data.is_empty() {
            let length = u64::from_le_bytes(data[..8].try_into().unwrap()) as usize;
            assert_eq!(masked_crc(&data[..8]).to_le_bytes(), data[8..12]);
            let body = &data[12..12 + length];
            assert_eq!(masked_crc(body).to_le_bytes(), data[12 + length..16 + length]);
            found.push(body);
            data = &data[16 + length..];
        }
        found
    }

    #[test]
    fn reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("a/b");
        let long = "x".repeat(300);
        let scalars = [
            ("train/loss", 0, 2.5_f32),
            ("höhe", -3, -0.0),
            (&long, i64::MAX, f32::INFINITY),
            ("", 300, 0.0),
        ];
        let start = now();
        let mut writer = EventWriter::create(&inner).unwrap();
        for (tag, step, value) in scalars {
            writer.scalar(tag, step, value).unwrap();
        }
        writer.flush().unwrap();
        let data = fs::read(writer.path()).unwrap();
        let found = records(&data);
        assert_eq!(found.len(), 5);
        for record in &found {
            let (number, _, time) = fields(record)[0];
            let time = f64::from_le_bytes(time.try_into().unwrap());
            assert!(number == 1 && (start..=now()).contains(&time));
        }
        assert_eq!(fields(found[0])[1..], [(3, 0, FILE_VERSION.as_bytes())]);
        for (record, (tag, step, value)) in found[1..].iter().zip(scalars) {
            let event = fields(record);
            assert_eq!((event.len(), event[1].0, event[1].1 as i64, event[2].0), (3, 2, step, 5));
            let summary = fields(event[2].2);
            assert_eq!((summary.len(), summary[0].0), (1, 1));
            assert_eq!(fields(summary[0].2), [(1, 0, tag.as_bytes()), (2, 0, &value.to_le_bytes()[..])]);
        }
    }

    #[test]
    fn masks_checksums() {
        // RFC 3720, B.4: the CRC-32C of 32 zero bytes is 8a9136aa.
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        // tensorboard 2.21.0: tensorboard.compat.tensorflow_stub.pywrap_tensorflow.masked_crc32c(bytes(32)).
        assert_eq!(masked_crc(&[0; 32]), 0x0fd7_fffa);
    }

    #[test]
    fn never_overwrites() {
        let folder = tempfile::tempdir().unwrap();
        let mut paths: Vec<_> =
            (0..4).map(|_| EventWriter::create(folder.path()).unwrap().path().to_owned()).collect();
        paths.dedup();
        assert_eq!(paths.len(), 4);
        assert!(paths.is_sorted());
        for path in paths {
            assert_eq!(records(&fs::read(path).unwrap()).len(), 1);
        }
    }

    #[test]
    fn names_the_path_of_an_error() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let message = EventWriter::create(file.path()).unwrap_err().to_string();
        assert!(message.starts_with(&format!("cannot create {}", file.path().display())), "{message}");
    }
}
