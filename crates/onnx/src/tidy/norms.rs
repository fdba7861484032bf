//! Normalisations in pieces.

use convstat_graph::{NodeId, Op};

use super::net::Net;

impl Net {
    /// (x − mean x) / √(mean (x − mean x)² + ε).
    pub(super) fn layer_norm(&mut self, at: NodeId) -> Option<()> {
        let &[centred, root] = self.inputs(at) else { return None };
        let mean = |net: &Self, id| net.fact(id).is_some_and(|f| f.kind == "ReduceMean");
        if self.fact(at)?.kind != "Div" || !self.is_activation(root, "sqrt") {
            return None;
        }
        let epsilon = self.before(root).filter(|&e| self.adds(e).is_some())?;
        let variance = self.before(epsilon).filter(|&v| mean(self, v))?;
        let square = self.before(variance);
        let square = square.or_else(|| self.inputs(variance).first().copied())?;
        if !self.inputs(square).iter().all(|&i| i == centred) {
            return None;
        }
        let &[x, average] = self.inputs(centred) else { return None };
        if self.fact(centred)?.kind != "Sub" || !mean(self, average) || self.before(average) != Some(x) {
            return None;
        }
        let op = Op::Norm { kind: "layer".to_owned(), parameters: 0 };
        let pieces = [root, epsilon, variance, square, centred, average];
        self.replace(at, &pieces, op, vec![x])?;
        self.facts.get_mut(at)?.kind = String::new();
        Some(())
    }

    /// An instance normalisation of groups of channels, between two reshapes.
    pub(super) fn group_norm(&mut self, at: NodeId) -> Option<()> {
        let norm = self.before(at).filter(|_| self.is_move(at, "reshape"))?;
        let Some(Op::Norm { kind, parameters: 0 }) = self.op(norm) else { return None };
        let first = self.before(norm).filter(|&f| kind == "instance" && self.is_move(f, "reshape"))?;
        let x = self.before(first)?;
        if self.nodes.get(x)?.shape != self.nodes.get(at)?.shape {
            return None;
        }
        let op = Op::Norm { kind: "group".to_owned(), parameters: 0 };
        self.replace(at, &[norm, first], op, vec![x])?;
        self.facts.get_mut(at)?.kind = String::new();
        Some(())
    }

    /// Scale or shift after a normalisation that was written in pieces.
    pub(super) fn affine(&mut self, at: NodeId) -> Option<()> {
        let norm = self.before(at)?;
        let Some(Op::Norm { kind, parameters }) = self.op(at) else { return None };
        let Some(Op::Norm { kind: of, parameters: before }) = self.op(norm) else { return None };
        if !(kind == "scale" || kind == "shift")
            || !self.fact(norm)?.kind.is_empty()
            || self.dead.get(at) == Some(&true)
        {
            return None;
        }
        let op = Op::Norm { kind: of.clone(), parameters: before + parameters };
        let inputs = self.inputs(norm).to_vec();
        self.replace(at, &[norm], op, inputs)?;
        self.facts.get_mut(at)?.kind = String::new();
        Some(())
    }
}
