//! The documentation of `convstat-train`: its reference, and the sessions of pages that run it.

#[path = "support/help.rs"]
mod help;
#[path = "support/pages.rs"]
mod pages;
#[path = "support/session.rs"]
mod session;

use std::path::Path;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convstat-train");

#[test]
fn the_command_line_reference_is_the_programs_help() {
    help::check(Path::new(PROGRAM), "convstat-train", "cli-train.md");
}

#[test]
fn sessions_print_what_pages_show() {
    let ran: usize = pages::pages().iter().map(|p| session::run_page(p, Path::new(PROGRAM), "train")).sum();
    assert!(ran >= 1);
}
