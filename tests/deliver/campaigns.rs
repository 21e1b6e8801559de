//! Campaigns: one post to many accounts, each with its own text and state; partial success is shown as such.

use muhatap::campaigns::{self, BatchError, BatchPost, BatchRequest};
use muhatap::compose::{ComposeError, Confirmed, PostRequest};
use muhatap::model::{AccountId, CampaignId, DeliveryState, Health, Network};
use muhatap::store::deliveries::{Decision, DeliveryView};
use muhatap_connectors::Certainty;
use rstest::rstest;
use std::time::Duration;

use crate::support::network::End;
use crate::support::sending::{Bench, connect};
use crate::support::{Backend, messages};

const SPACING: Duration = Duration::from_secs(60);

/// More accounts of the bench's network.
async fn accounts(bench: &Bench, names: &[&str]) -> Vec<AccountId> {
    let mut accounts = vec![bench.account];
    for name in names {
        let account = messages::account(&bench.app.store, name, Network::Mastodon).await;
        connect(&bench.app, account, &bench.network).await;
        accounts.push(account);
    }
    accounts
}

fn batch(posts: impl IntoIterator<Item = (AccountId, &'static str)>) -> BatchRequest {
    BatchRequest {
        campaign: Some("Kış indirimi".into()),
        posts: posts
            .into_iter()
            .map(|(account_id, text)| BatchPost { account_id, text: text.into(), due_at: None, expires_at: None })
            .collect(),
        author: "ayşe".into(),
        key: Some("form-1".into()),
        confirm: Confirmed::default(),
    }
}

async fn planned(bench: &Bench, request: BatchRequest) -> (CampaignId, Vec<DeliveryView>) {
    let (campaign, deliveries) = campaigns::post(&bench.app, request).await.expect("it can be planned");
    (campaign.expect("it has a name"), deliveries)
}

async fn turn(bench: &Bench, account: AccountId) {
    bench.sender.turn(&format!("{account}/posts"), bench.now()).await.expect("the database answers");
}

#[rstest]
#[tokio::test]
async fn a_campaign_comes_with_its_first_post(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let post = |text: &str| {
        let mut request = PostRequest::new(bench.account, text, "ayşe");
        request.origin.campaign = Some("Yaz indirimi".into());
        request
    };
    bench.try_post(post(" ")).await.expect_err("nothing is said");
    assert_eq!(bench.app.store.campaigns().await.expect("read"), [], "a refused post leaves no empty campaign");
    let first = bench.try_post(post("Yaz geldi")).await.expect("planned");
    let second = bench.try_post(post("Son gün")).await.expect("planned");
    let campaigns = bench.app.store.campaigns().await.expect("read");
    assert_eq!(campaigns.iter().map(|campaign| campaign.posts).collect::<Vec<_>>(), [2]);
    assert_eq!((first.campaign_id, second.campaign_id), (Some(campaigns[0].id), Some(campaigns[0].id)));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn three_of_four_are_out_and_the_fourth_says_why_and_is_tried_again(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let accounts = accounts(&bench, &["iki", "üç", "dört"]).await;
    let texts = ["Kış geldi", "Winter is here", "Kış indirimi başladı", "Montlar yarı fiyatına"];
    let request = batch(accounts.iter().copied().zip(texts));
    let (campaign, deliveries) = planned(&bench, request.clone()).await;
    assert_eq!(planned(&bench, request).await.1, deliveries, "asked for twice it is planned once");
    bench.network.script([End::Refuse("this word is not allowed")]);
    for account in &accounts {
        turn(&bench, *account).await;
    }
    let page = campaigns::page(&bench.app, campaign).await.expect("it is there");
    assert_eq!(page.summary, "3 of 4 out, 1 failed");
    let failed = page.deliveries.iter().find(|view| view.state == DeliveryState::Failed).expect("one failed");
    assert_eq!((failed.account.as_str(), failed.text.as_str()), ("biz", "Kış geldi"));
    assert!(failed.reason.as_deref().is_some_and(|reason| reason.contains("not allowed")), "{:?}", failed.reason);

    bench
        .app
        .store
        .decide(failed.id, Decision::Queue, SPACING, "ayşe", bench.now())
        .await
        .expect("it can be tried again");
    turn(&bench, bench.account).await;
    let page = campaigns::page(&bench.app, campaign).await.expect("it is there");
    assert_eq!((page.summary.as_str(), page.campaign.name.as_str()), ("4 of 4 out", "Kış indirimi"));
    assert_eq!(bench.network.texts().len(), 4);

    // Deleted again, all of it, once.
    assert_eq!(campaigns::delete_all(&bench.app, campaign, "ayşe").await.expect("deleted"), 4);
    for account in &accounts {
        bench.sender.turn(&format!("{account}/takedown"), bench.now()).await.expect("the database answers");
    }
    assert!(bench.network.texts().is_empty());
    assert_eq!(campaigns::delete_all(&bench.app, campaign, "ayşe").await.expect("nothing is left"), 0);
    assert_eq!(bench.app.store.campaign(campaign).await.expect("it is there").summary(), "0 of 4 out, 4 deleted again");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn the_rest_of_a_campaign_is_cancelled_and_what_is_out_stays(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let accounts = accounts(&bench, &["iki", "üç"]).await;
    let (campaign, _) = planned(&bench, batch(accounts.iter().map(|account| (*account, "Kış geldi")))).await;
    turn(&bench, accounts[1]).await;
    assert_eq!(campaigns::cancel_rest(&bench.app, campaign, "ayşe").await.expect("cancelled"), 2);
    for account in &accounts {
        turn(&bench, *account).await;
    }
    assert_eq!(bench.network.calls(), 1);
    let view = bench.app.store.campaign_by_name("KIŞ İNDİRİMİ").await.expect("a name in other letters");
    assert_eq!((view.id, view.summary()), (campaign, "1 of 3 out, 2 dropped".to_owned()));
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_token_revoked_in_the_middle_of_a_batch_loses_nothing(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let request =
        batch([(bench.account, "Birinci haber"), (bench.account, "İkinci duyuru"), (bench.account, "Üçüncü not")]);
    let (campaign, deliveries) = planned(&bench, request).await;
    turn(&bench, bench.account).await;
    bench.network.script([End::Unauthorized]);
    turn(&bench, bench.account).await;
    turn(&bench, bench.account).await;
    assert_eq!(bench.network.texts(), ["Birinci haber"]);
    let stopped = bench.view(deliveries[1].id).await;
    assert_eq!((stopped.state, stopped.hold.as_deref()), (DeliveryState::Held, Some("account")));
    assert!(stopped.reason.as_deref().is_some_and(|reason| reason.contains("token revoked")), "{:?}", stopped.reason);
    let waiting = bench.view(deliveries[2].id).await;
    assert!(waiting.next_step.contains("refuses the credentials of its account"), "{}", waiting.next_step);
    assert_eq!(
        bench.app.store.campaign(campaign).await.expect("it is there").summary(),
        "1 of 3 out, 1 on the way, 1 to be decided"
    );

    bench.app.store.set_health(bench.account, Health::Ok, None, SPACING).await.expect("reconnected");
    for _ in 0..2 {
        bench.reap().await;
        bench.drain().await;
        bench.later(SPACING);
    }
    assert_eq!(bench.network.texts(), ["Birinci haber", "İkinci duyuru", "Üçüncü not"]);
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_batch_that_one_account_could_not_publish_is_refused_whole_and_named(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let accounts = accounts(&bench, &["iki"]).await;
    bench.network.set_limit(10);
    let mut request = batch([(accounts[0], "Kış geldi"), (accounts[1], "Kış indirimi başladı")]);
    let refused = campaigns::post(&bench.app, request.clone()).await.expect_err("too long for one");
    assert!(
        matches!(&refused, BatchError::Post { account, error: ComposeError::TooLong(_) } if account == "iki"),
        "{refused}"
    );
    assert_eq!(bench.app.store.delivery_counts().await.expect("answered"), []);
    assert_eq!(bench.app.store.campaigns().await.expect("answered"), [], "not even its name is kept");
    // Several posts without a name go by the first words.
    request.campaign = None;
    request.posts[1].text = "Kış 2026".into();
    let (campaign, _) = planned(&bench, request).await;
    let name = bench.app.store.campaign(campaign).await.expect("it is there").name;
    assert!(name.starts_with("Kış geldi · 20"), "{name}");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn two_posts_of_a_batch_that_are_nearly_the_same_are_asked_about_before_either_is_planned(
    #[values(Backend::Sqlite, Backend::Postgres)] backend: Backend,
) {
    let bench = Bench::new(backend, Certainty::None).await;
    let accounts = accounts(&bench, &["iki"]).await;
    let mut request = batch([
        (accounts[0], "Bugün bütün mağazalarda yüzde yirmi indirim"),
        (accounts[1], "Bugün bütün mağazalarda yüzde yirmi indirim"),
        (accounts[0], "BUGÜN bütün mağazalarda yüzde yirmi indirim!"),
    ]);
    let asked = campaigns::post(&bench.app, request.clone()).await.expect_err("one of them would be seen twice");
    assert!(
        matches!(&asked, BatchError::Alike { account, earlier: 1, later: 3 } if account == "biz"),
        "the two are named: {asked}"
    );
    assert_eq!(bench.app.store.delivery_counts().await.expect("answered"), [], "none is planned");
    assert_eq!(bench.app.store.campaigns().await.expect("answered"), []);
    request.confirm.duplicate = true;
    let (_, deliveries) = planned(&bench, request.clone()).await;
    assert_eq!(planned(&bench, request).await.1, deliveries, "asked for twice each is planned once");
    assert_eq!(bench.app.store.delivery_counts().await.expect("answered"), [(DeliveryState::Queued, 3)]);
    for account in [accounts[0], accounts[0], accounts[1]] {
        turn(&bench, account).await;
    }
    assert_eq!(bench.network.texts().len(), 3, "each is out once");
    bench.stop().await;
}

#[rstest]
#[tokio::test]
async fn a_batch_is_planned_whole_or_not_at_all(#[values(Backend::Sqlite, Backend::Postgres)] backend: Backend) {
    let bench = Bench::new(backend, Certainty::None).await;
    let accounts = accounts(&bench, &["iki"]).await;
    let known = bench.try_post(PostRequest::new(accounts[1], "Kış geldi", "ayşe")).await.expect("planned");
    let asked = campaigns::post(&bench.app, batch(accounts.iter().map(|account| (*account, "Kış geldi")))).await;
    let asked = asked.expect_err("one account has it already");
    let BatchError::Post { account, error: ComposeError::NearDuplicate { earlier, .. } } = &asked else {
        panic!("{asked}");
    };
    assert_eq!((account.as_str(), *earlier), ("iki", known.id));
    assert_eq!(bench.app.store.delivery_counts().await.expect("answered"), [(DeliveryState::Queued, 1)]);
    bench.stop().await;
}
