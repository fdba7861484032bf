//! Networks from operations whose shapes follow from what they read.

use super::window::{Sizes, Window};
use crate::{Conv, Graph, GraphError, Linear, NodeId, Op, Result};

/// The output of a node: feature maps `[channels, spatial …]`, or a vector `[features]`.
#[derive(Debug, Clone)]
pub(super) struct Maps {
    node: NodeId,
    shape: Vec<usize>,
}

impl Maps {
    /// Channels, or features of a vector.
    pub fn channels(&self) -> usize {
        self.shape.first().copied().unwrap_or(0)
    }

    /// Spatial sizes.
    pub fn sizes(&self) -> &[usize] {
        self.shape.get(1..).unwrap_or_default()
    }
}

/// Hyperparameters of a convolution: outputs, window, groups and bias; its inputs are what it reads.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    outputs: usize,
    window: Window,
    groups: usize,
    bias: bool,
}

impl Filter {
    /// Stride 1, padding `⌊kernel/2⌋`, one group, no bias.
    pub fn new(outputs: usize, kernel: impl Into<Sizes>) -> Self {
        Self { outputs, window: Window::new(kernel), groups: 1, bias: false }
    }

    /// Each of `channels` channels alone.
    pub fn depthwise(channels: usize, kernel: impl Into<Sizes>) -> Self {
        Self::new(channels, kernel).groups(channels)
    }

    pub fn stride(self, stride: impl Into<Sizes>) -> Self {
        Self { window: self.window.stride(stride), ..self }
    }

    pub fn padding(self, padding: impl Into<Sizes>) -> Self {
        Self { window: self.window.padding(padding), ..self }
    }

    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    pub fn bias(self) -> Self {
        Self { bias: true, ..self }
    }
}

/// A network under construction.
#[derive(Debug)]
pub(super) struct Builder {
    graph: Graph,
    /// Spatial sizes of the input, for messages.
    sizes: Vec<usize>,
}

impl Builder {
    /// A network that reads `channels` channels of `sizes`.
    pub fn new(name: &str, channels: usize, sizes: &[usize]) -> (Self, Maps) {
        let mut graph = Graph { name: name.to_owned(), ..Graph::default() };
        let shape: Vec<usize> = std::iter::once(channels).chain(sizes.iter().copied()).collect();
        let node = graph.add("input", Op::Input, Vec::new(), shape.clone());
        (Self { graph, sizes: sizes.to_vec() }, Maps { node, shape })
    }

    /// The network that returns `output`.
    pub fn finish(mut self, output: &Maps) -> Graph {
        self.graph.outputs = vec![output.node];
        self.graph
    }

    fn add(&mut self, name: impl Into<String>, op: Op, inputs: &[&Maps], shape: Vec<usize>) -> Maps {
        let node = self.graph.add(name, op, inputs.iter().map(|m| m.node).collect(), shape.clone());
        Maps { node, shape }
    }

    /// `channels` maps of the positions of `window` over `x`.
    fn slide(&self, name: &str, x: &Maps, channels: usize, window: &Window) -> Result<Vec<usize>> {
        let positions = window.positions(x.sizes()).map_err(|(kernel, size)| {
            let sizes: Vec<String> = self.sizes.iter().map(usize::to_string).collect();
            GraphError::BadOption {
                option: "input",
                value: sizes.join("x"),
                mend: format!(
                    "the window of {name} is {kernel} wide over {size} positions, choose larger sizes"
                ),
            }
        })?;
        Ok(std::iter::once(channels).chain(positions).collect())
    }

    pub fn conv(&mut self, name: &str, x: &Maps, filter: Filter) -> Result<Maps> {
        let Filter { outputs, window, groups, bias } = filter;
        let shape = self.slide(name, x, outputs, &window)?;
        let modes = x.sizes().len();
        let conv = Conv {
            inputs: x.channels(),
            outputs,
            groups,
            kernel: window.kernel.expand(modes),
            stride: window.stride.expand(modes),
            padding: window.padding.expand(modes).into_iter().map(|p| (p, p)).collect(),
            dilation: vec![1; modes],
            bias,
            transposed: false,
            weight: None,
        };
        Ok(self.add(name, Op::Conv(conv), &[x], shape))
    }

    pub fn linear(&mut self, name: &str, x: &Maps, outputs: usize, bias: bool) -> Maps {
        let linear = Linear { inputs: x.channels(), outputs, bias, weight: None };
        self.add(name, Op::Linear(linear), &[x], vec![outputs])
    }

    /// A normalisation with a scale and a shift a channel.
    pub fn norm(&mut self, name: impl Into<String>, x: &Maps, kind: &str) -> Maps {
        let op = Op::Norm { kind: kind.to_owned(), parameters: 2 * x.channels() };
        self.add(name, op, &[x], x.shape.clone())
    }

    /// A trained scale a channel.
    pub fn scale(&mut self, name: impl Into<String>, x: &Maps) -> Maps {
        let op = Op::Norm { kind: "scale".to_owned(), parameters: x.channels() };
        self.add(name, op, &[x], x.shape.clone())
    }

    pub fn activation(&mut self, name: impl Into<String>, x: &Maps, kind: &str) -> Maps {
        let op = Op::Activation { kind: kind.to_owned(), parameters: 0 };
        self.add(name, op, &[x], x.shape.clone())
    }

    pub fn relu(&mut self, name: impl Into<String>, x: &Maps) -> Maps {
        self.activation(name, x, "relu")
    }

    /// A pool over windows; `kind` is `max` or `average`.
    pub fn pool(&mut self, name: &str, x: &Maps, kind: &str, window: Window) -> Result<Maps> {
        let shape = self.slide(name, x, x.channels(), &window)?;
        Ok(self.add(name, Op::Pool { kind: kind.to_owned(), global: false }, &[x], shape))
    }

    /// A mean over windows as large as it takes to get `sizes` of them.
    pub fn adaptive_pool(&mut self, name: &str, x: &Maps, sizes: impl Into<Sizes>) -> Maps {
        let sizes = sizes.into().expand(x.sizes().len());
        let global = sizes.iter().all(|&s| s == 1);
        let shape = std::iter::once(x.channels()).chain(sizes).collect();
        self.add(name, Op::Pool { kind: "average".to_owned(), global }, &[x], shape)
    }

    /// The mean of each map.
    pub fn global_pool(&mut self, name: &str, x: &Maps) -> Maps {
        self.adaptive_pool(name, x, 1)
    }

    pub fn sum(&mut self, name: impl Into<String>, a: &Maps, b: &Maps) -> Maps {
        self.add(name, Op::Add, &[a, b], a.shape.clone())
    }

    /// `x` times a gate a channel.
    pub fn gate(&mut self, name: impl Into<String>, gate: &Maps, x: &Maps) -> Maps {
        self.add(name, Op::Multiply, &[gate, x], x.shape.clone())
    }

    /// Branches side by side along the channels; a single one as it is.
    pub fn concat(&mut self, name: impl Into<String>, branches: &[&Maps]) -> Maps {
        if let [only] = branches {
            return (*only).clone();
        }
        let channels = branches.iter().map(|m| m.channels()).sum();
        let sizes = branches.first().map(|m| m.sizes()).unwrap_or_default();
        let shape = std::iter::once(channels).chain(sizes.iter().copied()).collect();
        self.add(name, Op::Concat { axis: 0 }, branches, shape)
    }

    /// Channels in another order.
    pub fn shuffle(&mut self, name: impl Into<String>, x: &Maps) -> Maps {
        self.add(name, Op::Move { kind: "shuffle".to_owned() }, &[x], x.shape.clone())
    }

    /// The two halves of the channels.
    pub fn split(&mut self, name: &str, x: &Maps) -> (Maps, Maps) {
        let first = x.channels() / 2;
        let mut half = |i: usize, channels: usize| {
            let shape = std::iter::once(channels).chain(x.sizes().iter().copied()).collect();
            self.add(format!("{name}.{i}"), Op::Move { kind: "split".to_owned() }, &[x], shape)
        };
        (half(0, first), half(1, x.channels() - first))
    }

    /// All entries as one vector.
    pub fn flatten(&mut self, x: &Maps) -> Maps {
        let entries = x.shape.iter().product();
        self.add("flatten", Op::Move { kind: "flatten".to_owned() }, &[x], vec![entries])
    }
}
