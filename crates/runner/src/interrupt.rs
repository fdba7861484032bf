//! Ctrl-C and termination signals: what is in flight finishes, nothing new starts.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// Installs the handler; a second signal ends the process at once (exit code 130).
pub fn install() {
    // It fails only if a handler is installed already, which then serves.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
        eprintln!("\nfinishing the replicates in flight; press Ctrl-C again to stop at once");
    });
}

/// Whether a signal has come.
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
