//! Built-in networks, by the names that torchvision gives them, with layers called as there (`layer1.0.conv1`).
//!
//! They are architectures without weights; layers, parameters and multiply–accumulates are those of PyTorch's modules.
//! The table of a family stands in its file; a new family is one file and one line in `FAMILIES`.
//!
//! ```
//! use convstat_graph::catalogue::{CatalogueOptions, network};
//!
//! let graph = network("resnet50", &CatalogueOptions::default())?;
//! assert_eq!(graph.parameters(), 25_557_032);
//! # Ok::<(), convstat_graph::GraphError>(())
//! ```

mod alexnet;
mod blocks;
mod builder;
mod convnext;
mod densenet;
mod efficientnet;
mod mobilenet_v1;
mod mobilenet_v2;
mod mobilenet_v3;
mod network;
mod resnet;
mod shufflenet_v1;
mod shufflenet_v2;
mod squeezenet;
mod vgg;
mod video;
mod window;

use convstat_text::nearest;

pub use network::{CatalogueOptions, Network};

use crate::{Graph, GraphError, Result};

/// All networks, family by family.
const FAMILIES: &[&[Network]] = &[
    alexnet::NETWORKS,
    vgg::NETWORKS,
    squeezenet::NETWORKS,
    resnet::NETWORKS,
    densenet::NETWORKS,
    mobilenet_v1::NETWORKS,
    mobilenet_v2::NETWORKS,
    mobilenet_v3::NETWORKS,
    shufflenet_v1::NETWORKS,
    shufflenet_v2::NETWORKS,
    efficientnet::NETWORKS,
    convnext::NETWORKS,
    video::NETWORKS,
    resnet::NETWORKS_3D,
];

/// All entries, family by family.
pub fn networks() -> impl Iterator<Item = &'static Network> {
    FAMILIES.iter().copied().flatten()
}

/// The names of all entries, without aliases.
pub fn names() -> Vec<&'static str> {
    networks().map(|n| n.name).collect()
}

/// The entry of a name or alias. Only letters and digits count, upper and lower case alike: `ResNet-50` is
/// `resnet50`.
///
/// # Errors
/// [`GraphError::UnknownName`], with the nearest name.
pub fn find(name: &str) -> Result<&'static Network> {
    let wanted = plain(name);
    let hit = networks().find(|n| n.aliases.iter().chain([&n.name]).any(|known| plain(known) == wanted));
    hit.ok_or_else(|| {
        // All names are too many for a message.
        let nearest = nearest(&name.to_lowercase(), networks().map(|n| n.name));
        GraphError::UnknownName { name: name.to_owned(), hint: format!("{nearest} (audit --list names all)") }
    })
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The network of a name or alias, which reads 3 channels.
///
/// # Errors
/// [`GraphError::UnknownName`]; [`GraphError::BadOption`] for another number of spatial sizes than the network has, a size
/// or a number of classes that is 0 or huge, or an input that is smaller than a window.
pub fn network(name: &str, options: &CatalogueOptions) -> Result<Graph> {
    find(name)?.graph(options)
}
