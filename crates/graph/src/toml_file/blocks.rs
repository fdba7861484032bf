//! Blocks of several operations, named as torchvision names them.

use super::build::{Builder, Checked, NewConv, channels};
use super::keys::{
    BasicKeys, BottleneckKeys, InvertedKeys, Padding, PaddingName, PerMode, SeparableKeys, SqueezeKeys,
    TuckerKeys,
};
use super::windows::{WindowKeys, Windows};
use crate::{NodeId, Op};

/// Repeats of one block beyond which the file is taken for a mistake.
const MOST_REPEATS: usize = 10_000;

/// Normalisation and activation of a block.
#[derive(Clone, Copy)]
struct Style<'a> {
    norm: &'a str,
    activation: &'a str,
}

fn windows(kernel: &PerMode, stride: &PerMode, modes: usize) -> Checked<Windows> {
    let (dilation, padding) = (&PerMode::All(1), &Padding::Named(PaddingName::Same));
    WindowKeys { kernel, stride, dilation, padding }.windows(modes)
}

/// Adds `repeat` copies of a block, the stride in the first.
fn repeat(
    builder: &mut Builder,
    from: NodeId,
    copies: usize,
    stride: &PerMode,
    mut add: impl FnMut(&mut Builder, usize, NodeId, &PerMode) -> Checked<NodeId>,
) -> Checked<NodeId> {
    if !(1..=MOST_REPEATS).contains(&copies) {
        return Err(format!("repeat = {copies}: it has to be between 1 and {MOST_REPEATS}"));
    }
    let once = PerMode::All(1);
    (0..copies).try_fold(from, |at, i| add(builder, i, at, if i == 0 { stride } else { &once }))
}

/// A convolution without bias unless nothing normalises it, its normalisation and its activation, numbered.
fn numbered(
    b: &mut Builder,
    block: &str,
    number: usize,
    from: NodeId,
    mut conv: NewConv,
    style: Style,
) -> Checked<NodeId> {
    conv.bias = style.norm == "none";
    let at = b.conv(format!("{block}.conv{number}"), from, conv)?;
    let at = b.norm(format!("{block}.bn{number}"), at, style.norm)?;
    b.activation(format!("{block}.{}{number}", style.activation), at, style.activation)
}

/// Joins a block with its input: the identity where shapes agree, else 1×1 with the block's stride.
fn shortcut(
    b: &mut Builder,
    block: &str,
    from: NodeId,
    main: NodeId,
    stride: &PerMode,
    style: Style,
) -> Checked<NodeId> {
    let (inputs, sizes) = b.map(from)?;
    let strides = stride.sizes("stride", sizes.len(), 1)?;
    let (outputs, _) = b.map(main)?;
    let side = if inputs == outputs && strides.iter().all(|&s| s == 1) {
        from
    } else {
        let mut conv = NewConv::plain(outputs, Windows::pointwise(strides));
        conv.bias = style.norm == "none";
        let at = b.conv(format!("{block}.downsample.0"), from, conv)?;
        b.norm(format!("{block}.downsample.1"), at, style.norm)?
    };
    b.join(format!("{block}.add"), vec![main, side], Op::Add)
}

pub(super) fn basic(b: &mut Builder, name: &str, from: NodeId, keys: &BasicKeys) -> Checked<NodeId> {
    let style = Style { norm: &keys.norm, activation: &keys.activation };
    repeat(b, from, keys.repeat, &keys.stride, |b, i, from, stride| {
        let block = format!("{name}.{i}");
        let modes = b.map(from)?.1.len();
        let first = NewConv::plain(keys.out, windows(&keys.kernel, stride, modes)?);
        let at = numbered(b, &block, 1, from, first, style)?;
        let second = NewConv::plain(keys.out, windows(&keys.kernel, &PerMode::All(1), modes)?);
        let quiet = Style { activation: "none", ..style };
        let mut at = numbered(b, &block, 2, at, second, quiet)?;
        if keys.residual {
            at = shortcut(b, &block, from, at, stride, style)?;
        }
        b.activation(format!("{block}.{}2", style.activation), at, style.activation)
    })
}

pub(super) fn bottleneck(
    b: &mut Builder,
    name: &str,
    from: NodeId,
    keys: &BottleneckKeys,
) -> Checked<NodeId> {
    let style = Style { norm: &keys.norm, activation: &keys.activation };
    channels("r", keys.r)?;
    repeat(b, from, keys.repeat, &keys.stride, |b, i, from, stride| {
        let block = format!("{name}.{i}");
        let modes = b.map(from)?.1.len();
        let pointwise = || Windows::pointwise(vec![1; modes]);
        let at = numbered(b, &block, 1, from, NewConv::plain(keys.r, pointwise()), style)?;
        let mut middle = NewConv::plain(keys.r, windows(&keys.kernel, stride, modes)?);
        middle.groups = keys.groups;
        let at = numbered(b, &block, 2, at, middle, style)?;
        let quiet = Style { activation: "none", ..style };
        let mut at = numbered(b, &block, 3, at, NewConv::plain(keys.out, pointwise()), quiet)?;
        if keys.residual {
            at = shortcut(b, &block, from, at, stride, style)?;
        }
        b.activation(format!("{block}.{}3", style.activation), at, style.activation)
    })
}

pub(super) fn depthwise_separable(
    b: &mut Builder,
    name: &str,
    from: NodeId,
    keys: &SeparableKeys,
) -> Checked<NodeId> {
    let style = Style { norm: &keys.norm, activation: &keys.activation };
    repeat(b, from, keys.repeat, &keys.stride, |b, i, from, stride| {
        let block = format!("{name}.{i}");
        let (inputs, sizes) = b.map(from)?;
        let modes = sizes.len();
        let mut depthwise = NewConv::plain(inputs, windows(&keys.kernel, stride, modes)?);
        depthwise.groups = inputs;
        let at = numbered(b, &block, 1, from, depthwise, style)?;
        let pointwise = NewConv::plain(keys.out, Windows::pointwise(vec![1; modes]));
        numbered(b, &block, 2, at, pointwise, style)
    })
}

pub(super) fn inverted_residual(
    b: &mut Builder,
    name: &str,
    from: NodeId,
    keys: &InvertedKeys,
) -> Checked<NodeId> {
    let style = Style { norm: &keys.norm, activation: &keys.activation };
    repeat(b, from, keys.repeat, &keys.stride, |b, i, from, stride| {
        let block = format!("{name}.{i}");
        let (inputs, sizes) = b.map(from)?;
        let modes = sizes.len();
        let hidden = inputs.saturating_mul(keys.expand);
        channels("expand times the channels", hidden)?;
        let pointwise = |outputs| NewConv::plain(outputs, Windows::pointwise(vec![1; modes]));
        let wide = match keys.expand {
            1 => from,
            _ => numbered(b, &block, 1, from, pointwise(hidden), style)?,
        };
        let mut depthwise = NewConv::plain(hidden, windows(&keys.kernel, stride, modes)?);
        depthwise.groups = hidden;
        let at = numbered(b, &block, 2, wide, depthwise, style)?;
        let quiet = Style { activation: "none", ..style };
        let at = numbered(b, &block, 3, at, pointwise(keys.out), quiet)?;
        if inputs == keys.out && stride.sizes("stride", modes, 1)?.iter().all(|&s| s == 1) {
            return b.join(format!("{block}.add"), vec![at, from], Op::Add);
        }
        Ok(at)
    })
}

pub(super) fn tucker(b: &mut Builder, name: &str, from: NodeId, keys: &TuckerKeys) -> Checked<NodeId> {
    let [r_in, r_out] = keys.ranks;
    let (inputs, sizes) = b.map(from)?;
    let modes = sizes.len();
    for (rank, most, of) in [(r_in, inputs, "input"), (r_out, keys.out, "output")] {
        if !(1..=most).contains(&rank) {
            return Err(format!(
                "ranks = [{r_in}, {r_out}]: {rank} has to be between 1 and {most}, the {of} channels"
            ));
        }
    }
    let norm = keys.norm.as_deref().unwrap_or("none");
    let activation = keys.activation.as_deref().unwrap_or("none");
    let pointwise = |outputs| NewConv::plain(outputs, Windows::pointwise(vec![1; modes]));
    let core = NewConv::plain(r_out, windows(&keys.kernel, &keys.stride, modes)?);
    let at = b.conv(format!("{name}.0"), from, pointwise(r_in))?;
    let at = b.conv(format!("{name}.1"), at, core)?;
    let at = b.conv(format!("{name}.2"), at, NewConv { bias: norm == "none", ..pointwise(keys.out) })?;
    let at = b.norm(format!("{name}.norm"), at, norm)?;
    b.activation(format!("{name}.{activation}"), at, activation)
}

pub(super) fn squeeze_excitation(
    b: &mut Builder,
    name: &str,
    from: NodeId,
    keys: &SqueezeKeys,
) -> Checked<NodeId> {
    let (inputs, sizes) = b.map(from)?;
    let modes = sizes.len();
    channels("r", keys.r)?;
    let pointwise = |outputs| {
        let conv = NewConv::plain(outputs, Windows::pointwise(vec![1; modes]));
        NewConv { bias: true, ..conv }
    };
    let at = b.global_pool(format!("{name}.avgpool"), from, "average")?;
    let at = b.conv(format!("{name}.fc1"), at, pointwise(keys.r))?;
    let at = b.activation(format!("{name}.{}", keys.activation), at, &keys.activation)?;
    let at = b.conv(format!("{name}.fc2"), at, pointwise(inputs))?;
    let gate = b.activation(format!("{name}.sigmoid"), at, "sigmoid")?;
    b.join(format!("{name}.multiply"), vec![from, gate], Op::Multiply)
}
