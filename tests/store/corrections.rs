//! What a person says a mention is, over what the analysis said.

use muhatap::model::IntentLabel::{self, Complaint, Other, Question, Request};
use muhatap::model::SentimentLabel::{self, Negative, Neutral, Positive};
use muhatap::model::{AccountId, MentionId, Network};
use muhatap::store::corrections::{CorrectionFilter, NewCorrection, NotACorrection, Standing};
use muhatap::store::deltas::StoredDelta;
use muhatap::store::inbox::{HourFilter, HourRow, MentionFilter, MentionRow};
use muhatap::store::mentions::Polled;
use muhatap::store::{Store, StoreError};
use muhatap_connectors::{Change, Incoming};
use rstest::rstest;

use crate::support::messages::{account, batch, lease, message, minutes_later, noon};
use crate::support::{Backend, fresh_store};

const PRAISE: &str = "Harika bir hizmet, çok teşekkürler";

fn told(sentiment: impl Into<Option<SentimentLabel>>, intents: &[IntentLabel]) -> NewCorrection {
    let intents = (!intents.is_empty()).then(|| intents.to_vec());
    NewCorrection::new(sentiment.into(), intents).expect("a person can mean it")
}

async fn record(store: &Store, account: AccountId, polled: &Polled) -> Vec<MentionId> {
    let lease = lease(store, account).await;
    store.record(&lease, polled).await.expect("it can be recorded").new
}

/// A store with one mention that the analysis takes for praise.
async fn praised(store: &Store) -> (AccountId, MentionRow) {
    let destek = account(store, "destek", Network::Mastodon).await;
    let id = record(store, destek, &batch([Change::Seen(message("https://n/1", PRAISE))])).await[0];
    let mention = shown(store, id).await;
    assert_eq!((mention.sentiment.label, mention.correction.is_none()), (Positive, true));
    (destek, mention)
}

async fn shown(store: &Store, id: MentionId) -> MentionRow {
    store.mention(id).await.expect("it is there")
}

async fn correct(store: &Store, id: MentionId, told: &NewCorrection) -> MentionRow {
    store.correct(id, told, "local").await.expect("it can be corrected");
    shown(store, id).await
}

fn labels(mention: &MentionRow) -> (SentimentLabel, Vec<IntentLabel>) {
    (mention.sentiment.label, mention.intents.iter().map(|intent| intent.label).collect())
}

async fn listed(store: &Store, filter: MentionFilter) -> usize {
    store.mentions(&filter).await.expect("mentions can be read").len()
}

async fn hours(store: &Store) -> Vec<HourRow> {
    let filter = HourFilter {
        account_id: None,
        brand_id: None,
        since: minutes_later(noon(), -60),
        until: minutes_later(noon(), 60),
    };
    store.sentiment_by_hour(&filter).await.expect("hours can be read")
}

fn edited(text: &str, minutes: i64) -> Polled {
    batch([Change::Edited(Incoming {
        edited_at: Some(minutes_later(noon(), minutes)),
        ..message("https://n/1", text)
    })])
}

#[rstest]
#[tokio::test]
async fn a_corrected_mention_shows_filters_and_counts_as_the_person_says_until_it_is_taken_back(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let (_, before) = praised(&store).await;
    let counted_before = hours(&store).await;
    let mention = correct(&store, before.id, &told(Negative, &[Complaint, Request])).await;
    assert_eq!(labels(&mention), (Negative, vec![Complaint, Request]));
    assert!(mention.sentiment.because.is_empty(), "no word stands behind what a person says");
    assert!((mention.sentiment.base.tanh() - mention.sentiment.score).abs() < 0.000_06, "{:?}", mention.sentiment);
    let correction = mention.correction.expect("it says that it was corrected");
    assert_eq!((correction.by.as_str(), correction.counts()), ("local", true));
    assert_eq!((&correction.said.sentiment, &correction.said.intents), (&before.sentiment, &before.intents));

    let negative = |sentiment| MentionFilter { sentiment: Some(sentiment), ..MentionFilter::default() };
    let about = |intent| MentionFilter { intent: Some(intent), ..MentionFilter::default() };
    assert_eq!((listed(&store, negative(Negative)).await, listed(&store, negative(Positive)).await), (1, 0));
    let corrected = |yes| MentionFilter { corrected: Some(yes), ..MentionFilter::default() };
    assert_eq!((listed(&store, corrected(true)).await, listed(&store, corrected(false)).await), (1, 0));
    assert_eq!((listed(&store, about(Complaint)).await, listed(&store, about(before.intents[0].label)).await), (1, 0));
    let counted = hours(&store).await;
    assert_eq!((counted[0].mentions, counted[0].negative, counted[0].positive), (1, 1, 0));
    assert!(counted[0].score < -0.9, "{counted:?}");

    store.take_back_correction(before.id, "local").await.expect("it can be taken back");
    assert_eq!((listed(&store, corrected(true)).await, listed(&store, corrected(false)).await), (0, 1));
    assert_eq!(shown(&store, before.id).await, before, "all is as the analysis said");
    let restored = hours(&store).await;
    assert_eq!((restored[0].mentions, restored[0].positive), (1, 1));
    assert!((restored[0].score - counted_before[0].score).abs() < 1e-9, "{restored:?}");
    assert_eq!(database.number("SELECT COUNT(*) FROM corrections").await, 0);
    assert_eq!(database.number("SELECT COUNT(*) FROM audit WHERE action LIKE 'mention.%'").await, 2);
}

#[rstest]
#[tokio::test]
async fn the_newest_correction_counts_and_the_same_again_changes_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let (_, before) = praised(&store).await;
    correct(&store, before.id, &told(Negative, &[])).await;
    let mention = correct(&store, before.id, &told(None, &[Question])).await;
    assert_eq!(labels(&mention), (Positive, vec![Question]), "the mood is left to the analysis again");
    assert_eq!(mention.sentiment, before.sentiment);
    let said = mention.correction.clone().expect("it was corrected").said;
    assert_eq!((said.sentiment, said.intents), (before.sentiment.clone(), before.intents.clone()));

    let events = database.number("SELECT COUNT(*) FROM events").await;
    assert_eq!(correct(&store, before.id, &told(None, &[Question])).await, mention);
    assert_eq!(database.number("SELECT COUNT(*) FROM events").await, events);
    // A person who finds the mood as the analysis does leaves it its reasons.
    let confirmed = correct(&store, before.id, &told(Positive, &[])).await;
    assert_eq!((&confirmed.sentiment, &confirmed.intents), (&before.sentiment, &before.intents));
    assert_eq!(database.number("SELECT COUNT(*) FROM corrections").await, 1);
    assert_eq!(hours(&store).await[0].mentions, 1);
}

#[rstest]
#[tokio::test]
async fn a_changed_text_outdates_its_correction_and_an_unchanged_one_keeps_it(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let (destek, before) = praised(&store).await;
    correct(&store, before.id, &told(Negative, &[Complaint])).await;
    record(&store, destek, &edited(PRAISE, 1)).await;
    let same = shown(&store, before.id).await;
    assert_eq!(labels(&same), (Negative, vec![Complaint]), "a picture may have changed, the text did not");
    assert!(same.edited_at.is_some());
    assert_eq!(hours(&store).await[0].negative, 1);

    record(&store, destek, &edited("Kargom hala gelmedi, rezalet", 2)).await;
    let analyzed = shown(&store, before.id).await;
    let outdated = analyzed.correction.clone().expect("it is shown that there was one");
    assert!(!outdated.counts() && outdated.said.sentiment.because.is_empty());
    assert_eq!((outdated.sentiment, outdated.intents), (Some(Negative), Some(vec![Complaint])));
    assert!(!analyzed.sentiment.because.is_empty(), "the analysis of the new text counts: {:?}", analyzed.sentiment);

    let again = correct(&store, before.id, &told(Neutral, &[Question])).await;
    assert_eq!(labels(&again), (Neutral, vec![Question]));
    assert_eq!(again.correction.expect("it counts").said.sentiment, analyzed.sentiment);
    record(&store, destek, &edited("Teşekkürler, geldi", 3)).await;
    let present = shown(&store, before.id).await;
    store.take_back_correction(before.id, "local").await.expect("an outdated one can be put away");
    assert_eq!(shown(&store, before.id).await, MentionRow { correction: None, ..present });
    assert_eq!(hours(&store).await[0].mentions, 1);
}

#[rstest]
#[tokio::test]
async fn a_deleted_mention_takes_its_correction_with_it_and_can_have_no_other(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let (destek, before) = praised(&store).await;
    correct(&store, before.id, &told(Negative, &[Complaint])).await;
    record(&store, destek, &batch([Change::Deleted("https://n/1".to_owned())])).await;
    assert_eq!(database.number("SELECT COUNT(*) FROM corrections").await, 0);
    let erased = shown(&store, before.id).await;
    assert_eq!((erased.correction, erased.sentiment.label), (None, Neutral));
    assert_eq!(hours(&store).await[0].negative, 1, "its place in the counts stays");
    let refused = store.correct(before.id, &told(Positive, &[]), "local").await;
    assert!(matches!(&refused, Err(StoreError::Conflict(why)) if why.contains("deleted")), "{refused:?}");
    store.take_back_correction(before.id, "local").await.expect("there is nothing to take back");
    let nobody = "01JD3ZQ8M4W5Y6X7V8T9S0R1Q2".parse().expect("an id");
    assert!(matches!(store.correct(nobody, &told(Positive, &[]), "local").await, Err(StoreError::NotFound(_))));
}

#[rstest]
#[tokio::test]
async fn corrections_are_listed_page_by_page(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let messages = (0..5).map(|at| Change::Seen(message(&format!("https://n/{at}"), &format!("{PRAISE} {at}"))));
    let ids = record(&store, destek, &batch(messages)).await;
    for id in &ids {
        correct(&store, *id, &told(Neutral, &[Other])).await;
    }
    let mut filter = CorrectionFilter { limit: 2, ..CorrectionFilter::default() };
    let mut seen = Vec::new();
    loop {
        let page = store.corrections(&filter).await.expect("they can be read");
        let Some(last) = page.last() else { break };
        filter.before = Some(last.mark());
        seen.extend(page.iter().map(|row| row.mention_id));
    }
    assert_eq!(seen, ids.iter().rev().copied().collect::<Vec<_>>(), "newest first, each once");

    let all = store.corrections(&CorrectionFilter::default()).await.expect("they can be read");
    let row = &all[0];
    assert_eq!((row.brand.name.as_str(), row.account.name.as_str()), ("Marka", "destek"));
    assert_eq!((row.language.as_str(), row.text.clone()), ("tr", Some(format!("{PRAISE} 4"))));
    assert_eq!(row.correction, shown(&store, ids[4]).await.correction.expect("it was corrected"));
    let none = [
        CorrectionFilter { language: Some("en".to_owned()), ..CorrectionFilter::default() },
        CorrectionFilter { standing: Some(Standing::Outdated), ..CorrectionFilter::default() },
        CorrectionFilter { until: Some(all[4].correction.at), ..CorrectionFilter::default() },
        CorrectionFilter { brand_id: Some(muhatap::model::BrandId(ids[0].0)), ..CorrectionFilter::default() },
    ];
    for filter in none {
        assert_eq!(store.corrections(&filter).await.expect("they can be read"), [], "{filter:?}");
    }
    let these =
        CorrectionFilter { brand_id: Some(row.brand.id), account_id: Some(destek), ..CorrectionFilter::default() };
    assert_eq!(store.corrections(&these).await.expect("they can be read").len(), 5);
}

#[test]
fn what_nobody_can_mean_is_refused() {
    assert_eq!(NewCorrection::new(None, None), Err(NotACorrection::Nothing));
    assert_eq!(NewCorrection::new(Some(Positive), Some(vec![])), Err(NotACorrection::NoIntent));
    let twice = vec![Complaint, Question, Complaint];
    assert_eq!(NewCorrection::new(None, Some(twice)), Err(NotACorrection::Twice(Complaint)));
    assert_eq!(NewCorrection::new(None, Some(vec![Complaint, Other])), Err(NotACorrection::OtherBeside));
}

#[rstest]
#[tokio::test]
async fn corrections_and_what_was_learnt_from_them_are_in_a_backup(
    #[values(Backend::Sqlite, Backend::Postgres)] from: Backend,
    #[values(Backend::Sqlite, Backend::Postgres)] to: Backend,
) {
    let (_one, store) = fresh_store(from).await;
    let (destek, mention) = praised(&store).await;
    let corrected = correct(&store, mention.id, &told(Negative, &[Complaint])).await;
    let delta = StoredDelta {
        brand_id: store.account(destek).await.expect("it is there").brand_id,
        language: "tr".to_owned(),
        model: "model".to_owned(),
        weights: "{}".to_owned(),
        corrections: 1,
    };
    store.put_delta(&delta, "cli").await.expect("it can be kept");
    let mut written = Vec::new();
    store.backup(&mut written, |_, _| {}).await.expect("a backup can be made");
    let (_other, restored) = fresh_store(to).await;
    restored.restore(written.as_slice(), |_, _| {}).await.expect("it can be restored");
    assert_eq!(shown(&restored, mention.id).await, corrected);
    assert_eq!(restored.deltas().await.expect("they can be read"), [delta]);
}

#[rstest]
#[tokio::test]
async fn every_change_of_what_was_learnt_can_be_noticed(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let destek = account(&store, "destek", Network::Mastodon).await;
    let brand_id = store.account(destek).await.expect("it is there").brand_id;
    let delta = |weights: &str| StoredDelta {
        brand_id,
        language: "tr".to_owned(),
        model: "model".to_owned(),
        weights: weights.to_owned(),
        corrections: 20,
    };
    let mut names = vec![store.delta_set().await.expect("it can be asked")];
    assert_eq!(names, [None]);
    for weights in ["one", "two"] {
        store.put_delta(&delta(weights), "cli").await.expect("it can be kept");
        names.push(store.delta_set().await.expect("it can be asked"));
        assert_eq!(store.deltas().await.expect("they can be read"), [delta(weights)], "the earlier one gave way");
    }
    assert!(store.drop_delta(brand_id, "tr", "cli").await.expect("it can be dropped"));
    names.push(store.delta_set().await.expect("it can be asked"));
    assert!(!store.drop_delta(brand_id, "tr", "cli").await.expect("there is none any more"));
    assert_eq!(store.delta_set().await.expect("it can be asked"), names[3]);
    assert_eq!(store.deltas().await.expect("they can be read"), []);
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}
