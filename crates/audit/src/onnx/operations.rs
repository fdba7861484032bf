//! What each operator is in the graph.

use super::call::Call;
use super::reader::{Fact, Reader};
use super::shapes::windows::{spatial, windows};
use super::shapes::{self, products};
use super::value::{Shape, Value, mode, product};
use super::wire::Reason;
use super::{fold, kinds};
use crate::graph::{Conv, Linear, NodeId, Op};

/// Where one entry or a scalar more is no parameter: constants of formulas.
const FEWEST: usize = 2;

impl<'m> Reader<'m> {
    /// An operator that reads an activation.
    pub(super) fn operation(
        &mut self,
        call: &Call<'m>,
        name: &str,
        shapes: Vec<Shape>,
    ) -> Result<Vec<Value>, Reason> {
        let of = fold::kind(call);
        let mut fact = Fact { kind: call.kind.to_owned(), ..Fact::default() };
        let shape = shapes.first().cloned().flatten();
        let mut inputs: Vec<NodeId> = call.inputs.iter().flatten().filter_map(|v| v.node).collect();
        if call.kind == "Split" {
            let part = |(i, shape): (usize, Shape)| {
                let op = Op::Move { kind: "split".to_owned() };
                let name = format!("{name}:{i}");
                let id = self.emit(&name, op, inputs.clone(), &shape, fact.clone());
                Value::activation(id, of, shape)
            };
            return Ok(shapes.into_iter().enumerate().map(part).collect());
        }
        let op = match call.kind {
            "Conv" | "ConvTranspose" => self.conv(call, &shape)?,
            "Gemm" => self.gemm(call, &shape),
            "MatMul" => self.matmul(call, &shape),
            "MatMulNBits" => self.packed(call),
            "Einsum" => {
                let macs = products::einsum(call).and_then(|e| e.macs).filter(|_| call.inputs.len() == 2);
                let parameters = self.train_inputs(call, 0);
                Op::Other {
                    kind: "einsum".to_owned(),
                    parameters,
                    macs: macs.unwrap_or(0) / self.batch.max(1) as u64,
                }
            }
            "LSTM" | "GRU" | "RNN" => self.recurrent(call),
            "MaxPool" | "AveragePool" | "LpPool" => pool(call, &shape)?,
            "GlobalMaxPool" | "GlobalAveragePool" | "GlobalLpPool" => {
                let kind = call.kind.trim_start_matches("Global").trim_end_matches("Pool").to_lowercase();
                Op::Pool { kind, global: true }
            }
            "ReduceMean" | "ReduceMax" if spans_map(call) => {
                let kind = if call.kind == "ReduceMean" { "average" } else { "max" };
                Op::Pool { kind: kind.to_owned(), global: true }
            }
            "Add" | "Sub" | "Sum" | "Mul" | "Div" => self.arithmetic(call, &mut fact, inputs.len()),
            "Concat" => {
                inputs = self.joined(call);
                let sizes = shape.as_ref().and_then(|s| s.iter().copied().collect::<Option<Vec<usize>>>());
                let rank = call.inputs.iter().flatten().find_map(Value::rank).unwrap_or(0);
                let axis = mode(call.int("axis", 1), rank).unwrap_or(1);
                // Without sizes the batch is taken to be in front.
                let dropped = sizes.is_none_or(|s| self.has_batch(&s));
                Op::Concat { axis: if dropped { axis.saturating_sub(1) } else { axis } }
            }
            "Gather" if call.input(0).is_some_and(Value::is_constant) => {
                let parameters = self.train(call.input(0));
                Op::Other { kind: "embedding".to_owned(), parameters, macs: 0 }
            }
            "Clip" => Op::Activation { kind: clip(call).to_owned(), parameters: 0 },
            "PRelu" => {
                let parameters = self.train(call.input(1));
                Op::Activation { kind: "prelu".to_owned(), parameters }
            }
            "Pow" if inputs.len() == 1 => Op::Activation { kind: "pow".to_owned(), parameters: 0 },
            "Min" | "Max" if inputs.len() == 1 => Op::Activation { kind: "clamp".to_owned(), parameters: 0 },
            kind if kinds::norm(kind).is_some() => {
                let kind = kinds::norm(kind).unwrap_or_default();
                Op::Norm { kind: kind.to_owned(), parameters: self.norm(call) }
            }
            kind if kinds::activation(kind).is_some() => {
                let kind = kinds::activation(kind).unwrap_or_default().to_owned();
                // A fused bias.
                let parameters = self.train_inputs(call, 1);
                Op::Activation { kind, parameters }
            }
            kind if kinds::moves(kind) => {
                let rank = call.input(0).and_then(Value::rank);
                fact.order = rank.filter(|_| kind == "Transpose").and_then(|r| shapes::order(call, r));
                Op::Move { kind: kind.to_lowercase() }
            }
            kind => {
                let parameters = self.train_inputs(call, 0);
                Op::Other { kind: kind.to_lowercase(), parameters, macs: 0 }
            }
        };
        let activation = if call.node.kind == "BiasGelu" { None } else { call.text("activation") };
        let id = self.emit(name, op, inputs, &shape, fact);
        let fused = activation.and_then(kinds::activation).filter(|_| matches!(call.kind, "Conv" | "Gemm"));
        let id = match fused {
            Some(kind) => {
                let op = Op::Activation { kind: kind.to_owned(), parameters: 0 };
                let fact = Fact { kind: kind.to_owned(), ..Fact::default() };
                self.emit(&format!("{name}:{kind}"), op, vec![id], &shape, fact)
            }
            None => id,
        };
        Ok(shapes.into_iter().map(|shape| Value::activation(id, of, shape)).collect())
    }

    /// Parameters of the constants among the inputs from a place on, but for single numbers.
    fn train_inputs(&mut self, call: &Call, from: usize) -> usize {
        let trained = |v: &&Value| v.is_constant() && v.entries().is_some_and(|n| n >= FEWEST);
        let values: Vec<Value> = call.inputs.iter().skip(from).flatten().filter(trained).cloned().collect();
        self.train(&values)
    }

    fn conv(&mut self, call: &Call, shape: &Shape) -> Result<Op, Reason> {
        let transposed = call.kind == "ConvTranspose";
        let known = call.input(1).and_then(|w| Some((w, w.sizes().filter(|s| !s.contains(&0))?)));
        let (Some((weight, sizes)), Some(true)) = (known, call.input(1).map(Value::is_constant)) else {
            // A kernel that the network makes.
            let parameters = self.train_inputs(call, 0);
            return Ok(Op::Other { kind: "conv".to_owned(), parameters, macs: 0 });
        };
        let &[first, second, ref kernel @ ..] = &sizes[..] else {
            return Err("a weight of one mode".to_owned());
        };
        let modes = kernel.len();
        if modes == 0 {
            return Err(format!("a weight of shape {sizes:?}, which has no spatial modes"));
        }
        let groups = call.int("group", 1);
        let groups = usize::try_from(groups).ok().filter(|&g| g > 0 && first % g == 0);
        let Some(groups) = groups else {
            return Err(format!(
                "group = {} for {first} channels: it has to divide them",
                call.int("group", 1)
            ));
        };
        let other = second.checked_mul(groups).ok_or_else(|| format!("group = {groups} is too large"))?;
        let (inputs, outputs) = if transposed { (first, other) } else { (other, first) };
        let windows = windows(call, kernel.to_vec(), &spatial(call, modes))?;
        let order = weight.part.as_ref().and_then(|p| p.order.clone());
        let stored =
            weight.part.as_ref().and_then(|p| self.tensors.get(p.tensor)?.weight(p.shape.clone(), order));
        let bias = call.input(2).filter(|b| self.is_bias(b));
        self.train(std::iter::once(weight).chain(bias));
        // The shape of a map has its channels, so that operations follow from positions.
        let fits = shape.as_ref().is_none_or(|s| s.get(1).copied().flatten() == Some(outputs));
        if !fits {
            return Err(format!("it makes {outputs} channels, its output has others"));
        }
        Ok(Op::Conv(Conv {
            inputs,
            outputs,
            groups,
            kernel: windows.kernel,
            stride: windows.stride,
            padding: windows.padding,
            dilation: windows.dilation,
            bias: bias.is_some(),
            transposed,
            weight: stored,
        }))
    }

    fn gemm(&mut self, call: &Call, shape: &Shape) -> Op {
        let flipped = call.int("transB", 0) == 0;
        let weight = call.input(1).filter(|_| call.int("transA", 0) == 0);
        match weight.and_then(|w| self.linear(w, flipped, call.input(2))) {
            Some(op) => op,
            None => self.product(call, shape, "gemm"),
        }
    }

    fn matmul(&mut self, call: &Call, shape: &Shape) -> Op {
        let flipped = call.int("transB", 0) == 0;
        let weight = call.input(1).filter(|_| call.int("transA", 0) == 0);
        match weight.and_then(|w| self.linear(w, flipped, None)) {
            Some(op) => op,
            None => self.product(call, shape, "matmul"),
        }
    }

    /// A matrix of constants on the last mode; none if it is none. `flipped`: it stands as inputs × outputs.
    fn linear(&mut self, weight: &Value, flipped: bool, bias: Option<&Value>) -> Option<Op> {
        let sizes = weight.sizes().filter(|_| weight.is_constant())?;
        let (leading, matrix) = sizes.split_at_checked(sizes.len().checked_sub(2)?)?;
        let &[rows, columns] = matrix else { return None };
        if leading.iter().any(|&s| s != 1) || rows == 0 || columns == 0 {
            return None;
        }
        let (inputs, outputs) = if flipped { (rows, columns) } else { (columns, rows) };
        let part = weight.part.as_ref().filter(|_| leading.is_empty());
        let stored = part.and_then(|p| {
            let mut order = p.order.clone().unwrap_or_else(|| vec![0, 1]);
            if flipped {
                order.reverse();
            }
            let order = Some(order).filter(|o| *o != [0, 1]);
            self.tensors.get(p.tensor)?.weight(p.shape.clone(), order)
        });
        let bias = bias.filter(|b| self.is_bias(b));
        self.train(std::iter::once(weight).chain(bias));
        Some(Op::Linear(Linear { inputs, outputs, bias: bias.is_some(), weight: stored }))
    }

    /// A product of two activations, or one that is no layer.
    fn product(&mut self, call: &Call, shape: &Shape, kind: &str) -> Op {
        let parameters = self.train_inputs(call, 0);
        let entries = shape.as_ref().and_then(|s| product(&s.iter().copied().collect::<Option<Vec<_>>>()?));
        let first = call.input(0);
        let last = first
            .and_then(Value::rank)
            .and_then(|r| r.checked_sub(if call.int("transA", 0) == 0 { 1 } else { 2 }));
        let inner = first.and_then(|v| v.size(last?));
        let macs = entries.zip(inner).and_then(|(e, k)| (e as u64).checked_mul(k as u64)).unwrap_or(0);
        Op::Other { kind: kind.to_owned(), parameters, macs: macs / self.batch.max(1) as u64 }
    }

    /// A matrix of a few bits an entry, `MatMulNBits`.
    fn packed(&mut self, call: &Call) -> Op {
        let size = |name| usize::try_from(call.int(name, 0)).ok().filter(|&n| n > 0 && n < 1 << 20);
        match (size("K"), size("N"), call.input(1)) {
            (Some(inputs), Some(outputs), Some(weight)) => {
                let bias = call.input(5);
                self.train(std::iter::once(weight).chain(bias));
                Op::Linear(Linear { inputs, outputs, bias: bias.is_some(), weight: None })
            }
            _ => {
                Op::Other { kind: "matmulnbits".to_owned(), parameters: self.train_inputs(call, 1), macs: 0 }
            }
        }
    }

    fn recurrent(&mut self, call: &Call) -> Op {
        let weights = [1, 2].map(|i| call.input(i).and_then(Value::entries).unwrap_or(0));
        let steps = call.input(0).and_then(|x| x.size(usize::from(call.int("layout", 0) != 0)));
        let sum = weights.iter().sum::<usize>() as u64;
        let trained = [1, 2, 3, 7].map(|i| call.input(i).filter(|v| v.is_constant()).cloned());
        let parameters = self.train(trained.iter().flatten());
        let macs = steps.and_then(|t| sum.checked_mul(t as u64)).unwrap_or(0);
        Op::Other { kind: call.kind.to_lowercase(), parameters, macs }
    }

    fn norm(&mut self, call: &Call) -> usize {
        // Mean and variance of a batch normalisation are no parameters. The second input of a fused one is a summand.
        let places: &[usize] = if call.kind == "SkipLayerNormalization" { &[2, 3, 4] } else { &[1, 2] };
        let mut sum = 0;
        for &place in places {
            let Some(value) = call.input(place).filter(|v| v.is_constant()) else { continue };
            // Exporters write a group normalisation as an instance normalisation of ones and zeros.
            let made = value.origins.iter().all(|&o| self.tensors.get(o).is_some_and(|t| t.literal));
            let numbers = value.numbers().unwrap_or_default();
            let neutral =
                !numbers.is_empty() && numbers.iter().all(|&v| v == if place == 1 { 1.0 } else { 0.0 });
            if !(call.kind == "InstanceNormalization" && made && neutral) {
                sum += self.train([value]);
            }
        }
        sum
    }

    /// Sums and products of activations, or with constants.
    fn arithmetic(&mut self, call: &Call, fact: &mut Fact, activations: usize) -> Op {
        let sum = matches!(call.kind, "Add" | "Sub" | "Sum");
        let plain = if sum { Op::Add } else { Op::Multiply };
        if activations > 1 {
            let divided = Op::Other { kind: "div".to_owned(), parameters: 0, macs: 0 };
            return if call.kind == "Div" { divided } else { plain };
        }
        let Some(constant) = call.inputs.iter().flatten().find(|v| v.is_constant()) else { return plain };
        let other = call.inputs.iter().flatten().find(|v| !v.is_constant());
        fact.number = constant.number();
        fact.constant = constant.sizes();
        if call.kind == "Div" && call.input(0).is_some_and(Value::is_constant) {
            return Op::Activation { kind: "reciprocal".to_owned(), parameters: 0 };
        }
        if !matches!(call.kind, "Add" | "Mul") || !other.is_some_and(|x| self.trains(constant, x)) {
            return plain;
        }
        let parameters = self.train([constant]);
        Op::Norm { kind: if sum { "shift" } else { "scale" }.to_owned(), parameters }
    }

    /// Whether a constant that is added or multiplied is a parameter: floats, more than one, and an initialiser that no
    /// exporter computed, or else one number a channel.
    fn trains(&self, constant: &Value, other: &Value) -> bool {
        let Some(sizes) = constant.sizes().filter(|_| constant.kind.is_float()) else { return false };
        let stored: Vec<_> = constant.origins.iter().filter_map(|&o| self.tensors.get(o)).collect();
        if !stored.iter().any(|t| t.may_train() && t.entries() >= FEWEST)
            || product(&sizes).is_none_or(|n| n < FEWEST)
        {
            return false;
        }
        if stored.iter().any(|t| !t.literal && !computed(&t.name)) {
            return true;
        }
        // Aligned at the end, as constants are spread.
        let Some(rank) = other.rank() else { return false };
        let wide: Vec<usize> = sizes.iter().enumerate().filter(|(_, s)| **s > 1).map(|(i, _)| i).collect();
        let &[place] = &wide[..] else { return false };
        let from_end = sizes.len() - place;
        // Bias of a linear layer; scale and shift of a layer normalisation in pieces.
        let maker = other.node.and_then(|id| self.nodes.get(id)).map(|n| &n.op);
        let divided = matches!(maker, Some(Op::Other { kind, .. }) if kind == "div");
        let affine = divided || matches!(maker, Some(Op::Linear(_) | Op::Norm { .. }));
        rank >= 4 && rank.checked_sub(from_end) == Some(1) || affine && from_end == 1
    }

    /// The branches of a concatenation; a trained constant among them (a class token) becomes a node.
    fn joined(&mut self, call: &Call) -> Vec<NodeId> {
        let mut inputs = Vec::new();
        for value in call.inputs.iter().flatten() {
            if let Some(id) = value.node {
                inputs.push(id);
                continue;
            }
            let large = value.kind.is_float() && value.entries().is_some_and(|n| n >= FEWEST);
            let origin =
                value.origins.first().and_then(|&o| self.tensors.get(o)).filter(|t| !t.literal && large);
            if let Some(name) = origin.map(|t| t.name.clone()) {
                let parameters = self.train([value]);
                let op = Op::Other { kind: "parameter".to_owned(), parameters, macs: 0 };
                inputs.push(self.emit(&name, op, vec![], &value.shape, Fact::default()));
            }
        }
        inputs
    }
}

/// Whether a name is one that an exporter gives to what it computes itself.
fn computed(name: &str) -> bool {
    name.contains("Constant") || name.contains("onnx::") || name.ends_with("_output_0")
}

fn pool(call: &Call, shape: &Shape) -> Result<Op, Reason> {
    let modes = call.ints("kernel_shape").map_or(0, <[i64]>::len);
    let kernel = call.positive("kernel_shape", modes)?;
    let sizes: Option<Vec<usize>> = spatial(call, modes).into_iter().collect();
    let points = shape.as_ref().is_some_and(|s| s.iter().skip(2).all(|&n| n == Some(1)));
    let kind = call.kind.trim_end_matches("Pool").to_lowercase();
    Ok(Op::Pool { kind, global: modes > 0 && points && sizes.as_deref() == Some(&kernel[..]) })
}

/// Whether a reduction is over all modes of space: all but batch and channels, first or last, or the places of a sequence.
fn spans_map(call: &Call) -> bool {
    let (Some(axes), Some(rank)) = (shapes::reduced_modes(call), call.input(0).and_then(Value::rank)) else {
        return false;
    };
    let mut modes: Vec<usize> = axes.iter().filter_map(|&a| mode(a, rank)).collect();
    modes.sort_unstable();
    let first = modes.iter().copied().eq(2..rank) && rank >= 4;
    let last = modes.iter().copied().eq(1..rank.saturating_sub(1)) && rank >= 3;
    first || last
}

fn clip(call: &Call) -> &'static str {
    let bound = |place, name: &str| match call.attribute(name).and_then(|a| a.float) {
        Some(v) => Some(f64::from(v)),
        None => call.input(place).and_then(Value::number),
    };
    match (bound(1, "min"), bound(2, "max")) {
        (Some(0.0), Some(6.0)) => "relu6",
        (Some(0.0), None) => "relu",
        _ => "hardtanh",
    }
}
