//! What needed a person and was told to somebody: the card above the list.

use maud::{Markup, html};

use crate::alerts;
use crate::store::alerts::AlertView;
use crate::web::icons::{Icon, icon};
use crate::web::layout::Console;
use crate::web::parts::{ago, alert_word, said};
use crate::web::texts::Text;

pub fn alert_card(console: &Console, alerts: &[&AlertView]) -> Markup {
    html! {
        div data-part="alerts" {
            @if !alerts.is_empty() {
                section.card.alerts aria-labelledby="alerts-title" {
                    header { (icon(Icon::Alert)) h2 #alerts-title { (console.count(Text::AlertCount, alerts.len() as i64)) } }
                    ul.alert-list {
                        @for alert in alerts {
                            li {
                                span.chip.negative { (console.t(alert_word(&alert.kind))) }
                                a.grow href=(alerts::page(&alert.kind, &alert.subject_id)) dir="auto" { (said(console, &alert.message)) }
                                span.small.muted {
                                    (ago(console, alert.raised_at)) " · "
                                    @match (&alert.told_at, &alert.failure_reason) {
                                        (Some(told), _) => (console.fill(Text::AlertTold, &[&console.relative(*told)])),
                                        (None, Some(reason)) => (console.fill_in(Text::AlertTellFailed, &[said(console, reason)])),
                                        (None, None) => (console.t(Text::AlertNotTold)),
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
