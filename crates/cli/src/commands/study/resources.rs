//! Threads and memory of a study.

use convstat::study::estimate_cost::Cost;

/// Memory that a cell takes in plan, summary and table, measured on a study of a million.
const BYTES_A_CELL: f64 = 1500.0;

/// Bytes of memory that a study takes on `threads` threads.
pub fn memory(cost: &Cost, threads: usize) -> f64 {
    30e6 + threads as f64 * cost.memory_a_thread + cost.cells as f64 * BYTES_A_CELL
}

/// Threads that were asked for; 0 is one a processor.
pub fn threads(asked: usize) -> usize {
    if asked > 0 { asked } else { std::thread::available_parallelism().map_or(1, usize::from) }
}
