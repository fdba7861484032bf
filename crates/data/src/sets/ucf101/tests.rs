use std::fs;
use std::process::Command;

use super::*;
use crate::{Augment, Loader};

/// A video of one colour.
fn video(path: &Path, colour: &str, frames: usize) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let source = format!("color=c={colour}:size=64x48:rate=25");
    let status = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-v",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            &source,
            "-frames:v",
            &frames.to_string(),
        ])
        .args(["-c:v", "mpeg4", "-q:v", "2"])
        .arg(path)
        .status()
        .expect("these tests need ffmpeg: run scripts/setup.sh");
    assert!(status.success());
}

/// Videos of two classes, named and listed as the official ones are: 2 and 1 to train on, 1 and 1 to test on.
fn layout(root: &Path) {
    let videos = root.join("UCF-101");
    for (name, colour, frames) in [
        ("Red/v_Red_g01_c01.avi", "red", 7),
        ("Red/v_Red_g01_c02.avi", "red", 12),
        ("Red/v_Red_g02_c01.avi", "red", 9),
        ("Blue/v_Blue_g01_c01.avi", "blue", 20),
        ("Blue/v_Blue_g02_c01.avi", "blue", 4),
    ] {
        video(&videos.join(name), colour, frames);
    }
    let lists = root.join("ucfTrainTestlist");
    fs::create_dir_all(&lists).unwrap();
    for (name, text) in [
        ("classInd.txt", "1 Blue\r\n2 Red\r\n"),
        (
            "trainlist01.txt",
            "Blue/v_Blue_g01_c01.avi 1\r\nRed/v_Red_g01_c01.avi 2\r\nRed/v_Red_g01_c02.avi 2\r\n",
        ),
        ("testlist01.txt", "Blue/v_Blue_g02_c01.avi\r\nRed/v_Red_g02_c01.avi\r\n"),
        ("trainlist02.txt", "Blue/v_Blue_g02_c01.avi 1\nRed/v_Red_g02_c01.avi 2\n"),
        ("testlist02.txt", "Blue/v_Blue_g01_c01.avi\nRed/v_Red_g01_c02.avi\n"),
    ] {
        fs::write(lists.join(name), text).unwrap();
    }
}

fn spec(keys: &str) -> DataSpec {
    let clip = "clip = { frames = 4, step = 2, size = 16, stored = [24, 32], tests = 2 }";
    toml::from_str(&format!("name = 'ucf101'\n{clip}\n{keys}")).unwrap()
}

/// Frames and class of each video, sorted.
fn lengths(images: &Images) -> Vec<(usize, u32)> {
    let mut all: Vec<_> = images.records().iter().map(|r| (r.frames, r.label)).collect();
    all.sort_unstable();
    all
}

fn without_ffmpeg(folder: PathBuf, stored: [usize; 2]) -> Result<Cache> {
    let mut cache = Cache::open(folder, stored)?;
    cache.program = "/no/such/ffmpeg".into();
    Ok(cache)
}

#[test]
fn reads_the_layout_of_ucf101() {
    let folder = tempfile::tempdir().unwrap();
    layout(&folder.path().join("ucf101"));
    let missing = read_with(&spec(""), Some(folder.path()), 0, without_ffmpeg).unwrap_err().to_string();
    assert!(missing.contains("apt-get install ffmpeg"), "{missing}");
    let (data, report) = read_with(&spec(""), Some(folder.path()), 0, Cache::open).unwrap();
    assert_eq!((report, &data.classes[..]), (None, &["Blue".to_owned(), "Red".to_owned()][..]));
    assert!(data.train.is_mapped());
    assert_eq!(lengths(&data.train), [(7, 1), (12, 1), (20, 0)]);
    assert_eq!(lengths(&data.test), [(4, 0), (9, 1)]);
    assert_eq!((&data.train.shape[..], &data.train.stored[..]), (&[4, 16, 16, 3][..], &[24, 32][..]));
    // Every pixel is its class's colour, as far as the codec keeps it.
    for record in data.train.records().iter().chain(data.test.records()) {
        let colour = if record.label == 1 { [254, 0, 0] } else { [0, 0, 254] };
        let bytes = &data.train.bytes()[record.start..][..record.frames * 24 * 32 * 3];
        let near = |pixel: &[u8]| pixel.iter().zip(colour).all(|(p, c)| p.abs_diff(c) <= 8);
        assert!(bytes.chunks(3).all(near));
    }
    let loader = Loader::new(data.test.clone(), data.normalisation(), 2, Augment::default(), 0).unwrap();
    let batches: Vec<_> = loader.in_order(Loader::cpu()).collect();
    assert_eq!(batches.iter().map(|b| &b.shape[..]).collect::<Vec<_>>(), [[2, 4, 16, 16, 3]; 2]);
    // A second time nothing is decoded, whatever the split and the seed.
    let again = |keys: &str, seed: u64| read_with(&spec(keys), Some(folder.path()), seed, without_ffmpeg);
    assert_eq!(again("", 0).unwrap().0, data);
    let other = again("split = 2", 1).unwrap().0;
    assert_eq!((lengths(&other.train), lengths(&other.test)), (vec![(4, 0), (9, 1)], vec![(12, 1), (20, 0)]));
    // A file that has changed is decoded anew, and so is the one behind it not.
    let changed = folder.path().join("ucf101/UCF-101/Red/v_Red_g02_c01.avi");
    video(&changed, "blue", 5);
    assert!(again("", 0).unwrap_err().to_string().contains("ffmpeg"));
    let (data, _) = read_with(&spec(""), Some(folder.path()), 0, Cache::open).unwrap();
    assert_eq!(lengths(&data.test), [(4, 0), (5, 1)]);
    assert_eq!(again("", 0).unwrap().0, data);
}

#[test]
fn decodes_no_more_than_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path());
    let data = spec("train = 1\ntest = 1").load(Some(folder.path()), 3).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (1, 1));
    let cache = Cache::open(folder.path().join(".convstat-cache/ucf101-24x32"), [24, 32]).unwrap();
    let listed = ["Red/v_Red_g01_c01.avi", "Red/v_Red_g01_c02.avi", "Blue/v_Blue_g01_c01.avi"];
    assert_eq!(listed.iter().filter(|video| cache.get(video).is_ok()).count(), 1);
    let error = spec("train = 4").load(Some(folder.path()), 3).unwrap_err().to_string();
    assert_eq!(error, "data.train = 4: give 1 to 3");
}

#[test]
fn leaves_out_what_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path());
    let videos = folder.path().join("UCF-101");
    let cut = videos.join("Red/v_Red_g01_c01.avi");
    let whole = fs::read(&cut).unwrap();
    fs::write(&cut, &whole[..whole.len() * 3 / 4]).unwrap();
    fs::write(videos.join("Red/v_Red_g01_c02.avi"), "These are words, not a video.").unwrap();
    fs::remove_file(videos.join("Blue/v_Blue_g02_c01.avi")).unwrap();
    let read = |open: fn(PathBuf, [usize; 2]) -> Result<Cache>| {
        read_with(&spec(""), Some(folder.path()), 0, open)
            .map(|(data, report)| (data, report.unwrap_or_default()))
    };
    let (data, report) = read(Cache::open).unwrap();
    assert_eq!((lengths(&data.train), lengths(&data.test)), (vec![(20, 0)], vec![(9, 1)]));
    for part in [
        "3 of 5 videos could not be read",
        "v_Red_g01_c01.avi: it is cut short",
        "v_Red_g01_c02.avi: ffmpeg ended with 1: ",
        "v_Blue_g02_c01.avi: No such file",
    ] {
        assert!(report.contains(part), "{report}");
    }
    // They are tried again each time, and what was read is not.
    assert_eq!(read(Cache::open).unwrap(), (data, report));
    fs::write(&cut, whole).unwrap();
    let (data, report) = read(Cache::open).unwrap();
    assert_eq!(lengths(&data.train), [(7, 1), (20, 0)]);
    assert!(report.contains("2 of 5 videos"), "{report}");
    for name in ["Red/v_Red_g02_c01.avi", "Red/v_Red_g01_c01.avi", "Blue/v_Blue_g01_c01.avi"] {
        fs::write(videos.join(name), "").unwrap();
    }
    let error = read(Cache::open).unwrap_err().to_string();
    assert!(error.contains("no video to train on") && error.contains("0 bytes"), "{error}");
    assert!(error.contains("5 of 5 videos could not be read"), "{error}");
}

#[test]
fn goes_on_after_a_run_that_was_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path());
    let data = |spec: &DataSpec| spec.load(Some(folder.path()), 3).unwrap();
    let one = data(&spec("train = 1\ntest = 1"));
    let frames = folder.path().join(".convstat-cache/ucf101-24x32/frames.bin");
    // Bytes that no index knows: a video half written.
    let mut bytes = fs::read(&frames).unwrap();
    let known = bytes.len();
    bytes.extend([7; 1000]);
    fs::write(&frames, &bytes).unwrap();
    let all = data(&spec(""));
    assert_eq!(all.train.take(1).unwrap(), one.train);
    let end: usize = [7, 12, 9, 20, 4].iter().sum::<usize>() * 24 * 32 * 3;
    assert_eq!(fs::read(&frames).unwrap().len(), end);
    assert_eq!(fs::read(&frames).unwrap()[..known], bytes[..known]);
    // Frames that are gone are no surprise in the middle of training.
    fs::write(&frames, &bytes[..known]).unwrap();
    let error = spec("").load(Some(folder.path()), 3).unwrap_err().to_string();
    let cache = folder.path().join(".convstat-cache/ucf101-24x32");
    assert!(error.contains(&format!("remove {}, ", cache.display())), "{error}");
    // Without any they are decoded anew.
    fs::remove_file(&frames).unwrap();
    assert_eq!(lengths(&data(&spec("")).train), [(7, 1), (12, 1), (20, 0)]);
}

#[test]
fn a_failure_of_ffmpeg_does_not_last() {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path());
    // It runs, but makes nothing of any video.
    let failing = |place: PathBuf, stored: [usize; 2]| {
        let mut cache = Cache::open(place, stored)?;
        cache.program = "true".into();
        Ok(cache)
    };
    let error = read_with(&spec(""), Some(folder.path()), 0, failing).unwrap_err().to_string();
    assert!(error.contains("5 of 5 videos") && error.contains("it has no frames"), "{error}");
    let (data, report) = read_with(&spec(""), Some(folder.path()), 0, Cache::open).unwrap();
    assert_eq!((data.train.len(), data.test.len(), report), (3, 2, None));
}

#[test]
fn broken_lists() {
    let folder = tempfile::tempdir().unwrap();
    layout(folder.path());
    let lists = folder.path().join("ucfTrainTestlist");
    for (name, text, part) in [
        ("classInd.txt", "1 Blue\n3 Red\n", "line 2: \"3 Red\" should be 2"),
        ("classInd.txt", "1 Blue\n2 Blue\n", "line 2"),
        ("classInd.txt", "Blue\n", "line 1"),
        ("classInd.txt", "\n", "empty"),
        ("trainlist01.txt", "../v_Red.avi 2\n", "line 1: \"../v_Red.avi\" should be CLASS/FILE"),
        ("trainlist01.txt", "\n/Red/v.avi 2\n", "line 2"),
        ("trainlist01.txt", "Red/../../v.avi 2\n", "line 1"),
        ("trainlist01.txt", "Green/v.avi 2\n", "no class"),
        ("trainlist01.txt", "Red/v.avi 1\n", "should end with 2"),
        ("trainlist01.txt", "Red/v.avi\n", "should end with 2"),
        ("trainlist01.txt", "Red/v.avi 2\nRed/v.avi 2\n", "line 2: \"Red/v.avi\" comes twice"),
        ("testlist01.txt", "Red/v_Red_g01_c01.avi\n", "in the training list too"),
    ] {
        let path = lists.join(name);
        let good = fs::read(&path).unwrap();
        fs::write(&path, text).unwrap();
        let error = spec("").load(Some(folder.path()), 0).unwrap_err().to_string();
        assert!(error.contains(part) && error.contains(name), "{error}");
        fs::write(&path, good).unwrap();
    }
    for (keys, part) in [("split = 4", "1, 2 and 3"), ("split = 3", "trainlist03.txt: no such file")] {
        let error = spec(keys).load(Some(folder.path()), 0).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    for key in ["train", "test"] {
        let error = spec(&format!("{key} = 0")).load(Some(folder.path()), 0).unwrap_err().to_string();
        assert!(error.contains(&format!("data.{key} = 0: give 1 or more")), "{error}");
    }
    for (clip, part) in [
        ("frames = 0", "data.clip.frames = 0"),
        ("stored = [64, 171]", "data.clip.stored = [64, 171]: give sides from data.clip.size = 112"),
        ("step = 99999999", "data.clip.step"),
    ] {
        let spec: DataSpec = toml::from_str(&format!("name = 'ucf101'\nclip = {{ {clip} }}")).unwrap();
        let error = spec.load(Some(folder.path()), 0).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    for path in [None, Some(empty.path())] {
        let error = spec("").load(path, 0).unwrap_err().to_string();
        assert!(error.contains("folder") && error.contains("fetch ucf101 --data FOLDER"), "{error}");
    }
}
