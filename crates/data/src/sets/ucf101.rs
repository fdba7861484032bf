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
mod tests;
