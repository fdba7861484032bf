//! A figure in the page: the same drawing as in files, with a mark over each point that says its values.

use super::escape::{download, escape};
use super::notation::typeset;
use crate::canvas::UNITS;
use crate::csv;
use crate::digits::{self, Notation};
use crate::drawing::{DrawnPanel, DrawnSeries, DrawnValue};
use crate::palette::COLOURS;
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
pub fn figure(number: usize, canvas: &Canvas) -> Result<String> {
    let (w, h) = canvas.size;
    let svg = canvas.to_svg()?;
    // Drawings of files have a size and no more; in a page they scale.
    let svg: String = svg
        .replacen("<svg ", &format!("<svg class=\"drawing\" viewBox=\"0 0 {w} {h}\" "), 1)
        .lines()
        .map(|line| line.trim_start().to_owned() + "\n")
        .collect();
    let marks: String =
        canvas.panels.iter().flat_map(|p| p.series.iter().map(move |s| marks_of(p, s))).collect();
    let overlay = if marks.is_empty() {
        String::new()
    } else {
        format!(
            "<svg class=\"marks\" viewBox=\"0 0 {} {}\" role=\"group\" aria-label=\"Points of figure {number}; arrow keys go \
             from one to the next\">\n{marks}</svg>\n<div class=\"tip\" hidden></div>\n",
            canvas.units().0,
            canvas.units().1
        )
    };
    let data = if canvas.panels.is_empty() {
        String::new()
    } else {
        download(&format!("{}.csv", canvas.name), "text/csv", &data(canvas), "Data (CSV)")
    };
    let name = escape(&canvas.name);
    Ok(format!(
        "<figure class=\"drawn\" id=\"figure-{number}\">\n<div class=\"plot\" style=\"max-width:{:.0}px\">\n{svg}\
         {overlay}</div>\n<figcaption><b>Figure {number}.</b> {}\n<span class=\"buttons\">{data}\
         <button type=\"button\" class=\"button save\" data-file=\"{name}.svg\" hidden>Figure (SVG)</button></span></figcaption>\n\
         </figure>\n",
        LARGEST * w,
        typeset(&canvas.alt)
    ))
}

fn marks_of(panel: &DrawnPanel, series: &DrawnSeries) -> String {
    let mark = |v: &DrawnValue| {
        let (x, y) = v.place?;
        Some(format!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{}\" role=\"img\"><title>{}</title></circle>\n",
            RADIUS * UNITS,
            escape(&describe(panel, series, v))
        ))
    };
    series.values.iter().filter_map(mark).collect()
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
