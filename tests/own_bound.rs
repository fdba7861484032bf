//! The example `examples/own-bound`, a crate outside the workspace, tested as its user tests it.

#![cfg(test)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

// Links the BLAS that ndarray uses.
use convstat_tensor as _;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// `cargo test` there, with the bound times `factor`. It shares the workspace's lock file and target directory, so that only the
/// toolkit's own crates are built again.
fn cargo_test(factor: &str) -> (Output, String) {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["test", "--offline", "--release", "--lib", "--manifest-path"])
        .arg(root().join("examples/own-bound/Cargo.toml"))
        .args(["--", "--nocapture", "--test-threads", "1"])
        .env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap())
        .env("OWN_BOUND_FACTOR", factor)
        .env_remove("RUST_BACKTRACE");
    // Build scripts would run again for what cargo tells this test of its own package.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_MANIFEST_") || text.starts_with("CARGO_PKG_") {
            command.env_remove(&name);
        }
    }
    let output = command.output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output, text)
}

#[test]
fn a_right_bound_passes_and_one_too_small_fails() {
    std::fs::copy(root().join("Cargo.lock"), root().join("examples/own-bound/Cargo.lock")).unwrap();
    let (output, text) = cargo_test("1.0");
    assert!(output.status.success() && text.contains("2 passed; 0 failed"), "{text}");
    assert!(text.contains("0.95 quantile: holds at n = 100: "), "{text}");

    let (output, text) = cargo_test("0.9");
    assert!(!output.status.success() && text.contains("1 passed; 1 failed"), "{text}");
    assert!(text.contains("0.95 quantile: violated at n = 100: "), "{text}");
    assert!(text.contains("P(error > bound) is above 0.0500 (false alarm 1e-6)"), "{text}");
}

#[test]
fn the_example_is_short() {
    let code = std::fs::read_to_string(root().join("examples/own-bound/src/lib.rs")).unwrap();
    assert!(code.lines().count() < 100);
}
