//! A request over HTTP and its answer, as events.

use std::io::{ErrorKind, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG, HeaderMap, IF_RANGE, LAST_MODIFIED, RANGE};

use super::progress::{Stepped, go_on};

/// What a server says before the bytes.
pub(super) struct Head {
    pub status: u16,
    pub length: Option<u64>,
    /// First byte and total of `Content-Range`.
    pub range: (Option<u64>, Option<u64>),
    pub version: String,
}

impl Head {
    fn new(status: u16, headers: &HeaderMap) -> Self {
        let text = |key| headers.get(key).and_then(|v| v.to_str().ok()).map(str::trim);
        // A weak ETag does not promise the same bytes.
        let tag = text(ETAG).filter(|t| t.starts_with('"'));
        let range = text(CONTENT_RANGE).and_then(|r| r.strip_prefix("bytes")).unwrap_or_default().trim();
        let (span, total) = range.split_once('/').unwrap_or_default();
        Self {
            status,
            length: text(CONTENT_LENGTH).and_then(|l| l.parse().ok()),
            range: (span.split('-').next().and_then(|f| f.parse().ok()), total.parse().ok()),
            version: tag.or(text(LAST_MODIFIED)).unwrap_or_default().to_owned(),
        }
    }
}

impl Head {
    /// Whether the bytes go on after the first `len` of this version; not all servers keep to `If-Range`.
    pub fn continues(&self, len: u64, version: &str, total: Option<u64>) -> bool {
        let same = self.version.is_empty() || version.is_empty() || self.version == version;
        same && self.range.0 == Some(len) && (total.is_none() || self.range.1 == total)
    }
}

/// Why a connection came to nothing.
pub(super) enum Fault {
    /// It may go better the next time.
    Lost(String),
    /// It may go better the next time, if it has gone well before.
    Unreachable(String),
    /// It will not go better.
    Lasting(String),
}

impl From<ureq::Error> for Fault {
    fn from(error: ureq::Error) -> Self {
        let text = error.to_string();
        if text.to_lowercase().contains("certificate") {
            return Self::Lasting(format!("the server's certificate cannot be verified ({text})"));
        }
        let away = [ErrorKind::ConnectionRefused, ErrorKind::NetworkUnreachable, ErrorKind::HostUnreachable];
        match error {
            ureq::Error::HostNotFound => Self::Unreachable("no such host, or no network".into()),
            ureq::Error::ConnectionFailed => Self::Unreachable(text),
            // A name that is not found has no kind of its own.
            ureq::Error::Io(e) if away.contains(&e.kind()) || text.contains("lookup address") => {
                Self::Unreachable(e.to_string())
            }
            ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => Self::Lost(text),
            _ => Self::Lasting(text),
        }
    }
}

/// What a request brings, in order.
pub(super) enum Event {
    Head(Head),
    Bytes(Vec<u8>),
    Complete,
    Fault(Fault),
}

/// The request and its answer, in a thread of their own: a read that hangs does not keep an interruption from being seen.
pub(super) fn request(
    agent: &Agent,
    url: &str,
    offset: u64,
    version: &str,
    events: &SyncSender<Event>,
) -> Option<()> {
    let mut request = agent.get(url);
    if offset > 0 {
        request = request.header(RANGE, format!("bytes={offset}-"));
        if !version.is_empty() {
            request = request.header(IF_RANGE, version);
        }
    }
    let response = match request.call() {
        Ok(response) => response,
        Err(e) => return events.send(Event::Fault(e.into())).ok(),
    };
    let (parts, body) = response.into_parts();
    events.send(Event::Head(Head::new(parts.status.as_u16(), &parts.headers))).ok()?;
    let mut body = body.into_reader();
    let mut buffer = vec![0; 1 << 17];
    loop {
        let event = match body.read(&mut buffer) {
            Ok(0) => return events.send(Event::Complete).ok(),
            Ok(n) => Event::Bytes(buffer.get(..n).unwrap_or_default().to_vec()),
            Err(e) if e.kind() == ErrorKind::Interrupted => continue,
            Err(e) => return events.send(Event::Fault(Fault::Lost(e.to_string()))).ok(),
        };
        // Nobody listens any more after a failure on the other side.
        events.send(event).ok()?;
    }
}

/// The next event, waited for in small steps.
pub(super) fn next(events: &Receiver<Event>, stall: Duration) -> Stepped<Event> {
    let start = Instant::now();
    loop {
        go_on()?;
        match events.recv_timeout(Duration::from_millis(50)) {
            Ok(event) => return Ok(event),
            Err(RecvTimeoutError::Timeout) if start.elapsed() < stall => {}
            Err(_) => {
                let reason = format!("no byte came for {} s", stall.as_secs_f64());
                return Ok(Event::Fault(Fault::Lost(reason)));
            }
        }
    }
}
