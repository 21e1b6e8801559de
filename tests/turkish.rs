//! The Turkish console: what the rest of the program says in English is read in Turkish there.

use jiff::SignedDuration;
use muhatap::compose::{self, PostRequest};
use muhatap::model::DeliveryState;
use muhatap::standing::Scope;

use crate::support::running::{Answer, Running, Visitor};

fn turkish_visitor(running: &Running) -> Visitor {
    let mut visitor = running.visitor();
    visitor.language = "tr".to_owned();
    visitor
}

/// The answer has this status and these words, and marks nothing as English.
#[track_caller]
fn says(answer: &Answer, status: u16, words: &str) {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert!(answer.body.contains("<html lang=\"tr\">"), "{}", answer.body);
    assert!(answer.body.contains(words), "{words}: {}", answer.body);
    assert!(!answer.body.contains("<span lang=\"en\""), "{}", answer.body);
}

#[tokio::test]
async fn what_cannot_be_shown_or_taken_is_told_in_turkish() {
    let running = Running::start().await;
    let mut visitor = turkish_visitor(&running);
    says(&visitor.get("/nowhere").await, 404, "böyle bir sayfa yok");
    let unknown = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    says(&visitor.get(&format!("/deliveries/{unknown}")).await, 404, "böyle bir gönderi yok");
    says(&visitor.get("/deliveries/yok").await, 422, "“yok” bir kimlik değil");
    says(&visitor.get("/schedule?month=ocak").await, 422, "“ocak” bir ay değil");
    let expired = visitor.post("/users", "an old page's", &[("name", "ayşe")]).await;
    says(&expired, 403, "istek bu konsolun bir sayfasından gelmiyor");
    says(&expired, 403, "sayfayı yenileyin ve yaptığınızı yineleyin");
    let csrf = visitor.get("/users").await.field("csrf");
    says(&visitor.post("/workers", &csrf, &[]).await, 405, "bu adres böyle bir isteği almaz");
    says(
        &visitor.post("/users", &csrf, &[("name", "ayşe")]).await,
        422,
        "yazdığı biçimde değil: “password” alanı eksik",
    );
    for (path, words) in [
        ("/schedule/recurring/yok", "yinelenen gönderi: “yok” bir kimlik değil"),
        ("/schedule/campaigns/yok", "kampanya: “yok” bir kimlik değil"),
        ("/deliveries/yok", "gönderi: “yok” bir kimlik değil"),
        ("/webhooks/yok", "webhook: “yok” bir kimlik değil"),
        ("/conversations/yok", "konuşma: “yok” bir kimlik değil"),
    ] {
        says(&visitor.get(path).await, 422, words);
    }
    let large = visitor.post("/users", &csrf, &[("name", &"a".repeat(1_100_000))]).await;
    says(&large, 413, "geri dönün, metni kısaltın ve yeniden gönderin");
}

#[tokio::test]
async fn a_refused_form_says_why_in_turkish() {
    let running = Running::start().await;
    let mut visitor = turkish_visitor(&running);
    let csrf = visitor.get("/users").await.field("csrf");
    for (name, password, words) in [
        ("   ", "uzun bir parola", "ad 1 ile 64 arasında düz karakterden oluşmalı"),
        ("ayşe", "kısa", "parola en az 10 karakter olmalı"),
        ("ayşe-yılmaz", "Ayşe-Yılmaz", "parola kullanıcı adıyla aynı olmamalı"),
    ] {
        let fields = [("name", name), ("password", password), ("role", "agent")];
        says(&visitor.post("/users", &csrf, &fields).await, 422, words);
    }
    assert!(running.app.store.users().await.expect("users can be read").is_empty());
    let account = |token: &'static str, zone: &'static str| {
        [
            ("network", "mastodon".to_owned()),
            ("name", "belediye".to_owned()),
            ("base_url", running.simulator.url().to_owned()),
            ("token", token.to_owned()),
            ("poll_seconds", "5".to_owned()),
            ("timezone", zone.to_owned()),
        ]
    };
    for (token, zone, words) in [
        ("simulated-kiyikent", "Mars/Olympus", "Hesap kaydedilmedi: “Mars/Olympus” bir saat dilimi değil"),
        ("simulated-yalan", "Europe/Istanbul", "Hesap kaydedilmedi: ağ, anahtarı kabul etmiyor"),
    ] {
        let fields = account(token, zone);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        says(&visitor.post("/accounts", &csrf, &fields).await, 422, words);
    }
    let here =
        [("name", "crm"), ("url", "http://127.0.0.1:9/olaylar"), ("brand", "Yelpazar"), ("events", "mention.received")];
    says(&visitor.post("/webhooks", &csrf, &here).await, 422, "herkese açık bir adres değil");
    for (url, words) in [
        ("https://a.example/#yer", "adreste (url) # ile başlayan bir bölüm olmamalı"),
        ("olaylar", "adres (url) okunamadı, https://example.org gibi yazın"),
        ("https://ali:gizli@a.example/", "adreste (url) kullanıcı ya da parola olmamalı"),
        ("ftp://a.example/", "adres (url) https:// ile başlamalı"),
    ] {
        let wrong = [("name", "crm"), ("url", url), ("brand", "Yelpazar"), ("events", "mention.received")];
        says(&visitor.post("/webhooks", &csrf, &wrong).await, 422, words);
    }
    let good = [("name", "crm"), ("url", "https://a.example/"), ("brand", "Yelpazar"), ("events", "mention.received")];
    says(&visitor.post("/webhooks", &csrf, &good).await, 200, "crm");
    let webhook = running.app.store.endpoints().await.expect("webhooks can be read").remove(0).id;
    let foreign = [("delivery", "01ARZ3NDEKTSV4RRFFQ69G5FAV")];
    let missing = visitor.post(&format!("/webhooks/{webhook}/replay"), &csrf, &foreign).await;
    says(&missing, 404, "bu webhook'a böyle bir olay gönderilmedi");
}

#[tokio::test]
async fn a_held_delivery_its_alert_and_its_end_are_told_in_turkish() {
    let running = Running::start().await;
    let mut request = PostRequest::new(running.account, "Kış indirimi başladı", "test");
    request.due_at = Some(running.app.store.clock() - SignedDuration::from_hours(3));
    let held = compose::post(&running.app, request).await.expect("it is kept");
    assert_eq!(held.state, DeliveryState::Held);
    running.app.store.raise_alerts(running.app.store.clock()).await.expect("alerts can be raised");
    let mut visitor = turkish_visitor(&running);
    let page = visitor.get("/deliveries").await;
    let alert = "yelpazar hesabındaki bir gönderi bekletiliyor ve bir kişinin kararını bekliyor: \
                 zamanı geçeli 3 sa oldu: şimdi gönderin, başka bir zamana alın ya da iptal edin; nedeni: ";
    says(&page, 200, alert);
    let one = format!("/deliveries/{}", held.id);
    let csrf = visitor.get(&one).await.field("csrf");
    let sent = visitor.post(&format!("{one}/delete"), &csrf, &[]).await;
    says(&sent, 409, "yalnızca yayımlanmış olanlar silinebilir");
    assert_eq!(visitor.post(&format!("{one}/decide"), &csrf, &[("what", "cancel")]).await.status, 303);
    says(&visitor.get(&one).await, 200, "iptal edildi");
}

#[tokio::test]
async fn what_stands_still_says_why_in_turkish() {
    let running = Running::start().await;
    let (store, mut visitor) = (&running.app.store, turkish_visitor(&running));
    store.stop(&Scope::All, "stopped on the command line", "cli").await.expect("it can be stopped");
    let first = compose::post(&running.app, PostRequest::new(running.account, "Birinci", "test")).await.expect("kept");
    let mut second = PostRequest::new(running.account, "İkinci", "test");
    second.after = Some(first.id);
    compose::post(&running.app, second).await.expect("kept");
    let page = visitor.get("/deliveries").await;
    says(&page, 200, "komut satırından durduruldu");
    store.cancel(first.id, "test").await.expect("it can be cancelled");
    store.raise_alerts(store.clock()).await.expect("alerts can be raised");
    let words = "ondan önce çıkması gereken gönderi ağda değil: tek başına gönderin ya da iptal edin";
    says(&visitor.get("/deliveries").await, 200, words);
}
