//! Archives made in a test, good and bad ones.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;

/// Kinds of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File,
    Folder,
    /// Its content is the target.
    Symlink,
    /// Its content is the target; only in tar archives.
    HardLink,
}

/// Name, kind and content.
pub type Entry<'a> = (&'a str, Kind, &'a [u8]);

/// Names are written as they are: the `tar` crate itself refuses the bad ones.
pub fn tar_gz(entries: &[Entry]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (name, kind, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_mode(0o644);
        let is_link = matches!(kind, Kind::Symlink | Kind::HardLink);
        if is_link {
            header.as_old_mut().linkname[..bytes.len()].copy_from_slice(bytes);
        }
        let content = if is_link { &[][..] } else { bytes };
        header.set_size(content.len() as u64);
        header.set_entry_type(match kind {
            Kind::File => tar::EntryType::Regular,
            Kind::Folder => tar::EntryType::Directory,
            Kind::Symlink => tar::EntryType::Symlink,
            Kind::HardLink => tar::EntryType::Link,
        });
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    for (name, kind, bytes) in entries {
        match kind {
            Kind::Folder => zip.add_directory(*name, options).unwrap(),
            Kind::File => {
                zip.start_file(*name, options).unwrap();
                zip.write_all(bytes).unwrap();
            }
            _ => zip.add_symlink(*name, std::str::from_utf8(bytes).unwrap(), options).unwrap(),
        }
    }
    zip.finish().unwrap().into_inner()
}

/// A block of a RAR archive (version 3): the checksum of its header, then the header.
fn block(header: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(header);
    [&crc.sum().to_le_bytes()[..2], header].concat()
}

/// A RAR archive (version 3) whose entries are stored, not compressed, as its public description says.
pub fn rar(entries: &[Entry]) -> Vec<u8> {
    let mut all = b"Rar!\x1a\x07\x00".to_vec();
    all.extend(block(&[0x73, 0, 0, 13, 0, 0, 0, 0, 0, 0, 0]));
    for (name, kind, bytes) in entries {
        let (flags, mode) = match kind {
            Kind::Folder => (0x80e0_u16, 0o040_755_u32),
            Kind::File => (0x8000, 0o100_644),
            _ => (0x8000, 0o120_777),
        };
        let mut crc = flate2::Crc::new();
        crc.update(bytes);
        let size = (bytes.len() as u32).to_le_bytes();
        let mut header = vec![0x74];
        header.extend(flags.to_le_bytes());
        header.extend((32 + name.len() as u16).to_le_bytes());
        header.extend([size, size].concat());
        // Made on Unix.
        header.push(3);
        header.extend(crc.sum().to_le_bytes());
        // 1 January 2020; version 2.0; stored.
        header.extend([0, 0, 0x21, 0x50, 20, 0x30]);
        header.extend((name.len() as u16).to_le_bytes());
        header.extend(mode.to_le_bytes());
        header.extend(name.as_bytes());
        all.extend(block(&header));
        all.extend(*bytes);
    }
    all.extend(block(&[0x7b, 0, 0x40, 7, 0]));
    all
}
