//! Every reader of the training program on generated and damaged inputs: an error, never a panic, a hang, or memory that
//! the input does not account for.

#![cfg(test)]

#[path = "support/archives.rs"]
mod archives;
#[path = "../../../tests/support/fuzz.rs"]
mod fuzz;
#[path = "../../../tests/support/long.rs"]
mod long;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use archives::{Entry, Kind};
use candle_core::DType;
use convstat_data::fetch::{Action, Format, Patience, Request, State, Sums, fetch, sources_of};
use convstat_data::{Augment, DataSpec, Dataset, load};
use convstat_engine::DeviceSpec;
use convstat_engine::cpu::Cpu;
use convstat_runner::{Column, Table};
use convstat_train::ablation::{AblationFile, Plan, Summary, draw};
use convstat_train::network::{Network, NetworkSpec};
use convstat_train::training::{Trained, Trainer, TrainingSpec, Watch, train};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use fuzz::{Reader, Source, Verdict};

/// The limit on one array in these tests.
const LIMIT: u64 = 1 << 20;

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| e.to_string())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn data_folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/data").join(name)
}

fn block(source: &mut Source) -> String {
    let n = |source: &mut Source| source.number(1, 3);
    let (a, l) = (n(source), source.list(3, 1, 3));
    match source.below(12) {
        0..=3 => source.word(&[
            "standard",
            "basic",
            "bottleneck",
            "depthwise-separable",
            "inverted-residual",
            "cp",
            "tucker",
            "tensor-train",
            "r2plus1d",
        ]),
        4 => format!("{{ kind = \"resnext\", cardinality = {a} }}"),
        5 => format!("{{ kind = \"shufflenet\", conv_groups = {} }}", source.number(1, 2)),
        6 => format!("{{ kind = \"tucker\", ranks = {}, r_in = {a} }}", source.list(2, 1, 3)),
        7 => format!("{{ kind = \"tensor-train\", ranks = {} }}", source.list(2, 1, 3)),
        8 => format!("{{ kind = \"t-net\", ranks = {l} }}"),
        9 => format!("{{ kind = \"einsum\", einsum = \"kr,rab,rc->kabc\", sizes = {{ r = {a} }} }}"),
        10 => {
            format!("{{ kind = \"einsum\", einsum = \"kx,xy,yab,yc->kabc\", sizes = {{ x = {a}, y = 2 }} }}")
        }
        _ => {
            let einsum = source.draw(&"[kabcrxy,]{0,20}->kabc");
            format!("{{ kind = \"einsum\", einsum = \"{einsum}\", sizes = {{ x = {a}, y = 2 }} }}")
        }
    }
}

fn ablation_file(source: &mut Source) -> String {
    let mut text = "[ablation]\n".to_owned();
    let all = [
        ("name", 100, source.name()),
        ("seed", 50, source.number(0, 9)),
        ("seeds", 50, source.number(1, 9)),
        ("aim", 20, source.name()),
    ];
    text += &source.keys(&all);
    text += "[data]\n";
    let augment = format!("{{ crop = {}, cutout = {} }}", source.number(0, 2), source.number(0, 2));
    let all = [
        ("name", 100, source.word(&["digits"])),
        ("train", 30, source.number(10, 100)),
        ("test", 30, source.number(10, 100)),
        ("augment", 20, augment),
    ];
    text += &source.keys(&all);
    text += "[network]\n";
    let stages: Vec<String> = (0..=source.below(3))
        .map(|_| {
            let (r, blocks, stride) = (source.number(2, 8), source.number(1, 3), source.number(1, 2));
            let keys = source.keys(&[("r", 100, r), ("blocks", 30, blocks), ("stride", 20, stride)]);
            format!("{{ {} }}", keys.trim().replace('\n', ", "))
        })
        .collect();
    let head = source.list(3, 1, 3);
    let head = match source.below(3) {
        0 => format!("{{ kind = \"contraction\", ranks = {head} }}"),
        1 => format!("{{ kind = \"regression\", ranks = {} }}", source.list(4, 1, 3)),
        _ => "{ kind = \"linear\" }".to_owned(),
    };
    let all = [
        ("block", 90, block(source)),
        ("stages", 100, format!("[{}]", stages.join(", "))),
        ("stem", 20, source.number(1, 9)),
        ("kernel", 20, source.list(2, 1, 3)),
        ("head", 20, head),
    ];
    text += &source.keys(&all);
    text += "[grid]\n";
    let blocks = (block(source), block(source));
    let all = [
        ("kr", 70, source.list(3, 1, 8)),
        ("fixed", 50, source.pick(&["[\"r\"]", "[\"r\", \"parameters\"]", "[\"macs\"]", "[]"]).to_string()),
        ("reference", 20, source.number(1, 4)),
        ("blocks", 20, format!("[{}, {}]", blocks.0, blocks.1)),
    ];
    text += &source.keys(&all);
    text += "[training]\n";
    let rate = source.number(1, 1);
    let optimiser = match source.below(3) {
        0 => format!(
            "{{ kind = \"adamw\", rate = {rate}, beta1 = 0.{}, epsilon = {} }}",
            source.below(10),
            source.number(1, 2)
        ),
        _ => format!("{{ kind = \"sgd\", rate = {rate}, momentum = 0.{} }}", source.below(10)),
    };
    let schedule = format!(
        "{{ kind = \"multistep\", milestones = {}, factor = {} }}",
        source.list(1, 0, 1),
        source.number(1, 2)
    );
    let all = [
        ("epochs", 100, source.number(1, 9)),
        ("batch", 100, source.number(2, 64)),
        ("optimiser", 100, optimiser),
        ("schedule", 10, schedule),
        ("label_smoothing", 20, source.number(0, 0)),
        ("ema", 10, source.number(0, 0)),
        (
            "early_stop",
            10,
            format!("{{ patience = {}, validation = 0.{} }}", source.number(1, 9), source.below(10)),
        ),
    ];
    text += &source.keys(&all);
    text
}

fn read_ablation(bytes: &[u8]) -> Verdict {
    let file = AblationFile::parse(text(bytes)?).map_err(said)?;
    let plan = Plan::new(file, &[8, 8, 1], 10).map_err(said)?;
    for cell in plan.cells.iter().take(3) {
        let network = plan.network(cell).map_err(said)?;
        if network.counts().parameters < 10_000 {
            Trainer::new(&network, &Cpu, &plan.file.training, 1, DType::F32).map_err(said)?;
        }
    }
    Ok(())
}

fn read_spec(bytes: &[u8]) -> Verdict {
    let spec: DataSpec = toml::from_str(text(bytes)?).map_err(said)?;
    if spec.name != "digits" {
        return Err("of another data set".to_owned());
    }
    spec.load(None, 1).map(drop).map_err(said)
}

/// What a command does first with a data set.
fn use_data(data: &Dataset) {
    let _ = (data.digest(), data.normalisation());
    assert!(data.train.labels().chain(data.test.labels()).all(|l| (l as usize) < data.classes.len()));
}

fn read_set(name: &str, folder: &Path) -> Verdict {
    use_data(&load(name, Some(folder), 1).map_err(said)?);
    Ok(())
}

/// CIFAR-10 with two images a file, in `folder`.
fn cifar(folder: &Path) {
    for (i, name) in
        ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"]
            .iter()
            .enumerate()
    {
        let record = |label: u8| [&[label][..], &vec![label.wrapping_mul(29); 3072]].concat();
        fs::write(folder.join(format!("{name}.bin")), [record(i as u8), record(9)].concat()).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().flatten() {
        if entry.path().is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn put(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(said)
}

/// An element of a MAT-file; its size is sometimes another than it has.
fn element(source: &mut Source, kind: u32, data: &[u8]) -> Vec<u8> {
    let size = match source.number(0, 0).parse::<u64>() {
        Ok(0) | Err(_) => data.len() as u32,
        Ok(odd) => odd as u32,
    };
    let mut bytes = [kind.to_le_bytes(), size.to_le_bytes()].concat();
    bytes.extend(data);
    bytes.resize(bytes.len().next_multiple_of(8), 0);
    bytes
}

fn mat(source: &mut Source) -> Vec<u8> {
    let mut file = b"MATLAB 5.0 MAT-file".to_vec();
    file.resize(124, b' ');
    file.extend(b"\0\x01IM");
    for name in ["X", "y"] {
        let n = source.number(1, 4).parse::<i64>().unwrap_or(-1) as i32;
        let dims: &[i32] = if name == "X" { &[32, 32, 3, n] } else { &[n, 1] };
        let values =
            vec![1u8; if name == "X" { 3072 * n.clamp(0, 4) as usize } else { n.clamp(0, 9) as usize }];
        let dims: Vec<u8> = dims.iter().flat_map(|d| d.to_le_bytes()).collect();
        let storage = if source.one_in(10) { source.below(18) as u32 } else { 2 };
        let parts = [
            element(source, 6, &9u64.to_le_bytes()),
            element(source, 5, &dims),
            element(source, 1, name.as_bytes()),
            element(source, storage, &values),
        ]
        .concat();
        let array = element(source, 14, &parts);
        if source.one_in(2) {
            file.extend(array);
        } else {
            let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
            zlib.write_all(&array).unwrap();
            let stream = zlib.finish().unwrap();
            file.extend([15u32.to_le_bytes(), (stream.len() as u32).to_le_bytes()].concat());
            file.extend(stream);
        }
    }
    file
}

/// Videos of two classes in UCF101's layout, decoded once.
struct Videos {
    folder: PathBuf,
    list: Vec<u8>,
    video: Vec<u8>,
    index: Vec<u8>,
}

impl Videos {
    const NAMES: [&'static str; 4] = ["Blue/a.avi", "Blue/b.avi", "Red/a.avi", "Red/b.avi"];

    fn new(folder: PathBuf) -> Self {
        for name in Self::NAMES {
            let path = folder.join("UCF-101").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let arguments =
                "-nostdin -v error -y -f lavfi -i testsrc=size=64x48:rate=25 -frames:v 6 -c:v mpeg4 -q:v 5";
            let status = Command::new("ffmpeg").args(arguments.split(' ')).arg(&path).status();
            assert!(status.expect("these tests need ffmpeg: run scripts/setup.sh").success());
        }
        let lists = folder.join("ucfTrainTestlist");
        fs::create_dir_all(&lists).unwrap();
        let list = b"Blue/a.avi 1\nRed/a.avi 2\n".to_vec();
        fs::write(lists.join("classInd.txt"), "1 Blue\n2 Red\n").unwrap();
        fs::write(lists.join("trainlist01.txt"), &list).unwrap();
        fs::write(lists.join("testlist01.txt"), "Blue/b.avi\nRed/b.avi\n").unwrap();
        let mut videos = Self {
            list,
            video: fs::read(folder.join("UCF-101/Red/a.avi")).unwrap(),
            index: Vec::new(),
            folder,
        };
        videos.load().unwrap();
        videos.index = fs::read(videos.index_path()).unwrap();
        videos
    }

    fn index_path(&self) -> PathBuf {
        self.folder.join(".convstat-cache/ucf101-24x32/index.json")
    }

    fn load(&self) -> Verdict {
        let clip = "clip = { frames = 4, step = 2, size = 16, stored = [24, 32], tests = 2 }";
        let spec: DataSpec = toml::from_str(&format!("name = 'ucf101'\n{clip}")).unwrap();
        use_data(&spec.load(Some(&self.folder), 1).map_err(said)?);
        Ok(())
    }

    /// Loads with another file in place of one; puts the old one back.
    fn with(&self, name: &str, bytes: &[u8], old: &[u8]) -> Verdict {
        let path = self.folder.join(name);
        put(&path, bytes)?;
        let verdict = self.load();
        put(&path, old)?;
        put(&self.index_path(), &self.index)?;
        verdict
    }
}

/// An archive with entries of odd names, kinds and sizes.
fn entries(source: &mut Source, format: Format) -> Vec<u8> {
    let (top, has) = top(format);
    let names: Vec<String> = (0..source.below(4))
        .map(|_| match source.below(8) {
            0 => "../x".to_owned(),
            1 => "/tmp/x".to_owned(),
            2 => source.draw(&"[a-z./\\\\]{1,12}"),
            3 => format!("{top}/{has}"),
            _ => format!("{top}/{}", source.draw(&"[a-z]{1,6}")),
        })
        .collect();
    let good = if format == Format::Rar { format!("{top}/{has}/a.avi") } else { format!("{top}/{has}") };
    let mut all: Vec<Entry> = vec![(&good, Kind::File, b"abc")];
    for name in &names {
        let mut kind =
            *source.pick(&[Kind::File, Kind::File, Kind::File, Kind::Folder, Kind::Symlink, Kind::HardLink]);
        if format != Format::TarGz && kind == Kind::HardLink {
            kind = Kind::File;
        }
        all.push((name, kind, if kind == Kind::File { b"12345" } else { b"x" }));
    }
    let bytes = match format {
        Format::TarGz => tar_with_long_names(source, &all),
        Format::Zip => std::panic::catch_unwind(|| archives::zip(&all)).unwrap_or_default(),
        Format::Rar => archives::rar(&all),
    };
    if source.one_in(2) { source.damaged(&[bytes]) } else { bytes }
}

/// A tar archive; sometimes with a long name, or attributes, of many bytes that pack well.
fn tar_with_long_names(source: &mut Source, entries: &[Entry]) -> Vec<u8> {
    let plain = archives::tar_gz(entries);
    if !source.one_in(4) {
        return plain;
    }
    let mut tar = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&plain[..]), &mut tar).unwrap();
    let size = *source.pick(&[100usize, 1 << 16, 8 << 20]);
    let mut head = tar::Header::new_gnu();
    let kind =
        *source.pick(&[tar::EntryType::GNULongName, tar::EntryType::GNULongLink, tar::EntryType::XHeader]);
    head.set_entry_type(kind);
    head.set_size(if source.one_in(4) { u64::MAX >> 30 } else { size as u64 });
    head.set_cksum();
    let mut long = head.as_bytes().to_vec();
    long.resize(512 + size.next_multiple_of(512), b'a');
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(&[long, tar].concat()).unwrap();
    gz.finish().unwrap()
}

fn top(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::TarGz => ("cifar-10-batches-bin", "test_batch.bin"),
        Format::Zip => ("ucfTrainTestlist", "testlist03.txt"),
        Format::Rar => ("UCF-101", "YoYo"),
    }
}

/// Unpacks an archive that is in place already.
fn unpack(folder: &Path, format: Format, bytes: &[u8]) -> Verdict {
    let _ = fs::remove_dir_all(folder);
    let set = if format == Format::TarGz { "cifar10" } else { "ucf101" };
    let mut sources = sources_of(set).map_err(said)?;
    sources.retain(|s| matches!(s.action, Action::Unpack { format: f, .. } if f == format));
    let Some(source) = sources.first_mut() else { return Err("no such source".to_owned()) };
    (source.sum, source.bytes) = (None, None);
    let place = folder.join(source.folder);
    fs::create_dir_all(&place).map_err(said)?;
    put(&place.join(source.name()), bytes)?;
    let request =
        Request { sources, folder: folder.to_owned(), from: None, sums: None, patience: Patience::default() };
    let report = fetch(&request, &mut ()).map_err(said)?;
    // Nothing leaves the folder, and nothing is left beside the archive.
    assert!(!folder.parent().is_some_and(|p| p.join("x").exists()));
    match &report.files[0].state {
        State::Failed(e) => Err(e.to_string()),
        _ => Ok(()),
    }
}

const SMALL: &str = "
[ablation]
name = 'small'
seeds = 2
[data]
name = 'digits'
train = 40
test = 20
[network]
block = 'standard'
stages = [{ r = 2 }]
[grid]
kr = [1, 2]
[training]
epochs = 1
batch = 20
optimiser = { kind = 'sgd', rate = 0.1 }
";

/// Rows with other values here and there.
fn odd_rows(rows: &Table, source: &mut Source) -> Table {
    let mut columns: Vec<(String, Column)> = rows.columns().to_vec();
    let often = *source.pick(&[2, 10, 60]);
    for (_, column) in &mut columns {
        match column {
            Column::Int(v) => {
                for v in v.iter_mut() {
                    if source.one_in(often) {
                        *v = *source.pick(&[0, -1, i64::MAX, i64::MIN]);
                    }
                }
            }
            Column::Float(v) => {
                for v in v.iter_mut() {
                    if source.one_in(often) {
                        *v = *source.pick(&[f64::NAN, f64::INFINITY, -1.0, 1e308, 0.0]);
                    }
                }
            }
            Column::Text(v) => {
                for v in v.iter_mut() {
                    if source.one_in(often * 5) {
                        *v = (*source.pick(&["", "error: x", "漢\0"])).to_owned();
                    }
                }
            }
        }
    }
    if source.one_in(10) {
        let at = source.below(columns.len());
        columns.remove(at);
    }
    Table::new(columns.iter().map(|(n, c)| (n.as_str(), c.clone())).collect())
}

/// Trains on, from a checkpoint if there is one.
fn train_on(
    trainer: &mut Trainer,
    data: &Dataset,
    checkpoint: Option<&Path>,
) -> convstat_train::Result<Trained> {
    let watch = Watch { checkpoint, on_step: &mut |_, _, _, _| {}, on_epoch: &mut |_| Ok(()) };
    train(trainer, data, &Augment::default(), 1, watch)
}

fn experiments() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let files = fs::read_dir(folder).unwrap().flatten();
    let files = files.filter(|e| e.file_name().to_string_lossy().starts_with("ablation"));
    let mut all: Vec<Vec<u8>> = files.map(|e| fs::read(e.path()).unwrap()).collect();
    all.sort();
    all.push(SMALL.into());
    all
}

#[expect(clippy::too_many_lines, reason = "a list of readers")]
fn readers() {
    convstat_tensor::blas::single_thread().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| {
        let path = folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    };
    // Seeds, made before the limit.
    let ablations = experiments();
    let batches = at("cifar");
    cifar(&batches);
    let batch = fs::read(batches.join("data_batch_3.bin")).unwrap();
    let parquet = at("parquet");
    copy(&data_folder("cifar10-parquet"), &parquet);
    let shard = parquet.join("plain_text/train-00000-of-00002.parquet");
    let shards = [fs::read(&shard).unwrap()];
    let svhn = at("svhn");
    copy(&data_folder("svhn"), &svhn);
    let svhn_train = svhn.join("train_32x32.mat");
    let mats: Vec<Vec<u8>> =
        ["train_32x32.mat", "test_32x32.mat"].map(|n| fs::read(svhn.join(n)).unwrap()).into();
    let videos = Videos::new(at("ucf101"));
    let digits: DataSpec = toml::from_str("name = 'digits'\ntrain = 40\ntest = 20").unwrap();
    let digits = digits.load(None, 1).unwrap();
    let spec: NetworkSpec = toml::from_str("block = 'cp'\nstages = [{ r = 2 }]").unwrap();
    let network = Network::new(&spec, &[8, 8, 1], 10, 2.0).unwrap();
    let training: TrainingSpec =
        toml::from_str("epochs = 1\nbatch = 20\noptimiser = { kind = 'sgd', rate = 0.1 }").unwrap();
    let checkpoint = folder.path().join("a.safetensors");
    let mut first = Trainer::new(&network, &Cpu, &training, 1, DType::F32).unwrap();
    let trained = train_on(&mut first, &digits, None).unwrap();
    first.save(&checkpoint, &trained.progress).unwrap();
    let saved = [fs::read(&checkpoint).unwrap()];
    let plan = Plan::new(AblationFile::parse(SMALL).unwrap(), &[8, 8, 1], 10).unwrap();
    let run = folder.path().join("run");
    let device = DeviceSpec::parse("cpu", None).unwrap();
    let options = convstat_train::ablation::RunOptions { threads: 1, shard: None, device };
    convstat_train::ablation::run(&plan, SMALL, &digits, &run, options).unwrap();
    let part = fs::read_dir(run.join("parts")).unwrap().next().unwrap().unwrap().path();
    let rows = Table::read(&part).unwrap();
    let unpacked = folder.path().join("unpacked/here");
    let sums =
        b"900150983cd24fb0d6963f7d28e17f72  a.txt\n\n# x\n900150983cd24fb0d6963f7d28e17f72 *dir/b\n".to_vec();
    convstat_tensor::memory::set_limit(LIMIT);

    // Readers take milliseconds; on a machine that is busy, tens of them.
    let (seconds, memory) = (10, (64, 400));
    let archive = |name, format: Format, cases, seconds| Reader {
        name,
        cases,
        seconds,
        memory,
        names: None,
        generate: Box::new(move |s: &mut Source| entries(s, format)),
        read: Box::new({
            let unpacked = unpacked.clone();
            move |bytes: &[u8]| unpack(&unpacked, format, bytes)
        }),
    };
    let all = vec![
        Reader {
            name: "ablation file",
            cases: (200, 20_000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| {
                if s.one_in(4) { s.damaged(&ablations) } else { ablation_file(s).into_bytes() }
            }),
            read: Box::new(read_ablation),
        },
        Reader {
            name: "data table",
            cases: (50, 4000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| {
                let keys = [
                    ("name", 100, s.word(&["digits"])),
                    ("train", 50, s.number(1, 99)),
                    ("test", 50, s.number(1, 99)),
                    ("split", 5, s.number(1, 3)),
                ];
                s.keys(&keys).into_bytes()
            }),
            read: Box::new(read_spec),
        },
        Reader {
            name: "CIFAR-10 binary",
            cases: (50, 5000),
            seconds,
            memory,
            names: Some("data_batch_3.bin"),
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&batch))),
            read: Box::new(|bytes| {
                put(&batches.join("data_batch_3.bin"), bytes)?;
                read_set("cifar10", &batches)
            }),
        },
        Reader {
            name: "CIFAR-10 Parquet",
            cases: (100, 8000),
            seconds,
            memory,
            names: Some("train-00000-of-00002.parquet"),
            generate: Box::new(|s| s.damaged(&shards)),
            read: Box::new(|bytes| {
                put(&shard, bytes)?;
                read_set("cifar10", &parquet)
            }),
        },
        Reader {
            name: "SVHN .mat",
            cases: (100, 10_000),
            seconds,
            // A byte of a zlib stream may be 1032 of labels, which are kept twice.
            memory: (64, 6 * 1032),
            names: Some("train_32x32.mat"),
            generate: Box::new(|s| if s.one_in(2) { s.damaged(&mats) } else { mat(s) }),
            read: Box::new(|bytes| {
                put(&svhn_train, bytes)?;
                read_set("svhn", &svhn)
            }),
        },
        Reader {
            name: "UCF101 list",
            cases: (50, 4000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&videos.list))),
            read: Box::new(|bytes| videos.with("ucfTrainTestlist/trainlist01.txt", bytes, &videos.list)),
        },
        Reader {
            name: "UCF101 index.json",
            cases: (20, 400),
            seconds: 10,
            memory,
            names: None,
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&videos.index))),
            read: Box::new(|bytes| {
                videos.with(".convstat-cache/ucf101-24x32/index.json", bytes, &videos.index)
            }),
        },
        Reader {
            name: "video",
            cases: (5, 300),
            seconds: 20,
            memory,
            names: None,
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&videos.video))),
            read: Box::new(|bytes| videos.with("UCF-101/Red/a.avi", bytes, &videos.video)),
        },
        Reader {
            name: "checkpoint",
            cases: (100, 8000),
            seconds,
            memory,
            names: Some("a.safetensors"),
            generate: Box::new(|s| s.damaged(&saved)),
            read: Box::new(|bytes| {
                put(&checkpoint, bytes)?;
                let mut trainer = Trainer::new(&network, &Cpu, &training, 1, DType::F32).map_err(said)?;
                trainer.restore(&checkpoint).map_err(said)?;
                let trained = train_on(&mut trainer, &digits, Some(&checkpoint));
                // Damaged parameters may diverge, which is said without the file.
                trained
                    .map(drop)
                    .or_else(|e| if e.to_string().contains("loss") { Ok(()) } else { Err(said(e)) })
            }),
        },
        archive("tar.gz", Format::TarGz, (60, 5000), 5),
        archive("zip", Format::Zip, (60, 5000), 5),
        archive("rar", Format::Rar, (15, 800), 20),
        Reader {
            name: "list of sums",
            cases: (50, 2000),
            seconds,
            memory,
            names: Some("sums"),
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&sums))),
            read: Box::new(|bytes| {
                let path = folder.path().join("sums");
                put(&path, bytes)?;
                let sums = Sums::read(&path).map_err(said)?;
                sums.of("a.txt").map(drop).map_err(said)
            }),
        },
        Reader {
            name: "ablation rows",
            cases: (30, 1500),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| {
                let path = folder.path().join("odd.parquet");
                odd_rows(&rows, s).write(&path).unwrap();
                fs::read(path).unwrap()
            }),
            read: Box::new(|bytes| {
                let path = folder.path().join("rows.parquet");
                put(&path, bytes)?;
                let summary = Summary::new(&plan, &Table::read(&path).map_err(said)?).map_err(said)?;
                let _ = (summary.table(), summary.markdown());
                draw(&summary).map(drop).map_err(said)
            }),
        },
    ];
    fuzz::run("train", all);
}

#[test]
fn bad_input_is_refused() {
    // The stack of a program's first thread, deeper than a test's.
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(readers).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
