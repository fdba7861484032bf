//! From panels or hand-made elements to a canvas of the size that the options ask for.
//!
//! A figure is laid out with labels of 9 points and then enlarged or reduced, so margins, ticks, markers and lines go with
//! the font.

use crate::canvas::UNITS;
use crate::drawing::Drawing;
use crate::math::escape;
use crate::panel::{FONT, LegendEntry, Panel, draw_grid, draw_legend, text};
use crate::{Canvas, Result};

use super::FigureData;

/// The natural layout of a figure: panels in a grid, in points.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Width of the figure.
    pub width: f64,
    /// Height of a row of panels.
    pub row: f64,
    /// Panels in a row.
    pub columns: usize,
}

/// Height of the legend and margins beside the rows of panels.
const HEAD: f64 = 40.0;
/// Height of a title over the figure.
const TITLE: f64 = 16.0;
/// Narrowest panel; below it rows are broken.
const NARROWEST: f64 = 117.0;
/// Panels that are wider than usual are taller by at most this factor.
const TALLEST: f64 = 1.4;

impl FigureData<'_> {
    /// By how much the font differs from the usual one.
    fn scale(&self) -> f64 {
        self.options.font_size.map_or(1.0, |size| size / FONT)
    }

    /// Width of the layout in points before it is scaled, if the figure is `natural` points wide without options.
    pub(super) fn width(&self, natural: f64) -> f64 {
        self.options.width.map_or(natural, |w| w.points() / self.scale())
    }

    /// Panels on a grid under a legend, with the options of the figure.
    pub(super) fn on_grid(
        &self,
        grid: Grid,
        alt: &str,
        mut panels: Vec<Panel>,
        legend: &[LegendEntry],
    ) -> Result<Option<Canvas>> {
        for panel in &mut panels {
            panel.log_x = self.options.log_x.unwrap_or(panel.log_x);
            panel.log_y = self.options.log_y.unwrap_or(panel.log_y);
        }
        let width = self.width(grid.width);
        // A part of a row is in a row of its own, so that what belongs together stays together.
        let whole = grid.columns.max(1);
        let fits = |c: &usize| whole.is_multiple_of(*c) && width / *c as f64 >= NARROWEST;
        let columns =
            if width < grid.width { (1..=whole).rev().find(fits).unwrap_or(1) } else { grid.columns };
        let wider = (width / columns as f64) / (grid.width / whole as f64);
        let row = grid.row * wider.clamp(1.0, TALLEST);
        let lines = |width: f64| draw_legend(width, legend).1;
        let rows = panels.len().div_ceil(columns.max(1));
        let size = (width, HEAD + row * rows as f64 + (lines(width) - lines(grid.width)));
        let body = draw_grid(self.options.kind.name(), size, columns, &panels, legend)?;
        Ok(Some(self.canvas(alt, size, body)))
    }

    /// A drawing as a canvas, titled and scaled; `size` in points before it is scaled.
    pub(super) fn canvas(&self, alt: &str, size: (f64, f64), drawing: impl Into<Drawing>) -> Canvas {
        let drawing = drawing.into();
        let canvas = match &self.options.title {
            None => Canvas::new(self.name, alt, size, drawing),
            Some(title) => {
                let heading = text(size.0 / 2.0, 12.0, "middle", 0.0, FONT * 1.1, &escape(title));
                let moved = drawing.moved_down(TITLE * UNITS);
                let titled = Drawing { svg: heading + &moved.svg, ..moved };
                Canvas::new(self.name, alt, (size.0, size.1 + TITLE), titled)
            }
        };
        canvas.scaled(self.scale())
    }
}
