//! Text in figures: its width in the embedded font, its lines, and its SVG.

use maud::{Markup, PreEscaped, html};
use plotters::style::{FontDesc, FontFamily, FontStyle};

use crate::font::register_fonts;
use crate::math;
use crate::units::UNITS;

/// Font size of labels, points.
pub(crate) const FONT: f64 = 9.0;
/// Height of a line of the embedded font, in which plotters measures sizes, as a share of the font size.
const LINE_HEIGHT: f64 = (1901.0 + 483.0) / 2048.0;
/// From one line of text to the next, as a share of the font size.
const LEADING: f64 = 1.25;

/// Height of `count` lines of text of a size.
pub(crate) fn height(count: usize, size: f64) -> f64 {
    count as f64 * size * LEADING
}

/// Width of SVG spans in points.
pub(crate) fn width(spans: &Markup, size: f64) -> f64 {
    width_of(&spans.0, size)
}

fn width_of(spans: &str, size: f64) -> f64 {
    register_fonts();
    let mut sizes = vec![size];
    let mut width = 0.0;
    for (tag, text) in math::runs(spans) {
        let size = sizes.last().copied().unwrap_or(size);
        if tag.starts_with('/') {
            sizes.pop();
        } else if !tag.is_empty() {
            sizes.push(if math::is_small(tag) { size * math::SMALL_SIZE } else { size });
        }
        width += plain_width(&text, sizes.last().copied().unwrap_or(size));
    }
    width
}

/// Width of text without tags.
fn plain_width(text: &str, size: f64) -> f64 {
    let font = FontDesc::new(FontFamily::SansSerif, LINE_HEIGHT * size * UNITS, FontStyle::Normal);
    // The font is embedded; a text that it could not measure would have no width.
    f64::from(font.box_size(text).map_or(0, |b| b.0)) / UNITS
}

/// SVG spans in lines of at most `room` points, broken at spaces; formulas have none that break.
pub(crate) fn lines(spans: &Markup, size: f64, room: f64) -> Vec<Markup> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(&spans.0) {
        match lines.last_mut() {
            Some(line) if width_of(&format!("{line} {word}"), size) <= room => {
                line.push(' ');
                *line += word;
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines.into_iter().map(PreEscaped).collect()
}

/// The pieces between spaces that stand outside tags.
fn words(spans: &str) -> Vec<&str> {
    let mut inside = false;
    let is_break = |c: char| {
        inside = (inside || c == '<') && c != '>';
        c == ' ' && !inside
    };
    spans.split(is_break).filter(|word| !word.is_empty()).collect()
}

/// Elements one behind the other.
fn all(elements: impl Iterator<Item = Markup>) -> Markup {
    html! { @for element in elements { (element) } }
}

/// SVG text at a place in points.
pub(crate) fn text(x: f64, y: f64, anchor: &str, turn: f64, size: f64, spans: &Markup) -> Markup {
    let [x, y, size] = [x, y, size].map(|points| format!("{:.1}", points * UNITS));
    let rotation = (turn != 0.0).then(|| format!("rotate({turn} {x} {y})"));
    html! {
        text x=(x) y=(y) font-size=(size) text-anchor=(anchor) fill="#222" transform=[rotation] { (spans) }
    }
}

/// Centred lines, the first at a place and the others below; smaller where one is wider than `room`.
pub(crate) fn centred(x: f64, y: f64, size: f64, room: f64, lines: &[Markup]) -> Markup {
    let line = |(i, line): (usize, &Markup)| {
        text(x, y + height(i, size), "middle", 0.0, fitting(line, size, room), line)
    };
    all(lines.iter().enumerate().map(line))
}

/// The same from a left edge on.
pub(crate) fn from_left(x: f64, y: f64, size: f64, room: f64, lines: &[Markup]) -> Markup {
    let line = |(i, line): (usize, &Markup)| {
        text(x, y + height(i, size), "start", 0.0, fitting(line, size, room), line)
    };
    all(lines.iter().enumerate().map(line))
}

/// Centred and upright, read from below, the first line at a place and the others on its right.
pub(crate) fn upright(x: f64, y: f64, size: f64, room: f64, lines: &[Markup]) -> Markup {
    let line = |(i, line): (usize, &Markup)| {
        text(x + height(i, size), y, "middle", -90.0, fitting(line, size, room), line)
    };
    all(lines.iter().enumerate().map(line))
}

/// The size of a line, smaller where it would be wider than `room`.
fn fitting(line: &Markup, size: f64, room: f64) -> f64 {
    size * (room / width(line, size)).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_breaks_at_spaces_into_lines_that_fit_and_formulas_stay_whole() {
        let plain = "stated probability of a larger error";
        let text = math::text(plain);
        let room = width(&text, FONT) / 2.0;
        let broken = lines(&text, FONT, room);
        assert!(broken.len() > 1 && broken.iter().all(|l| width(l, FONT) <= room), "{broken:?}");
        let joined: Vec<&str> = broken.iter().map(|l| l.0.as_str()).collect();
        assert_eq!(joined.join(" "), plain);
        assert_eq!(lines(&text, FONT, 1000.0).len(), 1);
        let formula = math::root_mean_square(&math::prediction_error());
        assert_eq!(lines(&formula, FONT, 1.0).len(), 1);
        assert!(lines(&Markup::default(), FONT, 100.0).is_empty());
    }

    #[test]
    fn width_grows_with_the_text_and_its_size_and_tags_have_none() {
        let width = |text: &str, size| super::width(&math::text(text), size);
        // An m of DejaVu Sans is 1995/2048 wide.
        assert!((width(&"m".repeat(20), 10.0) - 200.0 * 1995.0 / 2048.0).abs() < 1.5);
        assert!(width("mmm", 9.0) > width("iii", 9.0));
        assert_eq!(super::width(&math::n(), 9.0), width("n", 9.0));
        assert!((super::width(&math::d_m(), 9.0) - width("d", 9.0) - width("M", 6.3)).abs() < 0.3);
        // Signs of mathematics have one width.
        assert_eq!(width("a<b", 9.0), width("a+b", 9.0));
    }
}
