//! The example `examples/own-bound`, a crate outside the workspace, as its user runs it.
