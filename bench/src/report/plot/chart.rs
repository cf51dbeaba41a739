//! Charts of horizontal bars, as SVG: light, without fonts of their own, and readable at the width of a page.
//!
//! Never knows: what the bars stand for.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// A colour of a bar.
pub(super) type Colour = RGBColor;
/// What a chart is about.
pub(super) const STRONG: Colour = RGBColor(11, 110, 110);
/// What it is compared with.
pub(super) const LIGHT: Colour = RGBColor(122, 138, 160);
/// What stands aside.
pub(super) const PALE: Colour = RGBColor(205, 212, 221);

const INK: Colour = RGBColor(31, 41, 51);
const QUIET: Colour = RGBColor(98, 110, 124);
const MARK: Colour = RGBColor(180, 83, 9);

const WIDTH: i32 = 800;
const MARGIN: i32 = 20;
/// Below the title, and below each bar.
const HEAD: i32 = 54;
const PANEL_HEAD: i32 = 28;
const BAR: i32 = 18;
const STEP: i32 = 28;
/// Before a bar that begins a group.
const GAP: i32 = 10;
/// For the words of marks, and for the caption.
const MARK_FOOT: i32 = 20;
const FOOT: i32 = 36;
/// Width of a letter of the labels, about: nobody here knows the font.
const LETTER: f64 = 7.4;
/// Room for the text at the end of a bar.
const TEXT: i32 = 86;
/// What plotters divides a size by.
const SIZE: f64 = 1.24;

/// A part of a bar.
pub(super) struct Segment {
    pub(super) length: f64,
    pub(super) colour: Colour,
}

/// A line of a panel.
pub(super) struct Bar {
    pub(super) label: String,
    pub(super) segments: Vec<Segment>,
    /// Between which the rounds lay.
    pub(super) range: Option<(f64, f64)>,
    /// What stands behind it.
    pub(super) text: String,
    /// Whether it is set apart from the bar before.
    pub(super) begins_group: bool,
}

impl Bar {
    fn length(&self) -> f64 {
        self.segments.iter().map(|segment| segment.length).sum()
    }

    fn end(&self) -> f64 {
        self.range.map_or(0.0, |(_, most)| most).max(self.length())
    }
}

/// Bars of the same scale.
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) bars: Vec<Bar>,
    /// A line across all bars, with what it means.
    pub(super) mark: Option<(f64, String)>,
}

/// Panels beside each other.
pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) panels: Vec<Panel>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

impl Chart {
    /// As SVG, with a caption at its foot.
    pub(super) fn draw(&self, caption: &str) -> anyhow::Result<String> {
        let bars = self.panels.iter().map(Panel::height).max().unwrap_or_default();
        let marks = if self.panels.iter().any(|panel| panel.mark.is_some()) {
            MARK_FOOT
        } else {
            0
        };
        let height = HEAD + PANEL_HEAD + bars + marks + FOOT;
        let mut svg = String::new();
        {
            let area = SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)).into_drawing_area();
            area.fill(&WHITE)?;
            text(&area, self.title, (MARGIN, 28), 18, INK, HPos::Left)?;
            let width = (WIDTH - MARGIN) / self.panels.len().max(1) as i32;
            for (index, panel) in self.panels.iter().enumerate() {
                panel.draw(&area, MARGIN + index as i32 * width, width - MARGIN)?;
            }
            text(&area, caption, (MARGIN, height - 16), 11, QUIET, HPos::Left)?;
            area.present()?;
        }
        Ok(svg)
    }
}

impl Panel {
    /// Of all its bars.
    fn height(&self) -> i32 {
        self.tops().last().map_or(0, |top| top + STEP)
    }

    /// Where its bars begin.
    fn tops(&self) -> impl Iterator<Item = i32> {
        self.bars.iter().scan(-STEP, |top, bar| {
            *top += STEP + if bar.begins_group { GAP } else { 0 };
            Some(*top)
        })
    }

    fn draw(&self, area: &Area<'_>, left: i32, width: i32) -> anyhow::Result<()> {
        let letters = self.bars.iter().map(|bar| bar.label.chars().count()).max().unwrap_or_default();
        let start = left + (letters as f64 * LETTER) as i32 + 10;
        let longest = self.bars.iter().map(Bar::end).fold(0.0, f64::max);
        let longest = longest.max(self.mark.as_ref().map_or(0.0, |(value, _)| *value));
        let room = f64::from(left + width - TEXT - start);
        let at = |value: f64| start + (room * value / longest.max(f64::MIN_POSITIVE)).round() as i32;
        text(area, &self.title, (left, HEAD + 8), 13, QUIET, HPos::Left)?;
        let top = HEAD + PANEL_HEAD;
        for (bar, y) in self.bars.iter().zip(self.tops()) {
            bar.draw(area, (start, top + y), at)?;
        }
        if let Some((value, words)) = &self.mark {
            let (x, bottom) = (at(*value), top + self.height());
            area.draw(&PathElement::new([(x, top - 6), (x, bottom)], MARK.stroke_width(2)))?;
            text(area, words, (x, bottom + 8), 12, MARK, HPos::Center)?;
        }
        for (bar, y) in self.bars.iter().zip(self.tops()) {
            bar.tell(area, (at(bar.end()), top + y))?; // over the mark
        }
        Ok(())
    }
}

impl Bar {
    /// Its label and itself.
    fn draw(&self, area: &Area<'_>, (start, y): (i32, i32), at: impl Fn(f64) -> i32) -> anyhow::Result<()> {
        let middle = y + BAR / 2;
        text(area, &self.label, (start - 10, middle), 13, INK, HPos::Right)?;
        let mut from = 0.0;
        for segment in &self.segments {
            let until = from + segment.length;
            area.draw(&Rectangle::new([(at(from), y), (at(until), y + BAR)], segment.colour.filled()))?;
            from = until;
        }
        if let Some((least, most)) = self.range {
            whisker(area, (at(least), at(most)), middle)?;
        }
        Ok(())
    }

    /// What stands behind it.
    fn tell(&self, area: &Area<'_>, (end, y): (i32, i32)) -> anyhow::Result<()> {
        let width = (self.text.chars().count() as f64 * LETTER) as i32;
        area.draw(&Rectangle::new([(end + 5, y), (end + 11 + width, y + BAR)], WHITE.filled()))?;
        text(area, &self.text, (end + 8, y + BAR / 2), 13, INK, HPos::Left)
    }
}

/// The range of the rounds, when there is one to be seen.
fn whisker(area: &Area<'_>, (from, until): (i32, i32), y: i32) -> anyhow::Result<()> {
    if until - from < 3 {
        return Ok(());
    }
    let style = INK.mix(0.65).stroke_width(1);
    area.draw(&PathElement::new([(from, y), (until, y)], style))?;
    for x in [from, until] {
        area.draw(&PathElement::new([(x, y - 4), (x, y + 4)], style))?;
    }
    Ok(())
}

fn text(area: &Area<'_>, words: &str, at: (i32, i32), size: i32, colour: Colour, side: HPos) -> anyhow::Result<()> {
    let size = f64::from(size) * SIZE;
    let style = TextStyle::from(("sans-serif", size).into_font())
        .color(&colour)
        .pos(Pos::new(side, VPos::Center));
    area.draw(&Text::new(words.to_owned(), at, style))?;
    Ok(())
}
