//! Tensors of one module together (`weight`, `bias`, running statistics), modules in the order in which they run.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::order::{Place, place};
use super::tensors::Tensor;

/// One module with parameters of its own.
#[derive(Debug)]
pub(super) struct Module {
    /// Its name: that of its tensors without the last piece.
    pub path: String,
    pub kind: Kind,
}

/// What a module is, by the shapes of its tensors.
#[derive(Debug)]
pub(super) enum Kind {
    /// A weight of three to five modes.
    Conv { weight: Tensor, bias: bool },
    /// A weight of two modes.
    Linear { weight: Tensor, bias: bool },
    /// Channels, trained parameters, and whether it keeps running statistics.
    Norm { channels: usize, parameters: usize, running: bool },
    /// PReLU.
    Activation { parameters: usize },
    /// Parameters of another kind: embeddings, tokens, scales.
    Other { parameters: usize },
}

#[derive(Default)]
struct Parts {
    weight: Option<Tensor>,
    bias: Option<Tensor>,
    running: Option<Tensor>,
}

/// Modules in order.
pub(super) fn modules(tensors: Vec<Tensor>) -> Vec<Module> {
    let mut parts: BTreeMap<String, Parts> = BTreeMap::new();
    let mut all = Vec::new();
    for tensor in tensors {
        let (path, leaf) = tensor.name.rsplit_once('.').unwrap_or((tensor.name.as_str(), ""));
        let path = path.to_owned();
        match leaf {
            "weight" => parts.entry(path).or_default().weight = Some(tensor),
            "bias" => parts.entry(path).or_default().bias = Some(tensor),
            "running_mean" => parts.entry(path).or_default().running = Some(tensor),
            "running_var" | "num_batches_tracked" => {}
            _ => all.push(Module { path: tensor.name, kind: Kind::Other { parameters: tensor.entries } }),
        }
    }
    all.extend(parts.into_iter().map(|(path, parts)| Module { kind: kind(&path, parts), path }));
    sorted(all)
}

fn kind(path: &str, parts: Parts) -> Kind {
    let last = path.rsplit('.').next().unwrap_or_default().to_lowercase();
    let bias = parts.bias.as_ref().map_or(0, |b| b.entries);
    let Some(weight) = parts.weight else {
        return match parts.running {
            Some(running) => Kind::Norm { channels: running.entries, parameters: bias, running: true },
            None => Kind::Other { parameters: bias },
        };
    };
    let parameters = weight.entries.saturating_add(bias);
    let running = parts.running.is_some();
    let has_bias = parts.bias.is_some();
    let embedding = last.contains("embed") || ["wte", "wpe"].contains(&last.as_str());
    match weight.shape.len() {
        _ if weight.entries == 0 => Kind::Other { parameters },
        3..=5 => Kind::Conv { weight, bias: has_bias },
        2 if embedding => Kind::Other { parameters },
        2 => Kind::Linear { weight, bias: has_bias },
        1 if last.contains("prelu") || (last.starts_with("act") && !has_bias) => {
            Kind::Activation { parameters }
        }
        1 if running || has_bias || last.contains("norm") => {
            Kind::Norm { channels: weight.entries, parameters, running }
        }
        _ => Kind::Other { parameters },
    }
}

/// In the order in which they run.
fn sorted(modules: Vec<Module>) -> Vec<Module> {
    let paths: Vec<String> = modules.iter().map(|m| m.path.clone()).collect();
    let mut siblings: HashMap<&str, HashSet<&str>> = HashMap::new();
    for path in &paths {
        for (parent, piece) in pieces(path) {
            siblings.entry(parent).or_default().insert(piece);
        }
    }
    let none = HashSet::new();
    let key = |path: &'_ str| -> Vec<(u64, String, u64)> {
        let owned = |(rank, letters, number): Place| (rank, letters.to_owned(), number);
        pieces(path)
            .map(|(parent, piece)| owned(place(piece, siblings.get(parent).unwrap_or(&none))))
            .collect()
    };
    let mut keyed: Vec<_> = modules.into_iter().map(|m| (key(&m.path), m)).collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    keyed.into_iter().map(|(_, module)| module).collect()
}

/// Pieces of a name, each with all before it.
fn pieces(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut at = 0;
    path.split('.').map(move |piece| {
        let parent = path.get(..at).unwrap_or_default();
        at += piece.len() + 1;
        (parent, piece)
    })
}
