//! Grids of candidate structures: one structure as a user writes it, with other values of some of its keys.

use std::collections::BTreeMap;

use toml::{Table, Value};

use crate::{CnnError, Result, StructureSpec};
use convstat_text::suggestion;

/// Candidates beyond which a choice among them is a mistake.
const MOST_CANDIDATES: usize = 1000;

/// Values of the keys that vary, for instance `kernels` → 1 … 6.
pub type Over = BTreeMap<String, Vec<usize>>;

fn bad(reason: String) -> CnnError {
    CnnError::BadStructure { reason }
}

impl StructureSpec {
    /// Every combination of the values in `over`, the first key slowest.
    ///
    /// A key that holds a list (`ranks = [2, 2, 2]`) takes the value in every place; a key that stands in `sizes` (the
    /// labels of an einsum) takes it there.
    ///
    /// # Errors
    /// A key that the structure has not or that holds no whole number, no values, the same value twice, more than 1000
    /// combinations.
    pub fn grid(&self, over: &Over) -> Result<Vec<Self>> {
        let mut all = vec![self.table().clone()];
        for (key, values) in over {
            let mut seen = values.clone();
            seen.sort_unstable();
            seen.dedup();
            if values.is_empty() || seen.len() < values.len() {
                return Err(bad(format!("{key} = {values:?}; give each value once, and at least one")));
            }
            if all.len().saturating_mul(values.len()) > MOST_CANDIDATES {
                return Err(bad(format!(
                    "{key} = {} values make {} candidates; at most {MOST_CANDIDATES} are possible",
                    values.len(),
                    all.len().saturating_mul(values.len())
                )));
            }
            let mut next = Vec::with_capacity(all.len() * values.len());
            for table in &all {
                for &value in values {
                    next.push(with_key(table, key, value)?);
                }
            }
            all = next;
        }
        all.into_iter().map(Self::try_from).collect()
    }
}

/// The table with another value of a key.
fn with_key(table: &Table, key: &str, value: usize) -> Result<Table> {
    let number = i64::try_from(value)
        .map(Value::Integer)
        .map_err(|_| bad(format!("{key} = {value}; it has to be below 2^63")))?;
    let mut table = table.clone();
    let sizes = table.get("sizes").and_then(Value::as_table).cloned().unwrap_or_default();
    let place = match table.get_mut("sizes").and_then(Value::as_table_mut) {
        Some(sizes) if sizes.contains_key(key) => sizes.get_mut(key),
        _ => table.get_mut(key),
    };
    let filled = match place {
        Some(Value::Integer(value)) => number.as_integer().map(|n| *value = n),
        Some(Value::Array(value)) if value.iter().all(Value::is_integer) => {
            value.fill(number);
            Some(())
        }
        Some(other) => return Err(bad(format!("{key} = {other} in the structure is no whole number"))),
        None => None,
    };
    let names = || table.keys().chain(sizes.keys()).map(String::as_str).filter(|k| *k != "kind");
    filled.ok_or_else(|| bad(format!("the structure has no key \"{key}\"{}", suggestion(key, names()))))?;
    Ok(table)
}

/// Reads `key=1..6` (both ends belong to it) or `key=1,2,4`.
///
/// # Errors
/// Another text.
pub fn parse_over(text: &str) -> Result<(String, Vec<usize>)> {
    let wrong = || bad(format!("{text}; write it as kernels=1..6 or kernels=1,2,4"));
    let (key, values) = text.split_once('=').ok_or_else(wrong)?;
    let number = |text: &str| text.trim().parse::<usize>().map_err(|_| wrong());
    let values = match values.split_once("..") {
        Some((from, to)) => {
            let (from, to) = (number(from)?, number(to.trim_start_matches('='))?);
            if from > to {
                return Err(bad(format!("{text}: {from} is above {to}; write {key}={to}..{from}")));
            }
            if to - from >= MOST_CANDIDATES {
                let mend = format!("at most {MOST_CANDIDATES} are possible");
                return Err(bad(format!("{text} has {} values; {mend}", to - from + 1)));
            }
            (from..=to).collect()
        }
        None => values.split(',').map(number).collect::<Result<_>>()?,
    };
    Ok((key.trim().to_owned(), values))
}
