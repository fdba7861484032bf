//! Where in a study file an error is: the line of the key at fault.

use std::ops::Range;

use convstat_cnn::CnnError;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::StudyError;

/// A key with its value; elements of lists have the place of their value as key.
struct Entry<'a> {
    key: Range<usize>,
    value: &'a Spanned<DeValue<'a>>,
}

impl Entry<'_> {
    /// From the key to the end of its value.
    fn span(&self) -> Range<usize> {
        match self.value.get_ref() {
            DeValue::Table(_) => self.key.clone(),
            _ => self.key.start..self.value.span().end.max(self.key.end),
        }
    }
}

/// The error with its place in `text`, where one can be told.
pub fn in_text(error: StudyError, text: &str) -> StudyError {
    if matches!(error, StudyError::File { .. } | StudyError::Set { .. } | StudyError::Runner(_)) {
        return error;
    }
    let Ok(root) = DeTable::parse(text) else { return error };
    match locate(&error, root.get_ref()) {
        Some(span) => StudyError::File { message: error.to_string(), help: None, span: Some(span) },
        None => error,
    }
}

/// The place of the word that a message of the TOML reader quotes, inside the table or value that it is about.
pub(crate) fn of_word(text: &str, around: Range<usize>, message: &str) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let word = quoted(message)?;
    let mut all = Vec::new();
    entries(root.get_ref(), &mut all);
    let inside = all.iter().find(|e| e.value.span() == around || e.key == around);
    let mut candidates = Vec::new();
    match inside {
        Some(found) => nested(found.value, &mut candidates),
        None => candidates.extend(
            all.into_iter().filter(|e| around.start <= e.key.start && e.value.span().end <= around.end),
        ),
    }
    let named = candidates.iter().find(|e| text.get(e.key.clone()).is_some_and(|k| bare(k) == word));
    named.or_else(|| candidates.iter().find(|e| e.value.get_ref().as_str() == Some(word))).map(Entry::span)
}

/// The first word in backticks, or else in quotation marks.
fn quoted(message: &str) -> Option<&str> {
    ['`', '"']
        .into_iter()
        .find_map(|mark| message.split(mark).nth(1).filter(|_| message.matches(mark).count() > 1))
}

fn bare(key: &str) -> &str {
    key.trim_matches(['"', '\''])
}

fn entries<'a>(table: &'a DeTable<'a>, all: &mut Vec<Entry<'a>>) {
    for (key, value) in table {
        all.push(Entry { key: key.span(), value });
        nested(value, all);
    }
}

fn nested<'a>(value: &'a Spanned<DeValue<'a>>, all: &mut Vec<Entry<'a>>) {
    match value.get_ref() {
        DeValue::Table(table) => entries(table, all),
        DeValue::Array(list) => {
            for element in list {
                all.push(Entry { key: element.span(), value: element });
                nested(element, all);
            }
        }
        _ => {}
    }
}

fn locate(error: &StudyError, root: &DeTable) -> Option<Range<usize>> {
    match error {
        StudyError::BadValue { key, value, .. } => of_key(root, key, value),
        StudyError::Estimate(_) => of_message(root, "estimator", &error.to_string()),
        StudyError::Setting { setting, source } => {
            let (key, value) = root.get_key_value("setting")?;
            let named = |s: &&Spanned<DeValue>| {
                let name = s.get_ref().as_table().and_then(|t| t.get("name"));
                name.is_some_and(|n| n.get_ref().as_str() == Some(setting.as_str()))
            };
            let list = value.get_ref().as_array()?;
            let header = list.iter().find(named).map_or_else(|| key.span(), Spanned::span);
            let table = list.iter().find(named)?.get_ref().as_table()?;
            in_setting(source, root, table).or(Some(header))
        }
        _ => None,
    }
}

/// Inside the table of a setting; keys of other tables where they are.
fn in_setting(error: &StudyError, root: &DeTable, table: &DeTable) -> Option<Range<usize>> {
    match error {
        StudyError::BadValue { key, value, .. } => {
            let first = key.split('.').next()?;
            of_key(if table.contains_key(first) { table } else { root }, key, value)
        }
        StudyError::Cnn(error) => {
            let key = match error {
                CnnError::ModeCount { key, .. } | CnnError::ZeroSize { key, .. } => key,
                CnnError::KernelExceedsInput { .. } => "kernel",
                CnnError::PoolExceedsConvolution { .. } => "pool",
                CnnError::BadStructure { reason } => return of_message(table, "structure", reason),
                _ => "input",
            };
            of_key(table, key, "")
        }
        _ => None,
    }
}

/// The key under `key` that a message begins with or quotes, or else `key` itself.
fn of_message(table: &DeTable, key: &str, message: &str) -> Option<Range<usize>> {
    let (name, value) = table.get_key_value(key)?;
    let mut all = Vec::new();
    nested(value, &mut all);
    let words: Vec<&str> = message.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    // Keys are told from values by having a name.
    let mut named: Vec<(&str, Range<usize>)> = Vec::new();
    names(value, &mut named);
    let hit = words.iter().find_map(|w| named.iter().find(|(n, _)| n == w));
    hit.map(|(_, span)| span.clone()).or_else(|| Some(Entry { key: name.span(), value }.span()))
}

/// Names of all keys under a value, with the places of key and value.
fn names<'a>(value: &'a Spanned<DeValue<'a>>, all: &mut Vec<(&'a str, Range<usize>)>) {
    match value.get_ref() {
        DeValue::Table(table) => {
            for (key, value) in table {
                all.push((key.get_ref(), Entry { key: key.span(), value }.span()));
                names(value, all);
            }
        }
        DeValue::Array(list) => list.iter().for_each(|v| names(v, all)),
        _ => {}
    }
}

/// A dotted key; in lists of tables the first entry with the value at fault, or else the first that has the key.
fn of_key(table: &DeTable, key: &str, value: &str) -> Option<Range<usize>> {
    let parts: Vec<&str> = key.split_whitespace().next()?.split('.').collect();
    let (name, node) = table.get_key_value(*parts.first()?)?;
    walk(&Entry { key: name.span(), value: node }, &parts[1..], value).map(|found| found.span)
}

struct Found {
    span: Range<usize>,
    /// How sure it is: the header of a table that lacks the key, the key, the value at fault.
    rank: u8,
}

fn walk(at: &Entry, parts: &[&str], wanted: &str) -> Option<Found> {
    match (at.value.get_ref(), parts.split_first()) {
        (DeValue::Array(list), _) => {
            let elements = list.iter().map(|value| Entry { key: value.span(), value });
            let mut best: Option<Found> = None;
            for found in elements.filter_map(|e| walk(&e, parts, wanted)) {
                // Of names that stand twice the second is at fault.
                let twice = parts.is_empty() && found.rank == 2;
                if twice || best.as_ref().is_none_or(|b| found.rank > b.rank) {
                    best = Some(found);
                }
            }
            // A list of values is pointed at as a whole, unless one of them is at fault.
            match best {
                Some(b) if b.rank == 2 || !parts.is_empty() => Some(b),
                _ => Some(Found {
                    span: at.span(),
                    rank: if list.is_empty() && wanted == "[]" { 2 } else { 1 },
                }),
            }
        }
        (DeValue::Table(table), Some((first, rest))) => match table.get_key_value(*first) {
            Some((key, value)) => walk(&Entry { key: key.span(), value }, rest, wanted),
            None => Some(Found { span: at.key.clone(), rank: 0 }),
        },
        (DeValue::Table(table), None) => {
            let named = table.get_key_value("name").filter(|(_, v)| shows(v.get_ref(), wanted));
            Some(match named {
                Some((key, value)) => Found { span: Entry { key: key.span(), value }.span(), rank: 2 },
                None => Found { span: at.span(), rank: 1 },
            })
        }
        (value, None) => Some(Found { span: at.span(), rank: 1 + u8::from(shows(value, wanted)) }),
        (_, Some(_)) => Some(Found { span: at.span(), rank: 1 }),
    }
}

/// Whether a message shows this value so.
fn shows(value: &DeValue, wanted: &str) -> bool {
    let same = |text: &str| match (text.replace('_', "").parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(a), Ok(b)) => a.total_cmp(&b).is_eq() || (a.is_nan() && b.is_nan()),
        _ => text == wanted,
    };
    match value {
        DeValue::String(text) => **text == *bare(wanted),
        DeValue::Integer(number) => same(number.as_str()),
        DeValue::Float(number) => same(number.as_str()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_at_fault_is_found_among_several() {
        let text = "[[estimator]]\nlambda = 1\n\n[[estimator]]\nlambda = -2.0\n";
        let root = DeTable::parse(text).unwrap();
        let span = of_key(root.get_ref(), "estimator.lambda", "-2").unwrap();
        assert_eq!(&text[span], "lambda = -2.0");
        let header = of_key(root.get_ref(), "estimator.solver", "x").unwrap();
        assert!(header.start < 13, "{header:?}");
        let list = "n = [1, 0, 3]";
        let root = DeTable::parse(list).unwrap();
        assert_eq!(&list[of_key(root.get_ref(), "n", "0").unwrap()], "0");
    }
}
