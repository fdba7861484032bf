//! RAR archives, by the program `bsdtar` of libarchive: looked through first, then unpacked. Names, sizes and headers are
//! checked; libarchive itself leaves the checksums of entries that are only stored unread.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::progress::{Stepped, go_on};
use super::sink::{KEPT, Sink, tally};
use crate::{DataError, Result};

fn bsdtar() -> Command {
    let mut command = Command::new("bsdtar");
    // One spelling of names and dates, whatever the user's language.
    command.env("LC_ALL", "C").stdin(Stdio::null());
    command
}

/// Whether the program is there.
pub(super) fn available(place: &Path) -> Result<()> {
    match bsdtar().arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(_) => Err(missing("does not run", place)),
        Err(e) if e.kind() == ErrorKind::NotFound => Err(missing("is missing", place)),
        Err(e) => Err(missing(&e.to_string(), place)),
    }
}

fn missing(reason: &str, place: &Path) -> DataError {
    let mend =
        "install the package libarchive-tools (Debian, Ubuntu), bsdtar (Fedora) or libarchive (others)";
    let reason =
        format!("unpacking it takes the program bsdtar, which {reason}: {mend}, or unpack it here by hand");
    DataError::data(place, reason)
}

/// Waits for a child, and looks in between; kills it where that fails. Gives its status and its last complaint.
fn watch(mut child: Child, mut look: impl FnMut() -> Stepped<()>) -> Stepped<(bool, String)> {
    // Read all along, so that a child with much to complain about does not block.
    let mut pipe = child.stderr.take();
    let complaints = std::thread::spawn(move || {
        let mut text = Vec::new();
        // What cannot be read is only missing from a message.
        let _ = pipe.as_mut().map(|p| p.read_to_end(&mut text));
        last_line(&text)
    });
    loop {
        match child.try_wait() {
            Ok(None) => {}
            Ok(Some(status)) => return Ok((status.success(), complaints.join().unwrap_or_default())),
            Err(e) => return Ok((false, e.to_string())),
        }
        if let Err(halt) = go_on().and_then(|()| look()) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            return Err(halt);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lines of a listing.
fn list(sink: &Sink, flags: &[&str]) -> Stepped<Vec<String>> {
    let output = bsdtar().args(flags).arg("-f").arg(sink.archive).output();
    let output = output.map_err(|e| missing(&e.to_string(), sink.archive))?;
    // A terminal's Ctrl-C ends the child as well.
    go_on()?;
    if !output.status.success() {
        return Err(failed(sink, &last_line(&output.stderr)).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(Into::into).collect())
}

/// Errors of a disk without room, in the words of the C library.
const FULL: [(&str, ErrorKind); 3] = [
    ("No space left on device", ErrorKind::StorageFull),
    ("Disk quota exceeded", ErrorKind::QuotaExceeded),
    ("File too large", ErrorKind::FileTooLarge),
];

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let lines = || text.lines().filter(|l| !l.contains("Error exit delayed"));
    // Of all that goes wrong on a full disk, this is what to tell.
    let full = lines().find(|l| FULL.iter().any(|(words, _)| l.contains(words)));
    full.or(lines().next_back()).unwrap_or("bsdtar does not say why").to_owned()
}

/// What to say where bsdtar fails.
fn failed(sink: &Sink, complaint: &str) -> DataError {
    if let Some((_, kind)) = FULL.iter().find(|(words, _)| complaint.contains(words)) {
        return DataError::unwritten("write", sink.into, KEPT)(io::Error::new(*kind, complaint));
    }
    let place = sink.place.display();
    let mend = format!(
        "remove it and run the same command to download it again; or, since bsdtar cannot unpack every RAR archive, \
         unpack it by hand to {place}, which the same command then takes as it is"
    );
    let reason = format!("not a whole archive, or one that bsdtar cannot unpack ({complaint}): {mend}");
    DataError::data(sink.archive, reason)
}

/// Unpacks into the sink's folder.
pub(super) fn unpack(sink: &mut Sink, mut file: File) -> Stepped<()> {
    // bsdtar takes whatever it knows; a page of a server that has moved is not for it.
    let mut start = [0; 6];
    let is_rar = file.read_exact(&mut start).is_ok() && start == *b"Rar!\x1a\x07";
    if !is_rar {
        return Err(sink.broken("it does not begin as a RAR archive").into());
    }
    // bsdtar writes special characters as `\n` or `\303`, so that a line is an entry; no such name is taken.
    let names = list(sink, &["-t"])?;
    for name in &names {
        sink.entry(Path::new(name))?;
    }
    let details = list(sink, &["-tv", "--numeric-owner"])?;
    if details.len() != names.len() {
        return Err(failed(sink, "two listings of it differ").into());
    }
    let (mut bytes, mut files) = (0_u64, 0);
    for (line, name) in details.iter().zip(&names) {
        match line.bytes().next() {
            Some(b'-') => files += 1,
            Some(b'd') => {}
            _ => return Err(sink.refused(name, "is a link or a device").into()),
        }
        // Mode, links, owner, group, bytes.
        let size = line.split_whitespace().nth(4).and_then(|s| s.parse::<u64>().ok());
        let size = size.ok_or_else(|| sink.broken(format!("no size in {line:?}")))?;
        bytes = bytes.saturating_add(size);
    }
    sink.count(bytes)?;
    sink.count(0)?;
    let child = bsdtar()
        .args(["-x", "--no-same-owner", "--no-same-permissions", "-C"])
        .arg(sink.into)
        .arg("-f")
        .arg(std::path::absolute(sink.archive).map_err(DataError::io("find", sink.archive))?)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| missing(&e.to_string(), sink.archive))?;
    let mut looked = Instant::now();
    let (succeeded, complaint) = watch(child, || {
        // Sizes may be told wrongly.
        if looked.elapsed() > Duration::from_secs(2) {
            // A folder that is being filled may change under the look.
            if let Ok(Some(so_far)) = tally(sink.into) {
                sink.count(so_far.bytes)?;
            }
            looked = Instant::now();
        }
        Ok(())
    })?;
    // A terminal's Ctrl-C ends the child as well.
    go_on()?;
    if !succeeded {
        return Err(failed(sink, &complaint).into());
    }
    let found = tally(sink.into)?.unwrap_or_default();
    if (found.files, found.bytes) != (files, bytes) {
        let reason =
            format!("{} files of {} bytes came out of it, not {files} of {bytes}", found.files, found.bytes);
        return Err(failed(sink, &reason).into());
    }
    Ok(())
}
