//! Text that users write: spelling help, and TOML whose errors name the key and its place.
//!
//! * [`spelling`]: the known name that is most like a word.
//! * [`KeyPath`]: where in a document a value is, for instance `estimator.1.lambda`.
//! * [`parse`]: a TOML text as a value; [`Document::place`]: the bytes of a key path.
//! * [`flattened`]: two types that share one table.
//! * [`Diagnostic`]: what is wrong, where, and what to do.
//!
//! ```
//! use serde::Deserialize;
//!
//! #[derive(Debug, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Noise {
//!     sigma: f64,
//! }
//!
//! let text = "sigma = 1.0\nsgima = 2.0\n";
//! let error = convstat_text::parse::<Noise>(text).unwrap_err();
//! assert_eq!(error.message, "unknown field `sgima`, expected `sigma`");
//! assert_eq!(error.help.as_deref(), Some("did you mean \"sigma\"? (known: sigma)"));
//! assert_eq!(&text[error.span.unwrap()], "sgima = 2.0");
//! ```

#![forbid(unsafe_code)]

mod deserialize;
mod diagnostic;
mod document;
mod fault;
mod flat;
mod item;
mod path;
pub mod spelling;

pub use diagnostic::{Diagnostic, UnknownWord};
pub use document::{Document, from_table, line_and_column, parse};
pub use flat::{flattened, keys_of, read_part};
pub use path::{KeyPath, Step};
pub use spelling::{nearest, suggestion};
