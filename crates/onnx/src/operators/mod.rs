//! The operators that are known, family by family: a new one is a line in its file, a new family a file and a line here.

mod activations;
mod aliases;
mod arithmetic;
mod casts;
mod concat;
mod convolution;
mod einsum;
mod expand;
mod fills;
mod gather;
mod matrix;
mod measures;
mod normalisation;
mod pad;
mod pooling;
mod recurrent;
mod reduction;
mod reshape;
mod resize;
mod selection;
mod slice;
mod space_depth;
mod split;
mod transpose;
mod windows;

use std::collections::HashMap;
use std::sync::LazyLock;

pub(super) use aliases::Alias;

use super::operator::Operator;
use super::shapes::unknown;

const FAMILIES: &[&[Operator]] = &[
    activations::OPERATORS,
    arithmetic::OPERATORS,
    casts::OPERATORS,
    concat::OPERATORS,
    convolution::OPERATORS,
    einsum::OPERATORS,
    expand::OPERATORS,
    fills::OPERATORS,
    gather::OPERATORS,
    matrix::OPERATORS,
    measures::OPERATORS,
    normalisation::OPERATORS,
    pad::OPERATORS,
    pooling::OPERATORS,
    recurrent::OPERATORS,
    reduction::OPERATORS,
    reshape::OPERATORS,
    resize::OPERATORS,
    selection::OPERATORS,
    slice::OPERATORS,
    space_depth::OPERATORS,
    split::OPERATORS,
    transpose::OPERATORS,
];

static BY_NAME: LazyLock<HashMap<&str, &Operator>> =
    LazyLock::new(|| FAMILIES.iter().copied().flatten().map(|o| (o.name, o)).collect());

/// What is not known: it makes no shapes and counts its constants.
static OTHER: Operator = Operator::new("", unknown);

/// The operator of a name.
pub(super) fn find(name: &str) -> &'static Operator {
    BY_NAME.get(name).copied().unwrap_or(&OTHER)
}

/// The plain operator that a quantised or fused one is read as.
pub(super) fn alias(name: &str) -> Option<&'static Alias> {
    aliases::ALIASES.iter().find(|a| a.name == name)
}
