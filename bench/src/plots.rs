//! Charts and tables for the book, out of what was measured.
//!
//! A chart is SVG in the words of the book's theme: its colours have names, so it can be read on
//! white and on black. Shapes and labels say the same as the colours.

use crate::server::STAGES;

/// How many colours there are: `--series-0` and up in the book's style sheet.
const SERIES: usize = 8;

/// The outlines of points, from their middle.
const SHAPES: [&str; 4] = [
    "m-4,0 a4,4 0 1 0 8,0 a4,4 0 1 0 -8,0 z",
    "m-4,-4 h8 v8 h-8 z",
    "m0,-5 l5,9 h-10 z",
    "m0,-6 l6,6 l-6,6 l-6,-6 z",
];

const GRID: &str = r#"stroke="currentColor" opacity="0.2""#;
const AXIS: &str = r#"stroke="currentColor" opacity="0.6""#;
const MARK: &str = r#"stroke="currentColor" opacity="0.8""#;
const DASHES: &str = r#"stroke="currentColor" opacity="0.8" stroke-dasharray="4""#;

/// A row of values for each server.
#[derive(Clone, Debug)]
pub struct Figure {
    /// The name of its file.
    pub name: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// What can be seen in it, for those who cannot see it.
    pub description: &'static str,
    /// What the horizontal axis is.
    pub x_title: &'static str,
    /// How the chart is drawn.
    pub form: Form,
    /// The values' axis is logarithmic; else it begins at 0.
    pub log: bool,
    /// The headings of the columns.
    pub columns: Vec<String>,
    /// The rows: a label, and a value for each column, if there is one.
    pub rows: Vec<(String, Vec<Option<Value>>)>,
    /// How a value is written in the table.
    pub number: fn(f64) -> String,
}

/// What a figure is if it does not say otherwise.
pub const PLAIN: Figure = Figure {
    name: "",
    title: "",
    description: "",
    x_title: "",
    form: Form::Points { mark: None },
    log: false,
    columns: vec![],
    rows: vec![],
    number: |value| format!("{value:.2}"),
};

/// How a chart is drawn.
#[derive(Clone, Debug)]
pub enum Form {
    /// A line for each row; the values' axis is the vertical one.
    Lines {
        /// What that is.
        y_title: &'static str,
        /// Where the columns are on the horizontal axis, which is logarithmic.
        x: Vec<f64>,
        /// A place on it that is worth a word.
        limit: Option<(f64, &'static str)>,
    },
    /// The values of a row as points side by side.
    Points {
        /// A value that others are compared with.
        mark: Option<f64>,
    },
    /// The values of a row as bars, each where the one before ends.
    Bars,
}

/// A value, and the quartiles of what was measured.
#[derive(Clone, Copy, Debug)]
pub struct Value {
    /// The median.
    pub value: f64,
    /// The quartiles, if they are to be shown.
    pub spread: Option<(f64, f64)>,
}

impl Figure {
    /// The table, in Markdown.
    pub fn table(&self) -> String {
        let corner = if let Form::Lines { .. } = self.form { "connections " } else { "" };
        let mut table = format!("| {corner}|");
        for column in &self.columns {
            table += &format!(" {column} |");
        }
        table += &format!("\n|---|{}\n", "---:|".repeat(self.columns.len()));
        for (label, values) in &self.rows {
            table += &format!("| {label} |");
            for value in values {
                let number = self.number;
                table += &match value {
                    Some(Value { value, spread: Some((low, high)) }) => {
                        let [low, value, high] = [*low, *value, *high].map(number);
                        format!(" {value} ({low} to {high}) |")
                    }
                    Some(Value { value, spread: None }) => {
                        format!(" {} |", number(*value))
                    }
                    None => " |".to_string(),
                };
            }
            table += "\n";
        }
        table
    }

    /// The chart.
    pub fn svg(&self) -> String {
        match &self.form {
            Form::Lines { y_title, x, limit } => self.lines(y_title, x, *limit),
            Form::Points { mark } => self.side_by_side(120.0, *mark),
            Form::Bars => self.side_by_side(144.0, None),
        }
    }

    /// The axis of the values.
    fn axis(&self, from: f64, to: f64) -> Axis {
        let values = self.rows.iter().flat_map(|(_, values)| values.iter().flatten());
        let positive = values.map(|it| it.value).filter(|it| *it > 0.0);
        let least = positive.fold(f64::MAX, f64::min);
        let end = |(_, values): &(String, Vec<Option<Value>>)| {
            let end = |it: &Value| it.spread.map_or(it.value, |(_, high)| high);
            let ends = values.iter().flatten().map(end);
            if let Form::Bars = self.form { ends.sum() } else { ends.fold(0.0, f64::max) }
        };
        let most = self.rows.iter().map(end).fold(0.0, f64::max);
        let low = if self.log { 0.8 * least } else { 0.0 };
        Axis { log: self.log, low, high: 1.08 * most, from, to }
    }

    fn lines(&self, title: &str, x: &[f64], limit: Option<(f64, &str)>) -> String {
        let (left, right, top, floor) = (64.0, 528.0, 30.0, 344.0);
        let high = 1.05 * x[x.len() - 1];
        let across = Axis { log: true, low: x[0], high, from: left, to: right };
        let up = self.axis(floor, top);
        let mut svg = Svg::default();
        for tick in up.ticks() {
            let y = up.at(tick);
            svg.line(&[(left, y), (right, y)], GRID);
            svg.text((left - 9.0, y), "end", &number(tick));
        }
        svg.line(&[(left, top), (left, floor), (right, floor)], AXIS);
        for tick in thin(x) {
            let x = across.at(tick);
            svg.line(&[(x, floor), (x, floor + 4.0)], AXIS);
            svg.text((x, floor + 13.0), "middle", &number(tick));
        }
        svg.text(((left + right) / 2.0, floor + 33.0), "middle", self.x_title);
        svg.text((8.0, top - 18.0), "start", title);
        if let Some((limit, label)) = limit {
            let x = across.at(limit);
            svg.line(&[(x, top), (x, floor)], DASHES);
            svg.text((x + 5.0, floor - 10.0), "start", label);
        }
        let mut labels = vec![];
        for (label, values) in &self.rows {
            // A server has the same colour and shape in every chart.
            let series = STAGES.iter().position(|stage| stage == label);
            let series = series.unwrap_or(STAGES.len());
            let points = x.iter().zip(values).filter_map(|(x, value)| {
                value.map(|it| (across.at(*x), up.at(it.value)))
            });
            let points: Vec<Point> = points.collect();
            svg.line(&points, &stroke(series, 2));
            points.iter().for_each(|point| svg.shape(series, *point));
            labels.extend(points.last().map(|(x, y)| (x + 9.0, *y, label.as_str())));
        }
        for (x, y, label) in apart(labels) {
            svg.text((x, y), "start", label);
        }
        svg.finish(self, 400.0)
    }

    fn side_by_side(&self, left: f64, mark: Option<f64>) -> String {
        let height = 90.0 + 24.0 * self.rows.len() as f64;
        let (right, top, floor) = (616.0, 34.0, height - 54.0);
        let is_stacked = matches!(self.form, Form::Bars);
        let axis = self.axis(left, right);
        let mut svg = Svg::default();
        for tick in axis.ticks() {
            let x = axis.at(tick);
            svg.line(&[(x, top), (x, floor)], GRID);
            svg.text((x, floor + 13.0), "middle", &number(tick));
        }
        svg.line(&[(left, top), (left, floor), (right, floor)], AXIS);
        svg.text(((left + right) / 2.0, floor + 33.0), "middle", self.x_title);
        if let Some(mark) = mark {
            svg.line(&[(axis.at(mark), top), (axis.at(mark), floor)], MARK);
        }
        for (row, (label, values)) in self.rows.iter().enumerate() {
            let (mut end, y) = (0.0, top + 12.0 + 24.0 * row as f64);
            svg.text((left - 8.0, y), "end", label);
            let values = values.iter().enumerate();
            for (kind, it) in values.filter_map(|(kind, it)| Some((kind, (*it)?))) {
                let start = end;
                end += it.value;
                if is_stacked && it.value > 0.0 {
                    let bar = [(axis.at(start), y), (axis.at(end) - 1.0, y)];
                    svg.line(&bar, &stroke(kind, 16));
                } else if !is_stacked {
                    if let Some((low, high)) = it.spread {
                        let line = [(axis.at(low), y), (axis.at(high), y)];
                        svg.line(&line, &stroke(kind, 2));
                    }
                    svg.shape(kind, (axis.at(it.value), y));
                }
            }
        }
        self.legend(&mut svg);
        svg.finish(self, height)
    }

    fn legend(&self, svg: &mut Svg) {
        let (mut x, y) = (16.0, 16.0);
        for (kind, label) in self.columns.iter().enumerate() {
            match self.form {
                Form::Bars => svg.line(&[(x - 5.0, y), (x + 5.0, y)], &stroke(kind, 10)),
                _ => svg.shape(kind, (x, y)),
            }
            svg.text((x + 10.0, y), "start", label);
            x += 30.0 + 8.0 * label.chars().count() as f64;
        }
    }
}

/// Where on the page values are.
struct Axis {
    log: bool,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Axis {
    fn at(&self, value: f64) -> f64 {
        let scale = |it: f64| if self.log { it.ln() } else { it };
        let [low, high, value] = [self.low, self.high, value].map(scale);
        (self.from + (value - low) / (high - low) * (self.to - self.from)).round()
    }

    /// A few round values.
    fn ticks(&self) -> Vec<f64> {
        let round = |power| [1.0, 2.0, 5.0].map(|it| it * 10_f64.powi(power));
        let mut round = (-2..9).flat_map(round);
        if self.log {
            return round.filter(|it| (self.low..self.high).contains(it)).collect();
        }
        let step = round.find(|step| self.high / step < 7.0).expect("one is enough");
        let ticks = (0..).map(|i| f64::from(i) * step);
        ticks.take_while(|tick| *tick < self.high).collect()
    }
}

type Point = (f64, f64);

/// What has been drawn.
#[derive(Default)]
struct Svg(String);

impl Svg {
    fn line(&mut self, points: &[Point], style: &str) {
        let points = points.iter().map(|(x, y)| format!("{x},{y}"));
        let points = points.collect::<Vec<_>>().join(" ");
        self.0 += &format!("<polyline points=\"{points}\" fill=\"none\" {style}/>\n");
    }

    fn shape(&mut self, series: usize, (x, y): Point) {
        let (shape, colour) = (SHAPES[series % SHAPES.len()], colour(series));
        self.0 += &format!("<path d=\"M{x},{y} {shape}\" fill=\"{colour}\"/>\n");
    }

    fn text(&mut self, (x, y): Point, anchor: &str, text: &str) {
        let place = format!("x=\"{x}\" y=\"{y}\" dy=\"0.35em\" text-anchor=\"{anchor}\"");
        self.0 += &format!("<text {place}>{text}</text>\n");
    }

    fn finish(self, figure: &Figure, height: f64) -> String {
        let (Svg(drawn), Figure { name, title, description, .. }) = (self, figure);
        format!(
            "<svg width=\"640\" height=\"{height}\" viewBox=\"0 0 640 {height}\" \
             xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" \
             font-size=\"13\" fill=\"currentColor\" role=\"img\" \
             aria-labelledby=\"{name}-title {name}-desc\">\n\
             <title id=\"{name}-title\">{title}</title>\n\
             <desc id=\"{name}-desc\">{description}</desc>\n\
             {drawn}</svg>\n"
        )
    }
}

fn colour(series: usize) -> String {
    format!("var(--series-{}, currentColor)", series % SERIES)
}

fn stroke(series: usize, width: u32) -> String {
    format!("stroke=\"{}\" stroke-width=\"{width}\"", colour(series))
}

/// Labels that would cover each other are left out.
fn thin(ticks: &[f64]) -> Vec<f64> {
    let mut kept: Vec<f64> = vec![];
    for tick in ticks {
        if kept.last().is_none_or(|last| tick / last > 1.35) {
            kept.push(*tick);
        }
    }
    kept
}

/// Moves labels that end at the same place up and down, so that none covers another.
fn apart(mut labels: Vec<(f64, f64, &str)>) -> Vec<(f64, f64, &str)> {
    const LINE: f64 = 15.0;
    labels.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    for group in labels.chunk_by_mut(|a, b| b.0 - a.0 < 20.0) {
        group.sort_by(|a, b| a.1.total_cmp(&b.1));
        // A few rounds of pushing neighbours apart, each by half of what is missing.
        for _ in 0..200 {
            for i in 1..group.len() {
                let missing = (LINE - (group[i].1 - group[i - 1].1)).max(0.0);
                group[i - 1].1 -= missing / 2.0;
                group[i].1 += missing / 2.0;
            }
        }
        group.iter_mut().for_each(|label| label.1 = label.1.round());
    }
    labels
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
        let moved = apart(vec![(9.0, 50.0, "a"), (9.0, 52.0, "b"), (300.0, 51.0, "c")]);
        assert!(moved[1].1 - moved[0].1 >= 14.0, "{moved:?}");
        assert_eq!(moved[2], (300.0, 51.0, "c"));
    }

    #[test]
    fn ticks_are_round_and_few() {
        let ticks = |log, low, high| Axis { log, low, high, from: 0.0, to: 1.0 }.ticks();
        assert_eq!(ticks(false, 0.0, 4.3), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(true, 4.0, 120.0), [5.0, 10.0, 20.0, 50.0, 100.0]);
    }
}
