//! The console in a real browser: what only a script, a layout or a person's eyes would notice. Pictures of every page
//! go to `target/screenshots`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use muhatap::compose::{self, ComposeError, PostRequest, ReplyRequest};
use muhatap::live::Wake;
use muhatap::model::{ConversationState, DeliveryState, MentionId};
use muhatap::standing::Scope;
use muhatap::store::deliveries::DeliveryFilter;
use muhatap::store::inbox::MentionFilter;
use muhatap::store::workers::Beat;
use muhatap::worker::Role;
use muhatap_simulator::{Options, Pace};
use serde_json::json;

use crate::support::eventually;
use crate::support::running::Running;

const INSTALL: &str = "install it with: sudo apt-get install chromium chromium-driver";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    Desk,
    Phone,
}

/// A browser of a test's own; it ends with its value.
struct Browser {
    client: Client,
    driver: Child,
    port: u16,
    url: String,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver ends its browsers when asked; killed alone, it would leave them behind.
        if let Ok(mut asked) = TcpStream::connect(("127.0.0.1", self.port)) {
            let _ = asked.set_read_timeout(Some(Duration::from_secs(5)));
            let _ = asked.write_all(b"GET /shutdown HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
            let _ = asked.read_to_end(&mut Vec::new());
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

impl Browser {
    async fn open(running: &Running, screen: Screen, language: &str) -> Browser {
        let port = crate::support::free_port();
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("chromedriver cannot be started ({error}); {INSTALL}"));
        let mut options = json!({
            "args": [
                "--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
                "--disable-background-networking", "--hide-scrollbars", "--window-size=1280,900",
                format!("--lang={language}"), format!("--accept-lang={language}"),
            ],
        });
        if screen == Screen::Phone {
            options["mobileEmulation"] =
                json!({ "deviceMetrics": { "width": 390, "height": 844, "pixelRatio": 2.0, "mobile": true } });
        }
        let capabilities: Capabilities =
            [("goog:chromeOptions".to_owned(), options), ("goog:loggingPrefs".to_owned(), json!({ "browser": "ALL" }))]
                .into_iter()
                .collect();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{port}");
        let mut connected = None;
        eventually(&format!("chromium answers ({INSTALL})"), async || {
            connected = builder.connect(&address).await.ok();
            connected.is_some()
        })
        .await;
        Browser { client: connected.expect("it just answered"), driver, port, url: running.url.clone() }
    }

    async fn go(&self, path: &str) {
        self.client.goto(&format!("{}{path}", self.url)).await.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    async fn js(&self, script: &str) -> serde_json::Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.expect("the browser looks").len()
    }

    async fn sees(&self, text: &str) -> bool {
        self.js("return document.body.innerText").await.as_str().is_some_and(|body| body.contains(text))
    }

    /// Presses keys where the focus is.
    async fn press(&self, keys: &str) {
        let focused = self.client.active_element().await.expect("something has the focus");
        focused.send_keys(keys).await.expect("keys can be pressed");
    }

    async fn click(&self, css: &str) {
        let found = self.client.wait().at_most(Duration::from_secs(20)).for_element(Locator::Css(css)).await;
        let found = found.unwrap_or_else(|error| panic!("{css}: {error}"));
        found.click().await.unwrap_or_else(|error| panic!("{css}: {error}"));
    }

    async fn path(&self) -> String {
        let url = self.client.current_url().await.expect("there is a page");
        url.path().to_owned()
    }

    /// How wide the page is, which on a screen that shows all of it is the screen's width.
    async fn width(&self) -> serde_json::Value {
        self.js("return Math.max(document.documentElement.scrollWidth, window.innerWidth)").await
    }

    async fn picture(&self, name: &str) {
        let picture = self.client.screenshot().await.expect("a picture can be taken");
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/screenshots");
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        std::fs::write(folder.join(format!("{name}.png")), picture).expect("a picture can be written");
    }

    async fn close(self) {
        self.client.clone().close().await.expect("the browser ends");
    }
}

async fn delivery_states(running: &Running) -> Vec<DeliveryState> {
    let deliveries = running.app.store.deliveries(&DeliveryFilter::default()).await.expect("deliveries can be read");
    deliveries.into_iter().map(|delivery| delivery.state).collect()
}

#[tokio::test]
async fn a_new_mention_appears_without_a_reload_and_the_keyboard_does_the_rest() {
    let running = Running::start().await;
    let first = running.mention("ayse@ornek.example", "@yelpazar birinci").await;
    running.mention("can@ornek.example", "@yelpazar ikinci").await;
    let browser = Browser::open(&running, Screen::Desk, "en").await;
    browser.go("/").await;
    browser.js("window.notReloaded = true").await;
    eventually("the page is live", async || browser.count("body[data-connected]").await == 1).await;
    running.mention("ece@ornek.example", "@yelpazar üçüncü <b>kalın</b>").await;
    eventually("the new row is there", async || browser.sees("üçüncü <b>kalın</b>").await).await;
    assert_eq!(browser.js("return window.notReloaded").await, json!(true), "the page was not loaded again");
    assert_eq!(browser.count(".mention").await, 3);

    // While somebody works in the list, it does not jump: a bar tells of what is new.
    browser.press("j").await;
    browser.press("j").await;
    assert_eq!(browser.count(".mention.chosen").await, 1);
    running.mention("nur@ornek.example", "@yelpazar dördüncü").await;
    eventually("the bar tells of one", async || browser.count("#new-bar:not([hidden])").await == 1).await;
    assert_eq!(browser.count(".mention").await, 3);
    browser.js("document.querySelector('#new-bar').click()").await;
    eventually("it comes with a click", async || browser.count(".mention").await == 4).await;

    browser.press("?").await;
    eventually("the help is open", async || browser.count("dialog[open]").await == 1).await;
    browser.js("document.querySelector('dialog').close()").await;
    browser.press("/").await;
    assert_eq!(browser.js("return document.activeElement.name").await, json!("q"));
    browser.press("\u{e00c}").await;
    browser.go("/").await;
    // The oldest is the last row.
    for _ in 0..4 {
        browser.press("j").await;
    }
    browser.press("e").await;
    eventually("it is done", async || {
        let mention = running.app.store.mention(first.id).await.expect("it is there");
        mention.conversation.state == ConversationState::Done
    })
    .await;
    eventually("and gone from the list", async || browser.count(".mention").await == 3).await;
    browser.press("r").await;
    eventually("the answer box has the focus", async || {
        browser.js("return document.activeElement.id").await == json!("reply-text")
    })
    .await;
    browser.press("\u{e00c}").await;
    browser.press("u").await;
    eventually("back in the inbox", async || browser.path().await == "/").await;
    browser.close().await;
}

#[tokio::test]
async fn a_reply_counts_down_comes_back_with_undo_and_a_double_click_sends_it_once() {
    let running = Running::with(Options::quiet(), "[delivery]\nundo_seconds = 600\n").await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar kargom gelmedi, rezalet").await;
    let browser = Browser::open(&running, Screen::Desk, "en").await;
    browser.go(&format!("/mentions/{}", mention.id)).await;
    let field = browser.client.find(Locator::Id("reply-text")).await.expect("there is a box");
    field.send_keys("Çok üzgünüz 👩‍👩‍👧").await.expect("it can be typed in");
    eventually("the network's count is shown", async || {
        browser
            .js("return document.querySelector('#reply-counter').textContent")
            .await
            .as_str()
            .is_some_and(|text| text.ends_with("characters left"))
    })
    .await;
    // Two clicks faster than any page.
    browser.js("const send = document.querySelector('#reply button.primary'); send.click(); send.click();").await;
    eventually("it counts down", async || browser.sees("Sending in").await).await;
    assert_eq!(delivery_states(&running).await.len(), 1);
    // Found and clicked in one step: the page renews its thread while it is looked at.
    browser.js("document.querySelector('[data-undo] button').click()").await;
    eventually("it was taken back", async || browser.sees("Undone.").await).await;
    assert_eq!(
        browser.js("return document.querySelector('#reply-text').value").await,
        json!("Çok üzgünüz 👩‍👩‍👧"),
        "the text is kept"
    );
    assert_eq!(delivery_states(&running).await, [DeliveryState::Cancelled]);
    browser.js("window.notReloaded = true; document.querySelector('#reply button.primary').click()").await;
    eventually("it is queued again", async || delivery_states(&running).await.contains(&DeliveryState::Queued)).await;
    // Ten minutes to undo are over at once.
    let waiting = DeliveryFilter { states: vec![DeliveryState::Queued], ..DeliveryFilter::default() };
    let store = &running.app.store;
    let delivery = store.deliveries(&waiting).await.expect("deliveries can be read").remove(0);
    store.reschedule(delivery.id, store.clock(), "local").await.expect("it can be moved");
    running.app.live.wake(Wake::Outbox);
    eventually("the page tells that it is out", async || browser.count(".message.ours .chip.positive").await == 1)
        .await;
    assert_eq!(running.our_posts().len(), 1);
    browser.close().await;
}

#[tokio::test]
async fn a_mood_is_corrected_on_a_phone_by_keyboard_alone() {
    let running = Running::start().await;
    let mention = running.mention("ayse@ornek.example", "@yelpazar harika bir hizmet, çok teşekkürler").await;
    let browser = Browser::open(&running, Screen::Phone, "tr").await;
    browser.go(&format!("/mentions/{}", mention.id)).await;
    browser.js("document.querySelector('.correct > summary').focus()").await;
    browser.press(" ").await;
    assert_eq!(browser.count(".correct[open] form").await, 1);
    assert_eq!(browser.width().await, json!(390), "the open form fits");
    browser.picture("correct-390-tr").await;
    // Into the moods, and from the positive one to the negative one.
    let (tab, left, enter) = ("\u{e004}", "\u{e012}", "\u{e007}");
    browser.press(tab).await;
    assert_eq!(browser.js("return document.activeElement.value").await, json!("positive"));
    browser.press(&left.repeat(2)).await;
    assert_eq!(browser.js("return document.activeElement.value").await, json!("negative"));
    browser.press(enter).await;
    eventually("it is shown as corrected", async || browser.sees("Düzeltildi").await).await;
    assert!(browser.sees("Analiz şöyle demişti: Olumlu").await);
    assert_eq!(browser.width().await, json!(390));
    let corrected = running.app.store.mention(mention.id).await.expect("it is there");
    assert_eq!(corrected.sentiment.label.as_str(), "negative");

    // A page that is open elsewhere hears of it.
    browser.js("window.notReloaded = true").await;
    eventually("the page is live", async || browser.count("body[data-connected]").await == 1).await;
    running.app.store.take_back_correction(mention.id, "local").await.expect("it can be taken back");
    running.app.live.wake(Wake::Events);
    eventually("the correction is gone", async || !browser.sees("Düzeltildi").await).await;
    assert_eq!(browser.js("return window.notReloaded").await, json!(true));
    browser.close().await;
}

#[tokio::test]
async fn a_strangers_markup_does_nothing_and_a_post_is_planned_with_its_preview() {
    let running = Running::start().await;
    let hostile =
        "@yelpazar <img src=x onerror=\"window.hacked=1\"><script>window.hacked=1</script> https://ornek.example";
    let mention = running.mention("kotu@ornek.example", hostile).await;
    let browser = Browser::open(&running, Screen::Desk, "en").await;
    for path in ["/".to_owned(), format!("/mentions/{}", mention.id)] {
        browser.go(&path).await;
        assert!(browser.sees("<script>window.hacked=1</script>").await, "{path}");
        assert_eq!(browser.js("return window.hacked ?? null").await, json!(null), "{path}");
    }
    browser.go("/schedule/new").await;
    let field = browser.client.find(Locator::Id("post-text")).await.expect("there is a box");
    field.send_keys("Yarın <b>büyük</b> indirim!").await.expect("it can be typed in");
    eventually("the preview follows", async || {
        browser.js("return document.querySelector('#preview-body').textContent").await
            == json!("Yarın <b>büyük</b> indirim!")
    })
    .await;
    eventually("the meter counts", async || {
        browser.js("return document.querySelector('meter').value").await == json!(27)
    })
    .await;
    browser.js("document.querySelector('[name=at]').value = '2031-03-01T08:15'").await;
    browser.click("form.compose button.primary").await;
    eventually("it stands in the calendar", async || browser.sees("08:15").await && browser.sees("Scheduled.").await)
        .await;
    assert_eq!(delivery_states(&running).await, [DeliveryState::Queued]);
    browser.close().await;
}

#[tokio::test]
async fn a_post_that_repeats_asks_only_what_it_needs() {
    let running = Running::start().await;
    let browser = Browser::open(&running, Screen::Phone, "tr").await;
    browser.go("/schedule/new").await;
    let shows = async |part: &str| {
        let visible = format!("return document.querySelector('[{part}]').offsetParent !== null");
        browser.js(&visible).await == json!(true)
    };
    let choose = async |often: &str| {
        let change = "field.dispatchEvent(new Event('change', { bubbles: true }))";
        browser
            .js(&format!("const field = document.querySelector('[data-repeat]'); field.value = '{often}'; {change}"))
            .await
    };
    assert!(!shows("data-repeat-more").await, "most posts go out once");
    choose("monthly").await;
    assert!(shows("data-repeat-monthly").await && !shows("data-repeat-weekly").await);
    choose("weekly").await;
    assert!(shows("data-repeat-weekly").await && !shows("data-repeat-monthly").await);
    assert_eq!(browser.width().await, json!(390), "the open form fits");
    browser.js("document.querySelector('[name=on][value=friday]').click()").await;
    browser.js("document.querySelector('#post-text').value = 'Haftanın özeti'").await;
    browser.js("document.querySelector('[name=at]').value = '2031-03-03T08:15'").await;
    // The navigation at the foot of a phone lies over it where it is scrolled to.
    browser.js("document.querySelector('form.compose button.primary').click()").await;
    eventually("its page tells what comes next", async || {
        browser.sees("Her hafta Cuma, 08:15").await && browser.sees("7 Mart 2031 Cuma 08:15").await
    })
    .await;
    assert_eq!(browser.width().await, json!(390));
    browser.close().await;
}

/// A town full of people, with answers, notes and posts: what the pictures show.
async fn busy() -> (Running, MentionId) {
    let pace = Pace { every: Duration::from_secs(3_600), ..Pace::default() };
    let running = Running::with(Options { crowd: Some(pace), ..Options::quiet() }, "").await;
    let app = &running.app;
    let all = || async {
        let filter = MentionFilter { limit: 500, ..MentionFilter::default() };
        app.store.mentions(&filter).await.expect("mentions can be read")
    };
    eventually("the crowd has written", || async { all().await.len() > 100 }).await;
    let mentions = all().await;
    let told = mentions
        .iter()
        .filter(|mention| mention.sentiment.because.len() > 1 && mention.sentiment.score < 0.0)
        .max_by_key(|mention| mention.sentiment.because.len())
        .unwrap_or(&mentions[0])
        .clone();
    let handle = muhatap::web::inbox::handle(&told.author.handle);
    let text =
        format!("{} Merhaba, yaşadığınız sorun için üzgünüz. Sipariş numaranızı özel mesajla iletir misiniz?", handle);
    let mut request = ReplyRequest::new(told.id, &text, "local");
    let mut answered = compose::reply(app, request.clone()).await;
    // Somebody in the crowd's story may have answered already.
    if let Err(ComposeError::AnotherReply(other)) = &answered {
        request.confirm_over = Some(other.id.clone());
        answered = compose::reply(app, request).await;
    }
    answered.expect("it can be answered");
    app.store
        .add_note(told.conversation.id, "Depo ile görüştüm, paket bu akşam çıkıyor.", "local")
        .await
        .expect("a note can be added");
    let now = app.store.clock();
    let posts = [
        (3, "Hafta sonuna özel: tüm kışlık ürünlerde %30 indirim, kargo bizden! 🎁"),
        (20, "Yeni iade sürecimiz artık 48 saat. Ayrıntılar profilimizdeki bağlantıda."),
        (27, "Canlı yayında buluşuyoruz: kış bakımı hakkında merak ettiklerinizi sorun."),
        (75, "Mağazalarımız pazar günü 10.00-18.00 arası açık."),
    ];
    for (hours, text) in posts {
        let mut request = PostRequest::new(running.account, text, "local");
        request.due_at = Some(now.saturating_add(jiff::SignedDuration::from_hours(hours)).expect("soon"));
        compose::post(app, request).await.expect("it can be planned");
    }
    // Too late by now: held for a person.
    for text in ["Dün akşamki canlı yayını kaçıranlar için kayıt burada.", "Bu sabahki kahvaltı kampanyası başladı!"]
    {
        let mut request = PostRequest::new(running.account, text, "local");
        request.due_at = Some(now.saturating_sub(jiff::SignedDuration::from_hours(2)).expect("not long ago"));
        compose::post(app, request).await.expect("it is kept");
    }
    let stop = Scope::Posts;
    app.store.stop(&stop, "deprem bölgesi için yayınlara ara", "local").await.expect("it can be stopped");
    let roles = [Role::Listen, Role::Deliver, Role::Console];
    let beat = Beat { name: "7-c0ffee00", host: "sunucu-1", pid: 7, roles: &roles, delivers: true, started_at: now };
    app.store.beat(&beat, app.store.clock()).await.expect("a sign of life can be given");
    (running, told.id)
}

#[tokio::test]
async fn no_page_can_be_pushed_sideways_and_every_page_has_its_picture() {
    let (running, mention) = busy().await;
    let store = &running.app.store;
    let delivery = store.deliveries(&DeliveryFilter::default()).await.expect("deliveries can be read").remove(0).id;
    let held = DeliveryFilter { states: vec![DeliveryState::Held], ..DeliveryFilter::default() };
    let held = store.deliveries(&held).await.expect("deliveries can be read").remove(0).id;
    let pages = [
        ("inbox", "/?state=all".to_owned()),
        ("mention", format!("/mentions/{mention}")),
        ("schedule", "/schedule".to_owned()),
        ("new-post", "/schedule/new".to_owned()),
        ("deliveries", "/deliveries".to_owned()),
        ("delivery", format!("/deliveries/{delivery}")),
        ("delivery-held", format!("/deliveries/{held}")),
        ("workers", "/workers".to_owned()),
        ("sentiment", "/sentiment".to_owned()),
        ("sentiment-week", "/sentiment?range=7d".to_owned()),
        ("accounts", "/accounts".to_owned()),
        ("contacts", "/contacts".to_owned()),
        ("users", "/users".to_owned()),
        ("nothing", "/?q=bulunmaz".to_owned()),
    ];
    for (screen, language) in [(Screen::Desk, "tr"), (Screen::Phone, "tr"), (Screen::Phone, "en"), (Screen::Desk, "en")]
    {
        let browser = Browser::open(&running, screen, language).await;
        let width = if screen == Screen::Desk { 1280 } else { 390 };
        for (name, path) in &pages {
            browser.go(path).await;
            assert_eq!(browser.width().await, json!(width), "{name} in {language}");
            browser.picture(&format!("{name}-{width}-{language}")).await;
        }
        browser.close().await;
    }
    // The picture in the README: README_PICTURE=docs/inbox.png cargo test --test main browser::no_page
    if let Some(path) = std::env::var_os("README_PICTURE") {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder can be made");
        std::fs::copy(folder.join("target/screenshots/inbox-1280-en.png"), path).expect("a picture can be copied");
    }
}
