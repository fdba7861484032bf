use std::time::Duration;

use super::*;
use crate::images::tests::{pixels, videos};
use crate::images::{Clip, Record, Store};
use crate::view::tests::padded;

/// Flat positions in an image of the spatial `sizes` of all pixels with these coordinates, in C order.
fn positions(axes: &[Vec<usize>], sizes: &[usize]) -> Vec<usize> {
    axes.iter().zip(sizes).fold(vec![0], |flat, (axis, size)| {
        flat.iter().flat_map(|start| axis.iter().map(move |at| start * size + at)).collect()
    })
}

/// `n` images with label `i`; each byte is its position in the image plus `i`.
fn images(n: usize, shape: &[usize]) -> Images {
    let values: usize = shape.iter().product();
    let pixels = (0..n).flat_map(|i| (0..values).map(move |p| ((p + i) % 256) as u8)).collect();
    Images::new(shape.to_vec(), pixels, (0..n as u32).collect())
}

fn norm(scale: f32, mean: Vec<f32>, std: Vec<f32>) -> Normalisation {
    Normalisation { scale, mean, std }
}

/// The batches of an epoch from `first` on, made on the processor.
fn epoch(loader: &Loader, epoch: u64, first: usize) -> Epoch<Batch> {
    loader.epoch(epoch, first, Loader::cpu())
}

/// A loader that leaves the bytes as they are.
fn plain(images: &Images, batch: usize, augment: Augment) -> Loader {
    let channels = *images.shape.last().unwrap();
    Loader::new(images.clone(), norm(1.0, vec![0.0; channels], vec![1.0; channels]), batch, augment, 7)
        .unwrap()
}

fn all() -> Augment {
    Augment { crop: 2, flip: true, cutout: 3 }
}

#[test]
fn without_augmentation_a_permutation() {
    let images = images(11, &[4, 5, 2]);
    let loader =
        Loader::new(images.clone(), norm(255.0, vec![0.5, 0.25], vec![0.25, 2.0]), 3, Augment::default(), 7)
            .unwrap();
    let normalised = |label: u32| -> Vec<f32> {
        let bytes = pixels(&images.subset(&[label as usize]));
        let of = |(p, b): (usize, u8)| {
            let (mean, std) = [(0.5, 0.25), (0.25, 2.0)][p % 2];
            (f32::from(b) / 255.0 - mean) / std
        };
        bytes.into_iter().enumerate().map(of).collect()
    };
    let mut seen = vec![];
    assert_eq!(loader.batches(), 3);
    for batch in epoch(&loader, 0, 0) {
        assert_eq!(batch.shape, [3, 4, 5, 2]);
        for (x, &label) in batch.x.chunks(40).zip(&batch.labels) {
            assert_eq!(x, normalised(label));
            seen.push(label);
        }
    }
    assert_eq!(seen.len(), 9);
    assert!(!seen.is_sorted());
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 9);
    let batches: Vec<Batch> = loader.in_order(Loader::cpu()).collect();
    assert_eq!(batches.iter().map(|b| b.shape[0]).collect::<Vec<_>>(), [3, 3, 3, 2]);
    let labels: Vec<u32> = images.labels().collect();
    assert_eq!(batches.iter().flat_map(|b| b.labels.clone()).collect::<Vec<_>>(), labels);
    let x: Vec<f32> = batches.into_iter().flat_map(|b| b.x).collect();
    assert_eq!(x, (0..11).flat_map(normalised).collect::<Vec<_>>());
}

#[test]
fn fixed_by_seed_and_epoch_and_resumable() {
    let images = images(50, &[6, 6, 3]);
    let loader = plain(&images, 4, all());
    let whole: Vec<Batch> = epoch(&loader, 3, 0).collect();
    assert_eq!(whole.len(), 12);
    for first in [0, 1, 7, 11, 12, 99] {
        let tail: Vec<Batch> = epoch(&loader, 3, first).collect();
        assert_eq!(tail, whole[first.min(12)..]);
    }
    assert_ne!(whole, epoch(&loader, 4, 0).collect::<Vec<_>>());
    let other = Loader { seed: 8, ..loader.clone() };
    assert_ne!(whole, epoch(&other, 3, 0).collect::<Vec<_>>());
    // A view hangs on the position, not on the batch size.
    let flat = |loader: &Loader| epoch(loader, 3, 0).flat_map(|batch| batch.x).collect::<Vec<_>>();
    assert_eq!(flat(&loader), flat(&plain(&images, 2, all()))[..48 * 108]);
}

#[test]
fn crops_are_windows_of_the_padded_image() {
    for shape in [vec![9, 2], vec![5, 7, 3], vec![4, 5, 6, 2]] {
        let (channels, spatial) = shape.split_last().unwrap();
        // Small enough that no window is the mirror image of another.
        let crop = 2;
        // At most 256 values, so that a byte tells where it was.
        let images = images(1, &shape);
        let loader = plain(&images, 1, Augment { crop, flip: true, cutout: 0 });
        let mut starts = vec![vec![0; 2 * crop + 1]; spatial.len()];
        let mut flips = [0, 0];
        for number in 0..400 {
            let batch = epoch(&loader, number, 0).next().unwrap();
            let mut axes: Vec<Vec<usize>> = vec![];
            let mut stride = *channels;
            for &size in spatial.iter().rev() {
                // The coordinate along this axis of the pixels of a line along it.
                let line = (0..size).map(|at| batch.x[at * stride] as usize / stride % size);
                axes.insert(0, line.collect());
                stride *= size;
            }
            let source = positions(&axes, spatial).into_iter();
            let expected = source.flat_map(|at| (0..*channels).map(move |c| (at * channels + c) as f32));
            assert!(batch.x.iter().copied().eq(expected));
            for (a, (axis, &size)) in axes.iter_mut().zip(spatial).enumerate() {
                // The first of three axes stays.
                if a + 2 < spatial.len() {
                    assert!(axis.iter().copied().eq(0..size));
                    continue;
                }
                let padded = padded(crop, size);
                let find = |axis: &[usize]| padded.windows(size).position(|window| window == axis);
                let start = if a + 1 < spatial.len() {
                    find(axis)
                } else {
                    let straight = find(axis);
                    flips[usize::from(straight.is_none())] += 1;
                    axis.reverse();
                    straight.or(find(axis))
                };
                starts[a][start.expect("a window")] += 1;
            }
        }
        // 400 draws of 5 starts and of 2 directions.
        let drawn = &starts[spatial.len().saturating_sub(2)..];
        assert!(drawn.iter().flatten().all(|&count| (50..=110).contains(&count)), "{starts:?}");
        assert!(flips.iter().all(|&count| (150..=250).contains(&count)), "{flips:?}");
    }
}

#[test]
fn cutout_is_a_square_cut_at_the_border() {
    let images = images(1, &[6, 7, 2]);
    let still = images.bytes().iter().map(|&byte| f32::from(byte) + 1.0).collect::<Vec<_>>();
    let augment = Augment { cutout: 3, ..Augment::default() };
    // Mean −1, so that no value but those cut out is 0.
    let loader = Loader::new(images, norm(1.0, vec![-1.0; 2], vec![1.0; 2]), 1, augment, 7).unwrap();
    let mut centres = std::collections::BTreeSet::new();
    for number in 0..1000 {
        let x = epoch(&loader, number, 0).next().unwrap().x;
        let blank: Vec<usize> = (0..x.len()).filter(|&p| x[p] == 0.0).collect();
        assert!((0..x.len()).all(|p| x[p] == 0.0 || x[p] == still[p]));
        let square = |row: usize, column: usize| {
            let inside = |p: &usize| (p / 14).abs_diff(row) <= 1 && (p / 2 % 7).abs_diff(column) <= 1;
            (0..84).filter(inside).collect::<Vec<_>>()
        };
        let mut all = (0..6).flat_map(|row| (0..7).map(move |column| (row, column)));
        centres.insert(all.find(|&(row, column)| square(row, column) == blank).expect("a square"));
    }
    assert_eq!(centres.len(), 42);
}

#[test]
fn early_drop_ends_the_thread() {
    let loader = plain(&images(200, &[4, 4, 1]), 1, all());
    drop(epoch(&loader, 0, 0));
    let mut epoch = epoch(&loader, 0, 0);
    epoch.next();
    // Let the channel fill, so that the thread waits in it.
    std::thread::sleep(Duration::from_millis(50));
    drop(epoch);
    // The threads held the only other copies.
    assert_eq!(Arc::strong_count(&loader.table), 1);
}

#[test]
fn misfits() {
    let error = |shape: &[usize], channels: usize, std: f32, batch: usize, augment: Augment| {
        let (mean, std) = (vec![0.0; channels], vec![std; channels]);
        Loader::new(images(5, shape), norm(1.0, mean, std), batch, augment, 0).unwrap_err().to_string()
    };
    let none = Augment::default;
    for (error, part) in [
        (error(&[4, 4, 1], 1, 1.0, 6, none()), "batch = 6: use 1 to 5"),
        (error(&[4, 4, 1], 1, 1.0, 0, none()), "batch = 0"),
        (error(&[4], 4, 1.0, 1, none()), "spatial axes"),
        (error(&[4, 0, 1], 1, 1.0, 1, none()), "[4, 0, 1]"),
        (error(&[4, 4, 1], 2, 1.0, 1, none()), "2 means"),
        (error(&[4, 4, 1], 1, 0.0, 1, none()), "positive"),
        (error(&[4, 4, 1], 1, f32::NAN, 1, none()), "positive"),
        (
            error(&[5, 4, 1], 1, 1.0, 1, Augment { crop: 4, ..none() }),
            "crop = 4: reflection needs a crop below 4",
        ),
        (error(&[5, 4, 1], 1, 1.0, 1, Augment { cutout: 6, ..none() }), "cutout = 6"),
    ] {
        assert!(error.contains(part), "{error}");
    }
    let short = Images::new(vec![4, 4, 1], vec![0; 79], vec![0; 5]);
    let loader = Loader::new(short, norm(1.0, vec![0.0], vec![1.0]), 1, none(), 0);
    assert!(loader.unwrap_err().to_string().contains("79 values"));
}

/// Entry by entry, as the documentation of [`View`] says.
fn slow(loader: &Loader, bytes: &[u8], view: &View) -> Vec<f32> {
    let (sizes, table) = (loader.images.sizes(), loader.normalisation.table());
    let coordinate = |axis: usize, i: usize| {
        let (at, size) = (view.start[axis] + view.step[axis] * i as i32, view.size[axis]);
        match axis {
            0 => at.rem_euclid(size),
            _ if at.abs() < size => at.abs(),
            _ => 2 * (size - 1) - at.abs(),
        }
    };
    let mut x = vec![];
    for (f, r, c) in
        (0..sizes[0]).flat_map(|f| (0..sizes[1]).flat_map(move |r| (0..sizes[2]).map(move |c| (f, r, c))))
    {
        let blank = [f, r, c]
            .iter()
            .zip(view.from.iter().zip(view.to))
            .all(|(&i, (&from, to))| (from..to).contains(&(i as i32)));
        let column = if view.flip == 1 { sizes[2] - 1 - c } else { c };
        let [_, height, width] = view.size;
        let pixel = (coordinate(0, f) * height + coordinate(1, r)) * width + coordinate(2, column);
        for (k, table) in table.iter().enumerate() {
            let byte = bytes[view.offset as usize + pixel as usize * loader.table.len() + k];
            x.push(if blank { 0.0 } else { table[usize::from(byte)] });
        }
    }
    x
}

#[test]
fn views_are_made_and_gathered_as_documented() {
    let mut rng = stream(5, "views", "", 0);
    for round in 0..300 {
        let channels = [1, 2, 3, 4][round % 4];
        let shape = [1, 2, 3].map(|most: usize| rng.random_range(1..=4 * most));
        let room = |rng: &mut _, size: usize, crop: usize| {
            rand::RngExt::random_range(rng, size.max(crop + 1)..size + 6)
        };
        let crop = rng.random_range(0..3);
        let stored = [room(&mut rng, shape[1], crop), room(&mut rng, shape[2], crop)];
        let frames = [1, 5, 30].map(|most: usize| rng.random_range(1..=most));
        let frame = stored[0] * stored[1] * channels;
        let bytes: Vec<u8> = (0..frames.iter().sum::<usize>() * frame).map(|_| rng.random()).collect();
        let mut start = 0;
        let records = frames.map(|frames| {
            let record = Record { start, frames, label: frames as u32 };
            start += frames * frame;
            record
        });
        let clip = Clip { step: rng.random_range(1..4), tests: rng.random_range(1..5) };
        let [t, h, w] = shape;
        let images =
            Images::videos([t, h, w, channels], stored, clip, Store::Memory(bytes), records.to_vec())
                .unwrap();
        let augment = Augment { crop, flip: true, cutout: rng.random_range(0..=h.max(w)) };
        let normalisation = norm(16.0, vec![0.3; channels], vec![1.7; channels]);
        let loader =
            Loader::new(images, normalisation, 2, augment, round as u64).unwrap().with_threads(1 + round % 3);
        let recipes: Make<Recipe> = Arc::new(|_, recipe| recipe);
        let all = loader.epoch(1, 0, recipes.clone()).chain(loader.in_order(recipes));
        for recipe in all {
            let made = loader.make(&recipe);
            let expected: Vec<f32> =
                recipe.views.iter().flat_map(|view| slow(&loader, loader.images.bytes(), view)).collect();
            assert_eq!(made.x, expected);
            let (bytes, views) = loader.gather(&recipe);
            assert_eq!(bytes.len(), made.x.len());
            assert_eq!(loader.normalised(&bytes, &views), expected);
            for view in &recipe.views {
                // A clip lies in its video, unless that is too short.
                let last = view.start[0] + loader.images.span() as i32;
                assert!(last <= view.size[0] || view.start[0] == 0);
            }
        }
    }
}

#[test]
fn threads_change_nothing() {
    let images = images(50, &[6, 6, 3]);
    let one = plain(&images, 4, all());
    let whole: Vec<Batch> = epoch(&one, 3, 0).collect();
    for threads in [2, 3, 20] {
        let many = one.clone().with_threads(threads);
        assert_eq!(epoch(&many, 3, 0).collect::<Vec<_>>(), whole);
        assert_eq!(epoch(&many, 3, 7).collect::<Vec<_>>(), whole[7..]);
        assert_eq!(
            many.in_order(Loader::cpu()).collect::<Vec<_>>(),
            one.in_order(Loader::cpu()).collect::<Vec<_>>()
        );
        drop(epoch(&many, 0, 0));
        assert_eq!(Arc::strong_count(&many.table), 2);
    }
}

#[test]
fn a_panic_is_no_end() {
    let loader = plain(&images(8, &[4, 4, 1]), 2, all()).with_threads(2);
    let make: Make<u32> = Arc::new(|_, recipe| if recipe.labels.contains(&5) { panic!("five") } else { 0 });
    let count = std::panic::AssertUnwindSafe(|| loader.epoch(0, 0, make).count());
    let caught = std::panic::catch_unwind(count);
    assert_eq!(caught.unwrap_err().downcast_ref::<&str>(), Some(&"five"));
}

#[test]
fn clips() {
    let clip = Clip { step: 3, tests: 4 };
    let images = videos([4, 1, 2, 1], clip).unwrap();
    let loader = plain(&images, 2, Augment::default());
    assert_eq!(loader.clips_per_sample(), 4);
    let recipes: Make<Recipe> = Arc::new(|_, recipe| recipe);
    let all: Vec<Recipe> = loader.in_order(recipes.clone()).collect();
    assert_eq!(all.iter().flat_map(|r| r.labels.clone()).collect::<Vec<_>>(), [1, 1, 1, 1, 0, 0, 0, 0]);
    let starts: Vec<[i32; 3]> = all.iter().flat_map(|r| r.views.iter().map(|v| v.start)).collect();
    // Ten frames are reached over: from 0 to 4990, in the middle of what is stored.
    let expected = [0, 0, 0, 0, 0, 1663, 3326, 4990].map(|first| [first, 0, 0]);
    assert_eq!(starts, expected);
    assert_eq!(
        loader.make(&all[2]).x,
        [0, 3, 6, 9, 1663, 1666, 1669, 1672].map(|f| (f % 251) as f32).map(|f| [f, f]).concat()
    );
    // The short video loops.
    assert_eq!(loader.make(&all[0]).x[..8], [0.0; 8]);
    let mut one = images.clone();
    one.clip = Some(Clip { step: 3, tests: 1 });
    let middle: Vec<Recipe> = plain(&one, 2, Augment::default()).in_order(recipes.clone()).collect();
    assert_eq!(middle[0].views[1].start, [2495, 0, 0]);
    // Without any augmentation too, clips and windows are drawn.
    let mut seen = [
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
        std::collections::BTreeSet::new(),
    ];
    for number in 0..200 {
        for view in loader.epoch(number, 0, recipes.clone()).flat_map(|r| r.views) {
            if view.size[0] == 5000 {
                seen.iter_mut().zip(view.start).for_each(|(seen, start)| {
                    seen.insert(start);
                });
            }
            assert_eq!((view.flip, view.from, view.to), (0, [0; 3], [0; 3]));
        }
    }
    assert!(seen[0].len() > 180 && seen[0].iter().all(|f| (0..=4990).contains(f)));
    assert_eq!([&seen[1], &seen[2]].map(|s| s.iter().copied().collect::<Vec<_>>()), [[0, 1]; 2]);
}
