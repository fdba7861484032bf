//! Checksums: of a file, of a list that a user gives, and those kept beside the data.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use md5::Md5;
use sha2::{Digest, Sha256};

use super::progress::{Phase, Progress, Stepped, go_on};
use crate::{DataError, Result};

/// An expected checksum, in lower-case hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sum {
    /// MD5, 32 digits.
    Md5(Cow<'static, str>),
    /// SHA-256, 64 digits.
    Sha256(Cow<'static, str>),
}

/// A known MD5.
pub(super) const fn md5(digits: &'static str) -> Sum {
    Sum::Md5(Cow::Borrowed(digits))
}

/// A known SHA-256.
pub(super) const fn sha256(digits: &'static str) -> Sum {
    Sum::Sha256(Cow::Borrowed(digits))
}

impl Sum {
    /// From its digits, whose number says what it is.
    pub fn parse(digits: &str) -> Option<Self> {
        let is_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
        let digits = digits.to_ascii_lowercase().into();
        match &digits {
            Cow::Owned(d) if is_hex && d.len() == 32 => Some(Self::Md5(digits)),
            Cow::Owned(d) if is_hex && d.len() == 64 => Some(Self::Sha256(digits)),
            _ => None,
        }
    }

    /// Its digits.
    pub fn digits(&self) -> &str {
        match self {
            Self::Md5(digits) | Self::Sha256(digits) => digits,
        }
    }

    /// `None` if a file with these digests is the right one; otherwise the sum that it has instead.
    pub(super) fn differs(&self, found: &Digests) -> Option<Self> {
        let found = match self {
            Self::Md5(_) => Self::Md5(found.md5.clone().into()),
            Self::Sha256(_) => Self::Sha256(found.sha256.clone().into()),
        };
        (found != *self).then_some(found)
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(digits) => write!(f, "MD5 {digits}"),
            Self::Sha256(digits) => write!(f, "SHA-256 {digits}"),
        }
    }
}

/// Length and checksums of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digests {
    /// Bytes.
    pub bytes: u64,
    /// MD5, in hexadecimal digits.
    pub md5: String,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut digits, b| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{b:02x}");
        digits
    })
}

/// Length and checksums of `path`.
pub(super) fn digests(path: &Path, name: &str, progress: &mut dyn Progress) -> Stepped<Digests> {
    let mut file = File::open(path).map_err(DataError::io("read", path))?;
    let total = file.metadata().map_err(DataError::io("read", path))?.len();
    progress.begin(name, Phase::Check, Some(total));
    let (mut md5, mut sha256, mut bytes) = (Md5::new(), Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 20];
    loop {
        go_on()?;
        let n = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return Err(DataError::io("read", path)(e).into()),
        };
        let read = buffer.get(..n).unwrap_or_default();
        md5.update(read);
        sha256.update(read);
        bytes += n as u64;
        progress.at(bytes);
    }
    Ok(Digests { bytes, md5: hex(&md5.finalize()), sha256: hex(&sha256.finalize()) })
}

/// Sums by file name, as `md5sum` and `sha256sum` write them.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    path: PathBuf,
    by_name: BTreeMap<String, Sum>,
}

impl Sums {
    /// Reads a list.
    ///
    /// # Errors
    /// A file that cannot be read, a line that is no sum with a name.
    pub fn read(path: &Path) -> Result<Self> {
        let text = convstat_runner::read_text(path).map_err(DataError::io("read", path))?;
        let mut by_name = BTreeMap::new();
        for (i, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let parts = line.split_once(char::is_whitespace);
            let Some((sum, name)) = parts.and_then(|(sum, name)| Some((Sum::parse(sum)?, name))) else {
                let reason = format!(
                    "line {} is {line:?}: give a sum of 32 (MD5) or 64 (SHA-256) digits and a file name, as md5sum writes them",
                    i + 1
                );
                return Err(DataError::data(path, reason));
            };
            let name = name.trim().trim_start_matches('*');
            by_name.insert(name.rsplit('/').next().unwrap_or(name).to_owned(), sum);
        }
        Ok(Self { path: path.to_owned(), by_name })
    }

    /// The sum of a file.
    ///
    /// # Errors
    /// It is not in the list.
    pub fn of(&self, name: &str) -> Result<&Sum> {
        self.by_name
            .get(name)
            .ok_or_else(|| DataError::data(&self.path, format!("no sum of {name}: add a line for it")))
    }
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Tally {
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// `checksums.txt` beside the data: what was there when it was fetched, so that a later change is noticed. Its lines are
/// those of `sha256sum`; what was unpacked is counted in comments.
#[derive(Debug)]
pub(super) struct Record {
    pub path: PathBuf,
    lines: Vec<String>,
}

impl Record {
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("checksums.txt");
        let lines = match convstat_runner::read_text(&path) {
            Ok(text) => text.lines().map(Into::into).collect(),
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            Err(e) => return Err(DataError::io("read", &path)(e)),
        };
        Ok(Self { path, lines })
    }

    /// SHA-256 of a file.
    pub fn sum(&self, name: &str) -> Option<Sum> {
        let lines = self.lines.iter().filter_map(|l| l.split_once("  "));
        lines.filter(|(_, n)| *n == name).find_map(|(sum, _)| Sum::parse(sum))
    }

    /// What was unpacked into a folder.
    pub fn tally(&self, top: &str) -> Option<Tally> {
        let start = format!("# {top}: ");
        let counts = self.lines.iter().find_map(|l| l.strip_prefix(&start))?;
        let mut numbers = counts.split(' ').filter_map(|w| w.parse().ok());
        Some(Tally { files: numbers.next()?, bytes: numbers.next()? })
    }

    pub fn set_sum(&mut self, name: &str, sha256: &str) -> Result<()> {
        let end = format!("  {name}");
        self.replace(|l| l.ends_with(&end) && !l.starts_with('#'), format!("{sha256}{end}"))
    }

    pub fn set_tally(&mut self, top: &str, tally: Tally) -> Result<()> {
        let start = format!("# {top}: ");
        let Tally { files, bytes } = tally;
        self.replace(|l| l.starts_with(&start), format!("{start}{files} files, {bytes} bytes"))
    }

    fn replace(&mut self, old: impl Fn(&str) -> bool, new: String) -> Result<()> {
        if self.lines.contains(&new) {
            return Ok(());
        }
        self.lines.retain(|l| !old(l));
        self.lines.push(new);
        let aside = self.path.with_extension("tmp");
        let text = self.lines.join("\n") + "\n";
        fs::write(&aside, text).map_err(DataError::unwritten("write", &aside, "what is in place is kept"))?;
        fs::rename(&aside, &self.path).map_err(DataError::io("write", &self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_sums() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        fs::write(&path, "abc").unwrap();
        let found = digests(&path, "abc", &mut ()).unwrap_or_else(|_| panic!("stopped"));
        assert_eq!((found.bytes, found.md5.as_str()), (3, "900150983cd24fb0d6963f7d28e17f72"));
        assert_eq!(found.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let sum = Sum::parse(&found.md5.to_uppercase()).unwrap();
        assert_eq!(sum.differs(&found), None);
        assert_eq!(md5("00").differs(&found), Some(sum));
        assert_eq!([Sum::parse(""), Sum::parse("é"), Sum::parse(&"g".repeat(32))], [None, None, None]);
    }

    #[test]
    fn lists_and_records() {
        let folder = tempfile::tempdir().unwrap();
        let list = folder.path().join("list");
        let (md5, sha256) = ("a".repeat(32), "b".repeat(64));
        fs::write(&list, format!("# of a mirror\n{md5}  x y\n\n{sha256} *dir/z\n")).unwrap();
        let sums = Sums::read(&list).unwrap();
        assert_eq!((sums.of("x y").unwrap().digits(), sums.of("z").unwrap().digits()), (&*md5, &*sha256));
        assert!(sums.of("y").unwrap_err().to_string().contains("no sum of y"));
        fs::write(&list, format!("{md5}  x\n{md5}\n")).unwrap();
        assert!(Sums::read(&list).unwrap_err().to_string().contains("line 2 is"));

        let mut record = Record::read(folder.path()).unwrap();
        assert_eq!((record.sum("x y"), record.tally("x")), (None, None));
        record.set_sum("x y", &"c".repeat(64)).unwrap();
        record.set_tally("x", Tally { files: 3, bytes: 10 }).unwrap();
        record.set_sum("x y", &sha256).unwrap();
        let record = Record::read(folder.path()).unwrap();
        assert_eq!((record.sum("x y"), record.sum("y")), (Sum::parse(&sha256), None));
        assert_eq!(record.tally("x"), Some(Tally { files: 3, bytes: 10 }));
        assert_eq!(record.lines.len(), 2);
    }
}
