//! Axes: range, ticks where readers expect them, and their labels.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

/// Most decades with a label each.
const MOST_DECADES: usize = 8;

/// One axis; a logarithmic one is drawn as a linear one in log10, so that curves and dashes need one code.
#[derive(Clone)]
pub(crate) struct Axis {
    range: RangedCoordf64,
    log: bool,
    ticks: Vec<f64>,
}

impl Axis {
    /// For the data `values`, with ticks of its own where `ticks` (data units) are given.
    pub fn new(values: &[f64], log: bool, from_zero: bool, ticks: &[f64]) -> Self {
        let (mut low, high) = if log { log_range(values) } else { linear_range(values) };
        if from_zero && !log {
            low = 0.0;
        }
        let ticks = match (ticks, log) {
            ([], true) => log_ticks(low, high),
            ([], false) => Vec::new(),
            (own, true) => own.iter().map(|t| t.log10()).collect(),
            (own, false) => own.to_vec(),
        };
        Self { range: (low..high).into(), log, ticks }
    }

    /// The same with at most `count` of the ticks that it has of its own.
    pub fn with_at_most(mut self, count: usize) -> Self {
        let step = self.ticks.len().div_ceil(count.max(1)).max(1);
        self.ticks = self.ticks.into_iter().step_by(step).collect();
        self
    }

    /// A data value on the axis.
    pub fn place(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if self.ticks.is_empty() { self.range.key_points(hint) } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let range = self.range.range();
        label(*value, self.log, range.end - range.start)
    }
}

/// From 0 (where the data are not far from it) with a little room.
fn linear_range(values: &[f64]) -> (f64, f64) {
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    if !high.is_finite() || !low.is_finite() {
        return (0.0, 1.0);
    }
    let span = if high > low {
        high - low
    } else if high == 0.0 {
        1.0
    } else {
        high.abs()
    };
    let start = if low >= 0.0 && low < 0.6 * high { 0.0 } else { low - 0.06 * span };
    (start, high + 0.06 * span)
}

fn log_range(values: &[f64]) -> (f64, f64) {
    let logs: Vec<f64> = values.iter().filter(|v| **v > 0.0).map(|v| v.log10()).collect();
    let high = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let low = logs.iter().copied().fold(f64::INFINITY, f64::min);
    if !high.is_finite() || !low.is_finite() {
        return (0.0, 1.0);
    }
    let room = (0.05 * (high - low)).max(0.1);
    (low - room, high + room)
}

/// Whole decades where there are enough of them, else 1, 2 and 5 times them.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades: Vec<i32> = (low.floor() as i32..=high.ceil() as i32).collect();
    let inside = |t: &f64| *t >= low && *t <= high;
    let whole: Vec<f64> = decades.iter().map(|&d| f64::from(d)).filter(inside).collect();
    if whole.len() >= 3 {
        let step = whole.len().div_ceil(MOST_DECADES);
        return whole.into_iter().step_by(step).collect();
    }
    let between = |d: i32| [1.0f64, 2.0, 5.0].map(|m| f64::from(d) + m.log10());
    decades.into_iter().flat_map(between).filter(inside).collect()
}

/// The label of a tick on an axis over `span`.
fn label(value: f64, log: bool, span: f64) -> String {
    if !log {
        let digits = (2.0 - span.log10().floor()).clamp(0.0, 15.0) as usize;
        let text = format!("{:.digits$}", value + 0.0);
        if digits == 0 {
            return text;
        }
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let exponent = value.floor();
    if (value - value.round()).abs() < 1e-9 && !(-2.0..=3.0).contains(&value.round()) {
        let superscript: String = (value.round() as i64)
            .to_string()
            .chars()
            .map(|c| match c {
                '-' => '⁻',
                '1' => '¹',
                '2' => '²',
                '3' => '³',
                c => char::from_u32('⁰' as u32 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
            })
            .collect();
        return format!("10{superscript}");
    }
    // Four significant digits, more than any tick that is chosen has.
    let digits = (3.0 - exponent).max(0.0) as usize;
    let text = format!("{:.digits$}", 10f64.powf(value));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}
