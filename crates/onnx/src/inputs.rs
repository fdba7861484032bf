//! Shapes of the inputs: the file's, the user's, and what is assumed of the rest.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use convstat_graph::Result;

use crate::options::bad;
use crate::proto::{Dim, GraphProto, ValueInfo};
use crate::tensor::Kind;
use crate::{InputSize, OnnxOptions};

/// Height and width that are assumed of images.
const IMAGE: usize = 224;
/// Frames, height and width that are assumed of videos.
const VIDEO: [usize; 3] = [16, 112, 112];

/// An input of the network.
pub(crate) struct Input<'m> {
    pub name: &'m str,
    pub kind: Kind,
    pub shape: Option<Vec<Option<usize>>>,
    /// Its value, if the user gives one.
    pub value: Option<Rc<[Option<f64>]>>,
}

/// The inputs of a network.
pub(crate) struct Inputs<'m> {
    pub list: Vec<Input<'m>>,
    /// Size of the batch that shapes have.
    pub batch: usize,
    /// Whether the shapes that the file declares hold: no size was chosen here or by the user, but the batch.
    pub declared: bool,
}

fn size(dim: &Dim) -> Option<usize> {
    match dim {
        Dim::Size(n) => usize::try_from(*n).ok().filter(|&n| n > 0 && n <= 1 << 32),
        _ => None,
    }
}

/// Shapes of the inputs of a graph.
pub(crate) fn inputs<'m>(
    graph: &'m GraphProto,
    options: &OnnxOptions,
    notes: &mut Vec<String>,
) -> Result<Inputs<'m>> {
    // Files of IR version 3 list the initialisers among the inputs.
    let stored: HashSet<&str> = graph.initializers.iter().map(|t| t.name.as_str()).collect();
    let values: Vec<&ValueInfo> = graph.inputs.iter().filter(|v| !stored.contains(v.name.as_str())).collect();
    let mut given: HashMap<&str, &InputSize> = HashMap::new();
    for option in &options.inputs {
        let name = option.name.as_deref().or(values.first().map(|v| v.name.as_str())).unwrap_or_default();
        let symbol = |v: &&ValueInfo| v.dims.iter().flatten().any(|d| *d == Dim::Symbol(name.to_owned()));
        if !values.iter().any(|v| v.name == name || option.sizes.len() == 1 && symbol(v)) {
            let names: Vec<&str> = values.iter().map(|v| v.name.as_str()).take(20).collect();
            return Err(bad(&option.to_string(), format!("the inputs are {}", names.join(", "))));
        }
        given.insert(name, option);
    }
    let first = values.iter().find(|v| v.dims.as_ref().is_some_and(|d| d.len() >= 2)).or(values.first());
    let mut batch = first.and_then(|v| size(v.dims.as_ref()?.first()?)).unwrap_or(1);
    let symbol = first.and_then(|v| v.dims.as_ref()?.first());
    if let Some(option) = first.and_then(|v| given.get(v.name.as_str())) {
        let rank = first.and_then(|v| v.dims.as_ref()).map(Vec::len);
        if rank.is_none_or(|rank| rank == option.sizes.len()) {
            batch = option.sizes.first().copied().unwrap_or(1);
        }
    }
    if let Some(option) =
        symbol.and_then(|s| if let Dim::Symbol(s) = s { given.get(s.as_str()) } else { None })
    {
        batch = option.sizes.first().copied().unwrap_or(1);
    }
    let mut all = Inputs { list: Vec::new(), batch, declared: true };
    for value in values {
        let input = one(value, symbol, batch, &given, &mut all.declared, notes)?;
        all.list.push(input);
    }
    Ok(all)
}

fn one<'m>(
    value: &'m ValueInfo,
    batch_symbol: Option<&Dim>,
    batch: usize,
    given: &HashMap<&str, &InputSize>,
    declared: &mut bool,
    notes: &mut Vec<String>,
) -> Result<Input<'m>> {
    let kind = Kind(value.kind);
    let input = |shape| Input { name: &value.name, kind, shape, value: None };
    let own = given.get(value.name.as_str());
    let Some(dims) = &value.dims else {
        *declared &= own.is_none();
        return Ok(input(own.map(|o| o.sizes.iter().map(|&s| Some(s)).collect())));
    };
    if let Some(option) = own {
        *declared = false;
        let sizes = &option.sizes;
        if dims.len() <= 1 && sizes.len() == 1 && !kind.is_float() {
            let number = sizes.first().map(|&s| s as f64);
            return Ok(Input { value: Some(Rc::new([number])), ..input(Some(vec![Some(1); dims.len()])) });
        }
        let shape: Vec<Option<usize>> = match dims.len().checked_sub(sizes.len()) {
            Some(0) => sizes.iter().map(|&s| Some(s)).collect(),
            Some(1) => std::iter::once(batch).chain(sizes.iter().copied()).map(Some).collect(),
            _ => {
                return Err(bad(&option.to_string(), format!("\"{}\" has {} sizes", value.name, dims.len())));
            }
        };
        return Ok(input(Some(shape)));
    }
    let mut shape: Vec<Option<usize>> = dims
        .iter()
        .enumerate()
        .map(|(mode, dim)| match dim {
            Dim::Symbol(name) if given.contains_key(name.as_str()) => {
                given.get(name.as_str()).and_then(|o| o.sizes.first().copied())
            }
            Dim::Symbol(_) if Some(dim) == batch_symbol => Some(batch),
            dim => size(dim).or(if mode == 0 { Some(batch) } else { None }),
        })
        .collect();
    *declared &= !dims.iter().any(|d| matches!(d, Dim::Symbol(s) if given.contains_key(s.as_str())));
    if !shape.contains(&None) {
        return Ok(input(Some(shape)));
    }
    *declared = false;
    let before = shape.clone();
    assume(&mut shape, kind);
    let text = |shape: &[Option<usize>]| {
        let sizes: Vec<String> = shape.iter().map(|s| s.map_or("?".to_owned(), |s| s.to_string())).collect();
        sizes.join("x")
    };
    let name = &value.name;
    notes.push(if shape.contains(&None) {
        format!(
            "input \"{name}\" is {}: what depends on the open sizes has no shape and counts no multiply-accumulates; \
             give --input {name}=SIZES",
            text(&before)
        )
    } else {
        format!("input \"{name}\" is {}, taken as {}; --input {name}=SIZES says otherwise", text(&before), text(&shape))
    });
    Ok(input(Some(shape)))
}

/// Fills in the usual sizes of images and videos.
fn assume(shape: &mut [Option<usize>], kind: Kind) {
    let few = |s: Option<usize>| s.is_some_and(|s| s <= 4);
    let usual: Vec<Option<usize>> = match shape {
        // Channels last, as TensorFlow has them.
        [_, a, _, c] if few(*c) && !few(*a) => vec![None, Some(IMAGE), Some(IMAGE), None],
        [_, _, _, _] => vec![None, Some(3), Some(IMAGE), Some(IMAGE)],
        [_, a, _, _, c] if few(*c) && !few(*a) => VIDEO.iter().fold(vec![None], |mut v, &s| {
            v.push(Some(s));
            v
        }),
        [_, _, _, _, _] => [None, Some(3)].into_iter().chain(VIDEO.map(Some)).collect(),
        _ => return,
    };
    // Images are floats or bytes; tables of indices are none.
    if !kind.is_float() && kind.0 != 2 {
        return;
    }
    for (size, usual) in shape.iter_mut().zip(usual) {
        *size = size.or(usual);
    }
}
