//! Charts and tables for the book, out of what was measured.
//!
//! A chart is SVG in the words of the book's theme: its colours have names, so it can be read on
//! white and on black. Shapes and labels say the same as the colours. It is narrow enough for a
//! telephone, where it is made smaller and not cut off.

use crate::server::STAGES;

/// How wide a chart is.
const WIDTH: f64 = 440.0;

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
        let (left, right, top, floor) = (44.0, 296.0, 30.0, 344.0);
        let high = 1.05 * x[x.len() - 1];
        let across = Axis { log: true, low: x[0], high, from: left, to: right };
        let up = self.axis(floor, top);
        let mut svg = Svg::default();
        for tick in up.ticks() {
            let y = up.at(tick);
            svg.line(&[(left, y), (right, y)], GRID);
            svg.text((left - 7.0, y), "end", &number(tick));
        }
        svg.line(&[(left, top), (left, floor), (right, floor)], AXIS);
        for (x, tick) in thin(x.iter().map(|tick| (across.at(*tick), *tick))) {
            svg.line(&[(x, floor), (x, floor + 4.0)], AXIS);
            svg.text((x, floor + 13.0), "middle", &number(tick));
        }
        svg.text((WIDTH / 2.0, floor + 33.0), "middle", self.x_title);
        svg.text((8.0, top - 18.0), "start", title);
        if let Some((limit, label)) = limit {
            let x = across.at(limit);
            svg.line(&[(x, top), (x, floor)], DASHES);
            svg.text((x + 5.0, floor - 10.0), "start", label);
        }
        let mut ends = vec![];
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
            ends.extend(points.last().map(|end| (*end, series, label.as_str())));
        }
        label_lines(&mut svg, ends, right);
        svg.finish(self, 400.0)
    }

    fn side_by_side(&self, left: f64, mark: Option<f64>) -> String {
        let mut svg = Svg::default();
        let below = self.legend(&mut svg);
        let (right, top, floor) =
            (WIDTH - 16.0, below + 10.0, below + 22.0 + 24.0 * self.rows.len() as f64);
        let is_stacked = matches!(self.form, Form::Bars);
        let axis = self.axis(left, right);
        for tick in axis.ticks() {
            let x = axis.at(tick);
            svg.line(&[(x, top), (x, floor)], GRID);
            svg.text((x, floor + 13.0), "middle", &number(tick));
        }
        svg.line(&[(left, top), (left, floor), (right, floor)], AXIS);
        svg.text((WIDTH / 2.0, floor + 33.0), "middle", self.x_title);
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
        svg.finish(self, floor + 54.0)
    }

    /// What the points or bars are, above them, if they are of several kinds. Returns where
    /// there is room again.
    fn legend(&self, svg: &mut Svg) -> f64 {
        let (mut x, mut y) = (16.0, 16.0);
        if self.columns.len() < 2 {
            return 0.0;
        }
        for (kind, label) in self.columns.iter().enumerate() {
            let width = 30.0 + 7.5 * label.chars().count() as f64;
            if kind > 0 && x + width > WIDTH {
                (x, y) = (16.0, y + 20.0);
            }
            match self.form {
                Form::Bars => svg.line(&[(x - 5.0, y), (x + 5.0, y)], &stroke(kind, 10)),
                _ => svg.shape(kind, (x, y)),
            }
            svg.text((x + 10.0, y), "start", label);
            x += width;
        }
        y + 8.0
    }
}

/// Writes what each line is to the right of them all, and leads from its end to there.
fn label_lines(svg: &mut Svg, mut ends: Vec<(Point, usize, &str)>, right: f64) {
    ends.sort_by(|((_, a), ..), ((_, b), ..)| a.total_cmp(b));
    let places = apart(ends.iter().map(|((_, y), ..)| *y).collect());
    for (((x, y), series, label), place) in ends.into_iter().zip(places) {
        let colour = colour(series);
        let lead = [(x + 6.0, y), (right + 4.0, y), (right + 20.0, place)];
        svg.line(&lead, &format!("stroke=\"{colour}\" stroke-dasharray=\"2\""));
        svg.shape(series, (right + 26.0, place));
        svg.coloured((right + 36.0, place), &colour, label);
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

    fn coloured(&mut self, (x, y): Point, colour: &str, text: &str) {
        let place = format!("x=\"{x}\" y=\"{y}\" dy=\"0.35em\" fill=\"{colour}\"");
        self.0 += &format!("<text {place}>{text}</text>\n");
    }

    fn finish(self, figure: &Figure, height: f64) -> String {
        let (Svg(drawn), Figure { name, title, description, .. }) = (self, figure);
        format!(
            "<svg class=\"chart\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" xmlns=\"http://www.w3.org/2000/svg\" font-family=\"sans-serif\" \
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
fn thin(ticks: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = vec![];
    for (at, tick) in ticks {
        if kept.last().is_none_or(|(last, _)| at - last >= 50.0) {
            kept.push((at, tick));
        }
    }
    kept
}

/// Moves labels up and down from where they belong, so that none covers another. They come,
/// and stay, in the order from top to bottom.
fn apart(mut places: Vec<f64>) -> Vec<f64> {
    const LINE: f64 = 17.0;
    // A few rounds of pushing neighbours apart, each by half of what is missing.
    for _ in 0..200 {
        for i in 1..places.len() {
            let missing = (LINE - (places[i] - places[i - 1])).max(0.0);
            places[i - 1] -= missing / 2.0;
            places[i] += missing / 2.0;
        }
    }
    places.into_iter().map(f64::round).collect()
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
        let moved = apart(vec![50.0, 50.0, 52.0, 300.0]);
        let gaps: Vec<f64> = moved.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| *gap >= 16.0), "{moved:?}");
        assert_eq!(moved[3], 300.0);
    }

    /// The label of each line stands beside the end of what leads to it.
    #[test]
    fn a_line_leads_to_its_label() {
        let value = |value| Some(Value { value, spread: None });
        let row = |name: &str, last| (name.to_string(), vec![value(9.0), value(last)]);
        let form = Form::Lines { y_title: "", x: vec![1.0, 64.0], limit: None };
        let rows = vec![row("02_threads", 9.1), row("tokio", 9.0)];
        let svg = Figure { form, rows, ..PLAIN }.svg();
        let leads = svg.lines().filter(|it| it.contains("dasharray=\"2\""));
        let ends: Vec<f64> = leads
            .map(|it| it.split(['"', ' ', ',']).nth(7).unwrap().parse().unwrap())
            .collect();
        let at = |name: &str| {
            let text = svg.lines().find(|it| it.contains(name)).unwrap();
            text.split('"').nth(3).unwrap().parse::<f64>().unwrap()
        };
        assert_eq!(ends, ["02_threads", "tokio"].map(at));
        assert!(ends[1] - ends[0] >= 16.0, "{ends:?}");
    }

    #[test]
    fn ticks_are_round_and_few() {
        let ticks = |log, low, high| Axis { log, low, high, from: 0.0, to: 1.0 }.ticks();
        assert_eq!(ticks(false, 0.0, 4.3), [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(ticks(true, 4.0, 120.0), [5.0, 10.0, 20.0, 50.0, 100.0]);
    }
}
