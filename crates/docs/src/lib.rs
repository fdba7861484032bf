//! The Rust blocks of README and book as doctests. A crate of its own, which is not published: the pages lie outside the crates that are.

/// Includes pages, each a path from the root of the repository.
macro_rules! pages {
    ($($name:ident: $path:literal),* $(,)?) => {
        $(
            #[cfg(doctest)]
            #[doc = include_str!(concat!("../../../", $path))]
            pub struct $name;
        )*
    };
}

pages! {
    Readme: "README.md",
    OwnBound: "docs/src/tutorial/own-bound.md",
    OwnEstimator: "docs/src/how-to/own-estimator.md",
    Streaming: "docs/src/how-to/streaming.md",
    Extend: "docs/src/how-to/extend.md",
}
