//! Channel shuffles as reshapes and a transposition.

use convstat_graph::{NodeId, Op};

use super::net::Net;

impl Net {
    /// Channels in groups, groups and places in them exchanged, and back: a channel shuffle.
    pub(super) fn shuffle(&mut self, at: NodeId) -> Option<()> {
        let swap =
            self.before(at).filter(|&s| self.is_move(at, "reshape") && self.is_move(s, "transpose"))?;
        let split = self.before(swap).filter(|&s| self.is_move(s, "reshape"))?;
        let x = self.before(split)?;
        let shape = |id: NodeId| self.nodes.get(id).map(|n| &n.shape[..]);
        let (before, groups, after) = (shape(x)?, shape(split)?, shape(at)?);
        let (&[channels, ref space @ ..], &[g, each, ref rest @ ..]) = (before, groups) else { return None };
        let order = self.fact(swap)?.order.clone()?;
        let swapped = order.iter().copied().eq([0, 2, 1].into_iter().chain(3..=groups.len()));
        if before != after || space != rest || g.checked_mul(each) != Some(channels) || !swapped {
            return None;
        }
        self.replace(at, &[swap, split], Op::Move { kind: "shuffle".to_owned() }, vec![x])
    }
}
