//! The sentiment chart: stacked bars of how much was said, and below them how it felt on average.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::layout::Console;
use super::texts::Text;
use crate::store::inbox::HourRow;

/// One bar: a span of time with what was said in it.
#[derive(Debug, Clone, Default)]
pub struct Bin {
    pub start: Timestamp,
    pub end: Timestamp,
    pub mentions: i64,
    pub negative: i64,
    pub neutral: i64,
    pub positive: i64,
    /// Sum of scores; [`Bin::score`] is the mean.
    score_sum: f64,
}

impl Bin {
    pub fn new(start: Timestamp, end: Timestamp) -> Bin {
        Bin { start, end, ..Bin::default() }
    }

    pub fn add(&mut self, row: &HourRow) {
        self.mentions += row.mentions;
        self.negative += row.negative;
        self.neutral += row.neutral;
        self.positive += row.positive;
        self.score_sum += row.score * row.mentions as f64;
    }

    pub fn sum(rows: &[HourRow]) -> Bin {
        rows.iter().fold(Bin::default(), |mut sum, row| {
            sum.add(row);
            sum
        })
    }

    /// The mean score, 0 where nothing was said.
    pub fn score(&self) -> f64 {
        if self.mentions == 0 { 0.0 } else { self.score_sum / self.mentions as f64 }
    }
}

pub struct Chart<'a> {
    pub console: &'a Console,
    pub bins: &'a [Bin],
    /// In the picture's own units, which are pixels where it is not scaled.
    pub width: f64,
    pub class: &'static str,
    pub by_day: bool,
    /// Where a bar leads.
    pub link: &'a dyn Fn(&Bin) -> String,
}

const LEFT: f64 = 34.0;
const RIGHT: f64 = 4.0;
const TOP: f64 = 12.0;
const BARS: f64 = 210.0;
const BETWEEN: f64 = 58.0;
const MOOD: f64 = 84.0;
const BOTTOM: f64 = 8.0;

impl Chart<'_> {
    pub fn render(&self) -> Markup {
        let console = self.console;
        let height = TOP + BARS + BETWEEN + MOOD + BOTTOM;
        let most = self.bins.iter().map(|bin| bin.mentions).max().unwrap_or(0);
        let (top, step) = scale(most);
        let column = (self.width - LEFT - RIGHT) / self.bins.len().max(1) as f64;
        let bar = (column * 0.72).clamp(1.0, 34.0);
        let x = |index: usize| LEFT + column * index as f64;
        let y = |count: i64| TOP + BARS - BARS * count as f64 / top as f64;
        let mood_top = TOP + BARS + BETWEEN;
        let mood_y = |score: f64| mood_top + MOOD / 2.0 - MOOD / 2.0 * score.clamp(-1.0, 1.0);
        html! {
            svg class=(format!("chart {}", self.class)) viewBox=(format!("0 0 {} {height}", self.width))
                role="img" aria-label=(console.t(Text::ChartLabel)) preserveAspectRatio="xMidYMid meet" {
                @for count in (0..=top).step_by(usize::try_from(step).unwrap_or(1).max(1)) {
                    line class=(if count == 0 { "axis" } else { "grid" }) x1=(LEFT) x2=(self.width - RIGHT)
                        y1=(at(y(count))) y2=(at(y(count))) {}
                    text x=(LEFT - 8.0) y=(at(y(count) + 4.0)) text-anchor="end" { (console.integer(count)) }
                }
                @for (index, bin) in self.bins.iter().enumerate().filter(|(_, bin)| bin.mentions > 0) {
                    @let left = x(index) + (column - bar) / 2.0;
                    a href=((self.link)(bin)) {
                        title { (self.words(bin)) }
                        rect.hit x=(at(x(index))) y=(TOP) width=(at(column)) height=(BARS + BETWEEN + MOOD) {}
                        @for (class, from, to) in [
                            ("negative", 0, bin.negative),
                            ("neutral", bin.negative, bin.negative + bin.neutral),
                            ("positive", bin.negative + bin.neutral, bin.negative + bin.neutral + bin.positive),
                        ] {
                            @if to > from {
                                rect class=(class) x=(at(left)) y=(at(y(to))) width=(at(bar))
                                    height=(at((y(from) - y(to) - if from > 0 && bar > 3.0 { 1.0 } else { 0.0 }).max(0.6))) rx=(if bar > 6.0 { "1.5" } else { "0" }) {}
                            }
                        }
                    }
                }
                (self.time_labels(column, TOP + BARS + 18.0))
                text.title x=(LEFT) y=(at(mood_top - 12.0)) { (console.t(Text::Mood)) }
                @for (score, label) in [(1.0, "+1"), (0.0, "0"), (-1.0, "\u{2212}1")] {
                    line class=(if score == 0.0 { "axis" } else { "grid" }) x1=(LEFT) x2=(self.width - RIGHT)
                        y1=(at(mood_y(score))) y2=(at(mood_y(score))) {}
                    text x=(LEFT - 8.0) y=(at(mood_y(score) + 4.0)) text-anchor="end" { (label) }
                }
                @for line in self.lines(&|index| x(index) + column / 2.0, &mood_y) {
                    @if line.len() == 1 {
                        circle.point cx=(at(line[0].0)) cy=(at(line[0].1)) r="2.5" {}
                    } @else {
                        path.mood d=(path(&line)) {}
                    }
                }
            }
        }
    }

    /// The average as lines, broken where nothing was said: no line is drawn through silence.
    fn lines(&self, x: &dyn Fn(usize) -> f64, y: &dyn Fn(f64) -> f64) -> Vec<Vec<(f64, f64)>> {
        let mut lines: Vec<Vec<(f64, f64)>> = Vec::new();
        let mut silent = true;
        for (index, bin) in self.bins.iter().enumerate() {
            if bin.mentions == 0 {
                silent = true;
                continue;
            }
            if silent {
                lines.push(Vec::new());
                silent = false;
            }
            if let Some(line) = lines.last_mut() {
                line.push((x(index), y(bin.score())));
            }
        }
        lines
    }

    /// Hours or days below the bars, as many as fit; a new day is named.
    fn time_labels(&self, column: f64, y: f64) -> Markup {
        let console = self.console;
        let room = if self.by_day { 44.0 } else { 40.0 };
        let hours = self.bins.first().map_or(1, |bin| bin.end.duration_since(bin.start).as_hours().max(1));
        // Every 3, 6, 12 or 24 hours, so that the hours named are round ones.
        let every = [1, 2, 3, 6, 12, 24]
            .into_iter()
            .find(|every| *every >= hours && column * (*every as f64) / hours as f64 >= room);
        let skip = (room / column).ceil().max(1.0) as usize;
        html! {
            @for (index, bin) in self.bins.iter().enumerate() {
                @let local = console.zoned(bin.start);
                @let middle = LEFT + column * (index as f64 + 0.5);
                @if self.by_day {
                    @if (self.bins.len() - 1 - index).is_multiple_of(skip) {
                        text x=(at(middle)) y=(y) text-anchor="middle" { (console.short_date(local.date())) }
                    }
                } @else if local.hour() == 0 && column * self.bins.len() as f64 / self.days() >= room {
                    text.title x=(at(middle.max(LEFT + room / 2.0 - 4.0))) y=(y) text-anchor="middle" { (console.short_date(local.date())) }
                } @else if let Some(every) = every && i64::from(local.hour()) % every == 0 && local.minute() == 0 && local.hour() != 0 {
                    text x=(at(middle)) y=(y) text-anchor="middle" { (console.clock(bin.start)) }
                }
            }
        }
    }

    fn days(&self) -> f64 {
        let (Some(first), Some(last)) = (self.bins.first(), self.bins.last()) else { return 1.0 };
        (last.end.duration_since(first.start).as_secs_f64() / SignedDuration::from_hours(24).as_secs_f64()).max(1.0)
    }

    fn words(&self, bin: &Bin) -> String {
        let console = self.console;
        let when = match self.by_day {
            true => console.day(console.zoned(bin.start).date()),
            false => format!("{}–{}", console.short(bin.start), console.clock(bin.end)),
        };
        console.fill(
            Text::BarTitle,
            &[
                &when,
                &console.integer(bin.mentions),
                &console.integer(bin.negative),
                &console.integer(bin.neutral),
                &console.integer(bin.positive),
                &console.score(bin.score()),
            ],
        )
    }
}

/// A coordinate to a tenth: more makes the page heavy and looks the same.
fn at(value: f64) -> String {
    format!("{:.1}", value)
}

fn path(line: &[(f64, f64)]) -> String {
    let points: Vec<_> = line.iter().map(|(x, y)| format!("{x:.1} {y:.1}")).collect();
    format!("M{}", points.join("L"))
}

/// A round number at or above `most`, and the step of the lines up to it.
fn scale(most: i64) -> (i64, i64) {
    let most = most.max(1);
    let mut unit: i64 = 1;
    loop {
        for step in [unit, 2 * unit, 5 * unit] {
            if most <= step * 5 {
                let lines = (most + step - 1) / step;
                return (lines.max(2) * step, step);
            }
        }
        let Some(next) = unit.checked_mul(10) else { return (most, most) };
        unit = next;
    }
}

#[cfg(test)]
mod tests {
    use super::scale;

    #[test]
    fn the_scale_is_round_and_holds_the_highest_bar() {
        assert_eq!(scale(0), (2, 1));
        assert_eq!(scale(3), (3, 1));
        assert_eq!(scale(7), (8, 2));
        assert_eq!(scale(23), (25, 5));
        assert_eq!(scale(101), (150, 50));
        for most in [1, 9, 10, 99, 12_345, i64::MAX / 4] {
            let (top, step) = scale(most);
            assert!(top >= most && top / step <= 5, "{most}");
        }
    }
}
