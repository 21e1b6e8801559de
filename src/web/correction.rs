//! Correcting what the analysis said of a mention: the control under its text, and what it sends.

use axum::Router;
use axum::extract::{Path, RawForm};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::post;
use maud::{Markup, html};
use std::sync::Arc;

use super::composer::writer_name;
use super::conversation::own_path;
use super::error::Problem;
use super::icons::{Icon, icon};
use super::inbox::read;
use super::layout::{Console, Notice};
use super::parts::{ago, intent_word, sentiment_word};
use super::texts::Text;
use crate::app::App;
use crate::live::Wake;
use crate::model::{IntentLabel, MentionId, SentimentLabel};
use crate::store::corrections::{Correction, NewCorrection};
use crate::store::inbox::MentionRow;

pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/mentions/{id}/correct", post(correct))
        .route("/mentions/{id}/correct/take-back", post(take_back))
}

/// Who corrected the mention and what the analysis had said; the form to correct it, for those who may.
pub fn render(console: &Console, mention: &MentionRow) -> Markup {
    html! {
        @if let Some(correction) = &mention.correction { (told(console, correction)) }
        @if console.may_write() { (control(console, mention)) }
    }
}

fn told(console: &Console, correction: &Correction) -> Markup {
    let by = writer_name(console, &correction.by);
    let said = &correction.said;
    let words = |sentiment: Option<SentimentLabel>, intents: &mut dyn Iterator<Item = IntentLabel>| {
        let mood = sentiment.map(|label| console.t(sentiment_word(label)));
        mood.into_iter().chain(intents.map(|label| console.t(intent_word(label)))).collect::<Vec<_>>().join(", ")
    };
    html! {
        p.corrected {
            @if correction.counts() {
                span.chip.accent { (icon(Icon::Check)) (console.t(Text::Corrected)) }
                span { (console.fill(Text::CorrectedBy, &[&by])) ", " (ago(console, correction.at)) }
                span { (console.fill(Text::AnalysisSaid, &[
                    &words(Some(said.sentiment.label), &mut said.intents.iter().map(|intent| intent.label))])) }
            } @else {
                span.chip.warning { (icon(Icon::Alert)) (console.t(Text::CorrectionOutdated)) }
                span { (console.fill(Text::CorrectionOutdatedMore, &[
                    &by, &words(correction.sentiment, &mut correction.intents.iter().flatten().copied())])) }
            }
        }
    }
}

fn control(console: &Console, mention: &MentionRow) -> Markup {
    // What a person said of the earlier text is offered again: one click, if it still holds.
    let outdated = mention.correction.as_ref().filter(|correction| !correction.counts());
    let mood = outdated.and_then(|correction| correction.sentiment).unwrap_or(mention.sentiment.label);
    let intents = outdated
        .and_then(|correction| correction.intents.clone())
        .unwrap_or_else(|| mention.intents.iter().map(|intent| intent.label).collect());
    let main = intents.first().copied().unwrap_or(IntentLabel::Other);
    let id = mention.id;
    html! {
        details.pop.correct id=(format!("correct-{id}")) {
            summary.link-button { (icon(Icon::Note)) (console.t(Text::Correct)) }
            div.panel {
                form.stack.tight method="post" action=(format!("/mentions/{id}/correct")) {
                    (console.viewer.csrf)
                    input type="hidden" name="back" value=(console.here);
                    p.hint { (console.t(Text::CorrectHint)) }
                    fieldset {
                        legend.label { (console.t(Text::FilterSentiment)) }
                        div.choices {
                            @for label in SentimentLabel::ALL {
                                label.check {
                                    input type="radio" name="sentiment" value=(label) checked[*label == mood] required;
                                    (console.t(sentiment_word(*label)))
                                }
                            }
                        }
                    }
                    label.field {
                        span { (console.t(Text::MainIntent)) }
                        select name="intent" {
                            @for label in IntentLabel::ALL {
                                option value=(label) selected[*label == main] { (console.t(intent_word(*label))) }
                            }
                        }
                    }
                    fieldset {
                        legend.label { (console.t(Text::FurtherIntents)) }
                        div.choices {
                            @for label in IntentLabel::ALL.iter().filter(|label| **label != IntentLabel::Other) {
                                label.check {
                                    input type="checkbox" name="beside" value=(label)
                                        checked[*label != main && intents.contains(label)];
                                    (console.t(intent_word(*label)))
                                }
                            }
                        }
                    }
                    div.row.end { button.button.small.primary { (console.t(Text::Save)) } }
                }
                @if mention.correction.is_some() {
                    form.row.end method="post" action=(format!("/mentions/{id}/correct/take-back")) {
                        (console.viewer.csrf)
                        input type="hidden" name="back" value=(console.here);
                        button.button.small { (icon(Icon::Undo)) (console.t(Text::TakeBackCorrection)) }
                    }
                }
            }
        }
    }
}

/// What the form holds.
#[derive(Debug, Default)]
struct CorrectionForm {
    sentiment: String,
    /// The main one.
    intent: String,
    beside: Vec<String>,
    back: String,
}

impl CorrectionForm {
    fn parse(bytes: &[u8]) -> Self {
        let mut form = Self::default();
        for (name, value) in url::form_urlencoded::parse(bytes) {
            let value = value.into_owned();
            match &*name {
                "sentiment" => form.sentiment = value,
                "intent" => form.intent = value,
                "beside" => form.beside.push(value),
                "back" => form.back = value,
                _ => {}
            }
        }
        form
    }
}

async fn correct(console: Console, Path(id): Path<String>, RawForm(bytes): RawForm) -> Result<Response, Problem> {
    let id: MentionId = read("mention", &id)?;
    let form = CorrectionForm::parse(&bytes);
    let main: IntentLabel = read("intent", &form.intent)?;
    let mut intents = vec![main];
    for beside in &form.beside {
        let beside = read("beside", beside)?;
        // The main one may be ticked a second time.
        if !intents.contains(&beside) {
            intents.push(beside);
        }
    }
    let back = back_to(&form.back, id);
    // A form can say too much only by "other" beside the rest.
    let Ok(told) = NewCorrection::new(Some(read("sentiment", &form.sentiment)?), Some(intents)) else {
        return Ok(Redirect::to(&Notice::OTHER_BESIDE.on(&back)).into_response());
    };
    console.app.store.correct(id, &told, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    Ok(Redirect::to(&back).into_response())
}

async fn take_back(console: Console, Path(id): Path<String>, RawForm(bytes): RawForm) -> Result<Redirect, Problem> {
    let id: MentionId = read("mention", &id)?;
    console.app.store.take_back_correction(id, &console.viewer.actor).await?;
    console.app.live.wake(Wake::Events);
    Ok(Redirect::to(&back_to(&CorrectionForm::parse(&bytes).back, id)))
}

/// The page the person was on, at this mention.
fn back_to(back: &str, id: MentionId) -> String {
    let page = own_path(back).unwrap_or_else(|| format!("/mentions/{id}"));
    let page = page.split('#').next().unwrap_or_default();
    format!("{page}#m-{id}")
}
