//! How people feel, hour by hour: counts and averages of the hourly rollups, as our own chart and as a table.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use jiff::tz::TimeZone;
use jiff::{RoundMode, SignedDuration, Timestamp, ToSpan, Unit, ZonedRound};
use maud::{Markup, html};
use serde::Deserialize;

use super::chart::{Bin, Chart};
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::{address, maybe};
use super::layout::{Console, Page, Place, page};
use super::locale::Locale;
use super::parts::{empty, options};
use super::texts::Text;
use crate::app::App;
use crate::store::accounts::Account;
use crate::store::inbox::{HourFilter, HourRow};

pub fn router() -> Router<Arc<App>> {
    Router::new().route("/sentiment", get(sentiment))
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct SentimentQuery {
    /// `1d` unless said, `3d`, `7d` or `30d`.
    pub range: String,
    pub account: String,
    pub brand: String,
}

/// A length of time offered, with how wide a bar is on a wide and on a narrow page.
struct Range {
    word: &'static str,
    name: Text,
    days: i64,
    bar: Bar,
    narrow_bar: Bar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bar {
    Hours(i64),
    Day,
}

const RANGES: [Range; 4] = [
    Range { word: "1d", name: Text::Range24Hours, days: 1, bar: Bar::Hours(1), narrow_bar: Bar::Hours(1) },
    Range { word: "3d", name: Text::Range3Days, days: 3, bar: Bar::Hours(1), narrow_bar: Bar::Hours(3) },
    Range { word: "7d", name: Text::Range7Days, days: 7, bar: Bar::Hours(2), narrow_bar: Bar::Hours(6) },
    Range { word: "30d", name: Text::Range30Days, days: 30, bar: Bar::Day, narrow_bar: Bar::Day },
];

impl SentimentQuery {
    fn range(&self) -> &'static Range {
        RANGES.iter().find(|range| range.word == self.range).unwrap_or(&RANGES[0])
    }

    /// The hours asked for: whole bars, the last one still growing.
    pub fn filter(&self, console: &Console) -> Result<HourFilter, Problem> {
        let range = self.range();
        let end = end_of_bar(console.now, range.bar, &console.timezone);
        let since = match range.bar {
            Bar::Hours(_) => end.saturating_sub(SignedDuration::from_hours(24 * range.days)).unwrap_or(end),
            // By the calendar, so that a day of 23 or 25 hours is one bar.
            Bar::Day => console.zoned(end).saturating_sub(range.days.days()).timestamp(),
        };
        Ok(HourFilter {
            account_id: maybe("account", &self.account)?,
            brand_id: maybe("brand", &self.brand)?,
            since,
            until: end,
        })
    }

    fn with(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("range", &self.range), ("account", &self.account), ("brand", &self.brand)] {
            let value = changes.iter().find(|(changed, _)| *changed == name).map_or(value.as_str(), |(_, value)| value);
            if !value.is_empty() {
                query.append_pair(name, value);
            }
        }
        address(path, &query.finish())
    }
}

/// When the bar that `at` lies in ends.
fn end_of_bar(at: Timestamp, bar: Bar, zone: &TimeZone) -> Timestamp {
    let local = at.to_zoned(zone.clone());
    let end = match bar {
        Bar::Hours(hours) => {
            let rounding = ZonedRound::new().smallest(Unit::Hour).mode(RoundMode::Trunc);
            local.round(rounding).map(|start| {
                let past = i64::from(start.hour()).rem_euclid(hours);
                start.saturating_add((hours - past).hours())
            })
        }
        Bar::Day => local.start_of_day().map(|start| start.saturating_add(1.day())),
    };
    end.map_or(at, |end| end.timestamp())
}

/// The rows put into bars from `since` to `until`, empty ones included.
fn bins(rows: &[HourRow], since: Timestamp, until: Timestamp, bar: Bar, zone: &TimeZone) -> Vec<Bin> {
    let mut bins = Vec::new();
    let mut start = since;
    while start < until && bins.len() < 1_000 {
        let end =
            end_of_bar(start, bar, zone).max(start.saturating_add(SignedDuration::from_hours(1)).unwrap_or(until));
        bins.push(Bin::new(start, end));
        start = end;
    }
    for row in rows {
        // An hour of UTC may begin before the bar where zones are off by half an hour; it counts where it begins.
        if let Some(bin) =
            bins.iter_mut().rev().find(|bin| bin.start <= row.hour_at).filter(|bin| row.hour_at < bin.end)
        {
            bin.add(row);
        }
    }
    bins
}

async fn sentiment(
    console: Console,
    State(app): State<Arc<App>>,
    Query(query): Query<SentimentQuery>,
) -> Result<Markup, Problem> {
    let filter = query.filter(&console)?;
    let length = filter.until.duration_since(filter.since);
    let before = HourFilter {
        since: filter.since.saturating_sub(length).unwrap_or(filter.since),
        until: filter.since,
        ..filter.clone()
    };
    let (rows, rows_before, accounts) = tokio::try_join!(
        app.store.sentiment_by_hour(&filter),
        app.store.sentiment_by_hour(&before),
        app.store.accounts(),
    )?;
    let range = query.range();
    let zone = &console.timezone;
    let wide = bins(&rows, filter.since, filter.until, range.bar, zone);
    let narrow = bins(&rows, filter.since, filter.until, range.narrow_bar, zone);
    let link = |bin: &Bin| inbox_of(&query, bin);
    let chart = |bins: &[Bin], width: f64, class: &'static str| {
        Chart { console: &console, bins, width, class, by_day: range.bar == Bar::Day, link: &link }.render()
    };
    let total: Bin = Bin::sum(&rows);
    let csv = super::inbox::csv(
        &console,
        "sentiment/hours",
        &[
            ("account_id", &query.account),
            ("brand_id", &query.brand),
            ("since", &filter.since.to_string()),
            ("until", &filter.until.to_string()),
        ],
    );
    let title = if range.bar == Bar::Day { Text::SentimentByDay } else { Text::SentimentByHour };
    let body = html! {
        div.page-head {
            h1 { (console.t(title)) }
            div.actions.inline {
                a.button.quiet.small href=(csv) download { (icon(Icon::Download)) (console.t(Text::Download)) }
            }
        }
        div.toolbar {
            nav.segments aria-label=(console.t(Text::Range)) {
                @for choice in &RANGES {
                    a href=(query.with("/sentiment", &[("range", choice.word)]))
                        aria-current=[(choice.word == range.word).then_some("page")] { (console.t(choice.name)) }
                }
            }
            (filters(&console, &query, &accounts))
        }
        div data-part="chart" {
            (figures(&console, &total, &Bin::sum(&rows_before), &wide, range.bar))
            section.card.chart-card {
                div.row {
                    h2 { (console.t(Text::Volume)) }
                    div.legend.push aria-hidden="true" {
                        span.key.positive { (console.t(Text::Positive)) }
                        span.key.neutral { (console.t(Text::Neutral)) }
                        span.key.negative { (console.t(Text::Negative)) }
                        span.key.mood { (console.t(Text::Average)) }
                    }
                }
                @if total.mentions == 0 {
                    (empty(Icon::Chart, console.t(Text::NoSentimentTitle), console.t(Text::NoSentimentBody), html! {}))
                } @else {
                    (chart(&wide, 1_040.0, "wide"))
                    (chart(&narrow, 340.0, "narrow"))
                    p.hint { (console.fill(Text::ZoneNote, &[&Locale::zone_name(zone, console.now)])) }
                    (table(&console, &wide, range.bar, &link))
                }
            }
        }
    };
    Ok(page(
        &console,
        Page {
            place: Place::Sentiment,
            title: console.t(Text::Sentiment).to_owned(),
            live: "mention mention_edited mention_corrected mention_deleted",
            narrow: false,
        },
        body,
    ))
}

/// The inbox with the mentions of one bar.
fn inbox_of(query: &SentimentQuery, bin: &Bin) -> String {
    let mut address = url::form_urlencoded::Serializer::new("/?".to_owned());
    address.append_pair("state", "all");
    for (name, value) in [("account", &query.account), ("brand", &query.brand)] {
        if !value.is_empty() {
            address.append_pair(name, value);
        }
    }
    address.append_pair("since", &bin.start.to_string()).append_pair("until", &bin.end.to_string());
    address.finish().replacen("/?&", "/?", 1)
}

fn filters(console: &Console, query: &SentimentQuery, accounts: &[Account]) -> Markup {
    let mut choices = vec![(String::new(), console.t(Text::AllAccounts).to_owned())];
    choices.extend(accounts.iter().map(|account| (account.id.to_string(), account.name.clone())));
    let mut brands: Vec<(String, String)> =
        accounts.iter().map(|account| (account.brand_id.to_string(), account.brand.clone())).collect();
    brands.sort_by(|left, right| left.1.cmp(&right.1));
    brands.dedup();
    let many_brands = brands.len() > 1;
    brands.insert(0, (String::new(), console.t(Text::AllBrands).to_owned()));
    html! {
        form.row method="get" action="/sentiment" data-short {
            input type="hidden" name="range" value=(query.range);
            @if many_brands {
                label { span.visually-hidden { (console.t(Text::Brand)) }
                    select name="brand" data-submits { (options(&query.brand, &brands)) } }
            }
            label { span.visually-hidden { (console.t(Text::FilterAccount)) }
                select name="account" data-submits { (options(&query.account, &choices)) } }
            noscript { button.button { (console.t(Text::Apply)) } }
        }
    }
}

fn figures(console: &Console, total: &Bin, before: &Bin, bins: &[Bin], bar: Bar) -> Markup {
    let share = |bin: &Bin| if bin.mentions == 0 { 0.0 } else { bin.negative as f64 / bin.mentions as f64 };
    let versus = |text: Option<String>| match text {
        _ if before.mentions == 0 => console.t(Text::NoBefore).to_owned(),
        Some(text) => console.fill(Text::VersusBefore, &[&text]),
        None => console.t(Text::SameAsBefore).to_owned(),
    };
    let signed = |number: i64| match number {
        1.. => Some(format!("+{}", console.integer(number))),
        0 => None,
        _ => Some(console.integer(number)),
    };
    let points = ((share(total) - share(before)) * 100.0).round() as i64;
    let mood = ((total.score() - before.score()) * 100.0).round() / 100.0;
    let busiest = bins.iter().max_by_key(|bin| bin.mentions).filter(|bin| bin.mentions > 0);
    let day = bar == Bar::Day;
    html! {
        div.figures {
            div.card.figure-card {
                div.label { (console.t(Text::TotalMentions)) }
                div.value { (console.integer(total.mentions)) }
                div.change { (versus(signed(total.mentions - before.mentions))) }
            }
            div.card.figure-card {
                div.label { (console.t(Text::NegativeShare)) }
                div.value { (console.percent(share(total))) }
                div.change { (versus(signed(points).map(|points| console.fill(Text::Points, &[&points])))) }
            }
            div.card.figure-card {
                div.label { (console.t(Text::AverageMood)) }
                div.value { (console.score(total.score())) }
                div.change { (versus((mood != 0.0).then(|| console.score(mood)))) }
            }
            div.card.figure-card {
                div.label { (console.t(if day { Text::BusiestDay } else { Text::BusiestHour })) }
                @if let Some(busiest) = busiest {
                    div.value {
                        @if day { (console.short_date(console.zoned(busiest.start).date())) }
                        @else { (console.clock(busiest.start)) }
                    }
                    div.change { (console.count(Text::MentionCount, busiest.mentions)) }
                } @else { div.value { "–" } }
            }
        }
    }
}

fn table(console: &Console, bins: &[Bin], bar: Bar, link: &dyn Fn(&Bin) -> String) -> Markup {
    let day = bar == Bar::Day;
    html! {
        details.data-table #sentiment-table {
            summary { (console.t(Text::ShowTable)) }
            div.table-wrap {
                table {
                    thead { tr {
                        th scope="col" { (console.t(if day { Text::Day } else { Text::Hour })) }
                        th.figure scope="col" { (console.t(Text::Negative)) }
                        th.figure scope="col" { (console.t(Text::Neutral)) }
                        th.figure scope="col" { (console.t(Text::Positive)) }
                        th.figure scope="col" { (console.t(Text::Total)) }
                        th.figure scope="col" { (console.t(Text::Average)) }
                    } }
                    tbody {
                        @for bin in bins.iter().rev().filter(|bin| bin.mentions > 0) {
                            tr {
                                td { a href=(link(bin)) {
                                    @if day { (console.day(console.zoned(bin.start).date())) } @else { (console.short(bin.start)) }
                                } }
                                td.figure { (console.integer(bin.negative)) }
                                td.figure { (console.integer(bin.neutral)) }
                                td.figure { (console.integer(bin.positive)) }
                                td.figure { (console.integer(bin.mentions)) }
                                td.figure { (console.score(bin.score())) }
                            }
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a time")
    }

    fn row(hour: &str, negative: i64) -> HourRow {
        HourRow { hour_at: at(hour), mentions: negative, negative, neutral: 0, positive: 0, score: -0.5 }
    }

    #[test]
    fn hours_fall_into_the_bars_of_the_readers_zone() {
        let zone = TimeZone::get("Europe/Istanbul").expect("a bundled zone");
        assert_eq!(end_of_bar(at("2026-11-21T10:30:00Z"), Bar::Hours(1), &zone), at("2026-11-21T11:00:00Z"));
        // 13:30 there: the six hours from noon to 18:00.
        assert_eq!(end_of_bar(at("2026-11-21T10:30:00Z"), Bar::Hours(6), &zone), at("2026-11-21T15:00:00Z"));
        assert_eq!(end_of_bar(at("2026-11-21T10:30:00Z"), Bar::Day, &zone), at("2026-11-21T21:00:00Z"));
        let rows = [row("2026-11-20T20:00:00Z", 2), row("2026-11-20T21:00:00Z", 3)];
        let days = bins(&rows, at("2026-11-19T21:00:00Z"), at("2026-11-21T21:00:00Z"), Bar::Day, &zone);
        assert_eq!(days.iter().map(|bin| bin.mentions).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn a_day_that_changes_its_clocks_is_one_bar_and_nothing_is_lost() {
        let zone = TimeZone::get("Europe/Berlin").expect("a bundled zone");
        let (since, until) = (at("2026-10-23T22:00:00Z"), at("2026-10-26T23:00:00Z"));
        for bar in [Bar::Day, Bar::Hours(1), Bar::Hours(2), Bar::Hours(6)] {
            let mut rows = Vec::new();
            let mut hour = since;
            while hour < until {
                rows.push(HourRow { hour_at: hour, mentions: 1, negative: 1, neutral: 0, positive: 0, score: 0.0 });
                hour = hour.saturating_add(SignedDuration::from_hours(1)).expect("in range");
            }
            let bins = bins(&rows, since, until, bar, &zone);
            assert_eq!(bins.iter().map(|bin| bin.mentions).sum::<i64>(), rows.len() as i64, "{bar:?}");
            if bar == Bar::Day {
                assert_eq!(bins.iter().map(|bin| bin.mentions).collect::<Vec<_>>(), [24, 25, 24]);
            }
        }
    }
}
