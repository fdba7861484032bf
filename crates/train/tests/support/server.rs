//! A small HTTP server that misbehaves on demand.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What goes wrong with one answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// The connection is closed after so many bytes of the body.
    Cut(usize),
    /// Nothing more comes after so many bytes of the body.
    Stall(usize),
    /// This status, and a short page.
    Status(u16),
    /// Another place.
    Redirect(String),
    /// The whole file, whatever range is asked for.
    NoRange,
    /// The whole file, whatever range is asked for, and the connection is closed after so many bytes.
    NoRangeCut(usize),
    /// The range, whatever version is asked for.
    NoIfRange,
    /// A body of unknown length.
    Chunked,
    /// So many bytes every 5 ms.
    Slow(usize),
}

/// A file that is served, and the faults of its next answers.
#[derive(Debug, Clone, Default)]
pub struct Served {
    pub bytes: Vec<u8>,
    pub tag: Option<String>,
    pub faults: VecDeque<Fault>,
}

#[derive(Default)]
struct Shared {
    files: BTreeMap<String, Served>,
    log: Vec<String>,
}

/// The server; it lives as long as the test process.
pub struct Server {
    port: u16,
    shared: Arc<Mutex<Shared>>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let of_thread = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&of_thread);
                // A client that goes away ends its thread only.
                std::thread::spawn(move || answer(&stream, &shared));
            }
        });
        Self { port, shared }
    }

    /// The folder's URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/folder", self.port)
    }

    pub fn serve(&self, name: &str, bytes: &[u8], tag: &str, faults: &[Fault]) {
        let tag = Some(tag.to_owned()).filter(|t| !t.is_empty());
        let served = Served { bytes: bytes.to_vec(), tag, faults: faults.iter().cloned().collect() };
        self.shared.lock().unwrap().files.insert(format!("/folder/{name}"), served);
    }

    /// `PATH range version` of each request so far, which are forgotten.
    pub fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.lock().unwrap().log)
    }
}

#[expect(clippy::too_many_lines, reason = "one answer, line after line of the protocol")]
fn answer(mut stream: &TcpStream, shared: &Mutex<Shared>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    let path = first.split(' ').nth(1)?.to_owned();
    let (mut range, mut version) = (String::new(), String::new());
    for line in lines {
        let line = line.ok()?;
        let Some((key, value)) = line.split_once(':') else { break };
        match key.to_lowercase().as_str() {
            "range" => range = value.trim().to_owned(),
            "if-range" => version = value.trim().to_owned(),
            _ => {}
        }
    }
    let (served, fault) = {
        let mut shared = shared.lock().unwrap();
        shared.log.push(format!("{path} {range} {version}").trim().to_owned());
        let served = shared.files.get_mut(&path);
        let fault = served.and_then(|s| s.faults.pop_front());
        (shared.files.get(&path).cloned(), fault)
    };
    let page = |mut stream: &TcpStream, status: &str, more: &str| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nConnection: close\r\n{more}\r\nPage");
        stream.write_all(head.as_bytes()).ok()
    };
    let Some(served) = served else { return page(stream, "404 Not Found", "") };
    match &fault {
        Some(Fault::Status(status)) => return page(stream, &format!("{status} No"), ""),
        Some(Fault::Redirect(to)) => return page(stream, "302 Found", &format!("Location: {to}\r\n")),
        _ => {}
    }
    let all = served.bytes.len();
    let mut from = 0;
    if let Some(start) = range.strip_prefix("bytes=").and_then(|r| r.strip_suffix('-')) {
        let is_same = version.is_empty() || served.tag.as_ref() == Some(&version);
        if !matches!(fault, Some(Fault::NoRange | Fault::NoRangeCut(_)))
            && (is_same || matches!(fault, Some(Fault::NoIfRange)))
        {
            from = start.parse().ok()?;
            if from >= all {
                let more = format!("Content-Range: bytes */{all}\r\n");
                return page(stream, "416 Range Not Satisfiable", &more);
            }
        }
    }
    let mut head = if from > 0 {
        format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{}/{all}\r\n", all - 1)
    } else {
        "HTTP/1.1 200 OK\r\n".to_owned()
    };
    let body = &served.bytes[from..];
    let chunked = matches!(fault, Some(Fault::Chunked));
    head += &if chunked {
        "Transfer-Encoding: chunked\r\n".to_owned()
    } else {
        format!("Content-Length: {}\r\n", body.len())
    };
    if let Some(tag) = &served.tag {
        head += &format!("ETag: {tag}\r\n");
    }
    stream.write_all((head + "Connection: close\r\n\r\n").as_bytes()).ok()?;
    match fault {
        Some(Fault::Cut(n) | Fault::NoRangeCut(n)) => stream.write_all(&body[..n.min(body.len())]).ok()?,
        Some(Fault::Stall(n)) => {
            stream.write_all(&body[..n.min(body.len())]).ok()?;
            std::thread::sleep(Duration::from_secs(60));
        }
        Some(Fault::Slow(n)) => {
            for bytes in body.chunks(n) {
                stream.write_all(bytes).ok()?;
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        _ if chunked => {
            for bytes in body.chunks(1000) {
                stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).ok()?;
                stream.write_all(&[bytes, b"\r\n"].concat()).ok()?;
            }
            stream.write_all(b"0\r\n\r\n").ok()?;
        }
        _ => stream.write_all(body).ok()?,
    }
    Some(())
}
