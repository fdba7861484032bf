//! Recurrent layers.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator};
use crate::value::{Shape, Value};
use crate::wire::Reason;

const fn recurrent(name: &'static str) -> Operator {
    Operator::new(name, shapes).node(node)
}

pub(super) const OPERATORS: &[Operator] = &[recurrent("LSTM"), recurrent("GRU"), recurrent("RNN")];

/// `Y`, `Y_h` and `Y_c`.
fn shapes(call: &Call) -> Result<Vec<Shape>, Reason> {
    let given = usize::try_from(call.int("hidden_size", 0)).ok().filter(|&h| h > 0);
    let hidden = given.or(call.input(2).and_then(|r| r.size(2)));
    let directions = call.input(2).and_then(|r| r.size(0));
    let size = |mode| call.input(0).and_then(|x| x.size(mode));
    let (y, last) = if call.int("layout", 0) == 0 {
        (vec![size(0), directions, size(1), hidden], vec![directions, size(1), hidden])
    } else {
        (vec![size(0), size(1), directions, hidden], vec![size(0), directions, hidden])
    };
    Ok(vec![Some(y), Some(last.clone()), Some(last)])
}

fn node(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let call = draft.call;
    let weights = [1, 2].map(|i| call.input(i).and_then(Value::entries).unwrap_or(0));
    let steps = call.input(0).and_then(|x| x.size(usize::from(call.int("layout", 0) != 0)));
    let sum = weights.iter().sum::<usize>() as u64;
    let trained = [1, 2, 3, 7].map(|i| call.input(i).filter(|v| v.is_constant()).cloned());
    let parameters = builder.train(trained.iter().flatten());
    let macs = steps.and_then(|t| sum.checked_mul(t as u64)).unwrap_or(0);
    Ok(Op::Other { kind: call.kind.to_lowercase(), parameters, macs })
}
