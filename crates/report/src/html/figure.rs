//! A figure in the page: the same drawing as in files, with a mark over each point that says its values.

use maud::{Markup, PreEscaped, html};

use super::download::download;
use super::notation::typeset;
use crate::csv;
use crate::digits::{self, Notation};
use crate::drawing::{DrawnPanel, DrawnSeries, DrawnValue};
use crate::palette::COLOURS;
use crate::units::UNITS;
use crate::{Canvas, Result};

/// Radius of a mark, points.
const RADIUS: f64 = 4.5;

/// How much larger than on paper a figure may be on a screen.
const LARGEST: f64 = 2.0;

/// Series colours on a dark page, in the order of [`COLOURS`].
const DARK: [&str; COLOURS.len()] =
    ["#6aaeff", "#ff9248", "#3ccf9e", "#e8a0ca", "#a5e3ff", "#d9b03c", "#c9ccd1"];

/// Other colours of the drawings, on white and on a dark page: text, axes, grids.
const INK: [(&str, &str); 4] =
    [("#222222", "#e6e8eb"), ("#5a5a5a", "#9aa2ac"), ("#e1e1e1", "#363c44"), ("#dddddd", "#363c44")];

/// Rules that give drawings the colours of a dark page.
pub fn dark_rules() -> String {
    let series =
        COLOURS.iter().zip(DARK).map(|(c, dark)| (format!("#{:02x}{:02x}{:02x}", c.0, c.1, c.2), dark));
    let ink = INK.iter().map(|(light, dark)| ((*light).to_owned(), *dark));
    series
        .chain(ink)
        .map(|(light, dark)| {
            format!(".plot [fill=\"{light}\"]{{fill:{dark}}}.plot [stroke=\"{light}\"]{{stroke:{dark}}}\n")
        })
        .collect()
}

/// A figure with its caption and what can be saved of it; `number` counts the page's figures from 1.
pub fn figure(number: usize, canvas: &Canvas) -> Result<Markup> {
    let (width, height) = canvas.size;
    // Drawings of files have a size and no more; in a page they scale.
    let svg: String = canvas
        .to_svg()?
        .replacen("<svg ", &format!("<svg class=\"drawing\" viewBox=\"0 0 {width} {height}\" "), 1)
        .lines()
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect();
    Ok(html! {
        figure class="drawn" id={ "figure-" (number) } {
            div class="plot" style={ "max-width:" (format!("{:.0}", LARGEST * width)) "px" } {
                (PreEscaped(svg))
                (marks(number, canvas))
            }
            figcaption {
                b { "Figure " (number) "." } " " (typeset(&canvas.alt)) " "
                span class="buttons" {
                    @if !canvas.panels.is_empty() {
                        (download(&format!("{}.csv", canvas.name), "text/csv", &data(canvas), "Data (CSV)"))
                    }
                    button type="button" class="button save" data-file={ (canvas.name) ".svg" } hidden { "Figure (SVG)" }
                }
            }
        }
    })
}

/// What lies over a drawing: a mark for each of its points, and the box that shows their values.
fn marks(number: usize, canvas: &Canvas) -> Markup {
    let (width, height) = canvas.units();
    let series = canvas.panels.iter().flat_map(|panel| panel.series.iter().map(move |s| (panel, s)));
    let values = series.flat_map(|(panel, s)| s.values.iter().map(move |v| (panel, s, v)));
    let placed: Vec<_> = values.filter_map(|(panel, s, v)| Some((v.place?, describe(panel, s, v)))).collect();
    if placed.is_empty() {
        return Markup::default();
    }
    html! {
        svg class="marks" viewBox={ "0 0 " (width) " " (height) } role="group"
            aria-label={ "Points of figure " (number) "; arrow keys go from one to the next" } {
            @for ((x, y), text) in placed {
                circle cx=(x) cy=(y) r=(RADIUS * UNITS) role="img" { title { (text) } }
            }
        }
        div class="tip" hidden {}
    }
}

/// What a point shows, a line a statement.
fn describe(panel: &DrawnPanel, series: &DrawnSeries, v: &DrawnValue) -> String {
    let mut lines: Vec<String> = Vec::new();
    for name in [&series.name, &panel.title] {
        if !name.is_empty() && !lines.contains(name) {
            lines.push(name.clone());
        }
    }
    lines.push(format!("{} = {}", panel.x_label, digits::short(v.x)));
    if v.error > 0.0 {
        let (value, error) = (digits::like(v.y, v.error), digits::like(v.error, v.error));
        lines.push(format!("{} = {value}, MCSE {error}", panel.y_label));
    } else {
        lines.push(format!("{} = {}", panel.y_label, digits::number(v.y, Notation::Plain)));
    }
    if let Some(line) = panel.line_at(series.style, v.x).filter(|line| *line != v.y) {
        lines.push(format!("on the line: {}", digits::like(line, v.error)));
    }
    lines.join("\n")
}

/// The values of a figure, a line a point of a series or a corner of a line.
fn data(canvas: &Canvas) -> String {
    let mut out = csv::line(["panel", "title", "series", "mark", "x_label", "x", "y_label", "y", "mcse"]);
    for (i, panel) in canvas.panels.iter().enumerate() {
        for series in &panel.series {
            for v in &series.values {
                let mcse = if v.error > 0.0 { csv::number(v.error) } else { String::new() };
                out += &csv::line([
                    (i + 1).to_string().as_str(),
                    panel.title.as_str(),
                    series.name.as_str(),
                    if series.is_line { "line" } else { "point" },
                    panel.x_label.as_str(),
                    csv::number(v.x).as_str(),
                    panel.y_label.as_str(),
                    csv::number(v.y).as_str(),
                    mcse.as_str(),
                ]);
            }
        }
    }
    out
}
