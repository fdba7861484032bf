//! Data sets: images in memory and videos in a mapped file, and batches made of them; and where the sets come from.
//!
//! * [`load`], [`DataSpec`]: a data set by its name, one file a set in [`DATASETS`].
//! * [`Images`], [`View`]: samples without copies, and how one is cut.
//! * [`Loader`]: batches, shuffled, augmented, normalised, made ahead of the compute; plain arrays.
//! * [`fetch`](mod@fetch): downloads the data sets that are not built in.
//!
//! ```
//! # fn main() -> convstat_data::Result<()> {
//! let digits = convstat_data::load("digits", None, 1)?;
//! let loader =
//!     convstat_data::Loader::new(digits.train.clone(), digits.normalisation(), 32, Default::default(), 1)?;
//! let batch = loader.epoch(0, 0, convstat_data::Loader::cpu()).next().unwrap();
//! assert_eq!((batch.shape, batch.labels.len()), (vec![32, 8, 8, 1], 32));
//! # Ok(())
//! # }
//! ```

mod ahead;
mod augment;
mod dataset;
pub mod error;
pub mod fetch;
mod images;
mod loader;
mod normalisation;
mod sets;
mod spec;
mod view;

pub use ahead::Epoch;
pub use augment::Augment;
pub use dataset::Dataset;
pub use error::{DataError, Result};
pub use images::{Clip, Images, Record, Store};
pub use loader::{Batch, Loader, Make, Recipe};
pub use normalisation::Normalisation;
pub use sets::{DATASETS, Reader, load};
pub use spec::{ClipSpec, DataSpec};
pub use view::View;
