//! The console over HTTP: forms, questions, languages, and nothing of a stranger's taken as markup.

use std::time::Duration;

use jiff::SignedDuration;
use jiff::civil::Time;
use jiff::tz::TimeZone;
use muhatap::compose::{self, Confirmed, PostRequest};
use muhatap::model::{ConversationState, DeliveryState, Frequency, Health, Missed};
use muhatap::recurring::{self, Rule};
use muhatap::store::deliveries::{DeliveryFilter, DeliveryOrder, DeliveryView};
use muhatap::store::recurrences::NewRecurrence;
use muhatap::store::workers::Beat;
use muhatap::worker::Role;
use muhatap_connectors::{Stream, StreamKind};
use muhatap_simulator::Options;

use crate::support::eventually;
use crate::support::running::{Running, Visitor};

const HOUR: Duration = Duration::from_secs(3600);

/// Every page that lists or shows something, besides a conversation.
const PAGES: [&str; 14] = [
    "/",
    "/schedule",
    "/schedule/new",
    "/schedule/recurring",
    "/schedule/campaigns",
    "/schedule/quiet",
    "/deliveries",
    "/workers",
    "/sentiment",
    "/accounts",
    "/accounts/new",
    "/contacts",
    "/users",
    "/webhooks",
];

async fn deliveries(running: &Running) -> Vec<DeliveryView> {
    running.app.store.deliveries(&DeliveryFilter::default()).await.expect("deliveries can be read")
}

/// The fields of the reply box as the page made them, with a text.
async fn reply_form(visitor: &mut Visitor, mention: &str, text: &str) -> (String, String, Vec<(String, String)>) {
    let page = visitor.get(&format!("/mentions/{mention}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let action = page.body.split("id=\"reply\" method=\"post\" action=\"").nth(1).expect("there is a reply box");
    let action = action.split('"').next().expect("an attribute ends").to_owned();
    let fields = ["key", "mention", "seen", "confirm_over", "confirm_personal_data"]
        .map(|name| (name.to_owned(), page.field(name)))
        .into_iter()
        .chain([("text".to_owned(), text.to_owned())])
        .collect();
    (action, page.field("csrf"), fields)
}

fn borrowed(fields: &[(String, String)]) -> Vec<(&str, &str)> {
    fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// Every night at half past two in `timezone`, from tomorrow on.
fn nightly(running: &Running, timezone: &str, text: &str) -> NewRecurrence {
    let today = running.app.store.clock().to_zoned(TimeZone::UTC).date();
    let rule = Rule {
        frequency: Frequency::Daily,
        weekdays: Vec::new(),
        day: None,
        time: Time::constant(2, 30, 0, 0),
        timezone: timezone.into(),
        from: today.tomorrow().expect("a day"),
        until: None,
        times: None,
    };
    NewRecurrence { rule, missed: Missed::Skip, texts: vec![(running.account, text.to_owned())] }
}

#[tokio::test]
async fn a_form_sent_twice_is_one_reply_and_it_reaches_the_network_once() {
    let running = Running::with(Options::quiet(), "[delivery]\nundo_seconds = 1\n").await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar kargom nerede kaldı?").await;
    let mut visitor = running.visitor();
    let text = "@ayse@ornek.example Hemen bakıyoruz.";
    let (action, csrf, fields) = reply_form(&mut visitor, &mention.id.to_string(), text).await;
    let first = visitor.post(&action, &csrf, &borrowed(&fields)).await;
    let second = visitor.post(&action, &csrf, &borrowed(&fields)).await;
    assert_eq!((first.status, second.status), (303, 303), "{} {}", first.body, second.body);
    assert_eq!(first.location, second.location);
    assert_eq!(deliveries(&running).await.len(), 1);
    eventually("the reply is out", || async { deliveries(&running).await[0].state == DeliveryState::Sent }).await;
    assert_eq!(running.our_posts().len(), 1);
    let page = visitor.get(&format!("/mentions/{}", mention.id)).await;
    assert!(page.body.contains("Hemen bakıyoruz."), "{}", page.body);
    running.stop().await;
}

#[tokio::test]
async fn a_reply_can_be_taken_back_and_its_text_returns() {
    let running = Running::start().await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar faturam yanlış").await;
    let mut visitor = running.visitor();
    let (action, csrf, fields) = reply_form(&mut visitor, &mention.id.to_string(), "Düzeltiyoruz <hemen>").await;
    let sent = visitor.post(&action, &csrf, &borrowed(&fields)).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    let delivery = deliveries(&running).await.remove(0);
    let page = visitor.get(&format!("/mentions/{}", mention.id)).await;
    assert!(page.body.contains("data-sends-at"), "the page counts down: {}", page.body);
    let undone = visitor.post(&format!("/deliveries/{}/undo", delivery.id), &csrf, &[]).await;
    let back = undone.location.expect("it leads back");
    let page = visitor.get(back.split('#').next().expect("a path")).await;
    assert!(page.body.contains("Undone."), "{}", page.body);
    assert!(page.body.contains("Düzeltiyoruz &lt;hemen&gt;</textarea>"), "{}", page.body);
    assert_eq!(deliveries(&running).await[0].state, DeliveryState::Cancelled);
    assert!(running.our_posts().is_empty());
}

#[tokio::test]
async fn a_second_answer_asks_first_names_the_other_and_keeps_the_text() {
    let running = Running::start().await;
    let mention = running.mention("mehmet@ornek.example", "@yelpazar iade param gelmedi").await.id.to_string();
    let (mut one, mut other) = (running.visitor(), running.visitor());
    let (action, one_csrf, one_fields) = reply_form(&mut one, &mention, "İlk yanıt").await;
    let (_, other_csrf, other_fields) = reply_form(&mut other, &mention, "İkinci yanıt").await;
    assert_eq!(one.post(&action, &one_csrf, &borrowed(&one_fields)).await.status, 303);
    let asked = other.post(&action, &other_csrf, &borrowed(&other_fields)).await;
    assert_eq!(asked.status, 409, "{}", asked.body);
    assert!(asked.body.contains("Another reply to this conversation was written meanwhile"), "{}", asked.body);
    assert!(asked.body.contains("<blockquote dir=\"auto\">İlk yanıt</blockquote>"), "{}", asked.body);
    assert!(asked.body.contains("İkinci yanıt</textarea>"), "the text is kept: {}", asked.body);
    assert_eq!(deliveries(&running).await.len(), 1);
    let mut again = other_fields.clone();
    for (name, value) in &mut again {
        if name != "text" {
            *value = asked.field(name);
        }
    }
    let sent = other.post(&action, &other_csrf, &borrowed(&again)).await;
    assert_eq!(sent.status, 303, "{}", sent.body);
    assert_eq!(deliveries(&running).await.len(), 2);
}

#[tokio::test]
async fn personal_data_in_a_public_reply_is_asked_about_and_too_long_a_reply_is_refused_with_its_text() {
    let running = Running::start().await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar beni arar mısınız?").await.id.to_string();
    let mut visitor = running.visitor();
    let (action, csrf, fields) =
        reply_form(&mut visitor, &mention, "Sizi 0532 123 45 67 numarasından arayacağız").await;
    let asked = visitor.post(&action, &csrf, &borrowed(&fields)).await;
    assert_eq!(asked.status, 409, "{}", asked.body);
    assert!(asked.body.contains("personal data"), "{}", asked.body);
    assert_eq!(asked.field("confirm_personal_data"), "yes");
    let (action, csrf, fields) = reply_form(&mut visitor, &mention, &"ğ".repeat(700)).await;
    let refused = visitor.post(&action, &csrf, &borrowed(&fields)).await;
    assert_eq!(refused.status, 422, "{}", refused.body);
    assert!(refused.body.contains("characters too long"), "{}", refused.body);
    assert!(refused.body.contains(&"ğ".repeat(700)));
    assert!(deliveries(&running).await.is_empty());
}

#[tokio::test]
async fn what_a_stranger_writes_stays_text_everywhere() {
    let running = Running::start().await;
    let hostile = "@yelpazar <script>document.title='x'</script><img src=x onerror=alert(1)> \"'&amp; \u{202e}olleh";
    running.stranger_writes("kotu@ornek.example", hostile).await;
    let mention = running.mention("kotu@ornek.example", "@yelpazar مرحبا، أين طلبي؟ <b>شكرا</b>").await;
    let mut visitor = running.visitor();
    for path in ["/?state=all".to_owned(), format!("/mentions/{}", mention.id), "/?state=all&q=%3Cscript%3E".to_owned()]
    {
        let page = visitor.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        assert!(!page.body.contains("<script>document"), "{path}");
        assert!(!page.body.contains("<img"), "{path}: nothing is loaded from elsewhere");
        assert!(!page.body.contains("<b>"), "{path}");
        assert!(page.body.contains("dir=\"auto\""), "{path}");
        let policy = page.headers.get("content-security-policy").expect("there is a policy").to_str().expect("text");
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.body.contains(" style=") && !page.body.contains("onclick"), "{path}: nothing inline");
    }
    let page = visitor.get("/?state=all").await;
    assert!(
        page.body.contains("&lt;script&gt;document.title='x'&lt;/script&gt;") || page.body.contains("&lt;script&gt;")
    );
}

#[tokio::test]
async fn every_page_speaks_both_languages_and_fits_a_phone() {
    let running = Running::start().await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar çok teşekkürler").await;
    let mut visitor = running.visitor();
    for (language, word) in [("en-GB,en;q=0.9", "Keyboard shortcuts"), ("tr-TR,tr;q=0.9", "Klavye kısayolları")] {
        visitor.language = language.to_owned();
        for path in PAGES.iter().map(|path| (*path).to_owned()).chain([format!("/mentions/{}", mention.id)]) {
            let page = visitor.get(&path).await;
            assert_eq!(page.status, 200, "{path}: {}", page.body);
            assert!(page.body.contains(word), "{path} in {language}");
            assert!(page.body.contains(&format!("<html lang=\"{}\">", &language[..2])), "{path}");
            assert!(page.body.contains("name=\"viewport\" content=\"width=device-width, initial-scale=1\""), "{path}");
        }
        let missing = visitor.get("/nowhere").await;
        assert_eq!(missing.status, 404);
        assert!(missing.body.contains("<html"), "a person gets a page: {}", missing.body);
    }
    // The choice in the console wins over the browser's.
    let csrf = visitor.get("/").await.field("csrf");
    let chosen = visitor.post("/language", &csrf, &[("language", "en"), ("back", "/sentiment")]).await;
    assert_eq!(chosen.location.as_deref(), Some("/sentiment"));
    assert!(visitor.get("/").await.body.contains("<html lang=\"en\">"));
    let away = visitor.post("/language", &csrf, &[("language", "tr"), ("back", "//evil.example/")]).await;
    assert_eq!(away.location.as_deref(), Some("/"), "nobody is led away");
}

#[tokio::test]
async fn search_and_filters_know_turkish_letters() {
    let running = Running::start().await;
    running.mention("isik@ornek.example", "@yelpazar IŞIKLI ÇİÇEK saksım kırık geldi").await;
    running.mention("ali@ornek.example", "@yelpazar kargo çok hızlıydı").await;
    let mut visitor = running.visitor();
    for search in ["ışıklı", "isikli", "IŞIKLI", "çiçek", "cicek", "Cicek kirik", "isik"] {
        let query: String = url::form_urlencoded::byte_serialize(search.as_bytes()).collect();
        let page = visitor.get(&format!("/?q={query}")).await;
        assert!(page.body.contains("saksım kırık"), "{search}: {}", page.body);
        assert!(!page.body.contains("çok hızlıydı"), "{search}");
    }
    let about = visitor.get("/?topic=kargo").await;
    assert!(about.body.contains("çok hızlıydı") && !about.body.contains("saksım kırık"), "{}", about.body);
    assert!(about.body.contains(">delivery</span>"), "a topic in the reader's language: {}", about.body);
    assert!(visitor.get("/?urgency=high").await.body.contains("Nothing matches these filters"));
    let nothing = visitor.get("/?q=bulunmaz").await;
    assert!(nothing.body.contains("Nothing matches these filters"), "{}", nothing.body);
    let wrong = visitor.get("/?sentiment=angry").await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("sentiment") && wrong.body.contains("negative"), "{}", wrong.body);
}

#[tokio::test]
async fn a_conversation_is_done_snoozed_noted_and_reopened() {
    let running = Running::start().await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar ürün ne zaman gelir").await;
    let id = mention.conversation.id;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/").await.field("csrf");
    let state = |id| {
        let store = running.app.store.clone();
        async move { store.conversation(id).await.expect("it is there").head.state }
    };
    let path = format!("/conversations/{id}/state");
    assert_eq!(visitor.post(&path, &csrf, &[("state", "done")]).await.status, 303);
    assert_eq!(state(id).await, ConversationState::Done);
    assert!(visitor.get("/").await.body.contains("All done"));
    assert_eq!(visitor.post(&path, &csrf, &[("state", "open")]).await.status, 303);
    let past = visitor.post(&path, &csrf, &[("state", "snoozed"), ("until", "2001-01-01T09:00")]).await;
    assert!(past.location.expect("it leads back").contains("notice=bad-snooze"));
    let later = visitor.post(&path, &csrf, &[("state", "snoozed"), ("until", "2199-01-01T09:00")]).await;
    assert_eq!(later.status, 303);
    assert_eq!(state(id).await, ConversationState::Snoozed);
    let notes = format!("/conversations/{id}/notes");
    assert_eq!(visitor.post(&notes, &csrf, &[("text", "Müşteri <VIP>")]).await.status, 303);
    let page = visitor.get(&format!("/conversations/{id}")).await;
    assert!(page.body.contains("Müşteri &lt;VIP&gt;") && page.body.contains("Snoozed until"), "{}", page.body);
    let foreign = visitor.post(&path, "not-the-token", &[("state", "done")]).await;
    assert_eq!(foreign.status, 403, "a form without the page's token is refused");
}

#[tokio::test]
async fn a_wrong_mood_is_corrected_shown_as_corrected_and_taken_back() {
    let running = Running::start().await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar harika bir hizmet, çok teşekkürler").await;
    let mut visitor = running.visitor();
    let path = format!("/mentions/{}", mention.id);
    let page = visitor.get(&path).await;
    assert!(page.body.contains("name=\"sentiment\" value=\"positive\" checked"), "{}", page.body);
    assert!(!page.body.contains("Corrected"), "{}", page.body);
    let csrf = page.field("csrf");
    let correct = format!("{path}/correct");
    let irony = [("sentiment", "negative"), ("intent", "complaint"), ("beside", "request"), ("beside", "complaint")];
    let saved = visitor.post(&correct, &csrf, &[&irony[..], &[("back", path.as_str())]].concat()).await;
    assert_eq!(saved.location, Some(format!("{path}#m-{}", mention.id)), "{}", saved.body);
    let page = visitor.get(&path).await;
    for words in ["Corrected", "The analysis had said: Positive", "Why did the analysis say positive?", "Complaint"] {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    let row = running.app.store.mention(mention.id).await.expect("it is there");
    let intents: Vec<&str> = row.intents.iter().map(|intent| intent.label.as_str()).collect();
    assert_eq!((row.sentiment.label.as_str(), intents), ("negative", vec!["complaint", "request"]));
    assert!(visitor.get("/?sentiment=negative").await.body.contains("harika bir hizmet"));
    let narrowed = visitor.get("/?corrected=true").await;
    assert!(narrowed.body.contains("harika bir hizmet") && narrowed.body.contains("corrected=true&amp;state=open"));
    assert!(!visitor.get("/?corrected=false").await.body.contains("harika bir hizmet"));

    let other = [("sentiment", "negative"), ("intent", "other"), ("beside", "request")];
    let told = visitor.post(&correct, &csrf, &other).await;
    assert!(told.location.is_some_and(|to| to.contains("notice=other-beside")));
    assert_eq!(visitor.post(&correct, "not-the-token", &irony).await.status, 403);
    assert_eq!(visitor.post(&correct, &csrf, &[("sentiment", "angry"), ("intent", "spam")]).await.status, 422);

    let back = visitor.post(&format!("{correct}/take-back"), &csrf, &[("back", path.as_str())]).await;
    assert_eq!(back.status, 303, "{}", back.body);
    assert_eq!(running.app.store.mention(mention.id).await.expect("it is there").sentiment, mention.sentiment);
    visitor.language = "tr".to_owned();
    let page = visitor.get(&path).await;
    assert!(page.body.contains("Düzelt</summary>") && !page.body.contains("Düzeltildi"), "{}", page.body);
}

#[tokio::test]
async fn a_post_repeats_is_changed_and_stands_in_the_calendar() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let page = visitor.get("/schedule/new").await;
    let (csrf, key) = (page.field("csrf"), page.field("key"));
    let account = running.account.to_string();
    let form = |key: &str, until: &str, times: &str| {
        [
            ("account", account.as_str()),
            ("text", "Haftanın özeti <burada>"),
            ("at", "2030-01-14T09:30"),
            ("key", key),
            ("repeat", "weekly"),
            ("on", "monday"),
            ("on", "thursday"),
            ("until", until),
            ("times", times),
            ("missed", "ask"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    };
    for (until, times, said) in [("2029-12-31", "", "after its beginning"), ("2030-02-01", "3", "Leave one empty")] {
        let refused = visitor.post("/schedule", &csrf, &borrowed(&form(&key, until, times))).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body.contains(said) && refused.body.contains("Haftanın özeti"), "{}", refused.body);
    }
    let started = visitor.post("/schedule", &csrf, &borrowed(&form(&key, "", "3"))).await;
    let twice = visitor.post("/schedule", &csrf, &borrowed(&form(&key, "", "3"))).await;
    assert_eq!((started.status, &started.location), (303, &twice.location), "{}", started.body);
    let at = started.location.expect("it leads on");
    let at = at.split('?').next().expect("a path").to_owned();
    let page = visitor.get(&at).await;
    assert!(page.body.contains("Every week on Monday, Thursday at 09:30, 3 times"), "{}", page.body);
    assert!(
        page.body.contains("Monday, 21 January 2030 09:30") && page.body.contains("&lt;burada&gt;"),
        "{}",
        page.body
    );
    assert!(deliveries(&running).await.is_empty(), "its dates are years ahead");
    let month = visitor.get("/schedule?month=2030-01").await;
    assert_eq!(month.body.matches("Foreseen").count(), 3, "{}", month.body);

    let own_text = format!("text-{account}");
    let monthly = [
        ("at", "2030-01-31T10:00".to_owned()),
        ("repeat", "monthly".to_owned()),
        ("missed", "skip".to_owned()),
        (own_text.as_str(), "Ayın özeti".to_owned()),
    ];
    let monthly: Vec<(&str, &str)> = monthly.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(visitor.post(&at, &csrf, &monthly).await.status, 303);
    let page = visitor.get(&at).await;
    assert!(page.body.contains("Every month on day 31 at 10:00 (the last day of shorter months)"), "{}", page.body);
    assert!(
        page.body.contains("Thursday, 28 February 2030 10:00") && page.body.contains("Ayın özeti"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("10:00 Europe/Istanbul"), "the reader's own zone goes without saying: {}", page.body);
    for (what, said) in [("pause", "Paused"), ("resume", "Active"), ("end", "Ended")] {
        assert_eq!(visitor.post(&format!("{at}/{what}"), &csrf, &[]).await.status, 303);
        assert!(visitor.get("/schedule/recurring").await.body.contains(said), "{what}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_campaign_has_its_page_and_quiet_hours_are_said_before_and_after() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/schedule/new").await.field("csrf");
    let account = running.account.to_string();
    let quiet = format!("/schedule/quiet/{account}");
    let bad = visitor.post(&quiet, &csrf, &[("from", "22:00"), ("until", "")]).await;
    assert!(bad.location.is_some_and(|location| location.contains("quiet-bad")));
    assert_eq!(visitor.post(&quiet, &csrf, &[("from", "22:00"), ("until", "08:00")]).await.status, 303);
    let page = visitor.get("/schedule/new").await;
    assert!(page.body.contains("Quiet hours 22:00-08:00: a post due within moves to 08:00"), "{}", page.body);
    let key = page.field("key");
    let form = [
        ("account", account.as_str()),
        ("text", "Gece haberi"),
        ("at", "2030-01-14T23:30"),
        ("key", key.as_str()),
        ("campaign", "Kış <indirimi>"),
    ];
    let planned = visitor.post("/schedule", &csrf, &form).await;
    let at = planned.location.expect("it leads on");
    assert!(at.contains("/schedule/campaigns/") && at.contains("scheduled-after-quiet"), "{at}");
    let page = visitor.get(&at).await;
    assert!(page.body.contains("Kış &lt;indirimi&gt;") && page.body.contains("0 of 1 out"), "{}", page.body);
    assert!(page.body.contains("instead of 14 Jan 2030 23:30, after quiet hours"), "{}", page.body);
    let none = visitor.post(&quiet, &csrf, &[("from", ""), ("until", "")]).await;
    let page = visitor.get(&none.location.expect("it leads back")).await;
    assert!(
        page.body.contains("Quiet hours are saved.") && page.body.contains("1 post moved earlier."),
        "{}",
        page.body
    );
    let path = at.split('?').next().expect("a path").to_owned();
    let cancelled = visitor.post(&format!("{path}/cancel"), &csrf, &[]).await;
    assert_eq!(cancelled.status, 303);
    assert_eq!(deliveries(&running).await[0].state, DeliveryState::Cancelled);
    running.stop().await;
}

#[tokio::test]
async fn a_post_is_planned_in_the_accounts_zone_moved_and_cancelled() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let page = visitor.get("/schedule/new").await;
    let (csrf, key) = (page.field("csrf"), page.field("key"));
    let account = running.account.to_string();
    let text = "Kış kampanyası başladı: tüm montlarda indirim";
    let plan = |key: &str, at: &str, confirm: &str| {
        [
            ("account", account.clone()),
            ("text", text.to_owned()),
            ("at", at.to_owned()),
            ("key", key.to_owned()),
            ("confirm_duplicate", confirm.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    };
    let form = plan(&key, "2030-01-15T09:30", "");
    let planned = visitor.post("/schedule", &csrf, &borrowed(&form)).await;
    assert_eq!(planned.status, 303, "{}", planned.body);
    assert_eq!(visitor.post("/schedule", &csrf, &borrowed(&form)).await.status, 303);
    let known = deliveries(&running).await;
    assert_eq!(known.len(), 1, "a double click is one post");
    assert_eq!(known[0].due_at.to_string(), "2030-01-15T06:30:00Z", "half past nine in Istanbul");
    let page = visitor.get(&format!("/deliveries/{}", known[0].id)).await.body;
    assert!(page.contains("Send it now, without waiting for its time?"), "it asks first: {page}");
    let month = visitor.get("/schedule?month=2030-01").await;
    assert!(month.body.contains(text) && month.body.contains("09:30"), "{}", month.body);

    let asked = visitor.post("/schedule", &csrf, &borrowed(&plan("another", "2030-01-15T17:00", ""))).await;
    assert_eq!(asked.status, 409, "{}", asked.body);
    assert!(asked.body.contains("A very similar post is planned"), "{}", asked.body);
    assert_eq!(deliveries(&running).await.len(), 1);
    let anyway = visitor.post("/schedule", &csrf, &borrowed(&plan("another", "2030-01-15T17:00", "yes"))).await;
    assert_eq!(anyway.status, 303, "{}", anyway.body);

    for (at, said) in [
        ("2001-01-01T00:00", "in the past"),
        ("whenever", "could not be read"),
        ("9999-12-31T23:59", "before 30 December 9999"),
    ] {
        let refused = visitor.post("/schedule", &csrf, &borrowed(&plan("third", at, "yes"))).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(said) && refused.body.contains(text), "{}", refused.body);
    }
    let named = [plan("third", "2030-01-16T09:30", "yes"), vec![("campaign".to_owned(), "k".repeat(101))]].concat();
    let refused = visitor.post("/schedule", &csrf, &borrowed(&named)).await;
    assert!(refused.status == 422 && refused.body.contains("must have 1 to 100 characters"), "{}", refused.body);
    assert!(refused.body.contains(&format!("{text}</textarea>")), "what was typed stays: {}", refused.body);
    let id = known[0].id;
    let far = visitor.post(&format!("/deliveries/{id}/move"), &csrf, &[("at", "9999-12-31T23:59")]).await;
    assert!(far.location.expect("it leads back").contains("notice=too-far"));
    let twin = deliveries(&running).await.into_iter().find(|delivery| delivery.id != id);
    let twin = format!("/deliveries/{}/move", twin.expect("the one that was confirmed").id);
    let away = visitor.post(&twin, &csrf, &[("at", "2030-03-01T10:00")]).await;
    assert!(away.location.expect("it leads back").contains("notice=moved"));
    let back = visitor.post(&twin, &csrf, &[("at", "2030-01-15T10:00")]).await;
    assert!(back.status == 409 && back.body.contains("A very similar post is planned"), "{}", back.body);
    assert_eq!(back.field("at"), "2030-01-15T10:00", "going on needs no typing");
    let sure = [("at", "2030-01-15T10:00"), ("confirm_duplicate", "yes")];
    let anyway = visitor.post(&twin, &csrf, &sure).await;
    assert!(anyway.location.expect("it leads back").contains("notice=moved"));
    let moved = visitor.post(&format!("/deliveries/{id}/move"), &csrf, &[("at", "2030-02-01T10:00")]).await;
    assert!(moved.location.expect("it leads back").contains("notice=moved"));
    let delivery = running.app.store.delivery(id).await.expect("it is there");
    assert_eq!(delivery.due_at.to_string(), "2030-02-01T07:00:00Z");
    let cancelled = visitor.post(&format!("/deliveries/{id}/cancel"), &csrf, &[]).await;
    assert!(cancelled.location.expect("it leads back").contains("notice=cancelled"));
    let page = visitor.get(&format!("/deliveries/{id}")).await;
    assert!(page.body.contains("Cancelled") && page.body.contains(text), "{}", page.body);
    let last = visitor.post("/schedule", &csrf, &borrowed(&plan("last", "9999-12-29T23:59", "yes"))).await;
    let month = visitor.get(&last.location.expect("it can be planned")).await;
    assert!(month.status == 200 && month.body.contains("December 9999"), "{}", month.body);
}

#[tokio::test]
async fn all_sending_stops_says_so_on_every_page_and_goes_on() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/").await.field("csrf");
    assert!(visitor.get("/deliveries").await.body.contains("Stop sending"));
    assert_eq!(visitor.post("/sending/stop", &csrf, &[]).await.status, 303);
    for path in PAGES {
        assert!(visitor.get(path).await.body.contains("All sending is stopped."), "{path}");
    }
    assert_eq!(visitor.post("/sending/resume", &csrf, &[]).await.status, 303);
    assert!(!visitor.get("/").await.body.contains("All sending is stopped."));
}

#[tokio::test]
async fn a_part_of_sending_is_stopped_and_the_way_on_is_told_before_it_is_taken() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/").await.field("csrf");
    let stop = [("scope", "posts"), ("reason", "deprem")];
    assert_eq!(visitor.post("/sending/stop", &csrf, &stop).await.status, 303);
    compose::post(&running.app, PostRequest::new(running.account, "bekleyecek", "local")).await.expect("it is kept");
    let page = visitor.get("/deliveries").await.body;
    for said in [
        "Stopped: Posts only",
        "deprem",
        "no call is under way any more",
        "1 goes out, 1 minute apart on each account; the last one in a moment.",
        "Waits: posts are stopped",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(!visitor.get("/").await.body.contains("All sending is stopped."));
    let id = deliveries(&running).await[0].id.to_string();
    let sooner = visitor.post(&format!("/deliveries/{id}/now"), &csrf, &[]).await;
    assert!(sooner.location.expect("it leads back").contains("notice=still-waits"), "it says what really happens");
    assert_eq!(visitor.post("/sending/stop", &csrf, &[("scope", "moon")]).await.status, 422);
    let resumed = visitor.post("/sending/resume", &csrf, &[("scope", "posts")]).await;
    assert!(resumed.location.expect("it leads back").contains("notice=resumed"));
    eventually("it is out", async || deliveries(&running).await[0].state == DeliveryState::Sent).await;
    let page = visitor.get(&format!("/deliveries/{id}")).await.body;
    assert!(page.contains("Attempt 1") && page.contains("Sent now"), "its history: {page}");
}

#[tokio::test]
async fn many_are_chosen_asked_about_and_told() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/").await.field("csrf");
    let mut ids = Vec::new();
    for text in ["Kış geldi", "Bahar kampanyası yakında"] {
        let mut request = PostRequest::new(running.account, text, "local");
        request.due_at = Some(running.app.store.clock() - std::time::Duration::from_secs(3 * 3600));
        ids.push(compose::post(&running.app, request).await.expect("it is kept").id.to_string());
    }
    let list = visitor.get("/deliveries?state=held").await.body;
    assert_eq!(list.matches("name=\"id\"").count(), 2, "{list}");
    let nothing = visitor.post("/deliveries/many", &csrf, &[("act", "cancel")]).await;
    assert!(nothing.status == 200 && nothing.body.contains("No delivery is chosen"), "{}", nothing.body);
    let chosen = [("act", "retry"), ("id", ids[0].as_str()), ("id", ids[1].as_str())];
    let asked = visitor.post("/deliveries/many", &csrf, &chosen).await;
    assert!(asked.body.contains("Send 2 chosen deliveries?"), "{}", asked.body);
    assert!(asked.body.contains("2 go out, 1 minute apart on each account"), "{}", asked.body);
    assert!(deliveries(&running).await.iter().all(|delivery| delivery.state == DeliveryState::Held), "only asked");
    running.app.store.cancel(ids[1].parse().expect("an id"), "local").await.expect("it can be cancelled");
    let told = visitor.post("/deliveries/many", &csrf, &[&chosen[..], &[("sure", "yes")]].concat()).await;
    assert!(told.body.contains("1 delivery is queued."), "{}", told.body);
    assert!(told.body.contains("It could not be done to 1:") && told.body.contains("is cancelled"), "{}", told.body);
}

#[tokio::test]
async fn an_account_is_paused_with_its_reason_and_goes_on() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/").await.field("csrf");
    let account = running.account;
    let paused = visitor.post(&format!("/accounts/{account}/pause"), &csrf, &[("reason", "bakım <var>")]).await;
    assert_eq!(paused.status, 303);
    let page = visitor.get("/accounts").await;
    assert!(page.body.contains("bakım &lt;var&gt;") && page.body.contains("Resume"), "{}", page.body);
    assert_eq!(visitor.post(&format!("/accounts/{account}/resume"), &csrf, &[]).await.status, 303);
    assert!(!visitor.get("/accounts").await.body.contains("bakım"));
}

#[tokio::test]
async fn the_chart_and_its_table_count_what_was_said() {
    let running = Running::start().await;
    for (handle, text) in
        [("a@x.example", "@yelpazar bir"), ("b@x.example", "@yelpazar iki"), ("c@x.example", "@yelpazar üç")]
    {
        running.mention(handle, text).await;
    }
    let mut visitor = running.visitor();
    for range in ["", "?range=3d", "?range=7d", "?range=30d"] {
        let page = visitor.get(&format!("/sentiment{range}")).await;
        assert!(page.body.contains("<svg class=\"chart wide\"") && page.body.contains("<svg class=\"chart narrow\""));
        assert!(page.body.contains("3 mentions, "), "{range}: {}", page.body);
        assert_eq!(
            page.body.matches("<rect class").count(),
            page.body.matches("</rect>").count(),
            "every shape is closed"
        );
        let link = page.body.split("<td><a href=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link");
        let hour = visitor.get(&link.replace("&amp;", "&")).await;
        assert_eq!(hour.body.matches("class=\"mention ").count(), 3, "{link}");
    }
}

#[tokio::test]
async fn the_files_of_a_page_are_ours_and_may_be_kept_for_ever() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let page = visitor.get("/").await;
    for extension in [".css", ".js", ".svg"] {
        let path = page.body.split('"').find(|part| part.starts_with("/assets/") && part.ends_with(extension));
        let file = visitor.get(path.expect("the page names it")).await;
        assert_eq!(file.status, 200);
        assert!(file.headers["cache-control"].to_str().expect("text").contains("immutable"));
    }
    assert_eq!(visitor.get("/assets/console-000000000000.css").await.status, 404);
    assert!(!page.body.contains("http://") && !page.body.contains("https://"), "nothing comes from elsewhere");
}

#[tokio::test]
async fn what_is_held_is_shown_with_its_spacing_and_released_together() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    assert!(!visitor.get("/deliveries").await.body.contains("Release all"), "nothing is held");
    for text in ["Kış geldi", "Bahar kampanyası yakında", "Yazlık ürünler raflarda"] {
        let mut request = PostRequest::new(running.account, text, "test");
        request.due_at = Some(running.app.store.clock() - SignedDuration::from_hours(3));
        compose::post(&running.app, request).await.expect("it is kept");
    }
    let page = visitor.get("/deliveries").await;
    assert!(page.body.contains("3 deliveries are held because their time has passed."), "{}", page.body);
    assert!(page.body.contains("1 minute apart"), "{}", page.body);
    assert_eq!(page.field("account"), "", "of every account");
    visitor.language = "tr".to_owned();
    let turkish = visitor.get(&format!("/deliveries?account={}", running.account)).await;
    assert!(turkish.body.contains("bekletilen 3 gönderi var") && turkish.body.contains("1 dakika arayla"));
    assert_eq!(turkish.field("account"), running.account.to_string(), "of the account that is shown");
    visitor.language = "en".to_owned();
    let csrf = page.field("csrf");
    let released = visitor.post("/deliveries/release", &csrf, &[("account", &running.account.to_string())]).await;
    assert_eq!(released.status, 303, "{}", released.body);
    let page = visitor.get(&released.location.expect("it leads back")).await;
    assert!(page.body.contains("What was held is queued.") && !page.body.contains("Release all"), "{}", page.body);
    // The post is on the network a moment before the row says so.
    eventually("the first is out, and its row says so", || async {
        deliveries(&running).await.iter().any(|one| one.state == DeliveryState::Sent)
    })
    .await;
    assert_eq!(running.our_posts(), ["Kış geldi"]);
    let mut later: Vec<_> = deliveries(&running).await.into_iter().filter(|one| one.sent_at.is_none()).collect();
    later.sort_by_key(|delivery| delivery.due_at);
    assert_eq!(later.iter().map(|one| one.state).collect::<Vec<_>>(), [DeliveryState::Queued; 2]);
    assert_eq!(later[1].due_at.duration_since(later[0].due_at), SignedDuration::from_secs(60));
    assert_eq!(visitor.post("/deliveries/release", &csrf, &[("account", "x")]).await.status, 422);
}

#[tokio::test]
async fn what_could_not_be_read_is_shown_as_text_alone() {
    let running = Running::start().await;
    let account = running.account;
    let mut visitor = running.visitor();
    let empty = visitor.get(&format!("/accounts/{account}/unparsed")).await;
    assert!(empty.status == 200 && empty.body.contains("Nothing was unreadable"), "{}", empty.body);
    assert_eq!(visitor.get("/accounts/01ARZ3NDEKTSV4RRFFQ69G5FAV/unparsed").await.status, 404);
    // An id may have 512 bytes.
    let lines: String = (0..22)
        .map(|number| {
            let id = format!("{number:02}{}", "ş".repeat(300));
            format!("{{\"id\":\"{id}\",\"text\":\"</pre><script>alert({number})</script> مرحبا\"}}\n")
        })
        .collect();
    let answer = reqwest::Client::new()
        .post(format!("{}/api/v1/imports/mentions?account_id={account}", running.url))
        .header("content-type", "application/x-ndjson")
        .body(lines)
        .send()
        .await
        .expect("the API answers");
    assert_eq!(answer.status(), 200);
    let accounts = visitor.get("/accounts").await;
    let link = format!("<a href=\"/accounts/{account}/unparsed\">22 items could not be read and are kept raw</a>");
    assert!(accounts.body.contains(&link), "{}", accounts.body);
    let mut path = format!("/accounts/{account}/unparsed");
    let mut shown = Vec::new();
    for (language, word) in [("en", "Items that could not be read"), ("tr", "Okunamayan öğeler")] {
        visitor.language = language.to_owned();
        let page = visitor.get(&path).await;
        assert!(page.body.contains(word) && page.body.contains("602 bytes long"), "{}", page.body);
        assert!(!page.body.contains("<script>alert") && page.body.contains("&lt;script&gt;alert("), "{}", page.body);
        assert!(page.body.contains("unparsed?format=csv&amp;bom=true"), "{}", page.body);
        shown.push(page.body.matches("<pre class=\"raw\"").count());
        if let Some(next) = page.body.split(&format!("{path}?before=")).nth(1) {
            path = format!("{path}?before={}", next.split('"').next().expect("an attribute ends"));
        }
    }
    assert_eq!(shown, [20, 2], "two pages");
}

#[tokio::test]
async fn a_search_for_words_on_mastodon_warns_that_it_may_stay_empty() {
    let running = Running::start().await;
    // By then the account's own streams are set, and nothing sets them again.
    running.mention("ayse@ornek.example", "@yelpazar merhaba").await;
    let mut visitor = running.visitor();
    assert!(!visitor.get("/accounts").await.body.contains("full-text search"));
    let streams = ["marka adı", "#marka"].map(|query| Stream { kind: StreamKind::Search, query: query.to_owned() });
    running.app.store.sync_streams(running.account, &streams).await.expect("streams can be set");
    for (language, words) in [("en", "Listen for a hashtag instead."), ("tr", "bir etiket (#) dinleyin")] {
        visitor.language = language.to_owned();
        let page = visitor.get("/accounts").await;
        assert_eq!(page.body.matches(words).count(), 1, "at one of the two: {}", page.body);
    }
}

#[tokio::test]
async fn an_account_added_in_the_console_is_heard_answers_and_is_removed() {
    let running = Running::with(Options::quiet(), "[delivery]\nundo_seconds = 1\n").await;
    let mut visitor = running.visitor();
    let page = visitor.get("/accounts").await;
    assert!(
        page.body.contains("href=\"/accounts/new\"") && page.body.contains("changed in muhatap.toml"),
        "{}",
        page.body
    );
    let csrf = visitor.get("/accounts/new").await.field("csrf");
    let typed = |token: &'static str, zone: &'static str| {
        [
            ("network", "mastodon".to_owned()),
            ("name", "belediye".to_owned()),
            ("brand", "Kıyıkent".to_owned()),
            ("base_url", running.simulator.url().to_owned()),
            ("user", String::new()),
            ("token", token.to_owned()),
            ("listen_for", "#kıyıkent\r\n\r\nsahil <yolu>".to_owned()),
            ("poll_seconds", "5".to_owned()),
            ("timezone", zone.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    };
    let zone = visitor.post("/accounts", &csrf, &borrowed(&typed("simulated-kiyikent", "Mars/Olympus"))).await;
    assert_eq!(zone.status, 422);
    assert!(zone.body.contains("is not a time zone") && !zone.body.contains("simulated-"), "{}", zone.body);
    let refused = visitor.post("/accounts", &csrf, &borrowed(&typed("simulated-yalan", "Europe/Istanbul"))).await;
    assert_eq!(refused.status, 422);
    assert!(refused.body.contains("was not saved: the network refuses the credentials"), "{}", refused.body);
    assert!(
        refused.body.contains("value=\"Kıyıkent\"") && refused.body.contains("sahil &lt;yolu&gt;"),
        "{}",
        refused.body
    );
    assert!(!refused.body.contains("simulated-"), "{}", refused.body);

    let form = typed("simulated-kiyikent", "Europe/Istanbul");
    let added = visitor.post("/accounts", &csrf, &borrowed(&form)).await;
    assert_eq!(added.status, 303, "{}", added.body);
    let store = &running.app.store;
    let id = store.account_by_name("belediye").await.expect("it is there").id;
    let listened = || async { store.account(id).await.is_ok_and(|account| account.health == Health::Ok) };
    eventually("it is listened on", listened).await;
    running.stranger_writes("ayse@ornek.example", "@kiyikent çöpler üç gündür alınmadı").await;
    store.poll_account_now(id).await.expect("streams can be made due");
    running.app.live.wake(muhatap::live::Wake::Streams);
    eventually("the mention is in the inbox", async || visitor.get("/").await.body.contains("üç gündür")).await;
    let mentions = store.mentions(&Default::default()).await.expect("mentions can be read");
    let mention = mentions[0].id.to_string();
    let (action, csrf, fields) = reply_form(&mut visitor, &mention, "@ayse@ornek.example Ekip yolda.").await;
    assert_eq!(visitor.post(&action, &csrf, &borrowed(&fields)).await.status, 303);
    eventually("the reply is out", || async { running.our_posts().iter().any(|text| text.contains("Ekip yolda")) })
        .await;

    let edit = visitor.get(&format!("/accounts/{id}/edit")).await;
    assert!(edit.body.contains("#kıyıkent") && !edit.body.contains("simulated-"), "{}", edit.body);
    let mut change = typed("", "Europe/Berlin");
    change.retain(|(name, _)| name != "name" && name != "network");
    let changed = visitor.post(&format!("/accounts/{id}/edit"), &csrf, &borrowed(&change)).await;
    assert_eq!(changed.status, 303, "{}", changed.body);
    assert_eq!(store.account(id).await.expect("it is there").timezone, "Europe/Berlin");
    let mut planned = PostRequest::new(id, "Yarın su kesintisi olacak", "local");
    planned.due_at = Some(store.clock() + HOUR);
    let planned = compose::post(&running.app, planned).await.expect("it is planned").id;
    let page = visitor.get("/accounts").await.body;
    assert!(page.contains("This is cancelled: 1 post."), "{page}");
    let removed = visitor.post(&format!("/accounts/{id}/remove"), &csrf, &[]).await;
    assert_eq!(removed.status, 303, "{}", removed.body);
    assert!(visitor.get("/accounts").await.body.contains("its history is kept"));
    let planned = store.delivery(planned).await.expect("it is there");
    assert_eq!(planned.state, DeliveryState::Cancelled);
    assert_eq!(planned.reason.as_deref(), Some("its account was removed"));
    // The words that drove the score are marked within the text.
    let page = visitor.get(&format!("/mentions/{mention}")).await;
    assert!(page.body.contains("gündür"), "{}", page.body);
    let file = visitor.get(&format!("/accounts/{}/edit", running.account)).await;
    assert_eq!(file.status, 409, "the file's accounts are changed in the file");
    running.stop().await;
}

#[tokio::test]
async fn a_recurring_post_that_was_edited_shows_what_is_out_and_what_comes_in_its_own_zone() {
    let running = Running::start().await;
    let (app, mut visitor) = (&running.app, running.visitor());
    let now = app.store.clock();
    let new = |text: &str| nightly(&running, "America/New_York", text);
    let confirm = Confirmed::default();
    let made = recurring::start(app, new("Gece haberi"), None, confirm, "local").await.expect("started");
    let filter = DeliveryFilter { order: DeliveryOrder::EarliestFirst, ..DeliveryFilter::default() };
    let first = app.store.deliveries(&filter).await.expect("deliveries can be read").remove(0);
    app.store.reschedule(first.id, app.store.clock(), "local").await.expect("it is sent now");
    app.live.wake(muhatap::live::Wake::Outbox);
    eventually("it is out", || async { !running.our_posts().is_empty() }).await;
    for text in ["Gece bülteni", "Gece özeti"] {
        recurring::change(app, made.id, new(text), confirm, "local").await.expect("changed");
    }
    let at = format!("/schedule/recurring/{}", made.id);
    let page = visitor.get(&at).await.body;
    assert!(page.contains("Every day at 02:30 America/New_York (UTC"), "{page}");
    assert!(page.contains(&format!("/deliveries/{}", first.id)), "what is out is on it: {page}");
    assert!(page.contains("data-part=\"planned\"") && !page.contains("replaced by"), "{page}");
    let next = visitor.get(&format!("{at}?kept=2")).await.body;
    assert!(
        next.contains("2 posts that a person had moved, or that wait for the end of quiet hours, keep their times"),
        "{next}"
    );

    let list = app.store.deliveries(&DeliveryFilter { states: vec![DeliveryState::Queued], ..filter }).await;
    let second = list.expect("deliveries can be read").remove(0);
    let month = second.due_at.to_zoned(TimeZone::UTC).strftime("%Y-%m").to_string();
    let calendar = async |visitor: &mut Visitor| visitor.get(&format!("/schedule?month={month}")).await.body;
    assert!(!calendar(&mut visitor).await.contains("cancelled or expired"), "replaced ones are not on it");
    app.store.cancel(second.id, "local").await.expect("cancelled");
    let body = calendar(&mut visitor).await;
    assert!(body.contains("1 post cancelled or expired"), "{body}");

    let roles = [Role::Deliver];
    let beat = Beat { name: &app.worker, host: "evde", pid: 7, roles: &roles, delivers: true, started_at: now };
    app.store.beat(&beat, app.store.clock()).await.expect("a sign of life");
    app.store.lease("schedule", &app.worker, HOUR, app.store.clock()).await.expect("a lease");
    visitor.language = "tr".to_owned();
    let workers = visitor.get("/workers").await.body;
    assert!(workers.contains("takvimin işletilmesi") && !workers.contains("schedule,"), "{workers}");
    assert!(visitor.get(&at).await.body.contains("Her gün 02:30 America/New_York"));
    running.stop().await;
}

#[tokio::test]
async fn what_was_deleted_again_is_not_shown_as_live() {
    let running = Running::start().await;
    let (app, mut visitor) = (&running.app, running.visitor());
    let post = compose::post(app, PostRequest::new(running.account, "Yanlış fiyat", "local")).await.expect("planned");
    let view = async || app.store.delivery(post.id).await.expect("it is there");
    eventually("it is out", || async { view().await.state == DeliveryState::Sent }).await;
    let at = format!("/deliveries/{}", post.id);
    assert!(visitor.get(&at).await.body.contains("See it live"));
    app.store.delete_again(post.id, "local").await.expect("it can be deleted");
    app.live.wake(muhatap::live::Wake::Outbox);
    eventually("it is deleted", || async { view().await.deleted_at.is_some() }).await;
    let page = visitor.get(&at).await.body;
    assert!(page.contains("Deleted on the network.") && !page.contains("See it live"), "{page}");
    for path in ["/deliveries", "/schedule"] {
        let page = visitor.get(path).await.body;
        assert!(page.contains("Deleted</span>") && !page.contains("See it live"), "{path}: {page}");
    }
    running.stop().await;
}

#[tokio::test]
async fn a_recurring_post_cannot_be_edited_into_a_single_one() {
    let running = Running::start().await;
    let (app, mut visitor) = (&running.app, running.visitor());
    let new = nightly(&running, "Europe/Istanbul", "Gece haberi");
    let made = recurring::start(app, new, None, Confirmed::default(), "local").await.expect("started");
    let at = format!("/schedule/recurring/{}", made.id);
    let page = visitor.get(&at).await;
    assert!(!page.body.contains("Does not repeat"), "it is not offered: {}", page.body);
    assert!(visitor.get("/schedule/new").await.body.contains("Does not repeat"));
    let text = format!("text-{}", running.account);
    let csrf = page.field("csrf");
    for repeat in [vec![("repeat", "")], Vec::new()] {
        let form = [vec![("at", "2030-12-24T18:00"), (text.as_str(), "Tek gönderi")], repeat].concat();
        let refused = visitor.post(&at, &csrf, &form).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert!(refused.body.contains("end this one and plan a single post"), "{}", refused.body);
        assert!(refused.body.contains("Tek gönderi</textarea>"), "{}", refused.body);
        assert!(refused.body.contains("value=\"2030-12-24T18:00\""), "{}", refused.body);
    }
    assert_eq!(app.store.recurrence(made.id).await.expect("it is there").rule, made.rule);
    running.stop().await;
}

#[tokio::test]
async fn personal_data_in_a_recurring_post_is_asked_about_once() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let page = visitor.get("/schedule/new").await;
    let (csrf, key, account) = (page.field("csrf"), page.field("key"), running.account.to_string());
    let plan = |confirm: &'static str| {
        [
            ("account", account.clone()),
            ("text", "Bizi 0532 111 22 33 numarasından arayın".to_owned()),
            ("at", "2030-01-14T09:30".to_owned()),
            ("key", key.clone()),
            ("repeat", "daily".to_owned()),
            ("confirm_personal_data", confirm.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    };
    let asked = visitor.post("/schedule", &csrf, &borrowed(&plan(""))).await;
    assert!(asked.status == 409 && asked.body.contains("seems to hold personal data"), "{}", asked.body);
    assert_eq!(asked.field("confirm_personal_data"), "yes");
    let started = visitor.post("/schedule", &csrf, &borrowed(&plan("yes"))).await;
    let at = started.location.expect("it leads on");
    let at = at.split('?').next().expect("a path").to_owned();

    let own_text = format!("text-{account}");
    let soon = running.app.store.clock().to_zoned(TimeZone::UTC).date().tomorrow().expect("a day");
    let soon = format!("{soon}T09:30");
    let change = |confirm: &'static str| {
        [
            ("at", soon.clone()),
            ("repeat", "daily".to_owned()),
            (own_text.as_str(), "IBAN: TR33 0006 1005 1978 6457 8413 26".to_owned()),
            ("confirm_personal_data", confirm.to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
    };
    let asked = visitor.post(&at, &csrf, &borrowed(&change(""))).await;
    assert!(asked.status == 409 && asked.body.contains("seems to hold personal data"), "{}", asked.body);
    assert_eq!(asked.field("confirm_personal_data"), "yes");
    assert_eq!(visitor.post(&at, &csrf, &borrowed(&change("yes"))).await.status, 303);
    let planned = deliveries(&running).await;
    assert!(planned.len() > 30, "its posts are made without asking again: {}", planned.len());
    assert!(planned.iter().all(|post| post.state == DeliveryState::Queued && post.text.contains("TR33")));
    running.stop().await;
}

#[tokio::test]
async fn what_was_not_done_is_not_said_to_be_done() {
    let running = Running::start().await;
    let mut visitor = running.visitor();
    let csrf = visitor.get("/").await.field("csrf");
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    for what in ["pause", "resume"] {
        let missing = visitor.post(&format!("/accounts/{unknown}/{what}"), &csrf, &[]).await;
        assert_eq!(missing.status, 404, "{what}: {}", missing.body);
    }
    let missing = visitor.post("/deliveries/release", &csrf, &[("account", unknown)]).await;
    assert!(missing.status == 404 && missing.body.contains("there is no account"), "{}", missing.body);
    let of_unknown = format!("account:{unknown}");
    assert_eq!(visitor.post("/sending/stop", &csrf, &[("scope", of_unknown.as_str())]).await.status, 404);
    let elsewhere = visitor.post("/sending/stop", &csrf, &[("scope", "app:mastodon https://yok.example/")]).await;
    assert_eq!(elsewhere.status, 422, "{}", elsewhere.body);
    let known = running.app.store.account(running.account).await.expect("it is there").app().to_string();
    assert!(elsewhere.body.contains(&known), "it names those that there are: {}", elsewhere.body);
    assert!(running.app.store.stops().await.expect("stops can be read").is_empty());

    assert_eq!(visitor.post("/sending/stop", &csrf, &[("scope", known.as_str())]).await.status, 303);
    for (scope, notice, said) in [
        ("posts", "not-stopped", "It was not stopped"),
        (known.as_str(), "resumed", "Sending is resumed."),
        (known.as_str(), "not-stopped", "It was not stopped"),
    ] {
        let resumed = visitor.post("/sending/resume", &csrf, &[("scope", scope)]).await;
        let to = resumed.location.expect("it leads back");
        assert!(to.contains(&format!("notice={notice}")), "{scope}: {to}");
        assert!(visitor.get(&to).await.body.contains(said), "{scope}");
    }
}
