//! What an operator is: the shapes it makes, what it computes of constants, and its place in the graph.

use convstat_graph::{NodeId, Op};

use crate::builder::{Builder, Fact};
use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::tensor::Kind;
use crate::value::{Part, Shape, Value};
use crate::wire::Reason;

/// An operator of ONNX. A new one is a line in its file under `operators`, a new family of them a file and a line there.
pub(crate) struct Operator {
    pub name: &'static str,
    /// Shapes of its outputs, as far as those of its inputs and constants tell.
    pub shapes: fn(&Call) -> Result<Vec<Shape>, Reason>,
    /// What it is in the graph when it reads an activation.
    pub role: Role,
    /// The activation that it is, as PyTorch spells it; functions entry by entry without a name there are called as ONNX does.
    pub activation: Option<&'static str>,
    /// Entries of its first output where all inputs are constants.
    pub fold: fn(&Constants) -> Data,
    /// Kind of the numbers of its first output.
    pub numbers: fn(&Call) -> Kind,
    /// The stored tensor that a constant still is behind it; it gets that of the first input and the output.
    pub part: fn(&Call, Part, &Value) -> Option<Part>,
    /// Whether its other inputs (scales, indices, shapes) leave no mark on what a constant is made of.
    pub first_input_only: bool,
    /// Whether ONNX Runtime fuses an activation into it, named in the attribute `activation`.
    pub takes_activation: bool,
}

/// What an operator is in the graph.
pub(crate) enum Role {
    /// Nothing: it leaves its first input as it is, for an audit.
    Pass,
    /// Nothing: it makes a constant of the shape of its input.
    Measure(fn(&Call) -> Data),
    /// An operation that only moves or copies entries.
    Move,
    /// One such operation for each output.
    Split,
    /// A function entry by entry; constants behind its first input (a fused bias) are its parameters.
    Activation,
    /// What this function says.
    Node(fn(&mut Builder, &mut Draft) -> Result<Op, Reason>),
    /// Anything else, with its constants as parameters.
    Other,
}

/// An operation on its way into the graph.
pub(crate) struct Draft<'c, 'm> {
    pub call: &'c Call<'m>,
    /// Shape of its first output.
    pub shape: Shape,
    /// The activations that it reads.
    pub inputs: Vec<NodeId>,
    pub fact: Fact,
}

impl Draft<'_, '_> {
    /// The sizes of its first output, if all are known.
    pub(crate) fn sizes(&self) -> Option<Vec<usize>> {
        self.shape.as_ref()?.iter().copied().collect()
    }

    /// A move, called as the operator.
    pub(crate) fn moved(&self) -> Op {
        Op::Move { kind: self.call.kind.to_lowercase() }
    }

    /// Another operation, called as the operator, with its constants as parameters.
    pub(crate) fn other(&self, builder: &mut Builder) -> Op {
        self.named(builder, &self.call.kind.to_lowercase(), 0)
    }

    /// Another operation with the parameters of all its constants.
    pub(crate) fn named(&self, builder: &mut Builder, kind: &str, macs: u64) -> Op {
        let parameters = builder.train_inputs(self.call, 0);
        Op::Other { kind: kind.to_owned(), parameters, macs }
    }
}

impl Operator {
    /// An operator that is another operation and computes nothing.
    pub(crate) const fn new(name: &'static str, shapes: fn(&Call) -> Result<Vec<Shape>, Reason>) -> Self {
        Self {
            name,
            shapes,
            role: Role::Other,
            activation: None,
            fold: |c| c.open(),
            numbers: |call| call.input(0).map_or(Kind::FLOAT, |v| v.kind),
            part: |_, _, _| None,
            first_input_only: false,
            takes_activation: false,
        }
    }

    pub(crate) const fn role(self, role: Role) -> Self {
        Self { role, ..self }
    }

    pub(crate) const fn node(self, node: fn(&mut Builder, &mut Draft) -> Result<Op, Reason>) -> Self {
        self.role(Role::Node(node))
    }

    pub(crate) const fn moves(self) -> Self {
        self.role(Role::Move)
    }

    pub(crate) const fn activation(self, kind: &'static str) -> Self {
        Self { activation: Some(kind), ..self }
    }

    pub(crate) const fn fold(self, fold: fn(&Constants) -> Data) -> Self {
        Self { fold, ..self }
    }

    pub(crate) const fn numbers(self, numbers: fn(&Call) -> Kind) -> Self {
        Self { numbers, ..self }
    }

    pub(crate) const fn part(self, part: fn(&Call, Part, &Value) -> Option<Part>) -> Self {
        Self { part, ..self }
    }

    pub(crate) const fn first_input_only(self) -> Self {
        Self { first_input_only: true, ..self }
    }

    pub(crate) const fn takes_activation(self) -> Self {
        Self { takes_activation: true, ..self }
    }

    /// The operation that it is.
    pub(crate) fn operation(&self, builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
        Ok(match (&self.role, self.activation) {
            (Role::Node(node), _) => node(builder, draft)?,
            (Role::Activation, Some(kind)) => {
                let parameters = builder.train_inputs(draft.call, 1);
                Op::Activation { kind: kind.to_owned(), parameters }
            }
            (Role::Move | Role::Split, _) => draft.moved(),
            _ => draft.other(builder),
        })
    }
}
