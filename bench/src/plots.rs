//! Charts and tables for the book, out of what was measured.
//!
//! `plotters` draws them in colours that stand for something, and then each colour is replaced
//! by the name of one, which the book's theme knows: so a chart can be read on white and on
//! black. Shapes and labels say the same as the colours.

use std::error::Error;
use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use plotters::coord::Shift;
use plotters::coord::combinators::LogCoord;
use plotters::coord::ranged1d::ValueFormatter;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// As wide as every figure of the book.
const WIDTH: u32 = 640;

/// `plotters` makes a letter of 16 about 13 high in the SVG.
const LETTER: f64 = 16.0;

/// Black stands for the colour of the text.
const TEXT: RGBColor = RGBColor(0, 0, 0);

/// How many colours there are for lines: `--series-0` and up in the book's style sheet.
const SERIES: u8 = 8;

/// The colour that stands for a line's.
fn stand_in(series: u8) -> RGBColor {
    RGBColor(1, 2, series % SERIES)
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;

/// What a figure is called, shows, and tells those who cannot see it.
#[derive(Clone, Debug)]
pub struct About {
    /// The name of its file.
    pub name: &'static str,
    /// In a few words.
    pub title: String,
    /// What can be seen in it.
    pub description: String,
}

/// Lines of points, both positive; the horizontal axis is logarithmic.
#[derive(Clone, Debug)]
pub struct Lines {
    /// Title and description.
    pub about: About,
    /// What the horizontal axis is.
    pub x_title: &'static str,
    /// What the vertical axis is.
    pub y_title: &'static str,
    /// Where the horizontal axis is labelled.
    pub ticks: Vec<f64>,
    /// The vertical axis is logarithmic, too.
    pub log_y: bool,
    /// A place on the horizontal axis, and what is there.
    pub mark: Option<(f64, &'static str)>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line with its points.
#[derive(Clone, Debug)]
pub struct Line {
    /// What is written at its end.
    pub label: String,
    /// Which of the colours and shapes it has.
    pub series: u8,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// A row for each thing, with values on a common horizontal axis.
#[derive(Clone, Debug)]
pub struct Rows {
    /// Title and description.
    pub about: About,
    /// What the axis is.
    pub x_title: &'static str,
    /// It is logarithmic; else it begins at 0.
    pub log: bool,
    /// A value that others are compared with.
    pub mark: Option<f64>,
    /// What each of the values of a row is.
    pub kinds: Vec<String>,
    /// Bars, one on top of the other's end; else points.
    pub stacked: bool,
    /// The rows, each with its values, and how far these spread.
    pub rows: Vec<(String, Vec<Value>)>,
}

/// A value, and the quartiles of what was measured.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// The median.
    pub value: f64,
    /// The quartiles, if they are to be shown.
    pub spread: Option<(f64, f64)>,
}

impl Lines {
    /// The chart as SVG.
    ///
    /// # Errors
    ///
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        draw(&self.about, 400, |area| self.draw(area))
    }

    fn draw(&self, area: &Area) -> Drawn {
        let points = || self.lines.iter().flat_map(|line| line.points.iter().copied());
        let least =
            |values: &mut dyn Iterator<Item = f64>| values.fold(f64::MAX, f64::min);
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, f64::max);
        let x = least(&mut points().map(|it| it.0))
            ..most(&mut points().map(|it| it.0)) * 1.05;
        let high = most(&mut points().map(|it| it.1)) * 1.08;
        let mut builder = ChartBuilder::on(area);
        builder
            .margin(8)
            .margin_top(30)
            .margin_right(112)
            .x_label_area_size(48)
            .y_label_area_size(56);
        // The type of a chart says which of its axes are logarithmic.
        if self.log_y {
            let low = least(&mut points().map(|it| it.1)) * 0.8;
            let y = (low..high).log_scale();
            let chart = builder.build_cartesian_2d(x.clone().log_scale(), y)?;
            self.draw_on(area, chart, low)
        } else {
            let chart = builder.build_cartesian_2d(x.clone().log_scale(), 0.0..high)?;
            self.draw_on(area, chart, 0.0)
        }
    }

    fn draw_on<Y: Ranged<ValueType = f64> + ValueFormatter<f64>>(
        &self,
        area: &Area,
        mut chart: ChartContext<SVGBackend, Cartesian2d<LogCoord<f64>, Y>>,
        bottom: f64,
    ) -> Drawn {
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_label_formatter(&|_| String::new())
            .set_tick_mark_size(LabelAreaPosition::Bottom, 0)
            .y_labels(6)
            .light_line_style(TRANSPARENT)
            .bold_line_style(TEXT.mix(0.2))
            .axis_style(TEXT.mix(0.6))
            .label_style(letters(Pos::new(HPos::Right, VPos::Center)))
            .y_label_formatter(&|value| number(*value))
            .draw()?;
        let plot = chart.plotting_area();
        let pixel = |x: f64, y: f64| plot.map_coordinate(&(x, y));
        let (left, top) = plot.get_base_pixel();
        let (width, height) = plot.dim_in_pixel();
        let (right, floor) = (left + width as i32, top + height as i32);
        for tick in &self.ticks {
            let (x, y) = pixel(*tick, bottom);
            area.draw(&PathElement::new(vec![(x, y), (x, y + 4)], TEXT.mix(0.6)))?;
            write(area, &number(*tick), (x, y + 7), HPos::Center, VPos::Top)?;
        }
        let below = ((left + right) / 2, floor + 27);
        write(area, self.x_title, below, HPos::Center, VPos::Top)?;
        write(area, self.y_title, (8, top - 12), HPos::Left, VPos::Bottom)?;
        if let Some((value, label)) = self.mark {
            let (x, y) = pixel(value, bottom);
            for start in (top..y).step_by(8) {
                let dash = vec![(x, start), (x, (start + 4).min(y))];
                area.draw(&PathElement::new(dash, TEXT.mix(0.8)))?;
            }
            write(area, label, (x + 5, y - 4), HPos::Left, VPos::Bottom)?;
        }
        let mut labels: Vec<(i32, i32, &str)> = vec![];
        for Line { label, series, points } in &self.lines {
            let pixels: Vec<(i32, i32)> =
                points.iter().map(|(x, y)| pixel(*x, *y)).collect();
            let line = stand_in(*series).stroke_width(2);
            area.draw(&PathElement::new(pixels.clone(), line))?;
            for pixel in &pixels {
                shape(area, *series, *pixel)?;
            }
            if let Some((x, y)) = pixels.last() {
                labels.push((x + 9, *y, label));
            }
        }
        for (x, y, label) in apart(labels) {
            write(area, label, (x, y), HPos::Left, VPos::Center)?;
        }
        Ok(())
    }
}

/// Moves labels that end at the same place up and down, so that none covers another.
fn apart(mut labels: Vec<(i32, i32, &str)>) -> Vec<(i32, i32, &str)> {
    const LINE: i32 = 15;
    labels.sort();
    let mut moved: Vec<(i32, i32, &str)> = vec![];
    for group in labels.chunk_by(|a, b| (a.0 - b.0).abs() < 20) {
        let mut places: Vec<i32> = group.iter().map(|label| label.1).collect();
        // A few rounds of pushing neighbours apart, each by half of what is missing.
        for _ in 0..200 {
            for i in 1..places.len() {
                let missing = LINE - (places[i] - places[i - 1]);
                if missing > 0 {
                    places[i - 1] -= (missing + 1) / 2;
                    places[i] += missing / 2;
                }
            }
        }
        moved.extend(group.iter().zip(places).map(|(label, y)| (label.0, y, label.2)));
    }
    moved
}

impl Rows {
    /// The chart as SVG.
    ///
    /// # Errors
    ///
    /// If it cannot be drawn.
    pub fn svg(&self) -> Result<String> {
        let height =
            24 * self.rows.len() as u32 + if self.kinds.len() > 1 { 90 } else { 66 };
        draw(&self.about, height, |area| self.draw(area))
    }

    fn draw(&self, area: &Area) -> Drawn {
        let values = || self.rows.iter().flat_map(|(_, values)| values.iter());
        let most = if self.stacked {
            let sums = self.rows.iter().map(|(_, it)| it.iter().map(|it| it.value).sum());
            sums.fold(0.0, f64::max)
        } else {
            let ends = values().map(|it| it.spread.map_or(it.value, |(_, high)| high));
            ends.fold(0.0, f64::max)
        };
        let least =
            values().map(|it| it.value).filter(|it| *it > 0.0).fold(f64::MAX, f64::min);
        let mut builder = ChartBuilder::on(area);
        builder
            .margin(8)
            .margin_top(if self.kinds.len() > 1 { 34 } else { 8 })
            .margin_right(24)
            .x_label_area_size(46)
            .y_label_area_size(if self.stacked { 136 } else { 112 });
        let y = 0.0..self.rows.len() as f64;
        if self.log {
            let x = (least * 0.8..most * 1.15).log_scale();
            self.draw_on(area, builder.build_cartesian_2d(x, y)?, least * 0.8)
        } else {
            self.draw_on(area, builder.build_cartesian_2d(0.0..most * 1.05, y)?, 0.0)
        }
    }

    fn draw_on<X: Ranged<ValueType = f64> + ValueFormatter<f64>>(
        &self,
        area: &Area,
        mut chart: ChartContext<SVGBackend, Cartesian2d<X, RangedCoordf64>>,
        begin: f64,
    ) -> Drawn {
        chart
            .configure_mesh()
            .disable_y_mesh()
            .y_labels(0)
            .x_labels(7)
            .light_line_style(TRANSPARENT)
            .bold_line_style(TEXT.mix(0.2))
            .axis_style(TEXT.mix(0.6))
            .label_style(letters(Pos::new(HPos::Center, VPos::Top)))
            .x_label_formatter(&|value| number(*value))
            .draw()?;
        let plot = chart.plotting_area();
        let (left, top) = plot.get_base_pixel();
        let (width, height) = plot.dim_in_pixel();
        let (right, floor) = (left + width as i32, top + height as i32);
        let x_of = |value: f64| plot.map_coordinate(&(value, 0.0)).0;
        let y_of = |row: usize| {
            let from_below = self.rows.len() as f64 - row as f64 - 0.5;
            plot.map_coordinate(&(begin, from_below)).1
        };
        let below = ((left + right) / 2, floor + 25);
        write(area, self.x_title, below, HPos::Center, VPos::Top)?;
        if let Some(mark) = self.mark {
            let line = vec![(x_of(mark), top), (x_of(mark), floor)];
            area.draw(&PathElement::new(line, TEXT.mix(0.8)))?;
        }
        for (row, (label, values)) in self.rows.iter().enumerate() {
            let y = y_of(row);
            write(area, label, (left - 8, y), HPos::Right, VPos::Center)?;
            let mut end = begin;
            for (kind, value) in (0..).zip(values) {
                if self.stacked {
                    let from = x_of(end);
                    end += value.value;
                    let bar = [(from, y - 8), (x_of(end) - 1, y + 8)];
                    if value.value > 0.0 {
                        area.draw(&Rectangle::new(bar, stand_in(kind).filled()))?;
                    }
                    continue;
                }
                if let Some((low, high)) = value.spread {
                    let line = vec![(x_of(low), y), (x_of(high), y)];
                    let style = stand_in(kind).stroke_width(2);
                    area.draw(&PathElement::new(line, style))?;
                }
                shape(area, kind, (x_of(value.value), y))?;
            }
        }
        if self.kinds.len() > 1 {
            let (mut x, y) = (16, top - 18);
            for (kind, label) in (0..).zip(&self.kinds) {
                if self.stacked {
                    let square = [(x - 5, y - 5), (x + 5, y + 5)];
                    area.draw(&Rectangle::new(square, stand_in(kind).filled()))?;
                } else {
                    shape(area, kind, (x, y))?;
                }
                write(area, label, (x + 10, y), HPos::Left, VPos::Center)?;
                x += 30 + 8 * label.chars().count() as i32;
            }
        }
        Ok(())
    }
}

fn letters(pos: Pos) -> TextStyle<'static> {
    TextStyle::from(("sans-serif", LETTER).into_font()).color(&TEXT).pos(pos)
}

fn write(area: &Area, text: &str, at: (i32, i32), h: HPos, v: VPos) -> Drawn {
    let style = letters(Pos::new(h, v));
    Ok(area.draw(&Text::new(text.to_string(), at, style))?)
}

/// A point of a line, in its colour and its shape.
fn shape(area: &Area, series: u8, (x, y): (i32, i32)) -> Drawn {
    let style = stand_in(series).filled();
    let polygon = |corners: &[(i32, i32)]| {
        let corners: Vec<_> = corners.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        Polygon::new(corners, style)
    };
    match series % 4 {
        0 => area.draw(&Circle::new((x, y), 4, style))?,
        1 => area.draw(&Rectangle::new([(x - 4, y - 4), (x + 4, y + 4)], style))?,
        2 => area.draw(&polygon(&[(0, -5), (5, 4), (-5, 4)]))?,
        _ => area.draw(&polygon(&[(0, -6), (6, 0), (0, 6), (-6, 0)]))?,
    }
    Ok(())
}

/// A number for people: 10,000 or 0.25.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        ..1.0 => 2,
        ..10.0 if value.fract().abs() > 0.001 => 1,
        _ => 0,
    };
    let text = format!("{value:.digits$}");
    let (whole, rest) = text.split_once('.').map_or((&*text, ""), |(a, b)| (a, b));
    let mut grouped = String::new();
    for (i, digit) in whole.chars().enumerate() {
        let left = whole.len() - i;
        if i > 0 && left.is_multiple_of(3) && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    if rest.is_empty() { grouped } else { format!("{grouped}.{rest}") }
}

fn draw(about: &About, height: u32, draw: impl FnOnce(&Area) -> Drawn) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let drawn = draw(&area).and_then(|()| Ok(area.present()?));
        drawn.map_err(|error| anyhow!("{}: {error}", about.name))?;
    }
    themed(&svg, about)
}

/// The figure with names for its colours, a title and a description.
fn themed(svg: &str, about: &About) -> Result<String> {
    let About { name, title, description } = about;
    let (first, rest) = svg.split_once('\n').ok_or(anyhow!("{name}: an empty figure"))?;
    let first = first.strip_suffix('>').ok_or(anyhow!("{name}: what is {first}?"))?;
    let mut rest = rest.replace("#000000", "currentColor");
    for series in 0..SERIES {
        let RGBColor(r, g, b) = stand_in(series);
        let colour = format!("#{r:02X}{g:02X}{b:02X}");
        rest = rest.replace(&colour, &format!("var(--series-{series}, currentColor)"));
    }
    let mut text = String::new();
    writeln!(text, "{first} role=\"img\" aria-labelledby=\"{name}-title {name}-desc\">")?;
    writeln!(text, "<title id=\"{name}-title\">{title}</title>")?;
    writeln!(text, "<desc id=\"{name}-desc\">{description}</desc>")?;
    for line in rest.lines().filter(|line| !line.trim().is_empty()) {
        writeln!(text, "{}", line.trim_end())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let numbers =
            [0.0, 0.25, 1.5, 2.0, 64.0, 1000.0, 10_064.0, 123_456.7].map(number);
        assert_eq!(
            numbers,
            ["0", "0.25", "1.5", "2", "64", "1,000", "10,064", "123,457"]
        );
    }

    #[test]
    fn labels_at_the_same_place_are_moved_apart() {
        let moved = apart(vec![(9, 50, "a"), (9, 52, "b"), (300, 51, "c")]);
        assert!(moved[1].1 - moved[0].1 >= 15, "{moved:?}");
        assert_eq!(moved[2], (300, 51, "c"));
    }

    #[test]
    fn a_chart_has_no_colours_of_its_own() {
        let about = About {
            name: "test",
            title: "A test".to_string(),
            description: "Two lines.".to_string(),
        };
        let chart = Lines {
            about,
            x_title: "clients",
            y_title: "µs",
            ticks: vec![1.0, 10.0],
            log_y: false,
            mark: Some((5.0, "here")),
            lines: vec![Line {
                label: "a".to_string(),
                series: 0,
                points: vec![(1.0, 1.0), (10.0, 5.0)],
            }],
        };
        let svg = chart.svg().unwrap();
        assert!(
            svg.starts_with("<svg ") && svg.contains("var(--series-0, currentColor)")
        );
        let colours = svg.split("fill=\"").skip(1).chain(svg.split("stroke=\"").skip(1));
        for colour in colours {
            assert!(!colour.starts_with('#'), "{}", &colour[..30.min(colour.len())]);
        }
    }
}
