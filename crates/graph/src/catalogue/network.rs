//! An entry of the catalogue, and how families write theirs.

use super::builder::{Builder, Maps};
use crate::{Graph, GraphError, Result};

/// Largest spatial size and number of classes: beyond any use, and counts still fit their integers.
const MAX_SIZE: usize = 8192;
const MAX_CLASSES: usize = 1 << 24;

/// Makes a network from its input and the number of classes.
type Build = fn(&mut Builder, &Maps, usize) -> Result<Maps>;

/// A network of the catalogue.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Network {
    /// Its name, as torchvision spells it.
    pub name: &'static str,
    /// Other names.
    pub aliases: &'static [&'static str],
    /// Its name in text.
    pub title: &'static str,
    /// The paper that published it.
    pub source: &'static str,
    /// Default spatial sizes: `[height, width]`, or `[frames, height, width]`.
    pub input: &'static [usize],
    /// Default number of classes.
    pub classes: usize,
    build: Build,
}

/// What entries of families take over: 1000 classes of images.
pub(super) const IMAGENET: Network = Network {
    name: "",
    aliases: &[],
    title: "",
    source: "",
    input: &[224, 224],
    classes: 1000,
    build: |_, x, _| Ok(x.clone()),
};

/// 400 classes of clips.
pub(super) const KINETICS: Network = Network { input: &[16, 112, 112], classes: 400, ..IMAGENET };

/// What may differ from the published network.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CatalogueOptions {
    /// Spatial sizes: `[height, width]` or one size for both; `[frames, height, width]` for clips. Default: the
    /// network's.
    pub input: Option<Vec<usize>>,
    /// Number of classes. Default: the network's.
    pub classes: Option<usize>,
}

/// How families write their entries.
impl Network {
    pub(super) const fn by(self, source: &'static str) -> Self {
        Self { source, ..self }
    }

    pub(super) const fn of(self, name: &'static str, title: &'static str, build: Build) -> Self {
        Self { name, title, build, ..self }
    }

    pub(super) const fn alias(self, aliases: &'static [&'static str]) -> Self {
        Self { aliases, ..self }
    }

    pub(super) const fn input(self, input: &'static [usize]) -> Self {
        Self { input, ..self }
    }
}

impl Network {
    /// Its graph.
    ///
    /// # Errors
    /// [`GraphError::BadOption`] for another number of spatial sizes than the network has, a size or a number of classes that
    /// is 0 or huge, or an input that is smaller than a window.
    pub fn graph(&self, options: &CatalogueOptions) -> Result<Graph> {
        let sizes = self.sizes(options.input.as_deref())?;
        let classes = options.classes.unwrap_or(self.classes);
        if !(1..=MAX_CLASSES).contains(&classes) {
            let mend = format!("choose a number of classes from 1 to {MAX_CLASSES}");
            return Err(GraphError::BadOption { option: "classes", value: classes.to_string(), mend });
        }
        let (mut builder, input) = Builder::new(self.name, 3, &sizes);
        let output = (self.build)(&mut builder, &input, classes)?;
        Ok(builder.finish(&output))
    }

    /// Spatial sizes of the input.
    fn sizes(&self, given: Option<&[usize]>) -> Result<Vec<usize>> {
        let bad = |mend: String| {
            let value: Vec<String> = given.unwrap_or_default().iter().map(usize::to_string).collect();
            Err(GraphError::BadOption { option: "input", value: value.join("x"), mend })
        };
        let images = self.input.len() == 2;
        let sizes = match given {
            None => self.input.to_vec(),
            Some(&[side]) if images => vec![side, side],
            Some(sizes) if sizes.len() == self.input.len() => sizes.to_vec(),
            Some(_) if images => return bad(format!("{} takes height and width, 224x224 or 224", self.name)),
            Some(_) => return bad(format!("{} takes frames, height and width, 16x112x112", self.name)),
        };
        if sizes.iter().any(|s| !(1..=MAX_SIZE).contains(s)) {
            return bad(format!("choose sizes from 1 to {MAX_SIZE}"));
        }
        Ok(sizes)
    }
}
