//! Networks: a stem, stages of blocks, a head, as an ablation file describes them.

use candle_core::Tensor;
use convstat_cnn::{OutputModes, StructureSpec};
use convstat_engine::{Activation, ConvSpec, Tape, Var};
use convstat_tensor::Einsum;
use serde::{Deserialize, Serialize};

use crate::blocks::{BlockSpec, Place, Shortcut};
use crate::layer::{Composition, FactorPlan, Layer, LayerPlan, State, Weight, composed};
use crate::parameters::{Parameters, Start};
use crate::{Result, TrainError};

/// A backbone: 2-D for images, 3-D for video (time first), 1-D for series.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkSpec {
    /// The block all stages are built from.
    #[serde(default = "bottleneck")]
    pub block: BlockSpec,
    /// Output channels of the stem, a convolution with stride 1 (default: K of the first stage).
    pub stem: Option<usize>,
    /// Kernel taps a spatial axis (default 3 each).
    pub kernel: Option<Vec<usize>>,
    /// The stages.
    pub stages: Vec<StageSpec>,
    /// What reads the last stage.
    #[serde(default)]
    pub head: HeadSpec,
}

fn bottleneck() -> BlockSpec {
    BlockSpec::Name("bottleneck".to_owned())
}

/// Rank of a stage beyond which a number is a mistake.
const MOST_RANK: usize = 1 << 16;

/// Blocks of a stage beyond which a number is a mistake.
const MOST_BLOCKS: usize = 1000;

/// Blocks of one width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageSpec {
    /// Rank R of its blocks; K is R times the K/R ratio.
    pub r: usize,
    /// Blocks (default 1).
    #[serde(default = "one")]
    pub blocks: usize,
    /// Stride of the first block, on every axis (default 1 in the first stage, 2 in the others).
    pub stride: Option<usize>,
}

fn one() -> usize {
    1
}

/// What turns the last activations into classes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadSpec {
    /// Mean over all positions, then fully connected.
    #[default]
    Linear,
    /// A tensor contraction layer, one factor a mode, then fully connected (Kossaifi et al. 2017).
    Contraction {
        /// Ranks of the spatial modes and of the channels.
        ranks: Vec<usize>,
    },
    /// A tensor regression layer: fully connected weights in Tucker form (Kossaifi et al. 2020).
    Regression {
        /// Ranks of the spatial modes, of the channels and of the classes.
        ranks: Vec<usize>,
    },
}

/// Counts of one block.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockCounts {
    /// Output channels K.
    pub kernels: usize,
    /// Rank R on the output channels, as the structure has it.
    pub rank: usize,
    /// Output positions P.
    pub positions: usize,
    /// Parameters of its convolutions, shortcut and normalisation apart.
    pub parameters: usize,
    /// Sample complexity d_M of its structure read at P positions (THEORY §2); its parameters where it is no structure by
    /// itself.
    pub d_m: usize,
}

/// Counts of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkCounts {
    /// All trained numbers.
    pub parameters: usize,
    /// Multiply–accumulates of convolutions and fully connected layers for one input.
    pub macs: u64,
    /// Sum of d_M over blocks, plus the weights of stem, shortcuts and head.
    pub d_m: usize,
    /// The blocks.
    pub blocks: Vec<BlockCounts>,
}

#[derive(Debug)]
struct BuiltBlock {
    layers: Vec<Layer>,
    shortcut: BuiltShortcut,
}

#[derive(Debug)]
enum BuiltShortcut {
    None,
    Input,
    Projection(Layer),
}

#[derive(Debug)]
struct Head {
    weight: Weight,
    bias: usize,
    /// Whether positions are averaged first.
    averages: bool,
}

/// A network with its parameters' names and shapes.
#[derive(Debug)]
pub struct Network {
    /// What is trained.
    pub parameters: Parameters,
    /// Running statistics.
    pub running: Parameters,
    stem: Layer,
    blocks: Vec<BuiltBlock>,
    head: Head,
    counts: NetworkCounts,
}

impl Network {
    /// The network for inputs of shape `input` (`spatial…, C`), `classes` classes and a K/R ratio.
    ///
    /// # Errors
    /// Sizes that do not fit: the message names the key.
    pub fn new(spec: &NetworkSpec, input: &[usize], classes: usize, kr: f64) -> Result<Self> {
        let (spatial, channels) = input.split_at(input.len().saturating_sub(1));
        let axes = spatial.len();
        if !(1..=3).contains(&axes) {
            return Err(TrainError::shape(
                "network",
                format!("inputs of shape {input:?}: 1 to 3 spatial axes"),
            ));
        }
        let kernel = spec.kernel.clone().unwrap_or_else(|| vec![3; axes]);
        if kernel.len() != axes || kernel.contains(&0) {
            let mend = format!("give {axes} sizes of at least 1, one a spatial axis");
            return Err(TrainError::bad("network.kernel", format!("{kernel:?}"), mend));
        }
        if spec.stages.is_empty() {
            return Err(TrainError::bad("network.stages", "[]", "give at least one stage, { r = 16 }"));
        }
        let (mut parameters, mut running) = (Parameters::default(), Parameters::default());
        let first = kernels_of(&spec.stages[0], kr)?;
        let stem = LayerPlan::new(channels[0], spec.stem.unwrap_or(first), &kernel, &vec![1; axes]);
        let stem = stem.build("stem", &mut parameters, &mut running)?;
        let mut builder = Builder {
            parameters,
            running,
            channels: stem.kernels,
            macs: stem.macs(spatial)?,
            spatial: stem.output(spatial)?,
            blocks: Vec::new(),
            counts: Vec::new(),
            shortcut_weights: 0,
        };
        let count = spec.stages.iter().fold(0usize, |n, s| n.saturating_add(s.blocks));
        for (s, stage) in spec.stages.iter().enumerate() {
            let kernels = kernels_of(stage, kr)?;
            let stride = stage.stride.unwrap_or(if s == 0 { 1 } else { 2 });
            let key = || format!("network.stages[{s}]");
            if stride == 0 || stage.blocks == 0 {
                return Err(TrainError::bad(key(), "0", "stride and blocks have to be at least 1"));
            }
            if stage.blocks > MOST_BLOCKS {
                let mend = format!("at most {MOST_BLOCKS} blocks a stage");
                return Err(TrainError::bad(key(), stage.blocks, mend));
            }
            for b in 0..stage.blocks {
                let place = Place {
                    channels: builder.channels,
                    kernels,
                    r: stage.r,
                    kernel: kernel.clone(),
                    stride: vec![if b == 0 { stride } else { 1 }; axes],
                    number: (builder.blocks.len(), count),
                };
                builder.add(&spec.block, &place)?;
            }
        }
        builder.finish(&spec.head, stem, classes)
    }

    /// Its counts.
    pub fn counts(&self) -> &NetworkCounts {
        &self.counts
    }

    /// Classes it tells apart.
    pub fn classes(&self) -> usize {
        self.parameters.size(self.head.bias)
    }

    /// The name that torchvision's ResNet would give a tensor named `name` here: `conv1` and `bn1` are the stem, `fc` the head,
    /// `blocks.0.conv1` the first layer of the first block. Factors of composed weights keep their names.
    pub fn torch_name(name: &str) -> String {
        let parts = name.split_once(".conv.").or_else(|| name.split_once(".norm."));
        let Some((layer, what)) = parts else { return name.replacen("head.", "fc.", 1) };
        let is_norm = name.contains(".norm.");
        let kind = if is_norm { "bn" } else { "conv" };
        let what = match what {
            "gamma" => "weight",
            "beta" => "bias",
            "mean" => "running_mean",
            "variance" => "running_var",
            other => other,
        };
        match layer.rsplit_once('.') {
            None => format!("{kind}1.{what}"),
            Some((block, "shortcut")) => format!("{block}.downsample.{}.{what}", u8::from(is_norm)),
            Some((block, number)) => match number.parse::<usize>() {
                Ok(number) => format!("{block}.{kind}{}.{what}", number + 1),
                Err(_) => name.to_owned(),
            },
        }
    }

    /// Whether weight decay applies: to weights, not to biases and normalisation.
    pub fn decays(&self, number: usize) -> bool {
        self.parameters.shape(number).len() > 1
    }

    /// Logits (`N, classes`) of inputs (`N, spatial…, C`).
    ///
    /// # Errors
    /// Inputs of another shape; those of the engine.
    pub fn forward(&self, tape: &mut Tape, state: &mut State, x: Var) -> convstat_engine::Result<Var> {
        let mut x = self.stem.forward(tape, state, x, None)?;
        for block in &self.blocks {
            let residual = match &block.shortcut {
                BuiltShortcut::None => None,
                BuiltShortcut::Input => Some(x),
                BuiltShortcut::Projection(layer) => Some(layer.forward(tape, state, x, None)?),
            };
            for (i, layer) in block.layers.iter().enumerate() {
                let last = i + 1 == block.layers.len();
                x = layer.forward(tape, state, x, residual.filter(|_| last))?;
            }
        }
        x = if self.head.averages { tape.global_average(x)? } else { tape.flatten(x)? };
        let w = self.head.weight.on(tape, state.parameters)?;
        let w = if self.head.averages { w } else { tape.flatten(w)? };
        let y = tape.convolve(x, w, &ConvSpec::plain(0))?;
        let bias = tape.parameter(self.head.bias, state.parameters[self.head.bias].clone());
        tape.add_bias(y, bias)
    }

    /// Logits in evaluation mode.
    ///
    /// # Errors
    /// Inputs of another shape; those of the engine.
    pub fn predict(
        &self,
        backend: &dyn convstat_engine::Backend,
        parameters: &[Tensor],
        running: &mut [Tensor],
        x: Tensor,
    ) -> convstat_engine::Result<Tensor> {
        let mut tape = Tape::new(backend, false);
        let x = tape.constant(x);
        let y = self.forward(&mut tape, &mut State { parameters, running }, x)?;
        Ok(tape.value(y).clone())
    }
}

/// K of a stage: R times the ratio.
fn kernels_of(stage: &StageSpec, kr: f64) -> Result<usize> {
    let kernels = stage.r as f64 * kr;
    if stage.r > MOST_RANK {
        return Err(TrainError::bad("network.stages.r", stage.r, format!("at most {MOST_RANK} is possible")));
    }
    if stage.r == 0 || !(kernels.is_finite() && kernels >= 1.0 && kernels.fract().abs() < 1e-9) {
        let mend = "R times the K/R ratio has to be a whole number of at least 1";
        return Err(TrainError::bad("network.stages.r", format!("{} at K/R = {kr}", stage.r), mend));
    }
    Ok(kernels.round() as usize)
}

/// A network under construction.
struct Builder {
    parameters: Parameters,
    running: Parameters,
    channels: usize,
    spatial: Vec<usize>,
    macs: u64,
    blocks: Vec<BuiltBlock>,
    counts: Vec<BlockCounts>,
    /// Weights of shortcuts.
    shortcut_weights: usize,
}

impl Builder {
    fn add(&mut self, spec: &BlockSpec, place: &Place) -> Result<()> {
        let block = spec.build()?;
        if place.r == 0 || place.kernels == 0 {
            return Err(TrainError::bad("block", spec.label(), "R and K have to be at least 1"));
        }
        let number = place.number.0;
        let before = self.parameters.len();
        let input = self.spatial.clone();
        let mut layers = Vec::new();
        for (i, plan) in block.layers(place)?.into_iter().enumerate() {
            let layer =
                plan.build(&format!("blocks.{number}.{i}"), &mut self.parameters, &mut self.running)?;
            self.macs = self.macs.saturating_add(layer.macs(&self.spatial)?);
            self.spatial = layer.output(&self.spatial)?;
            layers.push(layer);
        }
        // Shared factors count in the block that brings them.
        let own = layers.iter().flat_map(|l| l.weight.parameters()).filter(|p| *p >= before);
        let own: usize = own.map(|p| self.parameters.size(p)).sum();
        let (shortcut, sizes) = match block.shortcut() {
            Shortcut::IfSame | Shortcut::Projected if place.keeps_shape() => {
                (BuiltShortcut::Input, Some(input))
            }
            Shortcut::Projected => {
                let ones = vec![1; place.axes()];
                let plan = LayerPlan::new(place.channels, place.kernels, &ones, &place.stride);
                let plan = plan.activation(Activation::Identity);
                let name = format!("blocks.{number}.shortcut");
                let layer = plan.build(&name, &mut self.parameters, &mut self.running)?;
                self.macs = self.macs.saturating_add(layer.macs(&input)?);
                self.shortcut_weights += place.channels * place.kernels;
                let sizes = layer.output(&input)?;
                (BuiltShortcut::Projection(layer), Some(sizes))
            }
            _ => (BuiltShortcut::None, None),
        };
        if sizes.is_some_and(|s| s != self.spatial) {
            let mend = "the shortcut does not fit: all kernel sizes have to be odd";
            return Err(TrainError::bad("network.kernel", format!("{:?}", place.kernel), mend));
        }
        let positions: usize = self.spatial.iter().product();
        let (mut d_m, mut rank) = (own, place.r);
        if let Some(text) = block.structure(place) {
            let taps = [place.kernel.as_slice(), &[place.channels]].concat();
            let modes = OutputModes { positions: self.spatial.clone(), taps, layers: 1, outputs: 1 };
            let structure = StructureSpec::parse(&text)?.build(&modes)?;
            d_m = structure.d_m();
            rank = structure.counts().rank.unwrap_or(rank);
            let naive = structure.naive_parameters();
            if d_m > naive {
                // An order count, R^(N+1) for CP, above the parameters themselves says nothing: count without K.
                let k = place.kernels;
                d_m = (naive + rank * positions).saturating_sub(k * (rank + positions)).min(naive);
            }
        }
        let kernels = place.kernels;
        self.counts.push(BlockCounts { kernels, rank, positions, parameters: own, d_m });
        self.blocks.push(BuiltBlock { layers, shortcut });
        self.channels = kernels;
        Ok(())
    }

    fn finish(mut self, spec: &HeadSpec, stem: Layer, classes: usize) -> Result<Network> {
        let averages = *spec == HeadSpec::Linear;
        let modes = [self.spatial.as_slice(), &[self.channels]].concat();
        let fan_in: usize = if averages { self.channels } else { modes.iter().product() };
        let bound = 1.0 / (fan_in as f64).sqrt();
        let add = |p: &mut Parameters, name: &str, shape: &[usize], start| {
            p.add(format!("head.{name}"), shape, start)
        };
        let weight = match spec {
            HeadSpec::Linear => {
                let shape = [classes, self.channels];
                Weight::Full(add(&mut self.parameters, "weight", &shape, Start::Uniform(bound))?)
            }
            HeadSpec::Contraction { ranks } | HeadSpec::Regression { ranks } => {
                let all = matches!(spec, HeadSpec::Regression { .. });
                let sizes: Vec<usize> = modes.iter().copied().chain(all.then_some(classes)).collect();
                if ranks.len() != sizes.len() || ranks.contains(&0) {
                    let mend =
                        format!("give {} ranks of at least 1, for modes of sizes {sizes:?}", sizes.len());
                    return Err(TrainError::bad("network.head.ranks", format!("{ranks:?}"), mend));
                }
                let (labels, bonds) = (&['a', 'b', 'd', 'e', 'f'][..modes.len()], &['x', 'y', 'z', 'w', 'v']);
                let bonds = &bonds[..ranks.len()];
                let mut inputs = Vec::new();
                let mut shapes = Vec::new();
                let core = if all { bonds.to_vec() } else { [&['o'], bonds].concat() };
                inputs.push(core);
                shapes.push(if all { ranks.clone() } else { [&[classes], ranks.as_slice()].concat() });
                let owners = labels.iter().chain(all.then_some(&'o'));
                for ((label, bond), (size, rank)) in owners.zip(bonds).zip(sizes.iter().zip(ranks)) {
                    inputs.push(vec![*label, *bond]);
                    shapes.push(vec![*size, *rank]);
                }
                let factors = shapes.into_iter().enumerate().map(|(i, shape)| {
                    FactorPlan::Own(if i == 0 { "core".to_owned() } else { format!("factor{i}") }, shape)
                });
                let network = Einsum { inputs, output: [&['o'], labels].concat() };
                let plan = Composition { network, factors: factors.collect() };
                composed("head", &plan, bound * bound / 3.0, &mut self.parameters)?
            }
        };
        let head_weights: usize = weight.parameters().iter().map(|p| self.parameters.size(*p)).sum();
        let bias = add(&mut self.parameters, "bias", &[classes], Start::Uniform(bound))?;
        self.macs += (fan_in * classes) as u64;
        let stem_weights: usize = stem.weight.parameters().iter().map(|p| self.parameters.size(*p)).sum();
        let blocks: usize = self.counts.iter().map(|b| b.d_m).sum();
        let counts = NetworkCounts {
            parameters: self.parameters.total(),
            macs: self.macs,
            d_m: blocks + stem_weights + self.shortcut_weights + head_weights,
            blocks: self.counts,
        };
        Ok(Network {
            parameters: self.parameters,
            running: self.running,
            stem,
            blocks: self.blocks,
            head: Head { weight, bias, averages },
            counts,
        })
    }
}
