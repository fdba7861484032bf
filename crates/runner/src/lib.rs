//! Cells and replicates: streams, threads, store, resume and progress
