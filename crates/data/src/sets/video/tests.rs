use std::process::Command;

use super::*;

const FRAME: usize = 2 * 4 * 3;

/// A program that stands for `ffmpeg`, with lines of a shell that decode.
fn program(folder: &Path, lines: &str) -> PathBuf {
    let path = folder.join("fake ffmpeg");
    // Written by another process: one that forks meanwhile would keep it busy.
    let write =
        "printf '#!/bin/sh\\n[ \"$1\" = -version ] && exit\\n%s\\n' \"$1\" > \"$2\" && chmod +x \"$2\"";
    let status = Command::new("sh").args(["-c", write, "sh", lines]).arg(&path).status().unwrap();
    assert!(status.success());
    path
}

/// A cache in `folder/cache` of videos that are decoded by `lines`, and two files that stand for videos.
fn cache(folder: &Path, lines: &str) -> Cache {
    for path in ["a", "b"].map(|name| folder.join(name)).iter().filter(|path| !path.exists()) {
        fs::write(path, "words of a video").unwrap();
    }
    let mut cache = Cache::open(folder.join("cache"), [2, 4]).unwrap();
    cache.program = program(folder, lines);
    cache
}

/// Two frames a video.
const TWO: &str = "head -c 48 /dev/zero";

#[test]
fn what_failed_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut bad = cache(folder, &format!("case \"$*\" in */a*) echo no memory >&2; exit 1;; esac; {TWO}"));
    bad.ensure(folder, &["a", "b"]).unwrap();
    assert_eq!((bad.get("a"), bad.get("b")), (Err("ffmpeg ended with 1: no memory"), Ok((0, 2))));
    let index = fs::read_to_string(folder.join("cache/index.json")).unwrap();
    assert!(!index.contains("memory") && !index.contains("\"a\""), "{index}");
    // An index that an older program wrote.
    let time = fs::metadata(folder.join("a")).unwrap().modified().unwrap();
    let time = time.duration_since(UNIX_EPOCH).unwrap().as_nanos();
    let entry = format!("\"a\":{{\"size\":16,\"modified\":{time},\"reason\":\"no memory\"}},\"b\"");
    fs::write(folder.join("cache/index.json"), index.replace("\"b\"", &entry)).unwrap();
    let mut good = cache(folder, TWO);
    good.ensure(folder, &["a"]).unwrap();
    assert_eq!((good.get("a"), good.get("b")), (Ok((2 * FRAME, 2)), Ok((0, 2))));
}

#[test]
fn frames_that_are_gone_are_decoded_anew() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    cache(folder, TWO).ensure(folder, &["a", "b"]).unwrap();
    fs::remove_file(folder.join("cache/frames.bin")).unwrap();
    let mut again = cache(folder, TWO);
    assert!(again.get("a").is_err());
    again.ensure(folder, &["b"]).unwrap();
    assert_eq!((again.get("b"), again.store().unwrap().len()), (Ok((0, 2)), 2 * FRAME));
    assert!(cache(folder, TWO).get("a").is_err());
}

#[test]
fn an_interruption_is_heard() {
    static STUCK: AtomicUsize = AtomicUsize::new(0);
    static LOCKED: AtomicUsize = AtomicUsize::new(0);
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // While ffmpeg is stuck.
    let mut stuck = cache(folder, "sleep 20");
    stuck.stop = || STUCK.fetch_add(1, Ordering::SeqCst) > 8;
    let start = Instant::now();
    let error = stuck.ensure(folder, &["a", "b"]).unwrap_err();
    assert!(matches!(error, DataError::Stopped { done: 0, all: 2, .. }), "{error}");
    // While another program decodes.
    let lock = File::open(folder.join("cache/frames.bin")).unwrap();
    lock.lock().unwrap();
    let mut waiting = cache(folder, TWO);
    waiting.stop = || LOCKED.fetch_add(1, Ordering::SeqCst) > 8;
    let error = waiting.ensure(folder, &["a", "b"]).unwrap_err();
    assert!(matches!(error, DataError::Stopped { done: 0, all: 2, .. }), "{error}");
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    drop(lock);
    waiting.stop = || false;
    waiting.ensure(folder, &["a", "b"]).unwrap();
}

#[test]
fn failed_writes_say_what_to_do() {
    let path = Path::new("data/.convstat-cache");
    for kind in [ErrorKind::ReadOnlyFilesystem, ErrorKind::PermissionDenied] {
        let error = unkept("create", path, kind.into()).to_string();
        assert!(error.contains("data/.convstat-cache: cannot create it"), "{error}");
        assert!(error.contains("link UCF-101 and ucfTrainTestlist") && error.contains("--data"), "{error}");
    }
    #[cfg(target_os = "linux")]
    {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let mut full = cache(folder, TWO);
        std::os::unix::fs::symlink("/dev/full", folder.join("cache/index.tmp")).unwrap();
        let error = full.ensure(folder, &["a"]).unwrap_err().to_string();
        assert!(error.contains("No space left") && error.contains("make room"), "{error}");
    }
}
