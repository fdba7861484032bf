//! Ctrl-C and termination signals: what is in flight finishes or is kept, nothing new starts.

use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
static STORED: AtomicBool = AtomicBool::new(false);

/// Installs the handler; a second signal ends the process at once (exit code 130).
pub fn install() {
    // It fails only if a handler is installed already, which then serves.
    let _ = ctrlc::set_handler(|| {
        if STORED.load(Ordering::SeqCst) {
            eprintln!("\nall replicates are stored; the same command goes on from here");
            end(3);
        }
        if STOP.swap(true, Ordering::SeqCst) {
            end(130);
        }
        eprintln!("\nstopping: what is done is kept; press Ctrl-C again to stop at once");
    });
}

/// Ends the process without the handlers of its libraries, which would take memory from threads that still compute.
fn end(code: i32) -> ! {
    use std::io::Write;
    let _ = std::io::stdout().flush();
    // SAFETY: ends the process, whatever its threads do.
    unsafe { libc::_exit(code) }
}

/// All results are stored: from now on a signal ends the process at once.
pub fn all_stored() {
    STORED.store(true, Ordering::SeqCst);
}

/// Whether a signal has come.
pub fn requested() -> bool {
    STOP.load(Ordering::SeqCst)
}
