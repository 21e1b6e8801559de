//! How calls end that say clearly what happened.

use std::time::Duration;

use muhatap::compose::PostRequest;
use muhatap::model::{DeliveryId, DeliveryState, Health, Network};
use muhatap::standing::Why;
use muhatap::store::accounts::NewAccount;
use muhatap::store::attempts::Outcome;
use muhatap_connectors::Certainty;
use rstest::rstest;

use crate::support::Backend;
use crate::support::messages;
use crate::support::network::End;
use crate::support::sending::{Bench, connect};

const MINUTE: Duration = Duration::from_secs(60);

#[rstest]
#[tokio::test]
async fn a_post_is_sent_and_its_place_is_known(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::ReadBack).await;
    let id = bench.post("günaydın").await;
    bench.turn().await;
    let view = bench.view(id).await;
    assert_eq!(view.state, DeliveryState::Sent);
    assert_eq!(view.network_ref.as_deref(), Some("post/1"));
    assert_eq!(view.url.as_deref(), Some("https://network.example/post/1"));
    assert!(view.sent_at.is_some() && view.first_called_at.is_some());
    assert_eq!(bench.network.texts(), ["günaydın"]);
    let attempts = bench.app.store.attempts(id).await.expect("they can be read");
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome.as_deref(), Some("sent"));
    // Nothing is left to do.
    assert_eq!(bench.turn().await.outcome, None);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_refusal_fails_with_its_reason_and_the_next_one_goes_out(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Refuse("duplicate words")]);
    bench.drain().await;
    let view = bench.view(first).await;
    assert_eq!(view.state, DeliveryState::Failed);
    assert_eq!(view.reason.as_deref(), Some("refused by the network: duplicate words"));
    assert_eq!(bench.state(second).await, DeliveryState::Sent);
    assert_eq!(bench.network.calls(), 2);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_unavailable_network_keeps_the_order_and_is_tried_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let first = bench.post("bir").await;
    let second = bench.post("iki tane").await;
    bench.network.script([End::Unavailable]);
    let ended = bench.turn().await;
    assert!(matches!(ended.outcome, Some(Outcome::Retry { .. })));
    assert_eq!(bench.state(first).await, DeliveryState::Retry);
    // The second one does not overtake it.
    assert_eq!(bench.turn().await.outcome, None);
    assert_eq!(bench.state(second).await, DeliveryState::Queued);
    bench.later(MINUTE);
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    assert_eq!(bench.view(first).await.attempts, 2);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_rate_limit_closes_the_account_for_as_long_as_it_says(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script([End::RateLimit(MINUTE * 5)]);
    bench.turn().await;
    bench.later(MINUTE * 4);
    assert_eq!(bench.turn().await.outcome, None);
    // A restart does not forget it.
    let (other_app, other) = bench.another_process().await;
    other.turn(&bench.lane(), bench.now()).await.expect("the database answers");
    assert_eq!(bench.network.calls(), 1);
    let account = bench.app.store.account(bench.account).await.expect("it is there");
    assert!(account.gated_until.is_some());
    assert!(bench.view(id).await.next_step.starts_with("sent a"));
    bench.later(MINUTE * 2);
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!(bench.network.calls(), 2);
    other_app.store.close().await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn refused_credentials_hold_the_queue_until_the_account_is_reconnected(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let (first, second) = (bench.post("bir").await, bench.post("iki tane").await);
    bench.network.script([End::Unauthorized]);
    bench.drain().await;
    let view = bench.view(first).await;
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("account")));
    assert!(view.reason.is_some_and(|reason| reason.contains("reconnect")));
    assert_eq!(bench.state(second).await, DeliveryState::Queued);
    assert!(bench.view(second).await.next_step.contains("reconnect it"));
    let account = bench.app.store.account(bench.account).await.expect("it is there");
    assert_eq!(account.health, Health::Unauthorized);
    bench.later(MINUTE);
    bench.reap().await;
    bench.drain().await;
    assert_eq!(bench.network.calls(), 1, "nothing is called meanwhile");

    // Before any other round of the reaper: what stood behind must not go first.
    bench.app.store.set_health(bench.account, Health::Ok, None, MINUTE * 2).await.expect("it can be set");
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir"]);
    bench.later(MINUTE);
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    bench.stop().await;
}

/// Two posts that wrong settings of their account hold, and one that nobody has tried yet.
async fn held_by_settings(bench: &Bench) -> Vec<DeliveryId> {
    let mut posts = vec![bench.post("bir").await, bench.post("iki tane").await];
    bench.network.script_prepare([End::Settings, End::Settings]);
    bench.drain().await;
    for post in &posts {
        let view = bench.view(*post).await;
        assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("account")));
    }
    posts.push(bench.post("üç küçük kedi").await);
    posts
}

/// All of it goes out in order, one a minute.
async fn goes_out_spaced(bench: &Bench) {
    let all = ["bir", "iki tane", "üç küçük kedi"];
    for out in 1..=all.len() {
        bench.drain().await;
        assert_eq!(bench.network.texts(), all[..out]);
        bench.later(MINUTE);
    }
}

#[rstest]
#[tokio::test]
async fn what_wrong_settings_held_goes_out_in_order_once_they_are_mended(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("token", "address", "health")] mended: &str,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    held_by_settings(&bench).await;
    // At once, long before they would be tried again.
    let store = &bench.app.store;
    let mut new = messages::new_account("Marka", "biz", Network::Mastodon);
    match mended {
        "token" => new.secret_mark = Some("another".to_owned()),
        "address" => new.base_url = Some("https://mended.example".to_owned()),
        _ => store.set_health(bench.account, Health::Ok, None, MINUTE).await.expect("it can be set"),
    }
    store.put_account(&new, MINUTE).await.expect("it can be changed");
    connect(&bench.app, bench.account, &bench.network).await;
    goes_out_spaced(&bench).await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn an_account_that_is_back_in_the_configuration_file_goes_on_spaced(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let store = &bench.app.store;
    held_by_settings(&bench).await;
    bench.execute("UPDATE accounts SET origin = 'file'").await;
    assert_eq!(store.pause_accounts_not_in_file(&[]).await.expect("paused"), ["biz"]);
    bench.drain().await;
    assert_eq!(bench.network.calls(), 0);
    let new = NewAccount { origin: "file", ..messages::new_account("Marka", "biz", Network::Mastodon) };
    store.put_account(&new, MINUTE).await.expect("it is back");
    goes_out_spaced(&bench).await;
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn what_wrong_settings_hold_is_tried_again_together(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    held_by_settings(&bench).await;
    bench
        .execute("UPDATE deliveries SET due_at = due_at + 600000000, next_at = due_at + 600000000 WHERE hold IS NULL")
        .await;
    bench.reap().await;
    bench.drain().await;
    assert_eq!(bench.network.prepared(), 2, "not before its time");
    // As if the first one had been tried since.
    bench
        .execute("UPDATE deliveries SET next_at = next_at + 30000000 WHERE seq = (SELECT MIN(seq) FROM deliveries)")
        .await;
    bench.later(MINUTE + Duration::from_secs(1));
    bench.reap().await;
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["bir", "iki tane"]);
    bench.stop().await;
}

#[rstest]
#[case(End::Unavailable, DeliveryState::Retry)]
#[case(End::Unclear, DeliveryState::Retry)]
#[case(End::Malformed, DeliveryState::Retry)]
#[case(End::Refuse("too big"), DeliveryState::Failed)]
#[case(End::Settings, DeliveryState::Held)]
#[tokio::test]
async fn whatever_happens_while_preparing_nothing_is_called(#[case] end: End, #[case] expected: DeliveryState) {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let id = bench.post("bir").await;
    bench.network.script_prepare([end]);
    bench.turn().await;
    let view = bench.view(id).await;
    assert_eq!(view.state, expected);
    assert_eq!((bench.network.calls(), view.attempts), (0, 0));
    bench.stop().await;
}

#[tokio::test]
async fn what_was_prepared_is_not_prepared_again_from_nothing() {
    let bench = Bench::new(Backend::Sqlite, Certainty::ReadBack).await;
    let id = bench.post("bir").await;
    bench.network.script_prepare([]);
    bench.network.script([End::Unavailable]);
    bench.turn().await;
    bench.later(MINUTE);
    bench.turn().await;
    assert_eq!(bench.state(id).await, DeliveryState::Sent);
    assert_eq!(bench.network.prepared(), 2, "asked again, with what was saved");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_late_post_is_held_and_one_past_its_use_expires(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
    #[values("claim", "reaper")] found_by: &str,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let late = bench.post("geç kaldı").await;
    let mut request = PostRequest::new(bench.account, "bugüne özel indirim", "test");
    request.expires_at = Some(bench.now() + MINUTE);
    let expired = bench.try_post(request).await.expect("it can be posted").id;
    bench.later(MINUTE * 16);
    let in_time = {
        let mut request = PostRequest::new(bench.account, "zamanında giden başka bir metin", "test");
        request.due_at = Some(bench.now());
        bench.try_post(request).await.expect("it can be posted").id
    };
    match found_by {
        "reaper" => bench.reap().await,
        _ => bench.drain().await,
    }
    let view = bench.view(late).await;
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("late")));
    assert!(view.reason.is_some());
    assert_eq!(bench.state(expired).await, DeliveryState::Expired);
    bench.drain().await;
    assert_eq!(bench.state(in_time).await, DeliveryState::Sent);
    assert_eq!(bench.network.calls(), 1);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_campaign_that_is_a_minute_late_no_longer_waits_for_every_reply(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let id = bench.post("kampanya").await;
    assert_eq!(bench.view(id).await.class, 3);
    bench.later(MINUTE * 2);
    bench.reap().await;
    assert_eq!(bench.view(id).await.class, 2);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn the_parts_of_a_thread_follow_each_other_or_are_held(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let mut previous = bench.post("birinci bölüm budur").await;
    for text in ["sonra gelen ikinci parça", "en sonunda üçüncü kısım"] {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.after = Some(previous);
        previous = bench.try_post(request).await.expect("it can be posted").id;
    }
    bench.network.script([End::Unavailable]);
    bench.turn().await;
    bench.later(MINUTE);
    bench.drain().await;
    assert_eq!(bench.network.texts(), ["birinci bölüm budur", "sonra gelen ikinci parça", "en sonunda üçüncü kısım"]);

    let first = bench.post("hiç gitmeyecek olan").await;
    let mut request = PostRequest::new(bench.account, "onu izleyen parça", "test");
    request.after = Some(first);
    let second = bench.try_post(request).await.expect("it can be posted").id;
    bench.network.script([End::Refuse("no")]);
    bench.later(MINUTE);
    bench.drain().await;
    let view = bench.view(second).await;
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("predecessor")));

    let mut request = PostRequest::new(bench.account, "geç kalan bir devam", "test");
    request.after = Some(first);
    let refused = bench.try_post(request).await.expect_err("it would wait for ever").to_string();
    assert!(refused.contains("is failed and will not be sent"), "{refused}");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn the_next_part_of_a_thread_is_not_late_as_long_as_it_waits_for_the_one_before(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let late = bench.app.config.delivery.post_late;
    let mut first = PostRequest::new(bench.account, "birinci bölüm budur", "test");
    first.due_at = Some(bench.now() + late * 10);
    let first = bench.try_post(first).await.expect("it can be posted").id;
    let mut parts = Vec::new();
    for text in ["sonra gelen ikinci parça", "bir başka devam sözü"] {
        let mut request = PostRequest::new(bench.account, text, "test");
        request.after = Some(first);
        parts.push(bench.try_post(request).await.expect("it can be posted").id);
    }
    for _ in 0..4 {
        bench.later(late * 2);
        bench.reap().await;
        bench.app.store.raise_alerts(bench.now()).await.expect("answered");
        bench.drain().await;
    }
    for part in &parts {
        assert_eq!(
            bench.view(*part).await.standing.why,
            Why::Follows { delivery_id: first, state: DeliveryState::Queued }
        );
    }
    bench.later(late * 2);
    bench.turn().await;
    assert_eq!(bench.state(first).await, DeliveryState::Sent);
    // Once it could go, it is late like any other.
    bench.reap().await;
    bench.turn().await;
    assert_eq!(bench.network.texts(), ["birinci bölüm budur", "sonra gelen ikinci parça"]);
    bench.later(late + MINUTE);
    bench.reap().await;
    let view = bench.view(parts[1]).await;
    assert_eq!((view.state, view.hold.as_deref()), (DeliveryState::Held, Some("late")));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn those_due_together_go_out_in_the_order_they_were_made(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let due_at = bench.now();
    let texts: Vec<String> = (0..60).map(|number| format!("metin {number} x{}", "x".repeat(number))).collect();
    for text in &texts {
        let mut request = PostRequest::new(bench.account, text.as_str(), "test");
        request.due_at = Some(due_at);
        request.confirm.duplicate = true;
        bench.try_post(request).await.expect("it can be posted");
    }
    bench.later(MINUTE);
    bench.drain().await;
    assert_eq!(bench.network.texts(), texts);
    bench.stop().await;
}

#[tokio::test]
async fn a_text_that_no_longer_fits_is_refused_at_the_last_moment() {
    let bench = Bench::new(Backend::Sqlite, Certainty::None).await;
    let id = bench.post("kısa bir metin").await;
    // As a server that lowered its limit meanwhile.
    bench.network.set_limit(5);
    bench.turn().await;
    let view = bench.view(id).await;
    assert_eq!((view.state, bench.network.calls()), (DeliveryState::Failed, 0));
    assert!(view.reason.is_some_and(|reason| reason.contains("text.limit")));
    bench.stop().await;
}
