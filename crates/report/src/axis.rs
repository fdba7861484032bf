//! Axes: range, and as many ticks as there is room for their labels.

use std::ops::Range;

use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;

use crate::lettering::width;
use crate::math::text;
use crate::ticks::{labels, linear_ticks, log_ticks};

/// Least room between labels beside each other, and from one label to the next above it as a share of the font size.
const GAP: f64 = 4.0;
const LEADING: f64 = 1.15;
/// The last label stands out over the end of a level axis by no more than this, points.
const OVERHANG: f64 = 8.0;

/// How values are placed.
#[derive(Debug, Clone, PartialEq)]
enum Scale {
    Linear,
    Log,
    /// Each of some values in the middle of a slot of width 1.
    Slots(Vec<f64>),
}

/// A tick: its place in units of the scale, its value and its label.
#[derive(Debug, Clone, PartialEq)]
struct Tick {
    place: f64,
    label: String,
}

/// Direction, length and size of the labels of an axis, points.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub upright: bool,
    pub length: f64,
    pub font: f64,
}

/// One axis; a logarithmic one is drawn as a linear one in log10, so that curves and dashes need one code.
#[derive(Clone)]
pub(crate) struct Axis {
    range: RangedCoordf64,
    scale: Scale,
    ticks: Vec<Tick>,
}

impl Axis {
    /// For the data `values`, with as many ticks as there is room for along a line.
    pub fn new(values: &[f64], log: bool, from_zero: bool, line: Line) -> Self {
        let (mut low, high) = if log { log_range(values) } else { linear_range(values) };
        if from_zero && !log {
            low = 0.0;
        }
        let scale = if log { Scale::Log } else { Scale::Linear };
        let axis = Self { range: (low..high).into(), scale, ticks: Vec::new() };
        let candidates = if log { log_ticks(low, high) } else { linear_ticks(low, high) };
        let sets: Vec<Vec<Tick>> = candidates.iter().map(|ticks| axis.labelled(ticks)).collect();
        let first = sets.iter().find(|ticks| axis.fits(ticks, line)).or(sets.last());
        let ticks = axis.thinned(first.cloned().unwrap_or_default(), line);
        Self { ticks, ..axis }
    }

    /// The same with its own ticks, those that there is room for.
    pub fn with_ticks(self, values: &[f64], line: Line) -> Self {
        let ticks = self.thinned(self.labelled(values), line);
        Self { ticks, ..self }
    }

    /// A slot for each of some values, in their order.
    pub fn of_slots(values: &[f64], line: Line) -> Self {
        let range = (0.0..values.len().max(1) as f64).into();
        Self { range, scale: Scale::Slots(values.to_vec()), ticks: Vec::new() }.with_ticks(values, line)
    }

    /// The same without labels.
    pub fn bare(mut self) -> Self {
        self.ticks.iter_mut().for_each(|t| t.label.clear());
        self
    }

    /// Whether it has slots.
    pub fn has_slots(&self) -> bool {
        matches!(self.scale, Scale::Slots(_))
    }

    /// A data value on the axis; nothing finite where it has no place.
    pub fn place(&self, value: f64) -> f64 {
        match &self.scale {
            Scale::Linear => value,
            Scale::Log => value.log10(),
            Scale::Slots(values) => {
                values.iter().position(|v| *v == value).map_or(f64::NAN, |i| i as f64 + 0.5)
            }
        }
    }

    /// Where a place is on the axis, from 0 to 1.
    pub fn share(&self, place: f64) -> f64 {
        let range = self.range.range();
        (place - range.start) / (range.end - range.start)
    }

    /// Width of the widest label, points.
    pub fn widest(&self, font: f64) -> f64 {
        self.ticks.iter().map(|t| width(&text(&t.label), font)).fold(0.0, f64::max)
    }

    /// Ticks and their labels, places from 0 to 1.
    pub fn ticks(&self) -> impl Iterator<Item = (f64, &str)> {
        self.ticks.iter().map(|t| (self.share(t.place), t.label.as_str()))
    }

    /// Ticks at data values that are on the axis.
    fn labelled(&self, values: &[f64]) -> Vec<Tick> {
        let tick = |(v, label): (&f64, String)| Tick { place: self.place(*v), label };
        let range = self.range.range();
        let room = 1e-9 * (range.end - range.start);
        let inside = |t: &Tick| t.place >= range.start - room && t.place <= range.end + room;
        values.iter().zip(labels(values, self.scale == Scale::Log)).map(tick).filter(inside).collect()
    }

    /// Whether a label leaves room for the next, and to the end of the axis.
    fn has_room(&self, tick: &Tick, next: Option<&Tick>, line: Line) -> bool {
        let at = |t: &Tick| self.share(t.place) * line.length;
        let half = |t: &Tick| width(&text(&t.label), line.font) / 2.0;
        match next {
            Some(next) if line.upright => at(next) - at(tick) >= LEADING * line.font,
            Some(next) => at(next) - half(next) - at(tick) - half(tick) >= GAP,
            None => line.upright || at(tick) + half(tick) <= line.length + OVERHANG,
        }
    }

    fn fits(&self, ticks: &[Tick], line: Line) -> bool {
        ticks.iter().enumerate().all(|(i, t)| self.has_room(t, ticks.get(i + 1), line))
    }

    /// Every tick that has room beside those before it.
    fn thinned(&self, ticks: Vec<Tick>, line: Line) -> Vec<Tick> {
        let mut kept: Vec<Tick> = Vec::new();
        for tick in ticks {
            let has_gap = kept.last().is_none_or(|last| self.has_room(last, Some(&tick), line));
            if has_gap && self.has_room(&tick, None, line) {
                kept.push(tick);
            }
        }
        kept
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        self.range.map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        self.ticks.iter().map(|t| t.place).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.range()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.ticks.iter().find(|t| t.place == *value).map_or_else(String::new, |t| t.label.clone())
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
    let room = if high > low { 0.06 * (high - low) } else { 0.1 };
    (low - room, high + room)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels_of(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|t| t.label.as_str()).collect()
    }

    const LONG: Line = Line { upright: false, length: 240.0, font: 8.0 };

    #[test]
    fn an_axis_has_one_notation() {
        for (values, log, expected) in [
            (&[0.0005, 0.5][..], true, &["10⁻³", "10⁻²", "10⁻¹"][..]),
            (&[50.0, 20_000.0], true, &["10²", "10³", "10⁴"]),
            (&[0.03, 2e4], true, &["10⁻¹", "10⁰", "10¹", "10²", "10³", "10⁴"]),
            (&[40_000.0, 210_000.0], true, &["50000", "100000", "150000", "200000"]),
            (&[0.78, 1.0], true, &["0.80", "0.85", "0.90", "0.95", "1.00"]),
            (&[0.1, 0.29], false, &["0", "0.05", "0.10", "0.15", "0.20", "0.25", "0.30"]),
            (&[0.0, 2.5e7], false, &["0", "5·10⁶", "1·10⁷", "1.5·10⁷", "2·10⁷", "2.5·10⁷"]),
        ] {
            assert_eq!(labels_of(&Axis::new(values, log, false, LONG)), expected, "{values:?}");
        }
    }

    #[test]
    fn labels_do_not_touch_and_leave_two_where_there_is_room_for_them() {
        for length in [30.0, 60.0, 120.0, 240.0] {
            for upright in [true, false] {
                let line = Line { upright, length, font: 8.0 };
                for (low, high) in [(50.0, 6400.0), (0.77, 1.0), (1e-3, 4.0), (0.2, 0.21), (3e5, 4e7)] {
                    for log in [true, false] {
                        let axis = Axis::new(&[low, high], log, false, line);
                        assert!(axis.fits(&axis.ticks, line), "{low} {high} {line:?}");
                        let least = if length > 100.0 { 2 } else { 1 };
                        assert!(axis.ticks.len() >= least, "{low} {high} {log} {line:?}");
                    }
                }
                let own = Axis::of_slots(&[50.0, 100.0, 200.0, 400.0, 800.0, 12_800.0], line);
                assert!(!own.ticks.is_empty() && own.fits(&own.ticks, line), "{line:?}");
            }
        }
    }
}
