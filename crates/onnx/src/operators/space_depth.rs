//! Blocks of places as channels, and back.

use crate::call::Call;
use crate::operator::Operator;
use crate::value::Shape;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("DepthToSpace", |call| Ok(vec![shape(call)])).moves(),
    Operator::new("SpaceToDepth", |call| Ok(vec![shape(call)])).moves(),
];

fn shape(call: &Call) -> Shape {
    let block = usize::try_from(call.int("blocksize", 1)).ok().filter(|&b| b > 0)?;
    let shape = call.shape(0)?;
    let &[n, c, h, w] = &shape[..] else { return None };
    let square = block.checked_mul(block)?;
    let less = |s: Option<usize>, by: usize| s.map(|s| s / by);
    let more = |s: Option<usize>, by: usize| s.and_then(|s| s.checked_mul(by));
    Some(if call.kind == "DepthToSpace" {
        vec![n, less(c, square), more(h, block), more(w, block)]
    } else {
        vec![n, more(c, square), less(h, block), less(w, block)]
    })
}
