//! Goes through the nodes of a file with what is known of every value, and builds the graph.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use convstat_graph::{NodeId, Op};

use crate::builder::{Builder, Fact};
use crate::call::{Bound, Call, attribute};
use crate::inputs::Inputs;
use crate::operator::{Draft, Operator, Role};
use crate::operators;
use crate::order::order;
use crate::proto::{Dim, Function, GraphProto, Model, NodeProto};
use crate::scopes::Scopes;
use crate::shapes::believed;
use crate::stored_values::StoredValues;
use crate::tensor::Kind;
use crate::value::{Shape, Value};
use crate::wire::Reason;

/// Operations of a network with its functions and loops written out.
const MOST_NODES: usize = 1 << 18;

/// A file on its way to a graph.
pub(crate) struct Reader<'m> {
    functions: HashMap<(&'m str, &'m str, &'m str), &'m Function>,
    pub opset: i64,
    pub scopes: Scopes<'m>,
    declared: HashMap<&'m str, Shape>,
    pub builder: Builder,
    pub constants: StoredValues<'m>,
    /// Operations that may still be read.
    left: usize,
}

impl<'m> Reader<'m> {
    pub(crate) fn new(model: &'m Model, folder: &'m Path, inputs: &Inputs<'m>) -> Self {
        let functions = model.functions.iter();
        let opset = model
            .opsets
            .iter()
            .find(|o| o.domain.is_empty() || o.domain == "ai.onnx")
            .map_or(1, |o| o.version);
        Self {
            functions: functions.map(|f| ((&f.domain[..], &f.name[..], &f.overload[..]), f)).collect(),
            opset,
            scopes: Scopes::default(),
            declared: HashMap::new(),
            builder: Builder::new(inputs.batch),
            constants: StoredValues::new(folder),
            left: MOST_NODES,
        }
    }

    /// Reads the main graph; returns the nodes whose values it returns.
    pub(crate) fn read(&mut self, graph: &'m GraphProto, inputs: Inputs<'m>) -> Result<Vec<NodeId>, Reason> {
        self.scopes.open(None)?;
        for input in inputs.list {
            let value = if let Some(value) = input.value {
                Value { data: Some(value), ..Value::constant(input.kind, input.shape) }
            } else {
                let fact = Fact { kind: "Input".to_owned(), ..Fact::default() };
                let id = self.builder.emit(input.name, Op::Input, vec![], &input.shape, fact);
                Value::activation(id, input.kind, input.shape)
            };
            self.scopes.define(input.name, value)?;
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
        self.scopes.close();
        let mut ids: Vec<NodeId> = outputs.iter().filter_map(|v| v.node).collect();
        let mut seen = HashSet::new();
        ids.retain(|&id| seen.insert(id));
        Ok(ids)
    }

    /// Reads a graph in the innermost scope; returns its outputs.
    pub(crate) fn graph(&mut self, graph: &'m GraphProto) -> Result<Vec<Value>, Reason> {
        for tensor in &graph.initializers {
            let value = self.constants.store(&mut self.builder, tensor, false)?;
            self.scopes.define(&tensor.name, value)?;
        }
        self.run(&graph.nodes)?;
        let value = |name: &String| self.scopes.value(name).map_err(|e| format!("output: {e}"));
        graph.outputs.iter().map(|o| value(&o.name)).collect()
    }

    fn run(&mut self, nodes: &'m [NodeProto]) -> Result<(), Reason> {
        for place in order(nodes)? {
            let node = &nodes[place];
            self.left =
                self.left.checked_sub(1).ok_or_else(|| format!("more than {MOST_NODES} operations"))?;
            let name = if node.name.is_empty() { node.outputs.first() } else { Some(&node.name) };
            let name = name.map_or("", String::as_str);
            let in_operation = |reason| format!("operation \"{name}\" ({}): {reason}", node.kind);
            let mut values = self.node(node, name).map_err(in_operation)?.into_iter();
            for output in &node.outputs {
                let value = values.next().unwrap_or_else(|| Value::constant(Kind::FLOAT, None));
                self.scopes.define(output, value)?;
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &'m NodeProto, name: &str) -> Result<Vec<Value>, Reason> {
        let value = |n: &String| if n.is_empty() { Ok(None) } else { self.scopes.value(n).map(Some) };
        let inputs: Vec<Option<Value>> = node.inputs.iter().map(value).collect::<Result<_, _>>()?;
        let key = (&node.domain[..], &node.kind[..], &node.overload[..]);
        if let Some(&function) = self.functions.get(&key) {
            return self.function(function, node, name, inputs);
        }
        let (bound, outputs) = (self.scopes.bound(), node.outputs.len());
        let mut call = Call { node, kind: &node.kind, inputs, bound, opset: self.opset, outputs };
        if let Some(alias) = operators::alias(&node.kind) {
            let known = call.inputs.len();
            let places = alias.inputs.iter().filter(|&&place| place < known);
            call.inputs = places.map(|&p| call.input(p).cloned()).collect();
            call.kind = alias.of;
        }
        match call.kind {
            "Constant" => self.constants.literal(&mut self.builder, &call).map(|v| vec![v]),
            "If" => self.branch(&call, name),
            "Loop" | "Scan" => self.repeated(&call, name),
            kind => self.plain(&call, operators::find(kind), name),
        }
    }

    fn plain(
        &mut self,
        call: &Call<'m>,
        operator: &'static Operator,
        name: &str,
    ) -> Result<Vec<Value>, Reason> {
        let mut shapes: Vec<Shape> = (operator.shapes)(call)?.into_iter().map(believed).collect();
        shapes.resize(call.outputs.max(1), None);
        for (shape, output) in shapes.iter_mut().zip(&call.node.outputs) {
            self.complete(shape, output);
        }
        let numbers = (operator.numbers)(call);
        match operator.role {
            Role::Measure(measure) => {
                let shape = shapes.into_iter().next().flatten();
                Ok(vec![Value { data: measure(call), ..Value::constant(numbers, shape) }])
            }
            Role::Pass => match call.input(0).filter(|v| !v.is_constant()) {
                Some(first) => {
                    let first = Value { kind: numbers, ..first.clone() };
                    let rest = shapes.iter().skip(1).map(|_| Value::constant(numbers, Some(vec![])));
                    Ok(std::iter::once(first).chain(rest).collect())
                }
                // What a cast is like, and the scale of a quantised weight, need not be known.
                None => self.constants.computed(call, operator, shapes),
            },
            _ if call.inputs.iter().flatten().all(Value::is_constant) => {
                self.constants.computed(call, operator, shapes)
            }
            _ => self.operation(call, operator, name, shapes),
        }
    }

    /// Fills in what the file declares of a shape.
    fn complete(&self, shape: &mut Shape, name: &str) {
        if !self.scopes.is_outermost() {
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

    /// An operator that reads an activation.
    fn operation(
        &mut self,
        call: &Call<'m>,
        operator: &'static Operator,
        name: &str,
        shapes: Vec<Shape>,
    ) -> Result<Vec<Value>, Reason> {
        let numbers = (operator.numbers)(call);
        let inputs: Vec<NodeId> = call.inputs.iter().flatten().filter_map(|v| v.node).collect();
        let fact = Fact { kind: call.kind.to_owned(), ..Fact::default() };
        let shape = shapes.first().cloned().flatten();
        let mut draft = Draft { call, shape, inputs, fact };
        if matches!(operator.role, Role::Split) {
            let part = |(i, shape): (usize, Shape)| {
                let (name, inputs) = (format!("{name}:{i}"), draft.inputs.clone());
                let id = self.builder.emit(&name, draft.moved(), inputs, &shape, draft.fact.clone());
                Value::activation(id, numbers, shape)
            };
            return Ok(shapes.into_iter().enumerate().map(part).collect());
        }
        let op = operator.operation(&mut self.builder, &mut draft)?;
        let Draft { shape, inputs, fact, .. } = draft;
        let mut id = self.builder.emit(name, op, inputs, &shape, fact);
        let fused = call.text("activation").filter(|_| operator.takes_activation);
        if let Some(kind) = fused.and_then(|fused| operators::find(fused).activation) {
            let op = Op::Activation { kind: kind.to_owned(), parameters: 0 };
            let fact = Fact { kind: kind.to_owned(), ..Fact::default() };
            id = self.builder.emit(&format!("{name}:{kind}"), op, vec![id], &shape, fact);
        }
        Ok(shapes.into_iter().map(|shape| Value::activation(id, numbers, shape)).collect())
    }

    /// Writes out a function of the file.
    fn function(
        &mut self,
        function: &'m Function,
        node: &'m NodeProto,
        name: &str,
        inputs: Vec<Option<Value>>,
    ) -> Result<Vec<Value>, Reason> {
        let around = self.scopes.bound();
        let mut bound: Bound<'m> = function.defaults.iter().map(|a| (&a.name[..], a)).collect();
        for own in &node.attributes {
            if let Some(resolved) = attribute(node, &own.name, &around) {
                bound.insert(&own.name, resolved);
            }
        }
        self.scopes.open(Some(bound))?;
        let mut inputs = inputs.into_iter();
        for input in &function.inputs {
            // An input that the call leaves out is an empty name in the function: nothing is known of it.
            let value = inputs.next().flatten().unwrap_or_else(|| Value::constant(Kind::UNKNOWN, None));
            self.scopes.define(input, value)?;
        }
        let outside = self.builder.prefix(name);
        let run = self.run(&function.nodes);
        self.builder.end_prefix(outside);
        run?;
        let outputs: Result<Vec<Value>, Reason> =
            function.outputs.iter().map(|o| self.scopes.value(o)).collect();
        self.scopes.close();
        outputs
    }
}
