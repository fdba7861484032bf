//! Messages, and how many of them a file may have.

use bytes::Bytes;

use crate::wire::{Field, Fields, Reason, varints};

/// Messages inside one another: subgraphs of control flow count four each.
const DEEPEST: usize = 100;
/// Messages of one file. Every message takes at most some 250 bytes of memory and at least 2 of the file, so this bounds what
/// a hostile file can ask for; the largest exports have some hundred thousands.
const MOST_MESSAGES: usize = 1 << 21;

/// What is left to spend on one file.
pub(super) struct Budget {
    messages: usize,
    depth: usize,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { messages: MOST_MESSAGES, depth: DEEPEST }
    }
}

/// A message that can be read.
pub(super) trait Message: Default {
    /// Takes over one field; those that an audit does not read are left.
    fn field(&mut self, number: u64, field: Field, budget: &mut Budget) -> Result<(), Reason>;
}

/// Reads a message.
pub(super) fn message<M: Message>(bytes: Bytes, budget: &mut Budget) -> Result<M, Reason> {
    let most = format!(
        "more than {MOST_MESSAGES} parts, or parts more than {DEEPEST} deep; no network needs that many"
    );
    budget.messages = budget.messages.checked_sub(1).ok_or_else(|| most.clone())?;
    budget.depth = budget.depth.checked_sub(1).ok_or(most)?;
    let mut message = M::default();
    for field in Fields::new(bytes) {
        let (number, field) = field?;
        message.field(number, field, budget)?;
    }
    budget.depth += 1;
    Ok(message)
}

/// A piece of the file as text.
pub(super) fn text(bytes: &Bytes) -> Result<String, Reason> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a name is no UTF-8 text".to_owned())?;
    Ok(text.to_owned())
}

/// Appends one number or packed ones.
pub(super) fn integers(list: &mut Vec<i64>, field: Field) -> Result<(), Reason> {
    match field {
        Field::Varint(v) => list.push(v.cast_signed()),
        Field::Piece(piece) => {
            for number in varints(piece) {
                list.push(number?);
            }
        }
        _ => {}
    }
    Ok(())
}
