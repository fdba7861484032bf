//! From panels or hand-made elements to a canvas of the size that the options ask for.
//!
//! A figure is laid out with labels of 9 points and then enlarged or reduced, so margins, ticks, markers and lines go with
//! the font.

use convstat_study::file::FigureWidth;
use maud::html;

use crate::drawing::Drawing;
use crate::grid::{Row, draw_grid};
use crate::lettering::{FONT, centred, height, lines};
use crate::panel::{LegendEntry, Panel, Symbol};
use crate::units::UNITS;
use crate::{Canvas, Result, math};

use super::kind::FigureData;

/// The natural layout of a figure: stacks of panels beside each other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    /// Width of the figure without options, points.
    pub width: f64,
    /// Stacks beside each other.
    pub columns: usize,
    /// Heights of the plots of a stack from top to bottom, points.
    pub heights: &'static [f64],
}

/// Width of a figure of one column of panels, points; one of several is as wide as a page.
const SINGLE: f64 = 312.0;
/// Size of the font of a title over the figure, and the room beside it.
const TITLE: f64 = FONT * 1.1;
const TITLE_MARGIN: f64 = 8.0;
/// Narrowest column of panels; below it there are fewer columns.
const NARROWEST: f64 = 140.0;
/// A figure that is taller than this (240 mm) has lower plots, down to this share of their height.
const TALLEST: f64 = 680.0;
const LOWEST: f64 = 0.45;

/// Abscissas of which the largest is more than this times the smallest are drawn on a logarithmic axis.
const LINEAR_SPAN: f64 = 30.0;

/// Whether positive values need a logarithmic axis.
pub(super) fn is_wide(values: impl Iterator<Item = f64>) -> bool {
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    high > LINEAR_SPAN * low
}

impl Grid {
    /// As many stacks beside each other as there are, at most `most`.
    pub fn of(stacks: usize, most: usize, heights: &'static [f64]) -> Self {
        let columns = stacks.clamp(1, most);
        let width = if columns > 1 { FigureWidth::Page.points() } else { SINGLE };
        Self { width, columns, heights }
    }

    /// Panels, given stack by stack, in rows of `columns` stacks, with plots `flat` times as high.
    fn rows(self, panels: &[Panel], columns: usize, flat: f64) -> Vec<Row> {
        let stacks: Vec<&[Panel]> = panels.chunks(self.heights.len()).collect();
        let row = |block: &[&[Panel]], (level, height): (usize, &f64)| Row {
            height: height * flat,
            panels: block.iter().filter_map(|stack| stack.get(level).cloned()).collect(),
        };
        let rows = |block: &[&[Panel]]| -> Vec<Row> {
            self.heights.iter().enumerate().map(|level| row(block, level)).collect()
        };
        stacks.chunks(columns).flat_map(rows).collect()
    }
}

impl FigureData<'_> {
    /// By how much the font differs from the usual one.
    fn scale(&self) -> f64 {
        self.options.font_size.map_or(1.0, |size| size / FONT)
    }

    /// Width of the layout in points before it is scaled, if the figure is `natural` points wide without options.
    pub(super) fn width(&self, natural: f64) -> f64 {
        self.options.width.map_or(natural, |w| w.points() / self.scale())
    }

    /// Panels, stack by stack, on a grid under a legend, with the options of the figure.
    pub(super) fn on_grid(
        &self,
        grid: Grid,
        alt: &str,
        mut panels: Vec<Panel>,
        mut legend: Vec<LegendEntry>,
    ) -> Result<Option<Canvas>> {
        for panel in &mut panels {
            panel.log_x = self.options.log_x.unwrap_or(panel.log_x);
            panel.log_y = self.options.log_y.unwrap_or(panel.log_y);
        }
        if panels.iter().any(Panel::has_short_line) {
            let text = math::text("Short lines: risk at that point alone.");
            legend.push(LegendEntry { text, style: 6, symbol: Symbol::Nothing });
        }
        let width = self.width(grid.width);
        // A part of a row of stacks is in a row of its own, so that what belongs together stays together.
        let fits = |c: &usize| grid.columns.is_multiple_of(*c) && width / *c as f64 >= NARROWEST;
        let columns = (1..=grid.columns).rev().find(fits).unwrap_or(1);
        let draw =
            |flat: f64| draw_grid(&self.options.kind, width, &grid.rows(&panels, columns, flat), &legend);
        let mut drawn = draw(1.0)?;
        if drawn.height > TALLEST {
            let plots: f64 = grid.rows(&panels, columns, 1.0).iter().map(|row| row.height).sum();
            drawn = draw((1.0 - (drawn.height - TALLEST) / plots).max(LOWEST))?;
        }
        Ok(Some(self.canvas(alt, (width, drawn.height), drawn.drawing)))
    }

    /// A drawing as a canvas, titled and scaled; `size` in points before it is scaled.
    pub(super) fn canvas(&self, alt: &str, size: (f64, f64), drawing: impl Into<Drawing>) -> Canvas {
        let drawing = drawing.into();
        let canvas = match &self.options.title {
            None => Canvas::new(self.name, alt, size, drawing),
            Some(title) => {
                let room = size.0 - 2.0 * TITLE_MARGIN;
                let title = lines(&math::text(title), TITLE, room);
                let heading = centred(size.0 / 2.0, 12.0, TITLE, room, &title);
                let down = height(title.len(), TITLE) + 4.0;
                let moved = drawing.moved_down(down * UNITS);
                let titled = Drawing { svg: html! { (heading) (moved.svg) }, ..moved };
                Canvas::new(self.name, alt, (size.0, size.1 + down), titled)
            }
        };
        canvas.scaled(self.scale())
    }
}
