//! `convstat-train fetch` and its library against a local server: whole and broken downloads, good and hostile archives.

#![cfg(test)]

#[path = "support/archives.rs"]
mod archives;
#[path = "support/server.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use archives::{Entry, Kind, rar, tar_gz, zip};
use convstat_data::fetch::{Patience, Report, Request, State, Sums, fetch, sources_of};
use md5::{Digest, Md5};
use server::{Fault, Server};
use sha2::Sha256;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convstat-train");
const CIFAR: &str = "cifar-10-binary.tar.gz";
const LISTS: &str = "UCF101TrainTestSplits-RecognitionTask.zip";
const CLIPS: &str = "UCF101.rar";

fn hex<D: Digest>(bytes: &[u8]) -> String {
    D::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// `n` bytes that do not repeat.
fn noise(n: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    (0..n).map(|_| next()).collect()
}

fn write_sums(folder: &Path, files: &[(&str, &[u8])]) -> PathBuf {
    let path = folder.join("sums");
    let lines: Vec<String> =
        files.iter().map(|(name, bytes)| format!("{}  {name}\n", hex::<Md5>(bytes))).collect();
    fs::write(&path, lines.concat()).unwrap();
    path
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(PROGRAM);
    command.current_dir(folder).arg("fetch").args(args);
    // A proxy of the user's does not know the local server.
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"].iter().for_each(
        |key| {
            command.env_remove(key);
        },
    );
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[track_caller]
fn ends(code: i32, output: Output) -> (String, String) {
    let (out, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{out}{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    (out, errors.replace('│', "").split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Runs `fetch NAME` with a mirror and the sums of `files`; ends with `code`.
#[track_caller]
fn run(folder: &Path, code: i32, name: &str, server: &Server, files: &[(&str, &[u8])]) -> (String, String) {
    write_sums(folder, files);
    ends(code, command(folder, &[name, "--from", &server.url(), "--sums", "sums"]).output().unwrap())
}

/// The library on a data set, with little patience.
fn impatient(folder: &Path, name: &str, server: &Server, files: &[(&str, &[u8])]) -> Report {
    let sums = Some(Sums::read(&write_sums(folder, files)).unwrap());
    let patience = Patience { stall: Duration::from_millis(400), tries: 2, pause: Duration::from_millis(5) };
    let from = Some(server.url());
    let request =
        Request { sources: sources_of(name).unwrap(), folder: folder.join("data"), from, sums, patience };
    fetch(&request, &mut ()).unwrap()
}

#[track_caller]
fn fetched(report: &Report) {
    assert!(report.files.iter().all(|f| matches!(f.state, State::Fetched)), "{report:?}");
}

/// The message of the first file, which failed.
#[track_caller]
fn failure(report: &Report) -> String {
    match &report.files[0].state {
        State::Failed(e) => e.to_string(),
        state => panic!("{state:?}"),
    }
}

/// Names below the data folder that are not part of a whole data set.
fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let mut open = vec![folder.join("data")];
    let mut found = Vec::new();
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            let name = entry.file_name().into_string().unwrap();
            if name.starts_with('.') || name.contains(".part") || name.ends_with(".tmp") {
                found.push(entry.path());
            } else if entry.path().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// CIFAR-10 with two images a file.
fn cifar() -> Vec<u8> {
    let names: Vec<String> =
        (1..=5).map(|i| format!("data_batch_{i}")).chain(["test_batch".into()]).collect();
    let records: Vec<Vec<u8>> =
        (0..6).map(|seed| [&[seed][..], &noise(3072, 7), &[1], &noise(3072, seed.into())].concat()).collect();
    let names: Vec<String> = names.iter().map(|n| format!("cifar-10-batches-bin/{n}.bin")).collect();
    let mut entries: Vec<Entry> = vec![("cifar-10-batches-bin/", Kind::Folder, b"")];
    entries.extend(names.iter().zip(&records).map(|(n, r)| (n.as_str(), Kind::File, &r[..])));
    entries.push(("cifar-10-batches-bin/readme.html", Kind::File, b"<html>"));
    tar_gz(&entries)
}

fn lists() -> Vec<u8> {
    zip(&[
        ("ucfTrainTestlist/", Kind::Folder, b""),
        ("ucfTrainTestlist/trainlist01.txt", Kind::File, b"YoYo/v_YoYo_g01_c01.avi 101\n"),
        ("ucfTrainTestlist/testlist03.txt", Kind::File, b"YoYo/v_YoYo_g02_c01.avi\n"),
        ("__MACOSX/junk", Kind::File, b"junk"),
    ])
}

fn clips() -> Vec<u8> {
    let clip = noise(20_000, 3);
    rar(&[
        ("UCF-101\\YoYo\\v_YoYo_g01_c01.avi", Kind::File, &clip),
        ("UCF-101\\YoYo\\v_YoYo_g02_c01.avi", Kind::File, b"clip"),
        ("UCF-101\\YoYo", Kind::Folder, b""),
        ("UCF-101", Kind::Folder, b""),
    ])
}

#[test]
fn cifar10_fetched_unpacked_and_read() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let folder = folder.path();
    server.serve(CIFAR, &bytes, "\"1\"", &[]);
    let (out, _) = run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(out.contains("cifar10: 1 of 1 files are in place"), "{out}");
    assert!(out.contains(&format!("SHA-256 {}", hex::<Sha256>(&bytes))), "{out}");
    let set = convstat_data::load("cifar10", Some(&folder.join("data")), 0).unwrap();
    assert_eq!((set.train.len(), set.test.len()), (10, 2));
    assert_eq!(leftovers(folder), Vec::<PathBuf>::new());
    let kept = fs::read_to_string(folder.join("data/checksums.txt")).unwrap();
    assert!(kept.contains(&format!("{}  {CIFAR}\n", hex::<Sha256>(&bytes))), "{kept}");
    assert!(kept.contains("# cifar-10-batches-bin: 7 files, "), "{kept}");
    assert_eq!(server.log(), [format!("/folder/{CIFAR}")]);

    // A second time nothing is to do.
    let (out, _) = run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(out.contains("everything was in place already"), "{out}");
    assert!(server.log().is_empty());
    // The archive has served its purpose.
    fs::remove_file(folder.join("data").join(CIFAR)).unwrap();
    let args = ["cifar10", "--from", &server.url(), "--json"];
    let (out, _) = ends(0, command(folder, &args).output().unwrap());
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&json["in_place"], &json["of"], &json["files"][0]["state"]),
        (&1.into(), &1.into(), &"in place".into())
    );
    assert!(server.log().is_empty());
    // What is missing is noticed.
    fs::remove_file(folder.join("data/cifar-10-batches-bin/data_batch_2.bin")).unwrap();
    let (_, errors) = run(folder, 2, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(errors.contains("6 files of") && errors.contains("remove the folder"), "{errors}");
    fs::remove_dir_all(folder.join("data/cifar-10-batches-bin")).unwrap();
    run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert_eq!(server.log().len(), 1);
}

#[test]
fn svhn_and_its_extra_images() {
    let (folder, server) = (folder(), Server::new());
    let folder = folder.path();
    let (train, test, extra) = (noise(5000, 1), noise(600, 2), noise(9000, 3));
    let files: [(&str, &[u8]); 3] =
        [("train_32x32.mat", &train), ("test_32x32.mat", &test), ("extra_32x32.mat", &extra)];
    files.iter().for_each(|(name, bytes)| server.serve(name, bytes, "", &[]));
    run(folder, 0, "svhn", &server, &files);
    assert_eq!(server.log(), ["/folder/train_32x32.mat", "/folder/test_32x32.mat"]);
    let (out, _) = run(folder, 0, "svhn-extra", &server, &files);
    assert!(out.contains("3 of 3 files are in place"), "{out}");
    assert_eq!(server.log(), ["/folder/extra_32x32.mat"]);
    for (name, bytes) in files {
        assert!(fs::read(folder.join("data/svhn").join(name)).unwrap() == bytes);
    }
    // A file that has changed since is named, and left alone.
    let path = folder.join("data/svhn/test_32x32.mat");
    fs::write(&path, "other").unwrap();
    let (out, errors) = run(folder, 2, "svhn", &server, &files);
    assert!(out.contains("1 of 2 files are in place"), "{out}");
    assert!(errors.contains(&hex::<Md5>(b"other")) && errors.contains(&hex::<Md5>(&test)), "{errors}");
    assert_eq!(fs::read(path).unwrap(), b"other");
}

#[test]
fn ucf101_by_bsdtar() {
    let (folder, server) = (folder(), Server::new());
    let folder = folder.path();
    let (lists, clips) = (lists(), clips());
    let files: [(&str, &[u8]); 2] = [(LISTS, &lists), (CLIPS, &clips)];
    files.iter().for_each(|(name, bytes)| server.serve(name, bytes, "", &[]));

    // Without bsdtar the rest is fetched, and the long download does not begin.
    write_sums(folder, &files);
    let args = ["ucf101", "--from", &server.url(), "--sums", "sums"];
    let (out, errors) = ends(2, command(folder, &args).env("PATH", folder).output().unwrap());
    assert!(out.contains("1 of 2 files are in place"), "{out}");
    assert!(errors.contains("bsdtar, which is missing") && errors.contains("libarchive-tools"), "{errors}");
    assert_eq!(server.log(), [format!("/folder/{LISTS}")]);

    let (out, _) = run(folder, 0, "ucf101", &server, &files);
    assert!(out.contains("2 of 2 files are in place"), "{out}");
    let data = folder.join("data/ucf101");
    assert_eq!(fs::read(data.join("UCF-101/YoYo/v_YoYo_g01_c01.avi")).unwrap(), noise(20_000, 3));
    assert_eq!(fs::read(data.join("UCF-101/YoYo/v_YoYo_g02_c01.avi")).unwrap(), b"clip");
    assert!(data.join("ucfTrainTestlist/testlist03.txt").is_file() && !data.join("__MACOSX").exists());
    assert_eq!(leftovers(folder), Vec::<PathBuf>::new());
    let (out, _) = run(folder, 0, "ucf101", &server, &files);
    assert!(out.contains("everything was in place already"), "{out}");
}

// Downloads that break.

#[test]
fn dropped_connections_are_resumed() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let n = bytes.len();
    server.serve(CIFAR, &bytes, "\"v\"", &[Fault::Cut(n / 3), Fault::Cut(n / 3), Fault::Status(503)]);
    let (_, errors) = run(folder.path(), 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(errors.contains(&format!("{} bytes are kept, next try in 1s", n / 3)), "{errors}");
    assert!(errors.contains("status 503"), "{errors}");
    let path = format!("/folder/{CIFAR}");
    let (one, two) = (n / 3, 2 * (n / 3));
    let resumed = [one, two, two].map(|k| format!("{path} bytes={k}- \"v\""));
    assert_eq!(server.log(), [&[path][..], &resumed].concat());
    assert!(fs::read(folder.path().join("data").join(CIFAR)).unwrap() == bytes);
}

#[test]
fn servers_of_all_kinds() {
    let bytes = cifar();
    let n = bytes.len();
    let of = |faults: &[Fault], tag: &str| {
        let (folder, server) = (folder(), Server::new());
        server.serve(CIFAR, &bytes, tag, faults);
        let report = impatient(folder.path(), "cifar10", &server, &[(CIFAR, &bytes)]);
        (report, server.log().len(), folder)
    };
    // Without versions, without ranges, of unknown length, slow, stalling, moved.
    let moved = Server::new();
    moved.serve(CIFAR, &bytes, "", &[]);
    let elsewhere = Fault::Redirect(format!("{}/{CIFAR}", moved.url()));
    for (faults, requests) in [
        (vec![Fault::Cut(1000)], 2),
        (vec![Fault::Cut(1000), Fault::NoRange], 2),
        (vec![Fault::Chunked], 1),
        (vec![Fault::Slow(n / 20)], 1),
        (vec![Fault::Stall(1000), Fault::Stall(1000)], 3),
        (vec![Fault::Status(429), Fault::Status(500)], 3),
        (vec![elsewhere], 1),
    ] {
        for tag in ["", "\"t\"", "W/\"t\""] {
            let (report, asked, folder) = of(&faults, tag);
            fetched(&report);
            assert_eq!(asked, requests, "{faults:?}");
            assert!(fs::read(folder.path().join("data").join(CIFAR)).unwrap() == bytes);
        }
    }
    // Given up, in the end; what is there is kept.
    let start = Instant::now();
    let (report, asked, folder) = of(&vec![Fault::Stall(0); 9], "");
    assert!(failure(&report).contains("given up after 3 tries"), "{}", failure(&report));
    assert!(asked == 3 && start.elapsed() < Duration::from_secs(20));
    drop(folder);
    let (report, asked, folder) = of(&[&[Fault::Cut(1000)][..], &vec![Fault::Cut(0); 9]].concat(), "\"t\"");
    assert!(failure(&report).contains("1000 bytes are kept"), "{}", failure(&report));
    assert_eq!(asked, 3);
    assert_eq!(
        fs::read(folder.path().join("data").join(CIFAR).with_extension("gz.part")).unwrap(),
        bytes[..1000]
    );
    // A server that begins anew each time gets nowhere, and is not asked for ever.
    let (report, asked, _) = of(&vec![Fault::NoRangeCut(2000); 9], "\"t\"");
    assert!(failure(&report).contains("given up after 3 tries") && asked == 3, "{}", failure(&report));
    // At once, where waiting does not help.
    for (fault, reason) in [
        (Fault::Status(404), "status 404"),
        (Fault::Status(403), "status 403"),
        (Fault::Redirect("ftp://127.0.0.1/x".into()), ""),
    ] {
        let (report, asked, folder) = of(&[fault], "");
        assert_eq!(leftovers(folder.path()), Vec::<PathBuf>::new());
        let reason_found = failure(&report);
        assert!(reason_found.contains(reason) && reason_found.contains("--from"), "{reason_found}");
        assert_eq!(asked, 1);
    }
    let (report, asked, _) = of(&vec![Fault::Redirect(format!("/folder/{CIFAR}")); 99], "");
    assert!(failure(&report).contains("redirect") && asked < 10, "{}", failure(&report));
}

#[test]
fn a_file_that_changes_is_not_glued_together() {
    let (old, new) = (noise(50_000, 1), cifar());
    // Servers that keep to If-Range, that know no versions, and that do not keep to them.
    for (tags, faults) in [
        (["\"a\"", "\"b\""], vec![]),
        (["\"a\"", "\"b\""], vec![Fault::NoIfRange]),
        (["", ""], vec![Fault::NoRange]),
    ] {
        let (folder, server) = (folder(), Server::new());
        let folder = folder.path();
        server.serve(CIFAR, &old, tags[0], &[&[Fault::Cut(5000)][..], &vec![Fault::Cut(0); 9]].concat());
        failure(&impatient(folder, "cifar10", &server, &[(CIFAR, &new)]));
        assert_eq!(fs::metadata(folder.join("data").join(format!("{CIFAR}.part"))).unwrap().len(), 5000);
        server.log();
        server.serve(CIFAR, &new, tags[1], &faults);
        fetched(&impatient(folder, "cifar10", &server, &[(CIFAR, &new)]));
        assert!(server.log()[0].ends_with(&format!("bytes=5000- {}", tags[0]).trim_end()), "asked to go on");
        assert!(fs::read(folder.join("data").join(CIFAR)).unwrap() == new);
    }
}

#[test]
fn without_versions_and_sums_nothing_is_resumed() {
    let (folder, server) = (folder(), Server::new());
    let clips = clips();
    let mut sources = sources_of("ucf101").unwrap();
    sources.retain(|s| s.sum.is_none());
    let patience = Patience { stall: Duration::from_secs(5), tries: 0, pause: Duration::ZERO };
    let from = Some(server.url());
    let request = Request { sources, folder: folder.path().join("data"), from, sums: None, patience };
    server.serve(CLIPS, &clips, "", &[Fault::Cut(500)]);
    failure(&fetch(&request, &mut ()).unwrap());
    fetched(&fetch(&request, &mut ()).unwrap());
    assert_eq!(server.log(), vec![format!("/folder/{CLIPS}"); 2]);

    // Its sum is remembered: another file is noticed where nobody publishes a sum.
    let data = folder.path().join("data/ucf101");
    let other = rar(&[("UCF-101/YoYo/x.avi", Kind::File, b"other")]);
    server.serve(CLIPS, &other, "\"2\"", &[]);
    fs::remove_file(data.join(CLIPS)).unwrap();
    fs::remove_dir_all(data.join("UCF-101")).unwrap();
    let error = failure(&fetch(&request, &mut ()).unwrap());
    assert!(error.contains(&hex::<Sha256>(&other)) && error.contains(&hex::<Sha256>(&clips)), "{error}");
    assert!(error.contains("remove its line"), "{error}");
    server.log();
    fs::remove_file(data.join("checksums.txt")).unwrap();
    fetched(&fetch(&request, &mut ()).unwrap());
    assert!(server.log().is_empty(), "what was downloaded is used");
}

#[test]
fn what_cannot_be_unpacked_is_not_remembered() {
    let (folder, server) = (folder(), Server::new());
    let mut sources = sources_of("ucf101").unwrap();
    sources.retain(|s| s.sum.is_none());
    let from = Some(server.url());
    let data = folder.path().join("data");
    let request = Request { sources, folder: data.clone(), from, sums: None, patience: Patience::default() };
    server.serve(CLIPS, b"<html>moved</html>", "", &[]);
    let error = failure(&fetch(&request, &mut ()).unwrap());
    assert!(error.contains("does not begin as a RAR archive"), "{error}");
    // As the message says.
    fs::remove_file(data.join("ucf101").join(CLIPS)).unwrap();
    let clips = clips();
    server.serve(CLIPS, &clips, "", &[]);
    fetched(&fetch(&request, &mut ()).unwrap());
    let kept = fs::read_to_string(data.join("ucf101/checksums.txt")).unwrap();
    assert!(kept.contains(&format!("{}  {CLIPS}\n", hex::<Sha256>(&clips))), "{kept}");
}

#[test]
fn a_damaged_part_is_downloaded_again() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let folder = folder.path();
    let files: [(&str, &[u8]); 1] = [(CIFAR, &bytes)];
    server.serve(CIFAR, &bytes, "\"v\"", &[&[Fault::Cut(1000)][..], &vec![Fault::Cut(0); 2]].concat());
    failure(&impatient(folder, "cifar10", &server, &files));
    let part = folder.join("data").join(format!("{CIFAR}.part"));
    assert_eq!(fs::metadata(&part).unwrap().len(), 1000);
    fs::write(&part, noise(1000, 9)).unwrap();
    server.serve(CIFAR, &bytes, "\"v\"", &[]);
    let error = failure(&impatient(folder, "cifar10", &server, &files));
    assert!(error.contains("the same command downloads it again from the start"), "{error}");
    fetched(&impatient(folder, "cifar10", &server, &files));
}

/// Starts the command, and sends `signal` once the part has some bytes; its exit code.
#[cfg(unix)]
fn killed(folder: &Path, server: &Server, signal: &str) -> Option<i32> {
    let part = folder.join("data").join(format!("{CIFAR}.part"));
    let before = fs::metadata(&part).map_or(0, |m| m.len());
    let mut command = command(folder, &["cifar10", "--from", &server.url(), "--sums", "sums"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let start = Instant::now();
    while fs::metadata(&part).map_or(0, |m| m.len()) < before + 5000 {
        assert!(child.try_wait().unwrap().is_none(), "ended before it was killed");
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap().code()
}

#[test]
#[cfg(unix)]
fn killed_and_resumed() {
    let (folder, server) = (folder(), Server::new());
    let folder = folder.path();
    let bytes = cifar();
    // The third answer stalls: the signal is heard all the same.
    server.serve(CIFAR, &bytes, "\"v\"", &[Fault::Slow(200), Fault::Slow(200), Fault::Stall(6000)]);
    write_sums(folder, &[(CIFAR, &bytes)]);
    assert_eq!(killed(folder, &server, "-KILL"), None);
    assert_eq!(killed(folder, &server, "-INT"), Some(3), "partly done");
    assert_eq!(killed(folder, &server, "-TERM"), Some(3), "partly done");
    assert!(!folder.join("data").join(CIFAR).exists());
    run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    let log = server.log();
    let offsets: Vec<u64> = log
        .iter()
        .filter_map(|l| l.split_once("bytes=").and_then(|(_, r)| r.split('-').next()?.parse().ok()))
        .collect();
    assert!(log.len() == 4 && offsets.len() == 3 && offsets.is_sorted() && offsets[0] >= 5000, "{log:?}");
    assert!(fs::read(folder.join("data").join(CIFAR)).unwrap() == bytes);
    assert_eq!(leftovers(folder), Vec::<PathBuf>::new());
}

#[test]
fn wrong_files() {
    let (folder, server) = (folder(), Server::new());
    let folder = folder.path();
    let (train, test) = (noise(500, 1), noise(600, 2));
    server.serve("train_32x32.mat", b"<html>moved</html>", "", &[]);
    server.serve("test_32x32.mat", &test, "", &[]);
    // The rest goes on.
    let files: [(&str, &[u8]); 2] = [("train_32x32.mat", &train), ("test_32x32.mat", &test)];
    let (out, errors) = run(folder, 2, "svhn", &server, &files);
    assert!(out.contains("svhn: 1 of 2 files are in place"), "{out}");
    let sums = [hex::<Md5>(&train), hex::<Md5>(b"<html>moved</html>")];
    assert!(sums.iter().all(|sum| errors.contains(sum)) && errors.contains("was removed"), "{errors}");
    assert_eq!(leftovers(folder), Vec::<PathBuf>::new());
    assert!(!folder.join("data/svhn/train_32x32.mat").exists());
    // A mirror does not change the official sums and lengths.
    fs::remove_dir_all(folder.join("data")).unwrap();
    server.serve("test_32x32.mat", &test, "", &[Fault::Chunked]);
    let (out, errors) = ends(2, command(folder, &["svhn", "--from", &server.url()]).output().unwrap());
    assert!(out.contains("0 of 2"), "{out}");
    assert!(errors.contains("has 18 bytes, the right one 182040794"), "{errors}");
    server.serve("train_32x32.mat", &train, "", &[]);
    run(folder, 2, "svhn", &server, &[("train_32x32.mat", &train), ("test_32x32.mat", &train)]);
    run(folder, 0, "svhn", &server, &files);
}

#[test]
fn files_downloaded_by_hand() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let folder = folder.path();
    let path = folder.join("data").join(CIFAR);
    fs::create_dir(folder.join("data")).unwrap();
    fs::write(&path, &bytes[1..]).unwrap();
    let (_, errors) = run(folder, 2, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(errors.contains(&hex::<Md5>(&bytes)) && errors.contains("remove it"), "{errors}");
    fs::write(&path, &bytes).unwrap();
    run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(server.log().is_empty() && folder.join("data/cifar-10-batches-bin/test_batch.bin").is_file());
    // Unpacked by hand.
    fs::remove_file(folder.join("data/checksums.txt")).unwrap();
    fs::remove_file(&path).unwrap();
    run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(server.log().is_empty());
}

// Archives that are broken or hostile.

/// Fetches an archive that is refused, and nothing of which may be anywhere afterwards.
#[track_caller]
fn refuses(set: &str, file: &str, bytes: &[u8], reason: &str) {
    let (outer, server) = (folder(), Server::new());
    let folder = outer.path().join("inner");
    fs::create_dir(&folder).unwrap();
    fs::write(outer.path().join("victim"), "whole").unwrap();
    let (lists, clips) = (lists(), clips());
    let mut files: Vec<(&str, &[u8])> = vec![(LISTS, &lists), (CLIPS, &clips), (CIFAR, bytes)];
    files.iter_mut().filter(|(name, _)| *name == file).for_each(|f| f.1 = bytes);
    files.iter().for_each(|(name, bytes)| server.serve(name, bytes, "", &[]));
    let (_, errors) = run(&folder, 2, set, &server, &files);
    assert!(errors.contains(reason) && errors.contains(file), "{errors}");
    assert_eq!(leftovers(&folder), Vec::<PathBuf>::new());
    let place = match file {
        CIFAR => "cifar-10-batches-bin",
        LISTS => "ucf101/ucfTrainTestlist",
        _ => "ucf101/UCF-101",
    };
    assert!(!folder.join("data").join(place).exists(), "nothing half-made is left");
    assert!(folder.join("data").join(place).with_file_name(file).exists(), "the archive is kept");
    let mut names: Vec<_> =
        fs::read_dir(outer.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["inner", "victim"]);
    assert_eq!(fs::read_to_string(outer.path().join("victim")).unwrap(), "whole");
    assert!(!Path::new("/tmp/evil-of-convstat").exists());
}

#[test]
fn entries_that_lead_elsewhere() {
    let good: Entry = ("cifar-10-batches-bin/test_batch.bin", Kind::File, b"x");
    let evil: [(Entry, &str); 6] = [
        (("../../../evil", Kind::File, b"x"), "leads out"),
        (("cifar-10-batches-bin/../../evil", Kind::File, b"x"), "leads out"),
        (("/tmp/evil-of-convstat", Kind::File, b"x"), "leads out"),
        (("../evil", Kind::Folder, b""), "leads out"),
        (("cifar-10-batches-bin/link", Kind::Symlink, b"../../../victim"), "is a link"),
        (("cifar-10-batches-bin/hard", Kind::HardLink, b"../../../victim"), "is a link"),
    ];
    for (entry, reason) in evil {
        refuses("cifar10", CIFAR, &tar_gz(&[good, entry]), reason);
        refuses("cifar10", CIFAR, &tar_gz(&[good, entry]), "to download it again");
        refuses("cifar10", CIFAR, &tar_gz(&[entry, good]), reason);
    }
    let good: Entry = ("ucfTrainTestlist/testlist03.txt", Kind::File, b"x");
    for (entry, reason) in &evil[..5] {
        refuses("ucf101", LISTS, &zip(&[good, *entry]), reason);
    }
    let good: Entry = ("UCF-101/YoYo/x.avi", Kind::File, b"x");
    for (entry, reason) in &evil[..5] {
        refuses("ucf101", CLIPS, &rar(&[good, *entry]), reason);
    }
}

#[test]
fn archives_that_are_broken() {
    let (tar, lists, clips) = (cifar(), lists(), clips());
    for keep in [0, 5, tar.len() / 2, tar.len() - 1] {
        refuses("cifar10", CIFAR, &tar[..keep], "not a whole archive");
    }
    let mut flipped = tar.clone();
    flipped[tar.len() / 2] ^= 1;
    refuses("cifar10", CIFAR, &flipped, "not a whole archive");
    refuses("cifar10", CIFAR, b"<html>moved</html>", "not a whole archive");
    refuses("ucf101", LISTS, &lists[..lists.len() / 2], "not a whole archive");
    let mut flipped = lists.clone();
    let name = b"trainlist01.txt";
    let at = lists.windows(name.len()).position(|w| w == name).unwrap() + name.len();
    flipped[at + 8] ^= 1;
    refuses("ucf101", LISTS, &flipped, "not a whole archive");
    refuses("ucf101", CLIPS, &clips[..clips.len() / 2], "not a whole archive");
    refuses("ucf101", CLIPS, &clips[..clips.len() / 2], "unpack it by hand to");
    refuses("ucf101", CLIPS, &tar, "does not begin as a RAR archive");
    let mut flipped = clips.clone();
    // In a header: libarchive does not compare the checksums of stored entries.
    let name = b"g02_c01";
    let at = clips.windows(name.len()).position(|w| w == name).unwrap();
    flipped[at] ^= 1;
    refuses("ucf101", CLIPS, &flipped, "not a whole archive");
    // Whole, but not what is expected.
    refuses("cifar10", CIFAR, &tar_gz(&[("other/x", Kind::File, b"x")]), "there is no folder");
    refuses("cifar10", CIFAR, &tar_gz(&[("other/x", Kind::File, b"x")]), "to download it again");
    let partly = tar_gz(&[("cifar-10-batches-bin/x", Kind::File, b"x")]);
    refuses("cifar10", CIFAR, &partly, "there is no cifar-10-batches-bin/");
    refuses("cifar10", CIFAR, &partly, "to download it again");
    let twice: Entry = ("cifar-10-batches-bin/test_batch.bin", Kind::File, b"x");
    refuses("cifar10", CIFAR, &tar_gz(&[twice, twice]), "comes twice");
    // Much from little.
    let zeros = vec![0; 40 << 20];
    let bomb: Entry = ("cifar-10-batches-bin/test_batch.bin", Kind::File, &zeros);
    refuses("cifar10", CIFAR, &tar_gz(&[bomb]), "more than");
    let bomb: Entry = ("ucfTrainTestlist/testlist03.txt", Kind::File, &zeros);
    refuses("ucf101", LISTS, &zip(&[bomb]), "more than");
}

#[test]
fn an_unpack_that_was_cut_off_is_redone() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let folder = folder.path();
    let aside = folder.join("data").join(format!(".{CIFAR}.unpacking/cifar-10-batches-bin"));
    fs::create_dir_all(&aside).unwrap();
    fs::write(aside.join("test_batch.bin"), "half").unwrap();
    server.serve(CIFAR, &bytes, "", &[]);
    run(folder, 0, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(convstat_data::load("cifar10", Some(&folder.join("data")), 0).is_ok());
    assert_eq!(leftovers(folder), Vec::<PathBuf>::new());
}

// The rest.

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_says_what_to_do() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let folder = folder.path();
    server.serve(CIFAR, &bytes, "", &[]);
    fs::create_dir(folder.join("data")).unwrap();
    std::os::unix::fs::symlink("/dev/full", folder.join("data").join(format!("{CIFAR}.part"))).unwrap();
    let (_, errors) = run(folder, 2, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(errors.contains("No space left") && errors.contains("make room"), "{errors}");
}

#[test]
#[cfg(unix)]
fn a_full_disk_under_bsdtar_says_what_to_do() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, server, lists, clips) = (folder(), Server::new(), lists(), clips());
    let folder = folder.path();
    let files: [(&str, &[u8]); 2] = [(LISTS, &lists), (CLIPS, &clips)];
    files.iter().for_each(|(name, bytes)| server.serve(name, bytes, "", &[]));
    // It lists what there is, and fails to unpack it.
    let path = std::env::var("PATH").unwrap();
    let lines = format!(
        "#!/bin/sh\nPATH='{path}'\n[ \"$1\" = -x ] || exec bsdtar \"$@\"\n\
         echo 'UCF-101/YoYo: Write failed: No space left on device' >&2\n\
         echo 'bsdtar: Error exit delayed from previous errors.' >&2\nexit 1\n"
    );
    fs::create_dir(folder.join("bin")).unwrap();
    fs::write(folder.join("bin/bsdtar"), lines).unwrap();
    fs::set_permissions(folder.join("bin/bsdtar"), fs::Permissions::from_mode(0o755)).unwrap();
    write_sums(folder, &files);
    let args = ["ucf101", "--from", &server.url(), "--sums", "sums"];
    let (_, errors) = ends(2, command(folder, &args).env("PATH", folder.join("bin")).output().unwrap());
    assert!(errors.contains("No space left") && errors.contains("make room"), "{errors}");
    assert!(!errors.contains("not a whole archive") && leftovers(folder).is_empty(), "{errors}");
    // With room, and a program that unpacks, it goes on.
    server.log();
    run(folder, 0, "ucf101", &server, &files);
    assert!(server.log().is_empty());
}

#[test]
fn bad_options() {
    let folder = folder();
    let folder = folder.path();
    let fails = |args: &[&str], parts: &[&str]| {
        let (out, errors) = ends(2, command(folder, args).output().unwrap());
        assert!(out.is_empty() && parts.iter().all(|p| errors.contains(p)), "{args:?}: {out}{errors}");
        assert!(!folder.join("data").exists());
    };
    fails(&["cifar"], &["data set = cifar", "did you mean \"cifar10\"?", "svhn-extra"]);
    fails(&["cifar10", "--from", "ftp://x"], &["--from = ftp://x", "http:// or https://"]);
    for from in ["http://", "https:///x", "http://:80/x"] {
        fails(&["cifar10", "--from", from], &[&format!("--from = {from}: "), "names a host, such as"]);
    }
    fails(&["cifar10", "--sums", "none"], &["cannot read none"]);
    fs::write(folder.join("sums"), "abc  x\n").unwrap();
    fails(&["cifar10", "--sums", "sums"], &["line 1 is \"abc x\"", "as md5sum writes them"]);
    fs::write(folder.join("sums"), format!("{}  x\n", "a".repeat(32))).unwrap();
    fails(&["cifar10", "--sums", "sums"], &["no sum of cifar-10-binary.tar.gz"]);
    fs::write(folder.join("file"), "").unwrap();
    let (_, errors) = ends(2, command(folder, &["cifar10", "--data", "file"]).output().unwrap());
    assert!(errors.contains("file"), "{errors}");
    // Nobody listens there; no use in trying again.
    let start = Instant::now();
    let (_, errors) =
        ends(2, command(folder, &["cifar10", "--from", "http://127.0.0.1:1/x"]).output().unwrap());
    assert!(errors.contains("refused") && errors.contains("by hand"), "{errors}");
    assert!(start.elapsed() < Duration::from_secs(30));
}

#[test]
#[cfg(unix)]
fn one_process_at_a_time() {
    let (folder, server, bytes) = (folder(), Server::new(), cifar());
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    server.serve(CIFAR, &bytes, "", &[]);
    let lock = fs::File::open(&data).unwrap();
    lock.lock().unwrap();
    let (_, errors) = run(folder.path(), 2, "cifar10", &server, &[(CIFAR, &bytes)]);
    assert!(errors.contains("another process fetches into this folder"), "{errors}");
    drop(lock);
    run(folder.path(), 0, "cifar10", &server, &[(CIFAR, &bytes)]);
}
