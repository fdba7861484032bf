//! Downloads data sets: resumed, checked, unpacked. The only part of the program that uses the network.
//!
//! A file goes to `NAME.part`, and to its name once its length and checksum are right; an archive is unpacked into a hidden
//! folder beside its place, and renamed when it is whole. So whatever is in place is whole, and the same command goes on after
//! any interruption. A new data set is a file in `sources` and a line in [`SETS`].

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

mod download;
mod http;
mod progress;
mod rar;
mod request;
mod run;
mod sink;
mod sources;
mod sums;
mod unpack;

pub use progress::{Phase, Progress};
pub use request::{FileReport, Patience, Report, Request, State};
pub use run::fetch;
pub use sources::{Action, Format, SETS, Source, sources_of};
pub use sums::{Digests, Sum, Sums};
