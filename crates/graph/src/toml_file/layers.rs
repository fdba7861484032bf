//! From the file's layers to a graph.

use std::collections::{HashMap, HashSet};

use convstat_text::suggestion;

use super::blocks;
use super::build::{Builder, Checked, NewConv, channels};
use super::keys::{
    ConvKeys, DepthwiseKeys, File, JoinKeys, Layer, LinearKeys, Names, Padding, PaddingName, PerMode,
    PoolKeys, PoolKind,
};
use super::place::Place;
use super::windows::{WindowKeys, Windows};
use crate::{Graph, NodeId, Op, Result};

/// The name of the network's input.
const INPUT: &str = "input";

const MOST_LAYERS: usize = 10_000;

const MOST_NAME: usize = 200;

pub(super) fn build(file: File, place: &Place) -> Result<Graph> {
    let whole = |reason: String| place.error(None, &reason);
    if !(1..=4).contains(&file.input.len()) {
        let reason = format!(
            "input = {:?}: give the channels and one to three spatial modes, or [features]; the batch is left out",
            file.input
        );
        return Err(whole(reason));
    }
    for &n in &file.input {
        channels("input", n).map_err(whole)?;
    }
    if file.layer.is_empty() || file.layer.len() > MOST_LAYERS {
        return Err(whole(format!(
            "{} layers; give between 1 and {MOST_LAYERS} [[layer]]",
            file.layer.len()
        )));
    }
    let mut b = Builder::new(file.name);
    let mut last = b.push(INPUT.to_owned(), Op::Input, vec![], file.input).map_err(whole)?;
    let mut layers: HashMap<String, NodeId> = HashMap::from([(INPUT.to_owned(), last)]);
    let mut read = HashSet::new();
    let mut ends = Vec::new();
    for (i, spanned) in file.layer.iter().enumerate() {
        let layer = spanned.as_ref();
        let at = Some(spanned.span().start);
        let kind = layer.kind().map_err(|reason| place.error(at, &reason))?;
        let name = layer.name.clone().unwrap_or_else(|| format!("{}{}", kind.name(), i + 1));
        if name.is_empty() || name.len() > MOST_NAME {
            return Err(place.error(at, &format!("a name of {} bytes; give 1 to {MOST_NAME}", name.len())));
        }
        let fail = |reason: String| place.error(at, &format!("layer \"{name}\": {reason}"));
        let from = sources(layer.from.as_ref(), &layers, last).map_err(fail)?;
        read.extend(from.iter().copied());
        last = kind.add(&mut b, &name, &from).map_err(fail)?;
        if layers.insert(name.clone(), last).is_some() {
            return Err(fail("two layers have this name; references could mean either".to_owned()));
        }
        ends.push((name, last, at));
    }
    let outputs = match &file.outputs {
        None => vec![last],
        Some(names) => names.iter().map(|n| lookup(n, &layers)).collect::<Checked<_>>().map_err(whole)?,
    };
    if outputs.is_empty() {
        return Err(whole("outputs = []: name at least one layer, or leave the key out".to_owned()));
    }
    if let Some((name, _, at)) = ends.iter().find(|(_, n, _)| !read.contains(n) && !outputs.contains(n)) {
        let reason = format!(
            "layer \"{name}\": nothing reads it; name it in a `from` or in `outputs` at the top of the file"
        );
        return Err(place.error(*at, &reason));
    }
    b.graph.outputs = outputs;
    Ok(b.graph)
}

fn lookup(name: &str, layers: &HashMap<String, NodeId>) -> Checked<NodeId> {
    layers.get(name).copied().ok_or_else(|| {
        let mut known: Vec<&str> = layers.keys().map(String::as_str).collect();
        known.sort_unstable();
        format!("no layer \"{name}\" before this place{}", suggestion(name, known.into_iter()))
    })
}

fn sources(from: Option<&Names>, layers: &HashMap<String, NodeId>, last: NodeId) -> Checked<Vec<NodeId>> {
    match from {
        None => Ok(vec![last]),
        Some(Names::One(name)) => Ok(vec![lookup(name, layers)?]),
        Some(Names::List(names)) => names.iter().map(|n| lookup(n, layers)).collect(),
    }
}

/// The one kind of a layer.
enum Kind<'a> {
    Conv(&'a ConvKeys),
    Depthwise(&'a DepthwiseKeys),
    DepthwiseSeparable(&'a super::keys::SeparableKeys),
    Basic(&'a super::keys::BasicKeys),
    Bottleneck(&'a super::keys::BottleneckKeys),
    InvertedResidual(&'a super::keys::InvertedKeys),
    Tucker(&'a super::keys::TuckerKeys),
    SqueezeExcitation(&'a super::keys::SqueezeKeys),
    Pool(&'a PoolKeys),
    Linear(&'a LinearKeys),
    Norm(&'a str),
    Activation(&'a str),
    Flatten,
    Shuffle(usize),
    Add(&'a JoinKeys),
    Multiply(&'a JoinKeys),
    Concat(&'a JoinKeys),
}

impl Layer {
    fn kind(&self) -> Checked<Kind<'_>> {
        let kinds: Vec<Kind> = [
            self.conv.as_ref().map(Kind::Conv),
            self.depthwise.as_ref().map(Kind::Depthwise),
            self.depthwise_separable.as_ref().map(Kind::DepthwiseSeparable),
            self.basic.as_ref().map(Kind::Basic),
            self.bottleneck.as_ref().map(Kind::Bottleneck),
            self.inverted_residual.as_ref().map(Kind::InvertedResidual),
            self.tucker.as_ref().map(Kind::Tucker),
            self.squeeze_excitation.as_ref().map(Kind::SqueezeExcitation),
            self.pool.as_ref().map(Kind::Pool),
            self.linear.as_ref().map(Kind::Linear),
            self.norm.as_deref().map(Kind::Norm),
            self.activation.as_deref().map(Kind::Activation),
            self.flatten.as_ref().map(|_| Kind::Flatten),
            self.shuffle.as_ref().map(|s| Kind::Shuffle(s.groups)),
            self.add.as_ref().map(Kind::Add),
            self.multiply.as_ref().map(Kind::Multiply),
            self.concat.as_ref().map(Kind::Concat),
        ]
        .into_iter()
        .flatten()
        .collect();
        let names: Vec<&str> = kinds.iter().map(Kind::name).collect();
        let wrong = match names.as_slice() {
            [] => "a layer without a kind; give one, for instance conv = { out = 64, kernel = 3 }".to_owned(),
            _ => format!(
                "a layer of {} kinds ({}); give each its own [[layer]]",
                names.len(),
                names.join(", ")
            ),
        };
        let mut kinds = kinds.into_iter();
        match (kinds.next(), kinds.next()) {
            (Some(kind), None) => Ok(kind),
            _ => Err(wrong),
        }
    }
}

impl Kind<'_> {
    fn name(&self) -> &'static str {
        match self {
            Self::Conv(_) => "conv",
            Self::Depthwise(_) => "depthwise",
            Self::DepthwiseSeparable(_) => "depthwise_separable",
            Self::Basic(_) => "basic",
            Self::Bottleneck(_) => "bottleneck",
            Self::InvertedResidual(_) => "inverted_residual",
            Self::Tucker(_) => "tucker",
            Self::SqueezeExcitation(_) => "squeeze_excitation",
            Self::Pool(_) => "pool",
            Self::Linear(_) => "linear",
            Self::Norm(_) => "norm",
            Self::Activation(_) => "activation",
            Self::Flatten => "flatten",
            Self::Shuffle(_) => "shuffle",
            Self::Add(_) => "add",
            Self::Multiply(_) => "multiply",
            Self::Concat(_) => "concat",
        }
    }

    /// Adds the layer's operations; returns the last of them.
    fn add(&self, b: &mut Builder, name: &str, from: &[NodeId]) -> Checked<NodeId> {
        let joined = match self {
            Self::Add(keys) => Some((b.join(name.to_owned(), several(from)?, Op::Add)?, keys)),
            Self::Multiply(keys) => Some((b.join(name.to_owned(), several(from)?, Op::Multiply)?, keys)),
            Self::Concat(keys) => Some((b.concat(name.to_owned(), several(from)?)?, keys)),
            _ => None,
        };
        if let Some((at, keys)) = joined {
            return finish(b, name, at, None, keys.activation.as_deref());
        }
        let &[from] = from else {
            return Err(format!(
                "{} reads one layer, but from has {}; join them before with add or concat",
                self.name(),
                from.len()
            ));
        };
        match self {
            Self::Conv(keys) => conv(b, name, from, keys),
            Self::Depthwise(keys) => depthwise(b, name, from, keys),
            Self::DepthwiseSeparable(keys) => blocks::depthwise_separable(b, name, from, keys),
            Self::Basic(keys) => blocks::basic(b, name, from, keys),
            Self::Bottleneck(keys) => blocks::bottleneck(b, name, from, keys),
            Self::InvertedResidual(keys) => blocks::inverted_residual(b, name, from, keys),
            Self::Tucker(keys) => blocks::tucker(b, name, from, keys),
            Self::SqueezeExcitation(keys) => blocks::squeeze_excitation(b, name, from, keys),
            Self::Pool(keys) => pool(b, name, from, keys),
            Self::Linear(keys) => linear(b, name, from, keys),
            Self::Norm(kind) => b.norm(name.to_owned(), from, kind),
            Self::Activation(kind) => b.activation(name.to_owned(), from, kind),
            Self::Flatten => b.flatten(name.to_owned(), from),
            Self::Shuffle(groups) => shuffle(b, name, from, *groups),
            Self::Add(_) | Self::Multiply(_) | Self::Concat(_) => Ok(from),
        }
    }
}

fn several(from: &[NodeId]) -> Checked<Vec<NodeId>> {
    if from.len() < 2 {
        return Err("it joins branches; name them, for instance from = [\"a\", \"b\"]".to_owned());
    }
    Ok(from.to_vec())
}

/// Normalisation and activation after a layer, if they are named.
fn finish(
    b: &mut Builder,
    name: &str,
    at: NodeId,
    norm: Option<&str>,
    activation: Option<&str>,
) -> Checked<NodeId> {
    let at = b.norm(format!("{name}.norm"), at, norm.unwrap_or("none"))?;
    let activation = activation.unwrap_or("none");
    b.activation(format!("{name}.{activation}"), at, activation)
}

fn conv(b: &mut Builder, name: &str, from: NodeId, keys: &ConvKeys) -> Checked<NodeId> {
    let modes = b.map(from)?.1.len();
    let ConvKeys { kernel, stride, dilation, padding, .. } = keys;
    let windows = WindowKeys { kernel, stride, dilation, padding }.windows(modes)?;
    let same = matches!(padding, Padding::Named(PaddingName::Same));
    let new = NewConv {
        outputs: keys.out,
        groups: keys.groups,
        windows,
        bias: keys.bias.unwrap_or(keys.norm.is_none()),
        transposed: keys.transposed.then_some(same),
    };
    let at = b.conv(name.to_owned(), from, new)?;
    finish(b, name, at, keys.norm.as_deref(), keys.activation.as_deref())
}

fn depthwise(b: &mut Builder, name: &str, from: NodeId, keys: &DepthwiseKeys) -> Checked<NodeId> {
    let (inputs, sizes) = b.map(from)?;
    let DepthwiseKeys { kernel, stride, dilation, padding, .. } = keys;
    let windows = WindowKeys { kernel, stride, dilation, padding }.windows(sizes.len())?;
    let outputs = inputs.saturating_mul(keys.multiplier);
    channels("multiplier times the channels", outputs)?;
    let bias = keys.bias.unwrap_or(keys.norm.is_none());
    let at =
        b.conv(name.to_owned(), from, NewConv { outputs, groups: inputs, windows, bias, transposed: None })?;
    finish(b, name, at, keys.norm.as_deref(), keys.activation.as_deref())
}

fn pool(b: &mut Builder, name: &str, from: NodeId, keys: &PoolKeys) -> Checked<NodeId> {
    let kind = match keys.kind {
        PoolKind::Max => "max",
        PoolKind::Average => "average",
    };
    match (&keys.kernel, keys.global) {
        (None, true) if keys.stride.is_none() && keys.padding.is_none() => {
            b.global_pool(name.to_owned(), from, kind)
        }
        (Some(kernel), false) => {
            let modes = b.map(from)?.1.len();
            let stride = keys.stride.as_ref().unwrap_or(kernel);
            let dilation = &PerMode::All(1);
            let padding = keys.padding.as_ref().unwrap_or(&Padding::All(0));
            let windows: Windows = WindowKeys { kernel, stride, dilation, padding }.windows(modes)?;
            b.pool(name.to_owned(), from, kind, &windows)
        }
        _ => Err("give either kernel (and stride, padding) or global = true".to_owned()),
    }
}

fn linear(b: &mut Builder, name: &str, from: NodeId, keys: &LinearKeys) -> Checked<NodeId> {
    let modes = b.shape(from)?.len();
    let from = if keys.flatten && modes > 1 { b.flatten(format!("{name}.flatten"), from)? } else { from };
    let at = b.linear(name.to_owned(), from, keys.out, keys.bias)?;
    finish(b, name, at, None, keys.activation.as_deref())
}

fn shuffle(b: &mut Builder, name: &str, from: NodeId, groups: usize) -> Checked<NodeId> {
    let shape = b.shape(from)?.to_vec();
    let channels = shape.first().copied().unwrap_or(0);
    if groups == 0 || channels % groups != 0 {
        return Err(format!("groups = {groups}: it has to divide {channels} channels"));
    }
    b.push(name.to_owned(), Op::Move { kind: "shuffle".to_owned() }, vec![from], shape)
}
