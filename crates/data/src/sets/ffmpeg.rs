//! Frames of a video by the `ffmpeg` program, which an interruption ends.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// Most frames and bytes of one video: a broken file must not fill disk or memory.
const MOST_FRAMES: usize = 20_000;
const MOST_BYTES: usize = 4 << 30;
/// Most bytes that `ffmpeg -version` may write.
const MOST_WORDS: usize = 1 << 20;
/// Time between two looks for an interruption.
pub(super) const LOOK: Duration = Duration::from_millis(100);

/// Whether the program runs; none if it was killed because of `stop`.
pub(super) fn works(program: &Path, stop: fn() -> bool) -> Option<bool> {
    match run(Command::new(program).arg("-version"), MOST_WORDS, stop) {
        Ok(ended) => ended.map(|e| e.status.success()),
        Err(_) => Some(false),
    }
}

/// A program that has ended: how, what it wrote, and the last line of its complaints.
struct ProgramOutput {
    status: ExitStatus,
    bytes: Vec<u8>,
    complaint: String,
}

/// Runs a program, and takes up to `most` bytes of it; `None` if it was killed because of `stop`.
fn run(command: &mut Command, most: usize, stop: fn() -> bool) -> io::Result<Option<ProgramOutput>> {
    let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    // Both are read at once, or the program would wait for one while the other is waited for.
    let complaints = thread::spawn(move || {
        let mut last = String::new();
        let lines = stderr.into_iter().flat_map(|e| BufReader::new(e).split(b'\n'));
        for line in lines.map_while(std::result::Result::ok) {
            let line = String::from_utf8_lossy(line.get(..1000).unwrap_or(&line)).trim().to_owned();
            if !line.is_empty() {
                last = line;
            }
        }
        last
    });
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = stdout.map_or(Ok(0), |out| out.take(most as u64).read_to_end(&mut bytes));
        // Nobody listens any more after an interruption.
        let _ = sender.send(read.map(|_| (bytes, complaints.join().unwrap_or_default())));
    });
    let mut read = None;
    loop {
        if stop() {
            // It may have ended by itself. The threads are not waited for: a child of its own may keep their pipes open.
            let _ = child.kill();
            let _ = child.wait();
            return Ok(None);
        }
        if read.is_none() {
            match receiver.recv_timeout(LOOK) {
                Ok(all) => read = Some(all),
                Err(RecvTimeoutError::Timeout) => {}
                Err(e) => return Err(io::Error::other(e)),
            }
        } else if let Some(status) = child.try_wait()? {
            let (bytes, complaint) = read.unwrap_or_else(|| Ok(Default::default()))?;
            return Ok(Some(ProgramOutput { status, bytes, complaint }));
        } else {
            // What closes its pipes is about to end.
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// All frames of a video, scaled, as red, green and blue bytes; or why there are none.
pub(super) fn decode(
    program: &Path,
    path: &Path,
    [height, width]: [usize; 2],
    stop: fn() -> bool,
) -> std::result::Result<Vec<u8>, String> {
    // ffmpeg makes do with what there is of a file that was cut short.
    if let Some(reason) = cut_short(path).map_err(|e| e.to_string())? {
        return Err(reason);
    }
    let frame = height * width * 3;
    let most = MOST_FRAMES.min(MOST_BYTES / frame.max(1)).max(1);
    // Not a path that ffmpeg could take for an option or an address.
    let mut input = std::ffi::OsString::from("file:");
    input.push(path);
    let mut command = Command::new(program);
    command
        .args(["-nostdin", "-v", "error", "-threads", "1", "-i"])
        .arg(input)
        .args(["-map", "0:v:0", "-vf", &format!("scale={width}:{height}")])
        .args(["-frames:v", &(most + 1).to_string(), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let ended = run(&mut command, (most + 1) * frame, stop).map_err(|e| e.to_string())?;
    // A terminal's Ctrl-C ends ffmpeg as well, maybe before its last frame.
    let Some(ProgramOutput { status, bytes, complaint }) = ended.filter(|_| !stop()) else {
        return Err("stopped".to_owned());
    };
    let frames = bytes.len() / frame;
    match status.code() {
        None => Err(format!("ffmpeg was ended by a signal ({status})")),
        _ if frames > most => Err(format!("it has more than {most} frames")),
        Some(code) if code != 0 => Err(format!("ffmpeg ended with {code}: {complaint}")),
        _ if frames == 0 => Err(format!("it has no frames: {complaint}")),
        _ if !bytes.len().is_multiple_of(frame) => {
            Err(format!("{} bytes are not whole frames of {frame}: {complaint}", bytes.len()))
        }
        _ => Ok(bytes),
    }
}

/// Why a file is not whole, if its head (RIFF, as .avi has it) says so.
fn cut_short(path: &Path) -> io::Result<Option<String>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut head = [0; 8];
    match file.read_exact(&mut head) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::UnexpectedEof => return Ok(Some(format!("it has {size} bytes"))),
        Err(e) => return Err(e),
    }
    let [b'R', b'I', b'F', b'F', length @ ..] = head else { return Ok(None) };
    let length = u32::from_le_bytes(length);
    // What is written to a pipe has no true length.
    let whole = u64::from(length) + 8;
    Ok((length != u32::MAX && whole > size)
        .then(|| format!("it is cut short: {size} bytes of the {whole} its head promises")))
}
