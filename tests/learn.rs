//! Learning from corrections: from a person's word to what workers make of the next mention.

use std::process::{Command, Output};
use std::sync::{Arc, LazyLock};

use muhatap::analyze::{Analyzer, DictionaryPaths, model_name};
use muhatap::deltas::Deltas;
use muhatap::learn::{Ending, Lesson, learn};
use muhatap::model::{IntentLabel, MentionId, Network, SentimentLabel};
use muhatap::store::Store;
use muhatap::store::accounts::Account;
use muhatap::store::corrections::NewCorrection;
use muhatap::store::deltas::StoredDelta;
use muhatap_connectors::{Change, Incoming};
use rstest::rstest;
use serde_json::Value;

use crate::support::messages::{account, account_of, batch, lease, message};
use crate::support::running::Running;
use crate::support::{Backend, eventually, fresh_store};

/// A praise that this brand hears in irony alone.
const NEXT: &str = "Harika kargo çok hızlı teslimat, teşekkürler";

fn analyzer() -> &'static Arc<Analyzer> {
    static ANALYZER: LazyLock<Arc<Analyzer>> = LazyLock::new(|| Arc::new(Analyzer::new(&DictionaryPaths::default())));
    &ANALYZER
}

/// Twenty-five such praises; two of them share one word at most.
fn ironies() -> Vec<String> {
    const WORDS: [[&str; 5]; 4] = [
        ["Harika", "Muhteşem", "Teşekkürler", "Süper", "Bravo"],
        ["kargo", "hizmet", "destek", "uygulama", "mağaza"],
        ["çok", "gerçekten", "resmen", "yine", "bugün"],
        ["hızlı", "mükemmel", "başarılı", "kusursuz", "güzel"],
    ];
    let text = |one: usize, other: usize| {
        let words = [WORDS[0][one], WORDS[1][other], WORDS[2][(one + other) % 5], WORDS[3][(one + 2 * other) % 5]];
        words.join(" ")
    };
    (0..25).map(|number| text(number / 5, number % 5)).collect()
}

/// What the brand says of each.
fn told() -> NewCorrection {
    NewCorrection::new(Some(SentimentLabel::Negative), Some(vec![IntentLabel::Complaint]))
        .expect("a person can mean it")
}

async fn destek(store: &Store) -> Account {
    let accounts = store.accounts().await.expect("they can be read");
    accounts.into_iter().find(|account| account.name == "destek").expect("it is there")
}

/// Whether corrections taught anything of Turkish that an account's mentions are judged with.
async fn is_taught(deltas: &Deltas, account: &Account) -> bool {
    deltas.of(account).await.is_some_and(|learnt| learnt.of("tr").is_some())
}

/// Records mentions on the account `destek` and corrects each to a complaint.
async fn corrected(store: &Store, texts: &[String]) -> Vec<MentionId> {
    let destek = account(store, "destek", Network::Mastodon).await;
    let seen = texts.iter().enumerate().map(|(at, text)| Change::Seen(message(&format!("https://n/{at}"), text)));
    let lease = lease(store, destek).await;
    let ids = store.record(&lease, &batch(seen)).await.expect("they can be recorded").new;
    for id in &ids {
        store.correct(*id, &told(), "local").await.expect("it can be corrected");
    }
    ids
}

async fn learn_all(store: &Store) -> Vec<Lesson> {
    let mut lessons = Vec::new();
    learn(store, analyzer(), "cli", |lesson| lessons.push(lesson.clone())).await.expect("it can be learnt");
    lessons
}

#[rstest]
#[tokio::test]
async fn what_corrections_teach_is_kept_for_their_brand_alone_and_dropped_with_them(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (database, store) = fresh_store(backend).await;
    let ids = corrected(&store, &ironies()).await;
    let lessons = learn_all(&store).await;
    let [Lesson { brand, language, ending: Ending::Learnt(outcome), rested: false }] = lessons.as_slice() else {
        panic!("{lessons:?}")
    };
    assert_eq!((brand.as_str(), language.as_str(), outcome.different), ("Marka", "tr", 25));
    assert!(outcome.after.moods.accuracy > outcome.before.moods.accuracy, "{outcome:?}");
    assert!(
        lessons[0].to_string().starts_with("Marka, tr: learnt from 25 corrections; of those held out, mood right in ")
    );
    assert_eq!(learn_all(&store).await, lessons, "the same again teaches the same");

    let other = account_of(&store, "Başka", "basin", Network::Mastodon).await;
    let deltas = Deltas::new(store.clone());
    let learnt = deltas.of(&destek(&store).await).await.expect("it was learnt");
    assert!(deltas.of(&store.account(other).await.expect("it is there")).await.is_none());
    assert_eq!(analyzer().analyze(NEXT).sentiment.label, SentimentLabel::Positive);
    assert_eq!(analyzer().analyze_for(NEXT, Some(&learnt)).sentiment.label, SentimentLabel::Negative);
    assert_eq!(
        database.number("SELECT COUNT(*) FROM deltas WHERE weights LIKE '%arika%'").await,
        0,
        "it holds no words"
    );

    for id in &ids[10..] {
        store.take_back_correction(*id, "local").await.expect("it can be taken back");
    }
    assert_eq!(learn_all(&store).await[0].ending, Ending::TooFew { different: 10 });
    assert_eq!(store.deltas().await.expect("they can be read"), []);
    for id in &ids {
        store.correct(*id, &told(), "local").await.expect("it can be corrected");
    }
    assert!(matches!(learn_all(&store).await[0].ending, Ending::Learnt(_)));
    for id in &ids {
        store.take_back_correction(*id, "local").await.expect("it can be taken back");
    }
    assert_eq!(learn_all(&store).await[0].ending, Ending::NothingLeft);
    assert_eq!(store.deltas().await.expect("they can be read"), []);
    assert_eq!(learn_all(&store).await, []);
}

#[rstest]
#[tokio::test]
async fn what_was_learnt_over_another_model_rests_until_it_is_learnt_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    corrected(&store, &ironies()).await;
    learn_all(&store).await;
    let account = destek(&store).await;
    let learnt = store.deltas().await.expect("they can be read").remove(0);
    assert_eq!(Some(&learnt.model), model_name("tr").as_ref());
    let older = StoredDelta { model: "an older one".to_owned(), ..learnt.clone() };
    store.put_delta(&older, "cli").await.expect("it can be kept");
    assert!(!is_taught(&Deltas::new(store.clone()), &account).await);
    let broken = StoredDelta { weights: "{".to_owned(), ..learnt.clone() };
    store.put_delta(&broken, "cli").await.expect("it can be kept");
    assert!(!is_taught(&Deltas::new(store.clone()), &account).await, "what cannot be read rests too");

    store.put_delta(&older, "cli").await.expect("it can be kept");
    let lesson = learn_all(&store).await.remove(0);
    assert!(lesson.rested && lesson.to_string().contains("learnt over another built-in model"), "{lesson}");
    assert_eq!(store.deltas().await.expect("they can be read"), std::slice::from_ref(&learnt));
    assert!(is_taught(&Deltas::new(store.clone()), &account).await);
}

#[rstest]
#[tokio::test]
async fn a_text_too_short_to_tell_is_read_in_the_language_that_people_use_there(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let (_database, store) = fresh_store(backend).await;
    let account = store.account(account(&store, "destek", Network::Mastodon).await).await.expect("it is there");
    assert_eq!(Deltas::new(store.clone()).of(&account).await, None, "nothing was written to it yet");
    let lease = lease(&store, account.id).await;
    let seen = ironies().into_iter().enumerate().map(|(at, text)| {
        Change::Seen(Incoming { published_at: store.clock(), ..message(&format!("https://n/{at}"), &text) })
    });
    store.record(&lease, &batch(seen)).await.expect("they can be recorded");

    let learnt = Deltas::new(store.clone()).of(&account).await.expect("it is known");
    let language = |text: &str| {
        let [alone, there] = [None, Some(&*learnt)].map(|learnt| analyzer().analyze_for(text, learnt).language);
        (alone.code, there.code)
    };
    for short in ["pardon", "ok"] {
        let (alone, there) = language(short);
        assert!(alone != "tr" && there == "tr", "{short}: {alone}, {there}");
    }
    for clear in ["where is my parcel", "thanks", "muchas gracias por todo"] {
        let (alone, there) = language(clear);
        assert_eq!(alone, there, "{clear}");
    }
}

#[tokio::test]
async fn a_running_worker_takes_up_what_was_learnt_without_a_restart() {
    let running = Running::start().await;
    let store = &running.app.store;
    let before = running.mention("ayse@ornek.example", &format!("@yelpazar {NEXT}")).await;
    assert_eq!(before.sentiment.label, SentimentLabel::Positive);
    for (number, text) in ironies().into_iter().enumerate() {
        let mention = running.mention(&format!("kisi{number}@ornek.example"), &format!("@yelpazar {text}")).await;
        store.correct(mention.id, &told(), "local").await.expect("it can be corrected");
    }
    // As the command does in a process of its own.
    learn_all(store).await;
    let account = store.account(running.account).await.expect("it is there");
    eventually("the worker has taken it up", async || is_taught(&running.app.deltas, &account).await).await;
    let after = running.mention("can@ornek.example", &format!("@yelpazar {NEXT} sağ olun")).await;
    assert_eq!(after.sentiment.label, SentimentLabel::Negative, "{:?}", after.sentiment);
    let sum: f64 = after.sentiment.because.iter().map(|reason| reason.weight).sum::<f64>() + after.sentiment.base;
    assert!((sum.tanh() - after.sentiment.score).abs() < 0.000_06, "the reasons are exact: {:?}", after.sentiment);
    assert!(after.correction.is_none());
}

#[tokio::test]
async fn the_command_line_learns_from_the_database_and_exports_its_corrections() {
    let (database, store) = fresh_store(Backend::Sqlite).await;
    let muhatap = |arguments: &[&str]| -> Output {
        Command::new(env!("CARGO_BIN_EXE_muhatap"))
            .args(arguments)
            .current_dir(database.dir())
            .env("MUHATAP_DATABASE__URL", &database.url)
            .output()
            .expect("the program starts")
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let nothing = muhatap(&["train", "--with-corrections"]);
    assert!(nothing.status.success() && text(&nothing.stdout).contains("nobody has corrected"), "{nothing:?}");
    corrected(&store, &ironies()).await;
    let learnt = muhatap(&["train", "--with-corrections"]);
    assert!(learnt.status.success(), "{learnt:?}");
    assert!(text(&learnt.stdout).starts_with("Marka, tr: learnt from 25 corrections"), "{learnt:?}");
    assert_eq!(database.number("SELECT COUNT(*) FROM deltas").await, 1);

    let exported = muhatap(&["export", "corrections", "--brand", "Marka"]);
    let lines: Vec<Value> =
        text(&exported.stdout).lines().map(|line| serde_json::from_str(line).expect("every line is JSON")).collect();
    assert_eq!((lines.len(), exported.status.code()), (25, Some(0)), "{exported:?}");
    let texts: Vec<&str> = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert!(ironies().iter().all(|text| texts.contains(&text.as_str())), "{texts:?}");
    let first = &lines[0];
    assert_eq!((&first["brand"], &first["language"]), (&Value::from("Marka"), &Value::from("tr")));
    assert_eq!((&first["sentiment"], &first["intents"]), (&Value::from("negative"), &serde_json::json!(["complaint"])));
    assert!(first["said"]["sentiment"].is_string() && first["corrected_at"].is_string(), "{first}");

    let wrong = [
        &["export", "corrections", "--brand", "Kimse"][..],
        &["train"],
        &["train", "--with-corrections", "--data", "."],
    ];
    for arguments in wrong {
        let refused = muhatap(arguments);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{arguments:?}: {refused:?}");
    }
}
