//! A training step as a CUDA graph: its launches are recorded once and then replayed as one.

use candle_core::cuda_backend::cudarc;
use cudarc::driver::CudaGraph;
use cudarc::driver::sys::{CUgraphInstantiate_flags, CUstreamCaptureMode};

use super::gpu::{Gpu, check};
use crate::Result;
use crate::engine::Recorder;

/// Steps that run directly before one is recorded: libraries choose algorithms, buffers find their sizes.
const DIRECT: u32 = 2;

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
            match self.record(body) {
                Ok(Some(graph)) => self.graph = Some(graph),
                Ok(None) | Err(_) => {
                    // Nothing has run: the step is done directly, as all that follow.
                    eprintln!(
                        "warning: the training step cannot be recorded as a CUDA graph; it runs directly"
                    );
                    self.direct = u32::MAX;
                    return body();
                }
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
