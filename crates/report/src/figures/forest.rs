//! Ratio of the measured error to the risk with its interval, a line a cell, about the line at 1.

use convstat_study::CellSummary;
use convstat_theory::ErrorNorm;
use maud::{Markup, html};

use super::kind::{FigureData, FigureKind};
use super::names::{design_title, distinct, setting_title};
use super::requires;
use crate::axis::{Axis, Line};
use crate::chapter::{Chapter, code};
use crate::legend::draw_legend;
use crate::lettering::{FONT, centred, from_left, height, lines, text, width};
use crate::panel::{LegendEntry, Symbol};
use crate::shapes::{Stroke, grid_line, stroke, symbol};
use crate::{Canvas, Result, math};

/// Width of the figure, height of a line and size of its font, points.
const WIDTH: f64 = 390.0;
const ROW: f64 = 12.0;
const SMALL: f64 = 7.5;
/// More cells than this are pooled by setting, design and estimator.
const MOST_CELLS: usize = 60;
/// Share of the figure that labels take at most; longer ones are broken.
const WIDEST_LABEL: f64 = 0.55;
/// Narrowest plot beside which the ratios stand as numbers.
const NARROWEST: f64 = 90.0;
/// Normal quantile of 95 % intervals.
const NORMAL_975: f64 = 1.96;

/// A row of the figure: SVG spans, and a ratio with its standard error where it is not a heading.
struct Entry {
    label: Markup,
    indent: f64,
    ratio: Option<(f64, f64)>,
}

pub(super) const KIND: FigureKind =
    FigureKind { name: "forest", requires: requires::nothing, notebook: |_| Some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Error over risk, a line a cell\n\nIntervals are ± 1.96 Monte Carlo standard errors, that of a simulated risk \
             included.",
    code: code!("forest"),
};

// Every figure has this signature.
#[allow(clippy::unnecessary_wraps)]
fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells: Vec<&CellSummary> = data.summary.cells.iter().filter(|c| ratio(c).is_some()).collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let entries = entries(&cells);
    let pooled = cells.len() > MOST_CELLS;
    let each = if pooled { "mean over n (inverse variances)" } else { "measured" };
    let entry = |style, symbol, text: &str| LegendEntry { text: math::text(text), style, symbol };
    let mut legend = vec![entry(0, Symbol::MarkerLine, &format!("{each} ± 1.96 MCSE"))];
    if entries.iter().filter_map(|e| e.ratio).any(leaves_out_1) {
        legend.push(entry(1, Symbol::MarkerLine, "the same where it leaves out\u{a0}1"));
    }
    let whole = data.width(WIDTH);
    let (legend, top) = draw_legend(whole, &legend);
    let mut elements = vec![legend];
    let room = WIDEST_LABEL * whole;
    let labels: Vec<Vec<Markup>> = entries.iter().map(|e| lines(&e.label, SMALL, room - e.indent)).collect();
    let widest =
        |texts: &mut dyn Iterator<Item = Markup>| texts.map(|t| width(&t, SMALL)).fold(0.0, f64::max);
    let left = 8.0 + widest(&mut labels.iter().flatten().cloned()).min(room) + 8.0;
    let noted = 10.0 + widest(&mut entries.iter().filter_map(|e| e.ratio.map(note)));
    let has_notes = whole - left - noted >= NARROWEST;
    let right = whole - if has_notes { noted } else { 10.0 };
    let row_height = |label: &[Markup]| ROW + height(label.len().saturating_sub(1), SMALL);
    let bottom = top + 4.0 + labels.iter().map(|label| row_height(label)).sum::<f64>();
    let ends =
        entries.iter().filter_map(|e| e.ratio).flat_map(|(r, se)| [r - NORMAL_975 * se, r + NORMAL_975 * se]);
    let values: Vec<f64> = ends.chain([1.0]).filter(|v| v.is_finite()).collect();
    let line = Line { upright: false, length: right - left, font: SMALL };
    let axis = Axis::new(&values, data.options.log_x.unwrap_or(false), false, line);
    let place = |share: f64| left + (right - left) * share;
    let x = |v: f64| place(axis.share(axis.place(v))).clamp(left, right);
    for (share, label) in axis.ticks() {
        elements.push(grid_line(&[(place(share), top), (place(share), bottom)]));
        elements.push(text(place(share), bottom + 10.0, "middle", 0.0, SMALL, &math::text(label)));
    }
    elements.push(stroke(&[(left, bottom), (right, bottom)], 6, 0.6, Stroke::Solid));
    elements.push(stroke(&[(x(1.0), top), (x(1.0), bottom)], 6, 0.8, Stroke::Dashed));
    let mut next = top + 4.0;
    for (row, label) in entries.iter().zip(&labels) {
        let y = next + ROW / 2.0;
        next += row_height(label);
        elements.push(from_left(8.0 + row.indent, y + 2.6, SMALL, room - row.indent, label));
        let Some((ratio, se)) = row.ratio else { continue };
        let half = if se.is_finite() { NORMAL_975 * se } else { 0.0 };
        let style = usize::from(leaves_out_1((ratio, se)));
        let (low, high) = (x(ratio - half), x(ratio + half));
        elements.push(stroke(&[(low, y), (high, y)], style, 1.1, Stroke::Solid));
        for end in [low, high] {
            elements.push(stroke(&[(end, y - 1.8), (end, y + 1.8)], style, 0.9, Stroke::Solid));
        }
        elements.push(symbol(x(ratio), y, 2.4, style));
        if has_notes {
            elements.push(text(right + 8.0, y + 2.6, "start", 0.0, SMALL, &note((ratio, se))));
        }
    }
    let label = html! { (math::root_mean_square(&math::prediction_error())) " / " (data.risk) " risk" };
    // Centred below the plot, as far as the edge of the figure lets it.
    let middle = f64::midpoint(left, right);
    let room = 2.0 * (middle.min(whole - middle) - 4.0);
    let label = lines(&label, FONT, room);
    elements.push(centred(middle, bottom + 23.0, FONT, room, &label));
    let alt = format!(
        "Study {}: ratio of the root mean squared prediction error to the {} risk with intervals of 1.96 Monte Carlo \
         standard errors, {}, about the line at 1.",
        data.name,
        data.risk,
        if pooled { "a line a setting, design and estimator" } else { "a line a cell" }
    );
    Ok(Some(data.canvas(&alt, (whole, bottom + 18.0 + height(label.len(), FONT)), elements)))
}

/// A cell's ratio and its standard error, that of the risk (from drawn designs) included; none without a risk.
fn ratio(c: &CellSummary) -> Option<(f64, f64)> {
    let (error, mcse) = c.pred;
    let (risk, risk_se) = c.theory.risk(ErrorNorm::Prediction);
    let ratio = error / risk;
    let se = (mcse / risk).hypot(ratio * risk_se / risk);
    (risk > 0.0 && ratio.is_finite()).then_some((ratio, se))
}

/// Whether the interval of a ratio leaves out 1.
fn leaves_out_1((ratio, se): (f64, f64)) -> bool {
    (ratio - 1.0).abs() > NORMAL_975 * se
}

/// `1.012 [0.991, 1.033]`
fn note((ratio, se): (f64, f64)) -> Markup {
    math::text(format!("{ratio:.3} [{:.3}, {:.3}]", ratio - NORMAL_975 * se, ratio + NORMAL_975 * se))
}

fn entries(cells: &[&CellSummary]) -> Vec<Entry> {
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
        let label = mine.first().map_or_else(Markup::default, |c| {
            html! {
                (setting_title(&c.setting, &c.structure))
                @if designs { ", " (design_title(key.1)) }
                @if estimators { ", " (key.2) }
            }
        });
        if cells.len() > MOST_CELLS {
            out.push(Entry { label, indent: 0.0, ratio: Some(pool(&mine)) });
            continue;
        }
        let row = |label, c: &CellSummary, indent| Entry { label, indent, ratio: ratio(c) };
        if let [only] = mine[..] {
            out.push(row(html! { (label) ", " (math::n()) " = " (only.n) }, only, 0.0));
            continue;
        }
        out.push(Entry { label, indent: 0.0, ratio: None });
        out.extend(mine.iter().map(|c| row(html! { (math::n()) " = " (c.n) }, c, 8.0)));
    }
    out
}

/// Mean of the ratios of some cells with weights of inverse variances; of those that have one.
fn pool(cells: &[&CellSummary]) -> (f64, f64) {
    let known = cells.iter().filter_map(|c| ratio(c)).filter(|(_, se)| *se > 0.0);
    let (sum, weights) =
        known.fold((0.0, 0.0), |(s, w), (ratio, se)| (s + ratio / (se * se), w + 1.0 / (se * se)));
    (sum / weights, (1.0 / weights).sqrt())
}
