//! Clips a second that are cut from a mapped file of frames, 16×112×112 from 128×171, one line of JSON for bytes (what a
//! GPU gets) and one for normalised values. Without `--clips` it does nothing, so that `cargo bench` may run it.
//!
//!     clips --clips [batches] [threads]

use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use convstat_data::{Augment, Clip, Images, Loader, Make, Normalisation, Record, Store};

const BATCH: usize = 16;
/// Videos, and frames of each: as many as UCF101's have on average.
const VIDEOS: usize = 64;
const FRAMES: usize = 186;
const STORED: [usize; 2] = [128, 171];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some("--clips") {
        return Ok(());
    }
    convstat_train::keep_memory();
    let batches: usize = arguments.next().map_or(Ok(40), |s| s.parse())?;
    let threads: usize = arguments.next().map_or(Ok(2), |s| s.parse())?;
    let video = STORED[0] * STORED[1] * 3 * FRAMES;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("frames.bin");
    let mut file = std::fs::File::create(&path)?;
    for i in 0..VIDEOS {
        let bytes: Vec<u8> = (0..video).map(|p| (p * (2 * i + 1) / 7) as u8).collect();
        file.write_all(&bytes)?;
    }
    // SAFETY: nobody else knows this file.
    let map = unsafe { memmap2::Mmap::map(&std::fs::File::open(&path)?)? };
    let records = (0..VIDEOS).map(|i| Record { start: i * video, frames: FRAMES, label: i as u32 });
    let clip = Clip { step: 2, tests: 1 };
    let images = Images::videos([16, 112, 112, 3], STORED, clip, Store::Mapped(map), records.collect())?;
    let normalisation = Normalisation { scale: 255.0, mean: vec![0.5; 3], std: vec![0.25; 3] };
    let augment = Augment { flip: true, ..Augment::default() };
    let loader = Loader::new(images, normalisation, BATCH, augment, 1)?.with_threads(threads);
    let gather: Make<usize> = Arc::new(|loader, recipe| loader.gather(&recipe).0.len());
    let make: Make<usize> = Arc::new(|loader, recipe| loader.make(&recipe).x.len());
    for (name, make) in [("gather", gather), ("make", make)] {
        // What is made is thrown away, so that no thread waits for a consumer.
        let run = |batches: usize| {
            let epochs = (0..).flat_map(|epoch| loader.epoch(epoch, 0, make.clone()));
            epochs.take(batches).map(|values| values as f64).sum::<f64>()
        };
        run(4);
        let start = Instant::now();
        run(batches);
        let rate = (batches * BATCH) as f64 / start.elapsed().as_secs_f64();
        println!("{}", serde_json::json!({ "clips": name, "clips_per_second": rate, "threads": threads }));
    }
    Ok(())
}
