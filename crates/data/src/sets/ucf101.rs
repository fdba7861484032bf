//! `ucf101`: videos in the layout of UCF101 (Soomro, Zamir and Shah 2012), with its official lists, decoded once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use rand::seq::SliceRandom as _;

use super::video::Cache;
use crate::dataset::Dataset;
use crate::images::{Clip, Images, Record};
use crate::spec::{ClipSpec, DataSpec};
use crate::{DataError, Result};

const MEND: &str = "convstat-train fetch ucf101 --data FOLDER downloads it (by hand: UCF101.rar and \
                    UCF101TrainTestSplits-RecognitionTask.zip from www.crcv.ucf.edu/data/UCF101.php, unpacked in the --data \
                    folder)";
/// Longest side of a stored frame.
const MOST_SIDE: usize = 1024;
/// Videos that are named where some could not be read.
const NAMED: usize = 10;

/// A video: its path in the folder of videos, and its class.
type Listed = (String, u32);

/// Lines of a list that are not empty, with their numbers from 1.
fn lines(path: &Path) -> Result<Vec<(usize, String)>> {
    let text = convstat_runner::read_text(path).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => DataError::data(path, format!("no such file; {MEND}")),
        _ => DataError::io("read", path)(e),
    })?;
    let lines = text.lines().enumerate().map(|(i, line)| (i + 1, line.trim().to_owned()));
    let lines: Vec<_> = lines.filter(|(_, line)| !line.is_empty()).collect();
    if lines.is_empty() {
        return Err(DataError::data(path, format!("the list is empty; {MEND}")));
    }
    Ok(lines)
}

fn broken(path: &Path, line: usize, reason: String) -> DataError {
    DataError::data(path, format!("line {line}: {reason}"))
}

/// The classes, by number.
fn classes(path: &Path) -> Result<Vec<String>> {
    let mut classes: Vec<String> = Vec::new();
    for (number, line) in lines(path)? {
        let expected = classes.len() + 1;
        match line.split_once(char::is_whitespace) {
            Some((i, class)) if i.parse() == Ok(expected) && !classes.iter().any(|c| c == class.trim()) => {
                classes.push(class.trim().to_owned());
            }
            _ => {
                let reason = format!("\"{line}\" should be {expected} and the name of a new class");
                return Err(broken(path, number, reason));
            }
        }
    }
    Ok(classes)
}

/// The videos of a list; the class is the folder's, and the number at the end of a training list's line has to agree.
fn listed(path: &Path, numbered: bool, classes: &[String]) -> Result<Vec<Listed>> {
    let mut seen = BTreeSet::new();
    let mut videos = Vec::new();
    for (number, line) in lines(path)? {
        let (video, label) = match line.rsplit_once(char::is_whitespace).filter(|_| numbered) {
            Some((video, label)) => (video.trim(), Some(label)),
            None => (line.as_str(), None),
        };
        let parts: Vec<Component> = Path::new(video).components().collect();
        let [Component::Normal(folder), Component::Normal(_)] = parts[..] else {
            let reason = format!("\"{video}\" should be CLASS/FILE, a file in the folder UCF-101");
            return Err(broken(path, number, reason));
        };
        let Some(class) = classes.iter().position(|c| folder == c.as_str()) else {
            let reason = format!("\"{video}\" is of no class in classInd.txt");
            return Err(broken(path, number, reason));
        };
        if numbered && label.and_then(|l| l.parse().ok()) != Some(class + 1) {
            let reason = format!("\"{line}\" should end with {}, its class in classInd.txt", class + 1);
            return Err(broken(path, number, reason));
        }
        if !seen.insert(video.to_owned()) {
            return Err(broken(path, number, format!("\"{video}\" comes twice")));
        }
        videos.push((video.to_owned(), class as u32));
    }
    Ok(videos)
}

/// Whether a clip can be taken as the file asks for.
fn check(clip: &ClipSpec) -> Result<()> {
    for (key, value) in
        [("frames", clip.frames), ("step", clip.step), ("size", clip.size), ("tests", clip.tests)]
    {
        if value == 0 || value > MOST_SIDE {
            return Err(DataError::bad(format!("data.clip.{key}"), value, format!("give 1 to {MOST_SIDE}")));
        }
    }
    if clip.stored.iter().any(|&side| side < clip.size || side > MOST_SIDE) {
        let mend = format!("give sides from data.clip.size = {} to {MOST_SIDE}", clip.size);
        return Err(DataError::bad("data.clip.stored", format!("{:?}", clip.stored), mend));
    }
    Ok(())
}

/// The folder with `UCF-101` in it.
fn root(folder: Option<&Path>) -> Result<PathBuf> {
    let folder =
        folder.ok_or_else(|| DataError::bad("--data", "(none)", format!("ucf101 needs a folder: {MEND}")))?;
    [folder.to_owned(), folder.join("ucf101")].into_iter().find(|f| f.join("UCF-101").is_dir()).ok_or_else(
        || DataError::data(folder, format!("no folder UCF-101 in it, nor in ucf101 in it; {MEND}")),
    )
}

/// The data set of the official split `spec.split`; `seed` mixes the classes in both parts.
pub(super) fn read(spec: &DataSpec, folder: Option<&Path>, seed: u64) -> Result<Dataset> {
    let (data, report) = read_with(spec, folder, seed, Cache::open)?;
    if let Some(report) = report {
        eprintln!("{report}");
    }
    Ok(data)
}

/// The data set, and what to say about videos that could not be read.
fn read_with(
    spec: &DataSpec,
    folder: Option<&Path>,
    seed: u64,
    open: impl FnOnce(PathBuf, [usize; 2]) -> Result<Cache>,
) -> Result<(Dataset, Option<String>)> {
    spec.allow(&["split", "clip"])?;
    let split = spec.split.unwrap_or(1);
    if !(1..=3).contains(&split) {
        return Err(DataError::bad("data.split", split, "the official splits are 1, 2 and 3"));
    }
    let clip = spec.clip.unwrap_or_default();
    check(&clip)?;
    for (key, wanted) in [("data.train", spec.train), ("data.test", spec.test)] {
        if wanted == Some(0) {
            return Err(DataError::bad(key, 0, "give 1 or more videos, or leave it out to take all"));
        }
    }
    let root = root(folder)?;
    let lists = root.join("ucfTrainTestlist");
    let classes = classes(&lists.join("classInd.txt"))?;
    let train = listed(&lists.join(format!("trainlist{split:02}.txt")), true, &classes)?;
    let test = lists.join(format!("testlist{split:02}.txt"));
    let parts = [train, listed(&test, false, &classes)?];
    let trained: BTreeSet<&str> = parts[0].iter().map(|(video, _)| video.as_str()).collect();
    if let Some((video, _)) = parts[1].iter().find(|(video, _)| trained.contains(video.as_str())) {
        return Err(DataError::data(&test, format!("{video} is in the training list too; {MEND}")));
    }
    let [height, width] = clip.stored;
    let mut cache = open(root.join(".convstat-cache").join(format!("ucf101-{height}x{width}")), clip.stored)?;
    let videos = root.join("UCF-101");
    let mut readable = Vec::new();
    let mut lost: BTreeMap<String, String> = BTreeMap::new();
    let mut asked = 0;
    for (mut part, wanted) in parts.into_iter().zip([spec.train, spec.test]) {
        // The lists are sorted by class; without an order the first videos would all be of one.
        part.shuffle(&mut convstat_runner::stream(seed, "order", "ucf101", 0));
        let wanted = wanted.unwrap_or(part.len()).min(part.len());
        let (mut kept, mut from) = (Vec::new(), 0);
        // Of videos that are not wanted none is decoded, but as many more as could not be read.
        while kept.len() < wanted && from < part.len() {
            let next = part.get(from..part.len().min(from + wanted - kept.len())).unwrap_or_default();
            from += next.len();
            cache.ensure(&videos, &next.iter().map(|(video, _)| video.as_str()).collect::<Vec<_>>())?;
            for (video, label) in next {
                match cache.get(video) {
                    Ok((start, frames)) => kept.push(Record { start, frames, label: *label }),
                    Err(reason) => {
                        lost.insert(video.clone(), reason.to_owned());
                    }
                }
            }
        }
        asked += from;
        readable.push(kept);
    }
    let report = (!lost.is_empty()).then(|| {
        let named = lost.iter().take(NAMED).map(|(video, reason)| format!("\n  {video}: {reason}"));
        let more = if lost.len() > NAMED { "\n  ..." } else { "" };
        let named: String = named.collect();
        format!("warning: {} of {asked} videos could not be read and are left out:{named}{more}", lost.len())
    });
    if let Some((part, _)) = ["train", "test"].iter().zip(&readable).find(|(_, videos)| videos.is_empty()) {
        let reason = report.unwrap_or_default();
        return Err(DataError::data(&videos, format!("no video to {part} on can be read; {reason}")));
    }
    let shape = [clip.frames, clip.size, clip.size, 3];
    let take = Clip { step: clip.step, tests: clip.tests };
    let (test, train) = (readable.pop().unwrap_or_default(), readable.pop().unwrap_or_default());
    let train = Images::videos(shape, clip.stored, take, cache.store()?, train)?;
    let test = train.with_records(test)?;
    Ok((Dataset { name: "ucf101".into(), classes, train, test, scale: 255.0 }, report))
}

#[cfg(test)]
mod tests {
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
        assert_eq!(
            (lengths(&other.train), lengths(&other.test)),
            (vec![(4, 0), (9, 1)], vec![(12, 1), (20, 0)])
        );
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
}
