//! Audit of real networks: how much redundancy is left, block by block.
//!
//! A model file or a name → [`Graph`](convstat_graph::Graph) → blocks → figures, spectra → advice, table and picture.
//!
//! ```
//! use convstat_audit::{Audit, LoadOptions, load};
//!
//! let model = load("resnet50", &LoadOptions::default())?;
//! let audit = Audit::new(&model.graph, None)?;
//! assert_eq!((audit.totals.blocks, audit.totals.largest_kr), (21, 4.0));
//! # Ok::<(), convstat_audit::AuditError>(())
//! ```

#![forbid(unsafe_code)]

pub mod advice;
pub mod audit;
pub mod block;
pub mod chain;
pub mod error;
pub mod factor;
pub mod figures;
pub mod form;
pub mod forms;
pub mod load;
pub mod output;
pub mod spectrum;
pub mod trained;

pub use advice::Advice;
pub use audit::{Audit, BlockAudit, Totals};
pub use error::AuditError;
pub use load::{LoadOptions, Model, load};
pub use trained::{Trained, TrainedRanks};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, AuditError>;
