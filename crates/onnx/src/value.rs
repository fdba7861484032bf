//! What is known of each name of a file: an activation, or a constant.

use std::rc::Rc;

use convstat_graph::NodeId;

use crate::tensor::Kind;

/// A shape with the batch; none if even the number of modes is unknown.
pub(crate) type Shape = Option<Vec<Option<usize>>>;

/// Entries of constants that are computed with; shapes have no more.
pub(crate) const MOST_DATA: usize = 1024;

/// What a name stands for.
#[derive(Clone)]
pub(crate) struct Value {
    /// The operation that makes it; none for constants.
    pub node: Option<NodeId>,
    pub shape: Shape,
    pub kind: Kind,
    /// Its entries, as far as they are known.
    pub data: Option<Rc<[Option<f64>]>>,
    /// The stored tensor that it is, up to the order of its modes.
    pub part: Option<Part>,
    /// Stored tensors that it is made of.
    pub origins: Rc<[usize]>,
}

/// A stored tensor in another shape and order of modes.
#[derive(Clone)]
pub(crate) struct Part {
    pub tensor: usize,
    /// Its shape in the file's order.
    pub shape: Vec<usize>,
    /// Place in the file of each mode.
    pub order: Option<Vec<usize>>,
}

impl Value {
    /// A constant of which nothing else is known.
    pub(crate) fn constant(kind: Kind, shape: Shape) -> Self {
        Self { node: None, shape, kind, data: None, part: None, origins: Rc::new([]) }
    }

    /// The output of an operation.
    pub(crate) fn activation(node: NodeId, kind: Kind, shape: Shape) -> Self {
        Self { node: Some(node), ..Self::constant(kind, shape) }
    }

    pub(crate) fn is_constant(&self) -> bool {
        self.node.is_none()
    }

    pub(crate) fn rank(&self) -> Option<usize> {
        self.shape.as_ref().map(Vec::len)
    }

    /// Its shape, if all of it is known.
    pub(crate) fn sizes(&self) -> Option<Vec<usize>> {
        self.shape.as_ref()?.iter().copied().collect()
    }

    /// One of its sizes.
    pub(crate) fn size(&self, mode: usize) -> Option<usize> {
        self.shape.as_ref()?.get(mode).copied().flatten()
    }

    pub(crate) fn entries(&self) -> Option<usize> {
        product(&self.sizes()?)
    }

    /// Its entries, if all are known.
    pub(crate) fn numbers(&self) -> Option<Vec<f64>> {
        self.data.as_ref()?.iter().copied().collect()
    }

    /// Its entries as whole numbers, if all are known.
    pub(crate) fn integers(&self) -> Option<Vec<i64>> {
        Some(self.numbers()?.into_iter().map(|v| v as i64).collect())
    }

    /// Its one entry.
    pub(crate) fn number(&self) -> Option<f64> {
        match self.data.as_deref() {
            Some(&[v]) => v,
            _ => None,
        }
    }
}

/// Product of sizes, none beyond 2⁴⁸.
pub(crate) fn product(sizes: &[usize]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |n, &s| n.checked_mul(s)).filter(|&n| n <= 1 << 48)
}

/// A mode counted from the end if negative.
pub(crate) fn mode(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add(rank as i64)? } else { axis };
    usize::try_from(axis).ok().filter(|&m| m < rank)
}

/// Shape of entry-by-entry operations.
pub(crate) fn broadcast(a: &Shape, b: &Shape) -> Shape {
    let (a, b) = (a.as_ref()?, b.as_ref()?);
    let rank = a.len().max(b.len());
    let at = |s: &Vec<Option<usize>>, i: usize| {
        let skipped = rank - s.len();
        if i < skipped { Some(1) } else { s.get(i - skipped).copied().flatten() }
    };
    let one = |i| match (at(a, i), at(b, i)) {
        (Some(1), other) | (other, Some(1)) => other,
        // An unknown size beside one that is not 1 has to be that.
        (Some(x), None) | (None, Some(x)) => Some(x),
        (Some(x), Some(y)) => Some(x).filter(|_| x == y),
        (None, None) => None,
    };
    Some((0..rank).map(one).collect())
}
