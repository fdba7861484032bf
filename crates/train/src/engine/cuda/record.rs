//! A training step as a CUDA graph: its launches are recorded once and then replayed as one.

use std::sync::{Mutex, MutexGuard};

use candle_core::cuda_backend::cudarc;
use cudarc::driver::CudaGraph;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

use super::gpu::{Gpu, check};
use crate::Result;
use crate::engine::Recorder;

/// Steps that run directly before one is recorded: libraries choose algorithms, buffers find their sizes.
const DIRECT: u32 = 2;

/// Attempts at recording: a network that starts or ends beside this one can spoil a recording.
const ATTEMPTS: usize = 5;

/// Held by who records and by who opens a GPU: neither may happen during the other.
static ALONE: Mutex<()> = Mutex::new(());

/// Nobody records while this is held.
pub fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A step on a GPU.
pub struct Recording<'a> {
    gpu: &'a Gpu,
    direct: u32,
    graph: Option<CudaGraph>,
}

impl std::fmt::Debug for Recording<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Recording({})", if self.graph.is_some() { "recorded" } else { "direct" })
    }
}

impl<'a> Recording<'a> {
    /// Records after the first steps, or never.
    pub fn new(gpu: &'a Gpu, records: bool) -> Self {
        Self { gpu, direct: if records { DIRECT } else { u32::MAX }, graph: None }
    }

    fn record(&self, body: &mut dyn FnMut() -> Result<()>) -> Result<Option<CudaGraph>> {
        let _alone = alone();
        // What the direct steps used would else lie idle beside the graph's memory.
        self.gpu.trim()?;
        let stream = &self.gpu.stream;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        check(stream.begin_capture(mode), "capture")?;
        let result = body();
        let flag = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
        let graph = check(stream.end_capture(flag), "capture");
        result?;
        graph
    }
}

impl Recorder for Recording<'_> {
    fn run(&mut self, body: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        if self.graph.is_none() && self.direct > 0 {
            self.direct = if self.direct == u32::MAX { u32::MAX } else { self.direct - 1 };
            return body();
        }
        if self.graph.is_none() {
            // Nothing runs while it is recorded, so that it can be tried again.
            let mut reason = String::new();
            for _ in 0..ATTEMPTS {
                match self.record(body) {
                    Ok(graph) => self.graph = graph,
                    Err(e) => reason = e.to_string(),
                }
                if self.graph.is_some() {
                    break;
                }
            }
            if self.graph.is_none() {
                eprintln!(
                    "warning: the training step is not recorded as a CUDA graph, it runs directly ({reason})"
                );
                self.direct = u32::MAX;
                return body();
            }
        }
        match &self.graph {
            Some(graph) => check(graph.launch(), "graph launch"),
            None => body(),
        }
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        // The graph's memory may still be in use.
        let _ = self.gpu.wait();
    }
}
