//! Activations written as formulas.

use convstat_graph::{NodeId, Op};

use super::net::Net;

/// Operations of a formula that is recognised.
const MOST_PIECES: usize = 12;

impl Net {
    /// relu6(x + 3) / 6.
    pub(super) fn hard_sigmoid(&mut self, at: NodeId) -> Option<()> {
        let clip = self.before(at).filter(|&c| self.is_activation(c, "relu6"))?;
        let add = self.before(clip).filter(|&a| self.adds(a) == Some(3.0))?;
        self.scales(at).filter(|s| (s - 1.0 / 6.0).abs() < 1e-3)?;
        let x = self.before(add)?;
        self.activate(at, &[clip, add], "hardsigmoid", x)
    }

    /// Products of x with a function of x: silu, hard swish, mish.
    pub(super) fn gate(&mut self, at: NodeId) -> Option<()> {
        for (x, gate) in self.factors(at)? {
            let Some(inner) = self.before(gate) else { continue };
            let name = if self.is_activation(gate, "sigmoid") {
                "silu"
            } else if self.is_activation(gate, "hardsigmoid") {
                "hardswish"
            } else if self.is_activation(gate, "tanh") && self.is_activation(inner, "softplus") {
                if self.before(inner) == Some(x) {
                    return self.activate(at, &[gate, inner], "mish", x);
                }
                continue;
            } else {
                continue;
            };
            if inner == x {
                return self.activate(at, &[gate], name, x);
            }
        }
        None
    }

    /// x · relu6(x + 3) / 6.
    pub(super) fn hard_swish(&mut self, at: NodeId) -> Option<()> {
        self.scales(at).filter(|s| (s - 1.0 / 6.0).abs() < 1e-3)?;
        let product = self.before(at)?;
        for (x, clip) in self.factors(product)? {
            let add = self.before(clip).filter(|_| self.is_activation(clip, "relu6"));
            let Some(add) = add.filter(|&a| self.adds(a) == Some(3.0) && self.before(a) == Some(x)) else {
                continue;
            };
            return self.activate(at, &[product, clip, add], "hardswish", x);
        }
        None
    }

    /// x / 2 · (1 + erf(x / √2)), or with tanh of a cubic, the factors in any order.
    pub(super) fn gelu(&mut self, bend: NodeId) -> Option<()> {
        if !self.is_activation(bend, "erf") && !self.is_activation(bend, "tanh") {
            return None;
        }
        let add = self.after(bend).filter(|&a| self.adds(a) == Some(1.0))?;
        let product = self.after(add)?;
        let (other, _) = self.factors(product)?.into_iter().find(|&(_, b)| b == add)?;
        let half = |net: &Self, id| net.scales(id) == Some(0.5);
        let mut pieces = vec![bend, add];
        let (x, at) = if half(self, other) {
            pieces.push(other);
            (self.before(other)?, product)
        } else {
            let at = self.after(product).filter(|&a| half(self, a))?;
            pieces.push(product);
            (other, at)
        };
        let mut left = self.inputs(bend).to_vec();
        while let Some(id) = left.pop() {
            if id == x || pieces.contains(&id) {
                continue;
            }
            let formula = matches!(self.op(id)?, Op::Add | Op::Multiply) || self.is_activation(id, "pow");
            if !formula || pieces.len() >= MOST_PIECES {
                return None;
            }
            left.extend_from_slice(self.inputs(id));
            pieces.push(id);
        }
        self.activate(at, &pieces, "gelu", x)
    }
}
