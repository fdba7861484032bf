//! A training step as a CUDA graph: its launches are recorded once and then replayed as one.
//!
//! While one thread records, what others start on the GPU (libraries that load kernels, a device that is opened or closed) would
//! spoil the recording, and fail itself. So recording is done alone, and what may load, open or close enters by [`shared`];
//! replays and copies need not.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use candle_core::cuda_backend::cudarc;
use cudarc::driver::result;
use cudarc::driver::sys::{self, CUgraphInstantiate_flags, CUstreamCaptureMode};

use super::gpu::{Gpu, check};
use crate::Recorder;
use crate::Result;

/// Steps that run directly before one is recorded: libraries choose algorithms, buffers find their sizes.
const DIRECT: u32 = 2;
/// Attempts at recording.
const ATTEMPTS: usize = 5;

/// Who is at work in this process.
#[derive(Default)]
struct Work {
    shared: usize,
    recording: bool,
}

static WORK: Mutex<Work> = Mutex::new(Work { shared: 0, recording: false });
static CHANGED: Condvar = Condvar::new();

fn work() -> MutexGuard<'static, Work> {
    WORK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Nobody records while it lives.
#[derive(Debug)]
pub struct Shared(());

/// Waits for the end of a recording and keeps others from beginning. A thread that holds one may not ask for another: it would
/// wait for who waits for it.
pub fn shared() -> Shared {
    let mut now = CHANGED.wait_while(work(), |w| w.recording).unwrap_or_else(PoisonError::into_inner);
    now.shared += 1;
    Shared(())
}

impl Drop for Shared {
    fn drop(&mut self) {
        work().shared -= 1;
        CHANGED.notify_all();
    }
}

/// Nobody else works on a GPU while it lives, but for replays.
struct Exclusive(());

fn exclusive() -> Exclusive {
    let mut now = CHANGED.wait_while(work(), |w| w.recording).unwrap_or_else(PoisonError::into_inner);
    // Who comes now waits; who is there may finish.
    now.recording = true;
    let _now = CHANGED.wait_while(now, |w| w.shared > 0).unwrap_or_else(PoisonError::into_inner);
    Exclusive(())
}

impl Drop for Exclusive {
    fn drop(&mut self) {
        work().recording = false;
        CHANGED.notify_all();
    }
}

/// A recorded step.
struct Graph {
    graph: sys::CUgraph,
    executable: sys::CUgraphExec,
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: made by `record`, used by nobody else.
        unsafe {
            let _ = result::graph::exec_destroy(self.executable);
            let _ = result::graph::destroy(self.graph);
        }
    }
}

/// A step on a GPU.
pub struct Recording<'a> {
    gpu: &'a Gpu,
    direct: u32,
    graph: Option<Graph>,
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

    fn record(&self, body: &mut dyn FnMut() -> Result<()>) -> Result<Graph> {
        let _exclusive = exclusive();
        // What the direct steps used would else lie idle shared the graph's memory.
        self.gpu.trim()?;
        let stream = self.gpu.stream.cu_stream();
        check(self.gpu.stream.context().bind_to_thread(), "context")?;
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: the stream is this backend's own; the recording ends whatever the body says.
        unsafe {
            check(result::stream::begin_capture(stream, mode), "capture")?;
            let recorded = body();
            let graph = check(result::stream::end_capture(stream), "capture");
            // What failed while tensors were dropped would else be told to the next operation.
            let _ = self.gpu.stream.context().check_err();
            let graph = graph?;
            if let Err(e) = recorded {
                let _ = result::graph::destroy(graph);
                return Err(e);
            }
            let flag = CUgraphInstantiate_flags::CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH;
            match result::graph::instantiate(graph, flag) {
                Ok(executable) => Ok(Graph { graph, executable }),
                Err(e) => {
                    let _ = result::graph::destroy(graph);
                    check(Err(e), "graph")
                }
            }
        }
    }
}

impl Recorder for Recording<'_> {
    fn run(&mut self, body: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        if self.graph.is_none() && self.direct > 0 {
            self.direct = if self.direct == u32::MAX { u32::MAX } else { self.direct - 1 };
            let _shared = shared();
            return body();
        }
        // Nothing runs while it is recorded, so that it can be tried again.
        let mut reason = String::new();
        for _ in 0..ATTEMPTS {
            if self.graph.is_some() {
                break;
            }
            match self.record(body) {
                Ok(graph) => self.graph = Some(graph),
                Err(e) => {
                    reason = e.to_string();
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        if let Some(graph) = &self.graph {
            check(self.gpu.stream.context().bind_to_thread(), "context")?;
            // SAFETY: the trainer keeps the graph's tensors as long as this.
            let launched = unsafe { result::graph::launch(graph.executable, self.gpu.stream.cu_stream()) };
            let no_room = sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY;
            if !launched.is_err_and(|e| e.0 == no_room) {
                return check(launched, "graph launch");
            }
            // The direct steps fitted: a graph needs more.
            "no memory for it".clone_into(&mut reason);
            self.graph = None;
            self.gpu.trim()?;
        }
        eprintln!("warning: the training step is not recorded as a CUDA graph, it runs directly ({reason})");
        self.direct = u32::MAX;
        let _shared = shared();
        body()
    }
}

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        // The graph's memory may still be in use.
        let _ = self.gpu.wait();
        let _shared = shared();
        if self.graph.take().is_some() {
            let _ = self.gpu.trim();
        }
    }
}
