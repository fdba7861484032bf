//! Biases apart from their layers.

use convstat_graph::{NodeId, Op};

use super::net::Net;

impl Net {
    /// A shift by one number a channel after a layer without a bias is its bias.
    pub(super) fn bias(&mut self, at: NodeId) -> Option<()> {
        let layer = self.before(at)?;
        let Some(Op::Norm { kind, parameters }) = self.op(at) else { return None };
        let (shape, channels) = (self.fact(at)?.constant.clone()?, *parameters);
        if kind != "shift" {
            return None;
        }
        let end = shape.len().checked_sub(1)?;
        let (op, place) = match self.op(layer)? {
            Op::Linear(l) if !l.bias && l.outputs == channels => {
                let mut layer = l.clone();
                layer.bias = true;
                (Op::Linear(layer), end)
            }
            Op::Conv(c) if !c.bias && c.outputs == channels => {
                let mut layer = c.clone();
                layer.bias = true;
                let modes = layer.kernel.len();
                (Op::Conv(layer), end.checked_sub(modes)?)
            }
            _ => return None,
        };
        if shape.iter().enumerate().any(|(i, &s)| s != if i == place { channels } else { 1 }) {
            return None;
        }
        let (inputs, name) = (self.inputs(layer).to_vec(), self.nodes.get(layer)?.name.clone());
        self.replace(at, &[layer], op, inputs)?;
        self.nodes.get_mut(at)?.name = name;
        Some(())
    }
}
