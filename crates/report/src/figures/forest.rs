//! Ratio of the measured error to the risk with its interval, a line a cell, about the line at 1.

use convstat_study::CellSummary;
use plotters::coord::ranged1d::{BoldPoints, Ranged, ValueFormatter};

use super::{FigureData, design_title, distinct, setting_title};
use crate::axis::Axis;
use crate::canvas::register_fonts;
use crate::math::{self, escape};
use crate::panel::{FONT, LETTER, LegendEntry, Symbol, draw_legend, strip_tags, text};
use crate::shapes::{dashed, grid_line, line, symbol};
use crate::{Canvas, Result};

/// Width of the figure, height of a line and size of its font, points.
const WIDTH: f64 = 390.0;
const ROW: f64 = 12.0;
const SMALL: f64 = 7.5;
/// More cells than this are gathered by setting, design and estimator.
const MOST_CELLS: usize = 60;
/// Narrowest plot beside which the ratios stand as numbers.
const NARROWEST: f64 = 90.0;
/// Normal quantile of 95 % intervals.
const NORMAL_975: f64 = 1.96;

/// A line of the figure: SVG spans, and a ratio with its standard error where it is not a heading.
struct Line {
    label: String,
    indent: f64,
    ratio: Option<(f64, f64)>,
}

// Every figure has this signature.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells: Vec<&CellSummary> = data.summary.cells.iter().filter(|c| ratio(c).is_some()).collect();
    if cells.is_empty() {
        return Ok(None);
    }
    register_fonts();
    let lines = lines(&cells);
    let gathered = cells.len() > MOST_CELLS;
    let risk = if data.labels { "first-order risk" } else { "exact risk" };
    let each = if gathered { "mean over n (inverse variances)" } else { "measured" };
    let entry = |style, symbol, text: &str| LegendEntry { text: escape(text), style, symbol };
    let legend = [
        entry(0, Symbol::MarkerLine, &format!("{each} ± 1.96 MCSE")),
        entry(1, Symbol::MarkerLine, "the same where it leaves out 1"),
    ];
    let width = data.width(WIDTH);
    let (mut body, top) = draw_legend(width, &legend);
    let room = |texts: &mut dyn Iterator<Item = String>| {
        texts.map(|t| strip_tags(&t).chars().count()).max().unwrap_or(0) as f64 * SMALL * LETTER
    };
    let left = 8.0 + room(&mut lines.iter().map(|l| l.label.clone())) + 8.0;
    let noted = 10.0 + room(&mut lines.iter().filter_map(|l| l.ratio.map(note)));
    let has_notes = width - left - noted >= NARROWEST;
    let right = width - if has_notes { noted } else { 10.0 };
    let bottom = top + 4.0 + ROW * lines.len() as f64;
    let ends =
        lines.iter().filter_map(|l| l.ratio).flat_map(|(r, se)| [r - NORMAL_975 * se, r + NORMAL_975 * se]);
    let values: Vec<f64> = ends.chain([1.0]).filter(|v| v.is_finite()).collect();
    let axis = Axis::new(&values, data.options.log_x.unwrap_or(false), false, &[]);
    let range = axis.range();
    let place = |v: f64| left + (right - left) * (v - range.start) / (range.end - range.start);
    let x = |v: f64| place(axis.place(v)).clamp(left, right);
    let ticks = ((right - left) / 45.0).clamp(2.0, 7.0) as usize;
    for tick in axis.key_points(BoldPoints(ticks)) {
        body += &grid_line(&[(place(tick), top), (place(tick), bottom)]);
        body += &text(place(tick), bottom + 10.0, "middle", 0.0, SMALL, &axis.format_ext(&tick));
    }
    body += &line(&[(left, bottom), (right, bottom)], 6, 0.6);
    body += &dashed(&[(x(1.0), top), (x(1.0), bottom)], 6, 0.8);
    for (i, row) in lines.iter().enumerate() {
        let y = top + 4.0 + ROW * (i as f64 + 0.5);
        body += &text(8.0 + row.indent, y + 2.6, "start", 0.0, SMALL, &row.label);
        let Some((ratio, se)) = row.ratio else { continue };
        let half = if se.is_finite() { NORMAL_975 * se } else { 0.0 };
        let style = usize::from((ratio - 1.0).abs() > half && se.is_finite());
        let (low, high) = (x(ratio - half), x(ratio + half));
        body += &line(&[(low, y), (high, y)], style, 1.1);
        body += &line(&[(low, y - 1.8), (low, y + 1.8)], style, 0.9);
        body += &line(&[(high, y - 1.8), (high, y + 1.8)], style, 0.9);
        body += &symbol(x(ratio), y, 2.4, style);
        if has_notes {
            body += &text(right + 8.0, y + 2.6, "start", 0.0, SMALL, &note((ratio, se)));
        }
    }
    let label = format!("{} / {risk}", math::root_mean_square(&math::prediction_error()));
    body += &text(f64::midpoint(left, right), bottom + 23.0, "middle", 0.0, FONT, &label);
    let alt = format!(
        "Study {}: ratio of the root mean squared prediction error to the {risk} with intervals of 1.96 Monte Carlo \
         standard errors, {}, about the line at 1.",
        data.name,
        if gathered { "a line a setting, design and estimator" } else { "a line a cell" }
    );
    Ok(Some(data.canvas(&alt, (width, bottom + 30.0), body)))
}

/// A cell's ratio and its standard error, that of the risk (from drawn designs) included; none without a risk.
fn ratio(c: &CellSummary) -> Option<(f64, f64)> {
    let (error, mcse) = c.pred;
    let (risk, risk_se) = (c.theory.risk_pred, c.theory.risk_pred_se);
    let ratio = error / risk;
    let se = (mcse / risk).hypot(ratio * risk_se / risk);
    (risk > 0.0 && ratio.is_finite()).then_some((ratio, se))
}

/// `1.012 [0.991, 1.033]`
fn note((ratio, se): (f64, f64)) -> String {
    format!("{ratio:.3} [{:.3}, {:.3}]", ratio - NORMAL_975 * se, ratio + NORMAL_975 * se)
}

fn lines(cells: &[&CellSummary]) -> Vec<Line> {
    let owned: Vec<CellSummary> = cells.iter().map(|c| (*c).clone()).collect();
    let designs = distinct(&owned, |c| &c.design).len() > 1;
    let estimators = distinct(&owned, |c| &c.solver).len() > 1;
    let mut keys: Vec<(&str, &str, &str)> = Vec::new();
    for c in &owned {
        let key = (c.setting.as_str(), c.design.as_str(), c.solver.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut out = Vec::new();
    for key in keys {
        let mine: Vec<&CellSummary> = owned
            .iter()
            .filter(|c| (c.setting.as_str(), c.design.as_str(), c.solver.as_str()) == key)
            .collect();
        let mut label = mine.first().map_or_else(String::new, |c| setting_title(&c.setting, &c.structure));
        if designs {
            label += &format!(", {}", design_title(key.1));
        }
        if estimators {
            label += &format!(", {}", escape(key.2));
        }
        if cells.len() > MOST_CELLS {
            out.push(Line { label, indent: 0.0, ratio: Some(gather(&mine)) });
            continue;
        }
        let row = |label, c: &CellSummary, indent| Line { label, indent, ratio: ratio(c) };
        if let [only] = mine[..] {
            out.push(row(format!("{label}, {} = {}", math::n(), only.n), only, 0.0));
            continue;
        }
        out.push(Line { label, indent: 0.0, ratio: None });
        out.extend(mine.iter().map(|c| row(format!("{} = {}", math::n(), c.n), c, 8.0)));
    }
    out
}

/// Mean of the ratios of some cells with weights of inverse variances; of those that have one.
fn gather(cells: &[&CellSummary]) -> (f64, f64) {
    let known = cells.iter().filter_map(|c| ratio(c)).filter(|(_, se)| *se > 0.0);
    let (sum, weights) =
        known.fold((0.0, 0.0), |(s, w), (ratio, se)| (s + ratio / (se * se), w + 1.0 / (se * se)));
    (sum / weights, (1.0 / weights).sqrt())
}
