//! A tape: every operation leaves what its derivative needs, and [`Tape::backward`] runs through them from the last to
//! the first. Gradients move from node to node; memory of the forward pass is freed on the way.

use candle_core::{DType, Tensor};
use convstat_tensor::Einsum;

use crate::activation::{Activation, Pool};
use crate::backend::{Backend, Gradients};
use crate::normalisation::NormState;
use crate::window::{ConvSpec, PoolSpec};
use crate::{EngineError, Result};

/// A value on a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Var(usize);

type Backward = Box<dyn FnOnce(&dyn Backend, Tensor) -> Result<Vec<(Var, Tensor)>>>;

struct Node {
    value: Tensor,
    /// Whether a parameter is behind it.
    wanted: bool,
    parameter: Option<usize>,
    backward: Option<Backward>,
}

/// Operations in the order they were done.
pub struct Tape<'a> {
    backend: &'a dyn Backend,
    training: bool,
    nodes: Vec<Node>,
}

impl std::fmt::Debug for Tape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tape of {} nodes on {:?}", self.nodes.len(), self.backend)
    }
}

impl<'a> Tape<'a> {
    /// An empty tape. Without `training` batch normalisation uses its running statistics and nothing is kept for
    /// derivatives, values apart.
    pub fn new(backend: &'a dyn Backend, training: bool) -> Self {
        Self { backend, training, nodes: Vec::new() }
    }

    /// The value of a variable.
    pub fn value(&self, v: Var) -> &Tensor {
        &self.nodes[v.0].value
    }

    /// A value without derivative.
    pub fn constant(&mut self, value: Tensor) -> Var {
        self.push(value, false, None, None)
    }

    /// A vector that never changes.
    ///
    /// # Errors
    /// The device fails.
    pub fn constant_vector(&mut self, entries: &[f64], dtype: DType) -> Result<Var> {
        let value = self.backend.constant(entries, dtype)?;
        Ok(self.constant(value))
    }

    /// A parameter; its derivative will stand under `number`. The same number may be used several times: derivatives
    /// add up.
    pub fn parameter(&mut self, number: usize, value: Tensor) -> Var {
        self.push(value, true, Some(number), None)
    }

    fn push(
        &mut self,
        value: Tensor,
        wanted: bool,
        parameter: Option<usize>,
        backward: Option<Backward>,
    ) -> Var {
        self.nodes.push(Node { value, wanted, parameter, backward });
        Var(self.nodes.len() - 1)
    }

    /// Adds the result of an operation on `inputs`.
    fn record(
        &mut self,
        value: Tensor,
        inputs: &[Var],
        backward: impl FnOnce(&dyn Backend, Tensor) -> Result<Vec<(Var, Tensor)>> + 'static,
    ) -> Var {
        let wanted = self.training && inputs.iter().any(|v| self.nodes[v.0].wanted);
        let backward: Option<Backward> = if wanted { Some(Box::new(backward)) } else { None };
        self.push(value, wanted, None, backward)
    }

    fn wants(&self, v: Var) -> bool {
        self.nodes[v.0].wanted
    }

    /// Convolution of `x` (`N, spatial…, C`) with `w` (`O, taps…, C / groups`); without spatial axes the product `x wᵀ`.
    ///
    /// # Errors
    /// Channels or groups that do not fit, a kernel that does not fit into the padded input.
    pub fn convolve(&mut self, x: Var, w: Var, spec: &ConvSpec) -> Result<Var> {
        let a = self.value(x).clone();
        let b = self.backend.operand(self.value(w), &a)?;
        let (xs, ws) = (a.dims(), b.dims());
        let (channels, per_group) = (xs.last().copied().unwrap_or(0), ws.last().copied().unwrap_or(0));
        let groups = spec.groups;
        if xs.len() < 2
            || xs.len() != ws.len()
            || groups == 0
            || per_group * groups != channels
            || ws[0] % groups != 0
        {
            return Err(EngineError::shape(
                "convolution",
                format!(
                    "input {xs:?}, weights {ws:?} in {groups} groups: the weights need as many axes as the input, and \
                     {channels} input and {} output channels have to divide into the groups",
                    ws.first().copied().unwrap_or(0)
                ),
            ));
        }
        let y = self.backend.convolve(&a, &b, spec)?;
        let (spec, by_x, by_w) = (spec.clone(), self.wants(x), self.wants(w));
        Ok(self.record(y, &[x, w], move |backend, dy| {
            let mut all = Vec::new();
            if by_w {
                all.push((w, backend.convolve_by_weight(&dy, &a, b.dims(), &spec)?));
            }
            if by_x {
                all.push((x, backend.convolve_by_input(&dy, &b, a.dims(), &spec)?));
            }
            Ok(all)
        }))
    }

    /// Batch normalisation with a residual and a clamp, see [`Backend::normalise`]; `running` are the running mean and
    /// variance, whose successors come back in training.
    ///
    /// # Errors
    /// An activation that is no clamp; shapes that do not fit.
    pub fn normalise(
        &mut self,
        x: Var,
        [gamma, beta]: [Var; 2],
        running: [&Tensor; 2],
        residual: Option<Var>,
        activation: Activation,
    ) -> Result<(Var, Option<(Tensor, Tensor)>)> {
        let a = self.value(x).clone();
        let g = self.value(gamma).clone();
        let z = residual.map(|r| self.value(r).clone());
        let channels = a.dims()[a.dims().len() - 1];
        let fits = |t: &Tensor| t.dims() == [channels];
        let all = [&g, self.value(beta), running[0], running[1]];
        if !all.iter().all(|t| fits(t)) || z.as_ref().is_some_and(|z| z.dims() != a.dims()) {
            return Err(EngineError::shape(
                "batch normalisation",
                format!(
                    "input {:?}, scale {:?}, residual {:?}",
                    a.dims(),
                    g.dims(),
                    z.map(|z| z.dims().to_vec())
                ),
            ));
        }
        if !activation.is_clamp() {
            return Err(EngineError::shape("batch normalisation", format!("{activation:?} cannot be fused")));
        }
        let state = NormState { gamma: &g, beta: self.value(beta), mean: running[0], variance: running[1] };
        let mut forward = self.backend.normalise(&a, state, z.as_ref(), activation, self.training)?;
        let (y, next) = (forward.y.clone(), forward.running.take());
        let inputs: Vec<Var> = [Some(x), Some(gamma), Some(beta), residual].into_iter().flatten().collect();
        let y = self.record(y, &inputs, move |backend, dy| {
            let back = backend.normalise_backward(&dy, &a, &g, residual.is_some(), activation, &forward)?;
            let mut all = vec![(gamma, back.gamma), (beta, back.beta)];
            all.extend(residual.zip(back.residual));
            all.push((x, back.x));
            Ok(all)
        });
        Ok((y, next))
    }

    /// The function of every entry.
    ///
    /// # Errors
    /// The device fails.
    pub fn activate(&mut self, x: Var, activation: Activation) -> Result<Var> {
        let a = self.value(x).clone();
        let y = self.backend.activate(&a, activation)?;
        Ok(self.record(y, &[x], move |backend, dy| {
            Ok(vec![(x, backend.activate_backward(&dy, &a, activation)?)])
        }))
    }

    /// Pool over the spatial axes.
    ///
    /// # Errors
    /// A window that does not fit, or padding as large as the window (it would be empty).
    pub fn pool(&mut self, x: Var, kind: Pool, spec: &PoolSpec) -> Result<Var> {
        let a = self.value(x);
        if spec.padding.iter().zip(&spec.kernel).any(|(p, k)| 2 * p > *k) {
            return Err(EngineError::shape(
                "pool",
                format!("padding {:?} is more than half of the window {:?}", spec.padding, spec.kernel),
            ));
        }
        let shape = a.dims().to_vec();
        let (y, winners) = self.backend.pool(a, kind, spec)?;
        let spec = spec.clone();
        Ok(self.record(y, &[x], move |backend, dy| {
            Ok(vec![(x, backend.pool_backward(&dy, winners.as_ref(), &shape, kind, &spec)?)])
        }))
    }

    /// Mean over all positions: `(N, spatial…, C)` to `(N, C)`.
    ///
    /// # Errors
    /// The device fails.
    pub fn global_average(&mut self, x: Var) -> Result<Var> {
        let dims = self.value(x).dims().to_vec();
        let kernel = dims[1..dims.len() - 1].to_vec();
        let axes = kernel.len();
        let spec = PoolSpec { stride: kernel.clone(), kernel, padding: vec![0; axes] };
        let y = self.pool(x, Pool::Average, &spec)?;
        self.flatten(y)
    }

    /// `(N, …)` to `(N, all the rest)`.
    ///
    /// # Errors
    /// The device fails.
    pub fn flatten(&mut self, x: Var) -> Result<Var> {
        let shape = self.value(x).dims().to_vec();
        let y = self.value(x).reshape((shape[0], ()))?;
        Ok(self.record(y, &[x], move |_, dy| Ok(vec![(x, dy.reshape(shape)?)])))
    }

    /// `a + b`.
    ///
    /// # Errors
    /// Shapes that differ.
    pub fn add(&mut self, a: Var, b: Var) -> Result<Var> {
        let (x, y) = (self.value(a), self.value(b));
        if x.dims() != y.dims() {
            return Err(EngineError::shape("sum", format!("{:?} and {:?} differ", x.dims(), y.dims())));
        }
        let sum = self.backend.add(x, y)?;
        Ok(self.record(sum, &[a, b], move |_, dy| Ok(vec![(a, dy.clone()), (b, dy)])))
    }

    /// `x` (`…, C`) plus `b` (`C`).
    ///
    /// # Errors
    /// Another number of channels.
    pub fn add_bias(&mut self, x: Var, b: Var) -> Result<Var> {
        let (a, c) = (self.value(x), self.value(b));
        if c.dims() != &a.dims()[a.dims().len() - 1..] {
            return Err(EngineError::shape("bias", format!("{:?} on {:?}", c.dims(), a.dims())));
        }
        let y = self.backend.add_bias(a, c)?;
        Ok(self.record(y, &[x, b], move |backend, dy| Ok(vec![(b, backend.sum_rows(&dy)?), (x, dy)])))
    }

    /// Channel shuffle (Zhang et al. 2018): channels seen as `(groups, C / groups)` and transposed.
    ///
    /// # Errors
    /// Groups that do not divide the channels.
    pub fn shuffle(&mut self, x: Var, groups: usize) -> Result<Var> {
        let a = self.value(x);
        let channels = a.dims()[a.dims().len() - 1];
        if groups == 0 || !channels.is_multiple_of(groups) {
            return Err(EngineError::shape(
                "shuffle",
                format!("{groups} groups do not divide {channels} channels"),
            ));
        }
        let y = self.backend.shuffle(a, groups)?;
        Ok(self.record(y, &[x], move |backend, dy| Ok(vec![(x, backend.shuffle(&dy, channels / groups)?)])))
    }

    /// A tensor network of small factors: the weights of a compressed layer.
    ///
    /// # Errors
    /// Sizes of a label that differ between factors.
    pub fn compose(&mut self, network: &Einsum, factors: &[Var]) -> Result<Var> {
        let values: Vec<Tensor> = factors.iter().map(|f| self.value(*f).clone()).collect();
        let y = self.backend.contract(network, &values)?;
        let wanted: Vec<bool> = factors.iter().map(|f| self.wants(*f)).collect();
        let (network, vars) = (network.clone(), factors.to_vec());
        Ok(self.record(y, factors, move |backend, dy| {
            let mut all = Vec::new();
            for i in (0..vars.len()).filter(|i| wanted[*i]) {
                let mut inputs = network.inputs.clone();
                let output = inputs.remove(i);
                inputs.push(network.output.clone());
                let mut operands = values.clone();
                operands.remove(i);
                operands.push(dy.clone());
                // A label of this factor alone is summed over: the derivative is the same at each of its places.
                for (&label, &size) in output.iter().zip(values[i].dims()) {
                    if !inputs.iter().any(|l| l.contains(&label)) {
                        inputs.push(vec![label]);
                        operands.push(backend.constant(&vec![1.0; size], dy.dtype())?);
                    }
                }
                all.push((vars[i], backend.contract(&Einsum { inputs, output }, &operands)?));
            }
            Ok(all)
        }))
    }

    /// Mean cross-entropy of `logits` (`N, classes`) with labels smoothed by `smoothing`, and the derivatives by all
    /// parameters. Ends the tape.
    ///
    /// # Errors
    /// Labels (u32) that are not one an image.
    pub fn backward(mut self, logits: Var, labels: &Tensor, smoothing: f64) -> Result<(Tensor, Gradients)> {
        let value = self.value(logits);
        let (n, classes) = value.dims2()?;
        if labels.dims() != [n] {
            let reason = format!("labels of shape {:?} for {n} images of {classes} classes", labels.dims());
            return Err(EngineError::shape("cross-entropy", reason));
        }
        let (loss, gradient) = self.backend.cross_entropy(value, labels, smoothing)?;
        Ok((loss, self.propagate(logits, gradient)?))
    }

    /// Derivatives by all parameters of the sum of `gradient` times the value of `from`.
    ///
    /// # Errors
    /// The device fails.
    pub fn propagate(&mut self, from: Var, gradient: Tensor) -> Result<Gradients> {
        let mut pending: Vec<Option<Tensor>> = vec![None; self.nodes.len()];
        pending[from.0] = Some(gradient);
        let mut gradients = Gradients::new();
        self.nodes.truncate(from.0 + 1);
        while let Some(node) = self.nodes.pop() {
            let i = self.nodes.len();
            let Some(dy) = pending[i].take() else { continue };
            if let Some(number) = node.parameter {
                accumulate(self.backend, gradients.entry(number), dy)?;
                continue;
            }
            drop(node.value);
            let Some(backward) = node.backward else { continue };
            for (Var(to), d) in backward(self.backend, dy)? {
                if !self.nodes[to].wanted {
                    continue;
                }
                pending[to] = Some(match pending[to].take() {
                    None => d,
                    Some(sum) => self.backend.add(&sum, &d)?,
                });
            }
        }
        Ok(gradients)
    }
}

fn accumulate(
    backend: &dyn Backend,
    entry: std::collections::btree_map::Entry<usize, Tensor>,
    d: Tensor,
) -> Result<()> {
    use std::collections::btree_map::Entry;
    match entry {
        Entry::Vacant(e) => {
            e.insert(d);
        }
        Entry::Occupied(mut e) => {
            let sum = backend.add(e.get(), &d)?;
            e.insert(sum);
        }
    }
    Ok(())
}
