//! Branches and loops.

use convstat_graph::Op;

use crate::builder::Fact;
use crate::call::Call;
use crate::proto::GraphProto;
use crate::reader::Reader;
use crate::tensor::Kind;
use crate::value::Value;
use crate::wire::Reason;

impl<'m> Reader<'m> {
    /// An `If`: the branch that is taken, if the condition is known, else one node with the parameters of both and the
    /// multiply–accumulates of the larger.
    pub(crate) fn branch(&mut self, call: &Call<'m>, name: &str) -> Result<Vec<Value>, Reason> {
        let graph = |key| call.attribute(key).and_then(|a| a.graph.as_deref());
        let (Some(yes), Some(no)) = (graph("then_branch"), graph("else_branch")) else {
            return Err("it needs then_branch and else_branch".to_owned());
        };
        if let Some(condition) = call.input(0).and_then(Value::number) {
            return self.inside(if condition == 0.0 { no } else { yes });
        }
        let mark = self.builder.nodes.len();
        let first = self.inside(yes)?;
        let (parameters, macs) = self.builder.take_out(mark);
        let second = self.inside(no)?;
        let (more, other) = self.builder.take_out(mark);
        let op = Op::Other { kind: "if".to_owned(), parameters: parameters + more, macs: macs.max(other) };
        let agreed = first.iter().zip(&second).map(|(a, b)| {
            let shape = a.shape.clone().filter(|_| a.shape == b.shape);
            Value { data: None, part: None, node: None, shape, ..a.clone() }
        });
        Ok(self.whole(call, name, op, mark, agreed.collect()))
    }

    /// A `Loop` or `Scan`: one node with the parameters of its body, and its multiply–accumulates for every round where their
    /// number is known, else for one.
    pub(crate) fn repeated(&mut self, call: &Call<'m>, name: &str) -> Result<Vec<Value>, Reason> {
        let Some(body) = call.attribute("body").and_then(|a| a.graph.as_deref()) else {
            return Err("it needs a body".to_owned());
        };
        let rounds = if call.kind == "Loop" {
            call.input(0).and_then(Value::number).map(|n| n as u64)
        } else {
            let scanned = usize::try_from(call.int("num_scan_inputs", 1)).unwrap_or(1);
            let first = call.inputs.len().checked_sub(scanned);
            first.and_then(|i| call.input(i)?.size(0)).map(|n| n as u64)
        };
        let mark = self.builder.nodes.len();
        self.scopes.open(None)?;
        for (i, input) in body.inputs.iter().enumerate() {
            // The iteration and the condition come first in a loop.
            let outer = if call.kind == "Loop" && i < 2 { None } else { call.input(i) };
            let kind = Kind(input.kind);
            let value = match outer {
                Some(v) => {
                    let shape = if call.kind == "Loop" { v.shape.clone() } else { None };
                    Value { node: v.node, ..Value::constant(v.kind, shape) }
                }
                None => Value::constant(kind, Some(vec![])),
            };
            self.scopes.define(&input.name, value)?;
        }
        let outputs = self.graph(body)?;
        self.scopes.close();
        let (parameters, macs) = self.builder.take_out(mark);
        let macs = macs.saturating_mul(rounds.unwrap_or(1).max(1));
        let op = Op::Other { kind: call.kind.to_lowercase(), parameters, macs };
        let open = |v: &Value| Value::constant(v.kind, None);
        let skip = usize::from(call.kind == "Loop");
        let values = outputs.iter().skip(skip).map(open).collect();
        Ok(self.whole(call, name, op, mark, values))
    }

    /// Reads a graph in a scope of its own.
    fn inside(&mut self, graph: &'m GraphProto) -> Result<Vec<Value>, Reason> {
        self.scopes.open(None)?;
        let outputs = self.graph(graph)?;
        self.scopes.close();
        Ok(outputs)
    }

    /// One node for a control flow; its outputs have the shapes of `values`.
    fn whole(&mut self, call: &Call<'m>, name: &str, op: Op, mark: usize, values: Vec<Value>) -> Vec<Value> {
        let mut inputs: Vec<usize> = call.inputs.iter().flatten().filter_map(|v| v.node).collect();
        inputs.retain(|&id| id < mark);
        inputs.dedup();
        let shape = values.first().and_then(|v| v.shape.clone());
        let fact = Fact { kind: call.kind.to_owned(), ..Fact::default() };
        let id = self.builder.emit(name, op, inputs, &shape, fact);
        values.into_iter().map(|v| Value::activation(id, v.kind, v.shape)).collect()
    }
}
