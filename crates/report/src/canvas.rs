//! One drawing, saved as SVG, PNG and PDF with the same content.
//!
//! plotters draws lines, markers and tick labels; labels with mathematics are text spans laid over. The
//! whole is set in an embedded font: text becomes outlines, so a reader needs no font either.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maud::{Markup, html};
use resvg::{tiny_skia, usvg};

use crate::drawing::{Drawing, DrawnPanel};
use crate::units::UNITS;
use crate::{ReportError, Result};

/// Resolution of PNG files, dots an inch.
const PNG_DPI: f64 = 200.0;

/// File formats of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Scalable, for pages.
    Svg,
    /// Pixels, for everything else.
    Png,
    /// For papers.
    Pdf,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Svg, Self::Png, Self::Pdf];

    /// Reads `svg,png,pdf`.
    ///
    /// # Errors
    /// A format that there is not.
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        let format = |name: &str| {
            let found = Self::ALL.into_iter().find(|format| format.extension() == name);
            found.ok_or_else(|| ReportError::UnknownFormat(name.to_owned()))
        };
        text.split(',').map(|name| format(name.trim())).collect()
    }

    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Svg => "svg",
            Self::Png => "png",
            Self::Pdf => "pdf",
        }
    }
}

/// A finished drawing.
#[derive(Debug, Clone)]
pub struct Canvas {
    /// File name without extension.
    pub name: String,
    /// Alternative text: what the picture shows.
    pub alt: String,
    /// Size in points.
    pub size: (f64, f64),
    /// What its panels show, where the drawing records it.
    pub panels: Vec<DrawnPanel>,
    /// SVG elements, in canvas units.
    body: Markup,
    /// How much larger than life the elements are drawn.
    scale: f64,
}

impl Canvas {
    /// A canvas of `size` points from a drawing, or from SVG elements in canvas units.
    pub fn new(name: &str, alt: &str, size: (f64, f64), body: impl Into<Drawing>) -> Self {
        let Drawing { svg: body, panels } = body.into();
        Self { name: name.to_owned(), alt: alt.to_owned(), size, panels, body, scale: 1.0 }
    }

    /// The same, everything `factor` times as large.
    pub(crate) fn scaled(self, factor: f64) -> Self {
        let size = (self.size.0 * factor, self.size.1 * factor);
        Self { size, scale: self.scale * factor, ..self }
    }

    /// Width and height in canvas units.
    pub(crate) fn units(&self) -> (f64, f64) {
        (self.size.0 / self.scale * UNITS, self.size.1 / self.scale * UNITS)
    }

    /// The SVG with live text, which needs the font.
    fn source(&self) -> String {
        let ((w, h), (units_w, units_h)) = (self.size, self.units());
        let svg = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(w) height=(h) viewBox={ "0 0 " (units_w) " " (units_h) }
                font-family="sans-serif" { (self.body) }
        };
        svg.into_string()
    }

    fn tree(&self) -> Result<usvg::Tree> {
        let mut fonts = usvg::fontdb::Database::new();
        fonts.load_font_data(dejavu::sans::regular().to_vec());
        fonts.load_font_data(dejavu::sans::oblique().to_vec());
        fonts.set_sans_serif_family("DejaVu Sans");
        let options = usvg::Options {
            font_family: "DejaVu Sans".to_owned(),
            fontdb: Arc::new(fonts),
            ..usvg::Options::default()
        };
        usvg::Tree::from_str(&self.source(), &options).map_err(|e| self.failed(&e.to_string()))
    }

    /// Texts with their left, top, right and bottom edges in points.
    #[cfg(test)]
    pub(crate) fn label_boxes(&self) -> Vec<(String, [f64; 4])> {
        fn collect(group: &usvg::Group, out: &mut Vec<(String, [f64; 4])>) {
            for node in group.children() {
                if let usvg::Node::Group(inner) = node {
                    collect(inner, out);
                } else if let usvg::Node::Text(text) = node {
                    let b = node.abs_bounding_box();
                    let label = text.chunks().iter().map(usvg::TextChunk::text).collect();
                    out.push((label, [b.left(), b.top(), b.right(), b.bottom()].map(f64::from)));
                }
            }
        }
        let mut out = Vec::new();
        collect(self.tree().unwrap().root(), &mut out);
        out
    }

    fn failed(&self, reason: &str) -> ReportError {
        ReportError::Drawing { figure: self.name.clone(), reason: reason.to_owned() }
    }

    /// The SVG with text as outlines, titled with the alternative text, on the background of the page that holds it.
    ///
    /// # Errors
    /// Elements that are not SVG.
    pub fn to_svg(&self) -> Result<String> {
        let options = usvg::WriteOptions {
            preserve_text: false,
            coordinates_precision: 2,
            transforms_precision: 6,
            ..usvg::WriteOptions::default()
        };
        let svg = self.tree()?.to_string(&options);
        let title = html! { title { (self.alt) } }.into_string();
        match svg.find('>') {
            Some(end) => Ok(format!("{} role=\"img\">{title}{}", &svg[..end], &svg[end + 1..])),
            None => Err(self.failed("the SVG writer returned no element")),
        }
    }

    /// The SVG as a file, which is white on a dark page too.
    fn to_svg_file(&self) -> Result<String> {
        let white = "</title>\n    <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>";
        Ok(self.to_svg()?.replacen("</title>", white, 1))
    }

    /// The picture as PNG at 200 dots an inch on white.
    ///
    /// # Errors
    /// Elements that are not SVG; a picture without area or larger than memory.
    pub fn to_png(&self) -> Result<Vec<u8>> {
        let scale = PNG_DPI / 72.0;
        let pixels = |points: f64| (points * scale).round() as u32;
        let mut map = tiny_skia::Pixmap::new(pixels(self.size.0), pixels(self.size.1))
            .ok_or_else(|| self.failed("the picture has no area"))?;
        map.fill(tiny_skia::Color::WHITE);
        let transform = tiny_skia::Transform::from_scale(scale as f32, scale as f32);
        resvg::render(&self.tree()?, transform, &mut map.as_mut());
        map.encode_png().map_err(|e| self.failed(&e.to_string()))
    }

    /// The picture as a one-page PDF of its size.
    ///
    /// # Errors
    /// Elements that are not SVG, or that PDF has nothing for.
    pub fn to_pdf(&self) -> Result<Vec<u8>> {
        let page = svg2pdf::PageOptions { dpi: 72.0 };
        // Outlines as in the SVG: with embedded fonts the order of objects would differ from run to run.
        let options =
            svg2pdf::ConversionOptions { embed_text: false, ..svg2pdf::ConversionOptions::default() };
        svg2pdf::to_pdf(&self.tree()?, options, page).map_err(|e| self.failed(&e.to_string()))
    }

    /// Writes `name.extension` into `out` for each format.
    ///
    /// # Errors
    /// A picture that cannot be made; a file or folder that cannot be written.
    pub fn save(&self, out: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
        let write = |path: PathBuf, bytes: &[u8]| match fs::write(&path, bytes) {
            Ok(()) => Ok(path),
            Err(source) => Err(ReportError::Io { path, source }),
        };
        fs::create_dir_all(out).map_err(|source| ReportError::Io { path: out.to_owned(), source })?;
        formats
            .iter()
            .map(|format| {
                let path = out.join(format!("{}.{}", self.name, format.extension()));
                match format {
                    Format::Svg => write(path, self.to_svg_file()?.as_bytes()),
                    Format::Png => write(path, &self.to_png()?),
                    Format::Pdf => write(path, &self.to_pdf()?),
                }
            })
            .collect()
    }
}
