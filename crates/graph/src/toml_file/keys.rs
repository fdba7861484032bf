//! The keys of an architecture file.

use serde::Deserialize;
use toml::Spanned;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub name: String,
    pub input: Vec<usize>,
    #[serde(default)]
    pub outputs: Option<Vec<String>>,
    #[serde(default)]
    pub layer: Vec<Spanned<Layer>>,
}

/// One `[[layer]]`: one of the kinds, a name, what it reads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Layer {
    pub name: Option<String>,
    pub from: Option<Names>,
    pub conv: Option<ConvKeys>,
    pub depthwise: Option<DepthwiseKeys>,
    pub depthwise_separable: Option<SeparableKeys>,
    pub basic: Option<BasicKeys>,
    pub bottleneck: Option<BottleneckKeys>,
    pub inverted_residual: Option<InvertedKeys>,
    pub tucker: Option<TuckerKeys>,
    pub squeeze_excitation: Option<SqueezeKeys>,
    pub pool: Option<PoolKeys>,
    pub linear: Option<LinearKeys>,
    pub norm: Option<String>,
    pub activation: Option<String>,
    pub flatten: Option<Empty>,
    pub shuffle: Option<ShuffleKeys>,
    pub add: Option<JoinKeys>,
    pub multiply: Option<JoinKeys>,
    pub concat: Option<JoinKeys>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected the name of a layer or a list of names")]
pub(super) enum Names {
    One(String),
    List(Vec<String>),
}

/// One number for all spatial modes, or one each.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged, expecting = "expected a whole number, or a list of one a spatial mode")]
pub(super) enum PerMode {
    All(usize),
    Each(Vec<usize>),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "expected \"same\", \"valid\", a whole number, or a list of one a spatial mode"
)]
pub(super) enum Padding {
    Named(PaddingName),
    All(usize),
    Each(Vec<usize>),
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PaddingName {
    Same,
    Valid,
}

fn one() -> usize {
    1
}

fn all_one() -> PerMode {
    PerMode::All(1)
}

fn all_three() -> PerMode {
    PerMode::All(3)
}

fn same() -> Padding {
    Padding::Named(PaddingName::Same)
}

fn batch() -> String {
    "batch".to_owned()
}

fn relu() -> String {
    "relu".to_owned()
}

fn relu6() -> String {
    "relu6".to_owned()
}

fn yes() -> bool {
    true
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConvKeys {
    pub out: usize,
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    #[serde(default = "same")]
    pub padding: Padding,
    #[serde(default = "all_one")]
    pub dilation: PerMode,
    #[serde(default = "one")]
    pub groups: usize,
    #[serde(default)]
    pub transposed: bool,
    pub bias: Option<bool>,
    pub norm: Option<String>,
    pub activation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DepthwiseKeys {
    #[serde(default = "one")]
    pub multiplier: usize,
    #[serde(default = "all_three")]
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    #[serde(default = "same")]
    pub padding: Padding,
    #[serde(default = "all_one")]
    pub dilation: PerMode,
    pub bias: Option<bool>,
    pub norm: Option<String>,
    pub activation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeparableKeys {
    pub out: usize,
    #[serde(default = "all_three")]
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    #[serde(default = "one")]
    pub repeat: usize,
    #[serde(default = "batch")]
    pub norm: String,
    #[serde(default = "relu")]
    pub activation: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BasicKeys {
    pub out: usize,
    #[serde(default = "all_three")]
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    #[serde(default = "one")]
    pub repeat: usize,
    #[serde(default = "yes")]
    pub residual: bool,
    #[serde(default = "batch")]
    pub norm: String,
    #[serde(default = "relu")]
    pub activation: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BottleneckKeys {
    pub out: usize,
    pub r: usize,
    #[serde(default = "all_three")]
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    #[serde(default = "one")]
    pub groups: usize,
    #[serde(default = "one")]
    pub repeat: usize,
    #[serde(default = "yes")]
    pub residual: bool,
    #[serde(default = "batch")]
    pub norm: String,
    #[serde(default = "relu")]
    pub activation: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InvertedKeys {
    pub out: usize,
    pub expand: usize,
    #[serde(default = "all_three")]
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    #[serde(default = "one")]
    pub repeat: usize,
    #[serde(default = "batch")]
    pub norm: String,
    #[serde(default = "relu6")]
    pub activation: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TuckerKeys {
    pub out: usize,
    pub ranks: [usize; 2],
    #[serde(default = "all_three")]
    pub kernel: PerMode,
    #[serde(default = "all_one")]
    pub stride: PerMode,
    pub norm: Option<String>,
    pub activation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SqueezeKeys {
    pub r: usize,
    #[serde(default = "relu")]
    pub activation: String,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum PoolKind {
    Max,
    Average,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PoolKeys {
    pub kind: PoolKind,
    #[serde(default)]
    pub global: bool,
    pub kernel: Option<PerMode>,
    pub stride: Option<PerMode>,
    pub padding: Option<Padding>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LinearKeys {
    pub out: usize,
    #[serde(default = "yes")]
    pub bias: bool,
    #[serde(default = "yes")]
    pub flatten: bool,
    pub activation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShuffleKeys {
    pub groups: usize,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JoinKeys {
    pub activation: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Empty {}
