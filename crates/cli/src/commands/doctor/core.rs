//! What studies, theory and fits need: BLAS, processors, memory, disk.

use std::time::Instant;

use convstat::tensor::blas;
use ndarray::Array2;

use super::finding::{Finding, State};

/// Size of the matrices whose product is timed: in cache no longer, done in a tenth of a second.
const SIZE: usize = 1024;
/// The best of so many counts: others work on the machine too.
const TIMES: usize = 3;

/// Memory and disk below which a usual study does not fit, in GiB.
const LEAST_MEMORY: f64 = 1.0;
const LEAST_DISK: f64 = 0.5;

const GIB: f64 = (1u64 << 30) as f64;

pub fn findings() -> Vec<Finding> {
    vec![linear_algebra(), processors(), memory(), disk()]
}

/// GFLOP/s of a product of two matrices of float64.
fn product_rate() -> f64 {
    let matrix = |shift: usize| {
        Array2::from_shape_fn((SIZE, SIZE), |(i, j)| ((i * 31 + j * 17 + shift) % 97) as f64 - 48.0)
    };
    let (a, b) = (matrix(0), matrix(5));
    let mut best = 0f64;
    for _ in 0..TIMES {
        let started = Instant::now();
        let c = std::hint::black_box(&a).dot(std::hint::black_box(&b));
        let seconds = started.elapsed().as_secs_f64();
        std::hint::black_box(c);
        best = best.max(2.0 * (SIZE as f64).powi(3) / seconds / 1e9);
    }
    best
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn linear_algebra() -> Finding {
    const FOR: &str = "all computations";
    if let Err(e) = blas::single_thread() {
        return Finding::new("BLAS", FOR, State::Bad, e.to_string());
    }
    let one = product_rate();
    let all = match blas::set_threads(threads()) {
        Ok(()) => product_rate(),
        Err(_) => one,
    };
    // Studies run replicates on all threads with BLAS on one.
    let _ = blas::single_thread();
    let kernel = blas::description();
    let found = format!(
        "{kernel}; {SIZE} x {SIZE} product {one:.1} GFLOP/s on one thread, {all:.1} on {}",
        threads()
    );
    let numbers = serde_json::json!({
        "blas": kernel, "gflops_one_thread": one, "gflops_all_threads": all, "threads": threads(),
    });
    let finding = Finding::new("BLAS", FOR, State::Ok, found).numbers(numbers);
    // A processor of the last ten years does more than this with a kernel made for it.
    if one < 2.0 {
        return Finding { state: State::Note, ..finding }
            .mend("slow: install the pthread build of OpenBLAS (Debian: libopenblas0-pthread), or look what else runs");
    }
    finding
}

fn processors() -> Finding {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("a processor that is not named", |(_, m)| m.trim());
    let mut found = format!("{model}, {} threads", threads());
    let mut finding = State::Ok;
    if let Ok(limit) = std::env::var("RAYON_NUM_THREADS") {
        found += &format!("; RAYON_NUM_THREADS={limit} limits runs without --threads");
        finding = State::Note;
    }
    Finding::new("processor", "replicates in parallel (--threads)", finding, found)
        .numbers(serde_json::json!({ "model": model, "threads": threads() }))
}

/// An entry of /proc/meminfo in bytes.
fn memory_entry(text: &str, key: &str) -> Option<f64> {
    let rest = text.lines().find_map(|l| l.strip_prefix(key))?.strip_prefix(':')?;
    rest.split_whitespace().next()?.parse::<f64>().ok().map(|kib| kib * 1024.0)
}

/// What the group of processes may take; none without a limit.
fn group_limit() -> Option<f64> {
    ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]
        .into_iter()
        .find_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<f64>().ok())
}

fn memory() -> Finding {
    const FOR: &str = "arrays (--memory sets the largest); study plan says what a study takes";
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (Some(total), Some(free)) = (memory_entry(&text, "MemTotal"), memory_entry(&text, "MemAvailable"))
    else {
        return Finding::new("memory", FOR, State::Note, "not known on this system");
    };
    let limit = group_limit().filter(|l| *l < total);
    let mut found = format!("{:.1} GiB, {:.1} free", total / GIB, free / GIB);
    if let Some(limit) = limit {
        found += &format!("; limited to {:.1} GiB here", limit / GIB);
    }
    let usable = limit.unwrap_or(total).min(free);
    let numbers = serde_json::json!({ "total_bytes": total, "free_bytes": free, "limit_bytes": limit });
    let finding = Finding::new("memory", FOR, State::Ok, found).numbers(numbers);
    if usable < LEAST_MEMORY * GIB {
        return Finding { state: State::Note, ..finding }.mend("little: run with fewer --threads");
    }
    finding
}

fn disk() -> Finding {
    const FOR: &str = "run directories, in this folder unless --out says otherwise";
    let here = std::env::current_dir().unwrap_or_default();
    let probe = here.join(format!(".convstat-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"probe");
    let _ = std::fs::remove_file(&probe);
    let free = rustix::fs::statvfs(&here).map(|s| s.f_bavail as f64 * s.f_frsize as f64).ok();
    let numbers = serde_json::json!({ "free_bytes": free, "writable": written.is_ok() });
    let room = free.map_or("free space not known".to_owned(), |f| format!("{:.1} GiB free", f / GIB));
    let place = here.display();
    match (written, free) {
        (Err(e), _) => {
            Finding::new("disk", FOR, State::Note, format!("{room}; cannot write in {place}: {e}"))
                .mend("go to a folder of yours, or give --out")
                .numbers(numbers)
        }
        (Ok(()), Some(f)) if f < LEAST_DISK * GIB => {
            Finding::new("disk", FOR, State::Note, format!("{room} in {place}"))
                .mend("make room, or give --out on another disk")
                .numbers(numbers)
        }
        (Ok(()), _) => Finding::new("disk", FOR, State::Ok, format!("{room} in {place}")).numbers(numbers),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_bytes() {
        let text = "MemTotal:       16314420 kB\nMemAvailable:    9000000 kB\n";
        assert_eq!(memory_entry(text, "MemTotal"), Some(16_314_420.0 * 1024.0));
        assert_eq!(memory_entry(text, "MemFree"), None);
    }
}
