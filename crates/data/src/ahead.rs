//! Batches that threads make ahead of the compute, in order.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

/// What is made of the batches of an epoch, in order.
#[derive(Debug)]
pub struct Epoch<T> {
    lanes: Vec<Lane<T>>,
    next: usize,
}

/// A thread that makes batches.
#[derive(Debug)]
struct Lane<T> {
    receiver: Option<Receiver<T>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Epoch<T> {
    /// What `make` makes of the batches `range`, each of the threads every `threads`-th of them; up to `ahead` wait in all.
    pub(crate) fn start(
        range: Range<usize>,
        threads: usize,
        ahead: usize,
        make: impl Fn(usize) -> T + Send + Sync + 'static,
    ) -> Self {
        let make = Arc::new(make);
        let lane = |offset: usize| {
            let (sender, receiver): (SyncSender<T>, _) = sync_channel((ahead / threads).max(1));
            let make = make.clone();
            let mine = range.clone().skip(offset).step_by(threads);
            // No rayon here: a consumer that waits inside a rayon pool could hold the last thread this one needs.
            let thread = std::thread::spawn(move || {
                for i in mine {
                    // The other end is gone: nobody wants the rest.
                    if sender.send(make(i)).is_err() {
                        return;
                    }
                }
            });
            Lane { receiver: Some(receiver), thread: Some(thread) }
        };
        Self { lanes: (0..threads).map(lane).collect(), next: 0 }
    }
}

impl<T> Iterator for Epoch<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let at = self.next % self.lanes.len().max(1);
        let lane = self.lanes.get_mut(at)?;
        let item = lane.receiver.as_ref()?.recv().ok();
        // A thread that panicked must not look like the end of the epoch.
        if item.is_none()
            && let Some(Err(panic)) = lane.thread.take().map(JoinHandle::join)
        {
            std::panic::resume_unwind(panic);
        }
        self.next += usize::from(item.is_some());
        item
    }
}

impl<T> Drop for Epoch<T> {
    fn drop(&mut self) {
        // Without its receiver a thread ends after the batch in hand.
        self.lanes.iter_mut().for_each(|lane| lane.receiver = None);
        for thread in self.lanes.iter_mut().filter_map(|lane| lane.thread.take()) {
            let _ = thread.join();
        }
    }
}
