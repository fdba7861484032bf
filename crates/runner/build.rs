//! Records the commit the program is built from, if there is one.

use std::process::Command;

fn main() {
    let commit = Command::new("git")
        .args(["rev-parse", "--short=12", "HEAD"])
        .output()
        .ok()
        .filter(|o| o.status.success())
        .and_then(|o| String::from_utf8(o.stdout).ok());
    println!("cargo:rustc-env=CONVSTAT_COMMIT={}", commit.as_deref().map_or("unknown", str::trim));
    if std::path::Path::new("../../.git/HEAD").exists() {
        println!("cargo:rerun-if-changed=../../.git/HEAD");
        println!("cargo:rerun-if-changed=../../.git/refs/heads");
    }
    println!("cargo:rerun-if-changed=build.rs");
}
