//! Goes through the nodes of a file with what is known of every value, and builds the graph.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::rc::Rc;

use super::call::{Bound, Call, attribute, plain};
use super::fold::{kind, shape_of};
use super::inputs::Inputs;
use super::order::order;
use super::proto::{Dim, Function, GraphProto, Model, NodeProto, TensorProto};
use super::shapes;
use super::tensor::{Kind, Stored};
use super::value::{MOST_DATA, Part, Shape, Value, product};
use super::wire::Reason;
use super::{fold, kinds};
use crate::graph::{Node, NodeId, Op};

/// Operations of a network with its functions and loops written out; graphs and functions inside one another.
const MOST_NODES: usize = 1 << 18;
const DEEPEST: usize = 32;
/// Entries of constants that are computed with, in all.
const MOST_COMPUTED: usize = 1 << 22;
/// Stored tensors that one constant is made of.
const MOST_ORIGINS: usize = 256;
/// Bytes of a name.
const LONGEST: usize = 1024;
/// Multiply–accumulates of a network that is believed: 2⁶².
const MOST_MACS: u64 = 1 << 62;

/// What a node of the graph was in the file, for recognising what exporters take apart.
#[derive(Clone, Default)]
pub(super) struct Fact {
    /// Operator.
    pub kind: String,
    /// Order of modes of a transposition.
    pub order: Option<Vec<usize>>,
    /// The number that is added or multiplied.
    pub number: Option<f64>,
    /// Shape of the constant that is added or multiplied.
    pub constant: Option<Vec<usize>>,
}

/// Values by name.
struct Scope<'m> {
    values: HashMap<&'m str, Value>,
    bound: Rc<Bound<'m>>,
    /// Whether names of the scopes around it are hidden.
    closed: bool,
}

/// A file on its way to a graph.
pub(super) struct Reader<'m> {
    functions: HashMap<(&'m str, &'m str, &'m str), &'m Function>,
    folder: &'m Path,
    pub opset: i64,
    pub batch: usize,
    scopes: Vec<Scope<'m>>,
    declared: HashMap<&'m str, Shape>,
    pub tensors: Vec<Stored>,
    /// Entries of each stored tensor that are parameters of a layer so far.
    used: Vec<usize>,
    pub nodes: Vec<Node>,
    pub facts: Vec<Fact>,
    names: HashSet<String>,
    repeats: HashMap<String, usize>,
    prefix: String,
    left: usize,
    computed: usize,
    macs: u64,
    /// Parameters of layers that share their weights with one before.
    pub shared: usize,
    pub notes: Vec<String>,
}

impl<'m> Reader<'m> {
    pub(super) fn new(model: &'m Model, folder: &'m Path, inputs: &Inputs<'m>) -> Self {
        let functions = model.functions.iter();
        let opset = model
            .opsets
            .iter()
            .find(|o| o.domain.is_empty() || o.domain == "ai.onnx")
            .map_or(1, |o| o.version);
        Self {
            functions: functions.map(|f| ((&f.domain[..], &f.name[..], &f.overload[..]), f)).collect(),
            folder,
            opset,
            batch: inputs.batch,
            scopes: Vec::new(),
            declared: HashMap::new(),
            tensors: Vec::new(),
            used: Vec::new(),
            nodes: Vec::new(),
            facts: Vec::new(),
            names: HashSet::new(),
            repeats: HashMap::new(),
            prefix: String::new(),
            left: MOST_NODES,
            computed: MOST_COMPUTED,
            macs: 0,
            shared: 0,
            notes: Vec::new(),
        }
    }

    /// Reads the main graph; returns the nodes whose values it returns.
    pub(super) fn read(&mut self, graph: &'m GraphProto, inputs: Inputs<'m>) -> Result<Vec<NodeId>, Reason> {
        self.open(HashMap::new(), false)?;
        for input in inputs.list {
            let value = if let Some(value) = input.value {
                Value { data: Some(value), ..Value::constant(input.kind, input.shape) }
            } else {
                let fact = Fact { kind: "Input".to_owned(), ..Fact::default() };
                let id = self.emit(input.name, Op::Input, vec![], &input.shape, fact);
                Value::activation(id, input.kind, input.shape)
            };
            self.define(input.name, value)?;
        }
        if inputs.declared {
            let size = |d: &Dim| match d {
                Dim::Size(n) => usize::try_from(*n).ok().filter(|&n| n > 0),
                _ => None,
            };
            for value in graph.values.iter().chain(&graph.outputs) {
                let shape = value.dims.as_ref().map(|d| d.iter().map(size).collect());
                self.declared.insert(&value.name, shape);
            }
        }
        let outputs = self.graph(graph)?;
        self.scopes.pop();
        let mut ids: Vec<NodeId> = outputs.iter().filter_map(|v| v.node).collect();
        let mut seen = HashSet::new();
        ids.retain(|&id| seen.insert(id));
        Ok(ids)
    }

    pub(super) fn open(&mut self, bound: Bound<'m>, closed: bool) -> Result<(), Reason> {
        if self.scopes.len() >= DEEPEST {
            return Err(format!("functions or graphs more than {DEEPEST} deep inside one another"));
        }
        let bound = match self.scopes.last() {
            Some(around) if !closed => around.bound.clone(),
            _ => Rc::new(bound),
        };
        self.scopes.push(Scope { values: HashMap::new(), bound, closed });
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.scopes.pop();
    }

    pub(super) fn define(&mut self, name: &'m str, value: Value) -> Result<(), Reason> {
        let Some(scope) = self.scopes.last_mut() else { return Ok(()) };
        if name.is_empty() {
            return Ok(());
        }
        match scope.values.insert(name, value) {
            Some(_) => Err(format!("two things are called \"{name}\"; names of values have to differ")),
            None => Ok(()),
        }
    }

    fn find(&self, name: &str) -> Option<&Value> {
        for scope in self.scopes.iter().rev() {
            if let Some(value) = scope.values.get(name) {
                return Some(value);
            }
            if scope.closed {
                return None;
            }
        }
        None
    }

    fn value(&self, name: &str) -> Result<Value, Reason> {
        self.find(name).cloned().ok_or_else(|| format!("nothing makes its input \"{name}\""))
    }

    /// Reads a graph in the innermost scope; returns its outputs.
    pub(super) fn graph(&mut self, graph: &'m GraphProto) -> Result<Vec<Value>, Reason> {
        for tensor in &graph.initializers {
            let value = self.store(tensor, false)?;
            self.define(&tensor.name, value)?;
        }
        self.run(&graph.nodes)?;
        let value = |name: &String| self.value(name).map_err(|e| format!("output: {e}"));
        graph.outputs.iter().map(|o| value(&o.name)).collect()
    }

    fn run(&mut self, nodes: &'m [NodeProto]) -> Result<(), Reason> {
        for place in order(nodes)? {
            let Some(node) = nodes.get(place) else { continue };
            self.left =
                self.left.checked_sub(1).ok_or_else(|| format!("more than {MOST_NODES} operations"))?;
            let name = if node.name.is_empty() { node.outputs.first() } else { Some(&node.name) };
            let name = name.map_or("", String::as_str);
            let said = |reason| format!("operation \"{name}\" ({}): {reason}", node.kind);
            let values = self.node(node, name).map_err(said)?;
            let mut values = values.into_iter();
            for output in &node.outputs {
                let value = values.next().unwrap_or_else(|| Value::constant(Kind::FLOAT, None));
                self.define(output, value)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &'m NodeProto, name: &str) -> Result<Vec<Value>, Reason> {
        let inputs =
            node.inputs.iter().map(|n| if n.is_empty() { Ok(None) } else { self.value(n).map(Some) });
        let inputs: Vec<Option<Value>> = inputs.collect::<Result<_, _>>()?;
        let key = (&node.domain[..], &node.kind[..], &node.overload[..]);
        if let Some(&function) = self.functions.get(&key) {
            return self.function(function, node, name, inputs);
        }
        let bound = self.scopes.last().map(|s| s.bound.clone()).unwrap_or_default();
        let mut call =
            Call { node, kind: &node.kind, inputs, bound, opset: self.opset, outputs: node.outputs.len() };
        if let Some((kind, places)) = plain(&node.kind) {
            let known = call.inputs.len();
            let at = |&&place: &&usize| place < known;
            call.inputs = places.iter().filter(at).map(|&p| call.input(p).cloned()).collect();
            call.kind = kind;
        }
        match call.kind {
            "Constant" => self.literal(&call).map(|v| vec![v]),
            "If" => self.branch(&call, name),
            "Loop" | "Scan" => self.repeated(&call, name),
            _ => self.plain(&call, name),
        }
    }

    fn plain(&mut self, call: &Call<'m>, name: &str) -> Result<Vec<Value>, Reason> {
        let mut shapes = shapes::infer(call)?;
        shapes.resize(call.outputs.max(1), None);
        for (shape, output) in shapes.iter_mut().zip(&call.node.outputs) {
            self.complete(shape, output);
        }
        let shape = shapes.first().cloned().flatten();
        let of = kind(call);
        if matches!(call.kind, "Shape" | "Size") {
            return Ok(vec![Value { data: shape_of(call), ..Value::constant(of, shape) }]);
        }
        if kinds::passes(call.kind) && call.input(0).is_some_and(|v| !v.is_constant()) {
            let first = call.input(0).cloned();
            let rest = shapes.iter().skip(1).map(|_| Value::constant(of, Some(vec![])));
            return Ok(first.map(|v| Value { kind: of, ..v }).into_iter().chain(rest).collect());
        }
        // What a cast is like, and the scale of a quantised weight, need not be known.
        let passed = kinds::passes(call.kind);
        if passed || call.inputs.iter().flatten().all(Value::is_constant) {
            return self.constants(call, shapes);
        }
        self.operation(call, name, shapes)
    }

    /// Fills in what the file declares of a shape.
    fn complete(&self, shape: &mut Shape, name: &str) {
        if self.scopes.len() > 1 {
            return;
        }
        let Some(Some(declared)) = self.declared.get(name) else { return };
        match shape {
            None => *shape = Some(declared.clone()),
            Some(sizes) if sizes.len() == declared.len() => {
                for (size, declared) in sizes.iter_mut().zip(declared) {
                    *size = size.or(*declared);
                }
            }
            Some(_) => {}
        }
    }

    /// A node of constants is a constant.
    fn constants(&mut self, call: &Call<'m>, shapes: Vec<Shape>) -> Result<Vec<Value>, Reason> {
        let mut origins: Vec<usize> = Vec::new();
        // The scale of a quantised weight is none of its parameters, and indices are none of a table's.
        let made_of = if matches!(call.kind, "DequantizeLinear" | "CastLike" | "Gather" | "Reshape" | "Slice")
        {
            1
        } else {
            usize::MAX
        };
        for value in call.inputs.iter().flatten().take(made_of) {
            origins.extend_from_slice(&value.origins);
        }
        origins.sort_unstable();
        origins.dedup();
        origins.truncate(MOST_ORIGINS);
        let origins: Rc<[usize]> = origins.into();
        let fill = match call.attribute("value").and_then(|a| a.tensor.as_ref()) {
            Some(tensor) => Stored::new(tensor, true, self.folder, &mut self.notes)?
                .data(1)
                .and_then(|d| d.first().copied()),
            None => Some(0.0),
        };
        let of = kind(call);
        let mut values = Vec::with_capacity(shapes.len());
        for (i, shape) in shapes.into_iter().enumerate() {
            let mut value = Value { origins: origins.clone(), ..Value::constant(of, shape) };
            if i == 0 {
                let sizes =
                    value.sizes().filter(|s| product(s).is_some_and(|n| n <= self.computed.min(MOST_DATA)));
                value.data = sizes.and_then(|s| fold::fold(call, &s, fill));
                self.computed -= value.data.as_ref().map_or(0, |d| d.len()).min(self.computed);
                value.part = part(call, &value);
            }
            values.push(value);
        }
        Ok(values)
    }

    /// Takes over a tensor of the file.
    fn store(&mut self, tensor: &TensorProto, literal: bool) -> Result<Value, Reason> {
        let stored = Stored::new(tensor, literal, self.folder, &mut self.notes)?;
        let most = MOST_DATA.min(self.computed);
        let data: Option<Rc<[Option<f64>]>> = stored.data(most).map(|d| d.into_iter().map(Some).collect());
        self.computed -= data.as_ref().map_or(0, |d| d.len()).min(self.computed);
        Ok(self.keep(stored, data))
    }

    fn keep(&mut self, stored: Stored, data: Option<Rc<[Option<f64>]>>) -> Value {
        let tensor = self.tensors.len();
        let shape = Some(stored.shape.iter().map(|&s| Some(s)).collect());
        let part = Some(Part { tensor, shape: stored.shape.clone(), order: None });
        let value = Value { node: None, shape, kind: stored.kind, data, part, origins: Rc::new([tensor]) };
        self.tensors.push(stored);
        self.used.push(0);
        value
    }

    fn literal(&mut self, call: &Call<'m>) -> Result<Value, Reason> {
        if let Some(tensor) = call.attribute("value").and_then(|a| a.tensor.as_deref()) {
            return self.store(tensor, true);
        }
        let float = |name: &str| call.attribute(name);
        let (kind, numbers, list) = if let Some(v) = float("value_float").and_then(|a| a.float) {
            (Kind::FLOAT, vec![f64::from(v)], false)
        } else if let Some(v) = float("value_int").and_then(|a| a.int) {
            (Kind::INT64, vec![v as f64], false)
        } else if let Some(a) = float("value_floats") {
            (Kind::FLOAT, a.floats.iter().map(|&v| f64::from(v)).collect(), true)
        } else if let Some(a) = float("value_ints") {
            (Kind::INT64, a.ints.iter().map(|&v| v as f64).collect(), true)
        } else {
            return Ok(Value::constant(Kind(8), None));
        };
        let shape = if list { vec![numbers.len()] } else { vec![] };
        let data =
            (numbers.len() <= MOST_DATA.min(self.computed)).then(|| numbers.into_iter().map(Some).collect());
        self.computed -= data.as_ref().map_or(0, |d: &Rc<[Option<f64>]>| d.len()).min(self.computed);
        let name = call.node.outputs.first().map_or("", String::as_str);
        Ok(self.keep(Stored::literal(name, shape, kind), data))
    }

    /// Writes out a function of the file.
    fn function(
        &mut self,
        function: &'m Function,
        node: &'m NodeProto,
        name: &str,
        inputs: Vec<Option<Value>>,
    ) -> Result<Vec<Value>, Reason> {
        let around = self.scopes.last().map(|s| s.bound.clone()).unwrap_or_default();
        let mut bound: Bound<'m> = function.defaults.iter().map(|a| (&a.name[..], a)).collect();
        for own in &node.attributes {
            if let Some(resolved) = attribute(node, &own.name, &around) {
                bound.insert(&own.name, resolved);
            }
        }
        self.open(bound, true)?;
        let mut inputs = inputs.into_iter();
        for input in &function.inputs {
            // An input that the call leaves out is an empty name in the function: nothing is known of it.
            let value = inputs.next().flatten().unwrap_or_else(|| Value::constant(Kind(0), None));
            self.define(input, value)?;
        }
        let outside = self.prefix.len();
        if self.prefix.len() < LONGEST {
            self.prefix += name;
            self.prefix.push('/');
        }
        let run = self.run(&function.nodes);
        self.prefix.truncate(outside);
        run?;
        let outputs: Result<Vec<Value>, Reason> = function.outputs.iter().map(|o| self.value(o)).collect();
        self.close();
        outputs
    }

    /// Appends an operation to the graph.
    pub(super) fn emit(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<NodeId>,
        shape: &Shape,
        fact: Fact,
    ) -> NodeId {
        let sizes = shape.as_ref().and_then(|s| s.iter().copied().collect::<Option<Vec<usize>>>());
        let shape = sizes.map(|s| self.without_batch(s)).unwrap_or_default();
        let name = self.unique(name);
        let mut node = Node { name, op, inputs, shape };
        self.bound_macs(&mut node);
        self.nodes.push(node);
        self.facts.push(fact);
        self.nodes.len() - 1
    }

    /// Leaves out numbers that would overflow.
    fn bound_macs(&mut self, node: &mut Node) {
        let entries = product(&node.shape).unwrap_or(usize::MAX) as u64;
        let by = match &node.op {
            Op::Conv(conv) => conv.weights() as u64,
            Op::Linear(linear) => linear.inputs as u64,
            _ => 1,
        };
        let most = match &node.op {
            Op::Other { macs, .. } => Some((*macs).max(entries)),
            _ => entries.checked_mul(by.max(1)),
        };
        if let Some(sum) = most.and_then(|m| self.macs.checked_add(m)).filter(|&m| m <= MOST_MACS) {
            self.macs = sum;
        } else {
            node.shape = vec![];
            if let Op::Other { macs, .. } = &mut node.op {
                *macs = 0;
            }
        }
    }

    /// Whether a shape has the batch in front.
    pub(super) fn has_batch(&self, shape: &[usize]) -> bool {
        shape.first() == Some(&self.batch)
    }

    fn without_batch(&self, mut shape: Vec<usize>) -> Vec<usize> {
        let batch = self.batch.max(1);
        match shape.first().copied() {
            Some(first) if first == batch => {
                shape.remove(0);
            }
            // Windows or places in one mode with the batch.
            Some(first) if batch > 1 && first % batch == 0 => {
                if let Some(size) = shape.first_mut() {
                    *size = first / batch;
                }
            }
            // Sequences with the batch second.
            Some(_) if batch > 1 && shape.get(1) == Some(&batch) => {
                shape.remove(1);
            }
            _ => {}
        }
        shape
    }

    /// The name with the function around it, and a number if it is taken.
    fn unique(&mut self, name: &str) -> String {
        let mut full = format!("{}{name}", self.prefix);
        if full.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|&i| full.is_char_boundary(i)).unwrap_or(0);
            full.truncate(end);
        }
        if self.names.insert(full.clone()) {
            return full;
        }
        let mut number = self.repeats.get(&full).copied().unwrap_or(1);
        loop {
            number += 1;
            let next = format!("{full}#{number}");
            if self.names.insert(next.clone()) {
                self.repeats.insert(full, number);
                return next;
            }
        }
    }

    /// Parameters of a layer that has these values; those that a layer before it has are noted as shared.
    ///
    /// A value that is a piece of stored tensors counts as a piece, one that repeats their entries counts as they.
    pub(super) fn train<'v>(&mut self, values: impl IntoIterator<Item = &'v Value>) -> usize {
        let mut sum = 0;
        for value in values {
            let places = self.trained(value);
            let held: usize = places.iter().filter_map(|&o| self.tensors.get(o)).map(Stored::entries).sum();
            let amount = value.entries().unwrap_or(held).min(held);
            let mut left = amount;
            for place in places {
                if let (Some(stored), Some(used)) = (self.tensors.get(place), self.used.get_mut(place)) {
                    let fresh = left.min(stored.entries().saturating_sub(*used));
                    *used += fresh;
                    left -= fresh;
                }
            }
            self.shared = self.shared.saturating_add(left);
            sum += amount;
        }
        sum
    }

    /// Stored tensors of a value that can be parameters; one number that is repeated is none.
    fn trained(&self, value: &Value) -> Vec<usize> {
        let one = value.entries() == Some(1);
        let may = |t: &Stored| t.may_train() && (one || t.entries() > 1);
        value.origins.iter().copied().filter(|&o| self.tensors.get(o).is_some_and(may)).collect()
    }

    /// Whether a constant is a layer's bias: exporters write zeros for those that have none.
    pub(super) fn is_bias(&self, value: &Value) -> bool {
        let own = value.entries() == Some(1) && value.number() != Some(0.0);
        let may = |o: &usize| self.tensors.get(*o).is_some_and(|t| t.entries() > 1 || !t.literal || own);
        value.is_constant() && value.origins.iter().any(may)
    }

    /// Takes the operations since `mark` back out; returns their parameters and multiply–accumulates.
    pub(super) fn take_out(&mut self, mark: usize) -> (usize, u64) {
        let inner = self.nodes.get(mark..).unwrap_or_default();
        let sums = (inner.iter().map(Node::parameters).sum(), inner.iter().map(Node::macs).sum());
        self.nodes.truncate(mark);
        self.facts.truncate(mark);
        sums
    }
}

/// The stored tensor that a constant still is after a move.
fn part(call: &Call, value: &Value) -> Option<Part> {
    let part = call.input(0)?.part.clone()?;
    match call.kind {
        "Identity" | "Cast" | "DequantizeLinear" | "Dropout" => Some(part),
        "Transpose" => {
            let order = shapes::order(call, part.shape.len())?;
            let before = part.order.clone().unwrap_or_else(|| (0..part.shape.len()).collect());
            let order: Option<Vec<usize>> = order.iter().map(|&i| before.get(i).copied()).collect();
            Some(Part { order: Some(order?), ..part })
        }
        "Reshape" | "Squeeze" | "Unsqueeze" | "Flatten" if part.order.is_none() => {
            let shape = value.sizes().filter(|s| product(s) == product(&part.shape))?;
            Some(Part { shape, ..part })
        }
        _ => None,
    }
}
