//! The door of the console: hosts, origins, page tokens, logins, roles and the set-up of the first user.

use std::net::SocketAddr;
use std::sync::Arc;

use muhatap::app::App;
use muhatap::config::Config;
use muhatap::model::Role;
use muhatap::store::users::{NewUser, UserChange};
use muhatap::web::credentials::hash_password;
use muhatap::web::{login, router};
use reqwest::header::HeaderMap;
use tokio::net::TcpListener;

use crate::support::{Backend, Database};

const PASSWORD: &str = "uzun bir parola";

/// A browser in front of a console of its own. It follows no redirects and keeps its cookies where they can be seen.
struct Browser {
    app: Arc<App>,
    address: SocketAddr,
    client: reqwest::Client,
    cookies: Vec<(String, String)>,
    _database: Database,
}

struct Seen {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Seen {
    fn location(&self) -> &str {
        self.headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The token in the page's forms.
    fn csrf(&self) -> String {
        let (_, rest) = self.text.split_once("name=\"csrf\" value=\"").expect("the page has a form with a token");
        rest.split('"').next().expect("it ends").to_owned()
    }
}

impl Browser {
    async fn in_front_of(listen: &str) -> Browser {
        let database = Database::fresh(Backend::Sqlite).await;
        let mut config = Config::default();
        config.database.url = database.url.clone();
        config.data_dir = Some(database.dir().to_owned());
        config.console.listen = listen.parse().expect("an address");
        let app = App::open(config).await.expect("the app opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let service = router(app.clone()).into_make_service_with_connect_info::<SocketAddr>();
        let shutdown = app.shutdown.clone();
        tokio::spawn(async move {
            axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned()).await.expect("it serves");
        });
        let client = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client");
        Browser { app, address, client, cookies: Vec::new(), _database: database }
    }

    async fn user(&self, name: &str, role: Role) {
        let user = NewUser {
            name: name.to_owned(),
            password_hash: hash_password(PASSWORD.to_owned()).await,
            role,
            language: "en".to_owned(),
            timezone: None,
        };
        self.app.store.add_user(&user, "cli").await.expect("a user");
    }

    async fn get(&mut self, path: &str) -> Seen {
        let request = self.client.get(format!("http://{}{path}", self.address));
        self.go(request).await
    }

    async fn post(&mut self, path: &str, form: &[(&str, &str)]) -> Seen {
        let request = self.client.post(format!("http://{}{path}", self.address)).form(form);
        self.go(request).await
    }

    async fn go(&mut self, request: reqwest::RequestBuilder) -> Seen {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("accept", "text/html").header("cookie", cookies.join("; "));
        let response = request.send().await.expect("an answer");
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().expect("plain");
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default().to_owned();
            self.cookies.retain(|(known, _)| known != name);
            if !cookie.contains("Max-Age=0") {
                self.cookies.push((name.to_owned(), value));
            }
        }
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Seen { status, headers, text: response.text().await.expect("a body") }
    }

    async fn log_in(&mut self, name: &str, password: &str) -> Seen {
        let csrf = self.get("/login").await.csrf();
        self.post("/login", &[("csrf", &csrf), ("name", name), ("password", password), ("next", "/deliveries")]).await
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
    }
}

#[tokio::test]
async fn loopback_is_open_and_every_change_needs_the_pages_token() {
    let mut browser = Browser::in_front_of("127.0.0.1:8080").await;
    let page = browser.get("/").await;
    assert_eq!(page.status, 200, "{}", page.text);
    let policy = page.headers["content-security-policy"].to_str().expect("plain");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [("x-content-type-options", "nosniff"), ("referrer-policy", "same-origin")] {
        assert_eq!(page.headers[name], value);
    }
    assert!(!page.text.contains("<script>") && !page.text.contains(" onclick="), "no inline script");
    let form = [("language", "en"), ("back", "/")];
    assert_eq!(browser.post("/language", &form).await.status, 403, "without the token");
    let wrong = [("language", "en"), ("back", "/"), ("csrf", "0000")];
    assert_eq!(browser.post("/language", &wrong).await.status, 403, "with a wrong one");
    let csrf = page.csrf();
    let right = [("language", "en"), ("back", "/"), ("csrf", csrf.as_str())];
    assert_eq!(browser.post("/language", &right).await.status, 303);
    // The token belongs to this browser alone.
    browser.cookies.clear();
    assert_eq!(browser.post("/language", &right).await.status, 403, "with another browser's");
}

#[tokio::test]
async fn another_name_or_another_sites_page_is_refused_with_a_page_that_says_why() {
    let mut browser = Browser::in_front_of("127.0.0.1:8080").await;
    let at = format!("http://{}/", browser.address);
    let seen = browser.go(browser.client.get(&at).header("host", "evil.example:8080")).await;
    assert_eq!(seen.status, 421);
    assert!(seen.headers["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    assert!(seen.text.contains("evil.example") && seen.text.contains("console.public_url"), "{}", seen.text);
    let marked = browser.go(browser.client.get(&at).header("host", "<script>alert(1)</script>")).await;
    assert!(!marked.text.contains("<script>alert"), "what a stranger sends is text");
    let foreign = browser
        .client
        .post(format!("{at}language"))
        .header("origin", "https://evil.example")
        .form(&[("language", "en")]);
    assert_eq!(browser.go(foreign).await.status, 403);
    assert!(browser.cookies.iter().all(|(name, _)| name != "muhatap_session"));
}

#[tokio::test]
async fn elsewhere_a_login_is_needed_and_leads_back() {
    let mut browser = Browser::in_front_of("0.0.0.0:8080").await;
    browser.user("Ayşe", Role::Admin).await;
    let away = browser.get("/deliveries?state=held").await;
    assert_eq!((away.status, away.location()), (303, "/login?next=%2Fdeliveries%3Fstate%3Dheld"));
    assert_eq!(browser.get("/api/v1/mentions").await.status, 401);
    assert_eq!(browser.post("/language", &[("language", "en")]).await.status, 403, "a token is needed here too");
    let wrong = browser.log_in("Ayşe", "yanlış parola").await;
    assert_eq!(wrong.status, 401);
    let nobody = browser.log_in("Yok", PASSWORD).await;
    assert_eq!(nobody.status, 401);
    let strip = |seen: &Seen| seen.text.replace(&seen.csrf(), "");
    assert_eq!(strip(&wrong), strip(&nobody), "whether a name exists is not told");
    let right = browser.log_in("Ayşe", PASSWORD).await;
    assert_eq!((right.status, right.location()), (303, "/deliveries"));
    let page = browser.get("/deliveries").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Ayşe"));
    let old = browser.cookies.clone();
    let csrf = page.csrf();
    let out = browser.post("/logout", &[("csrf", &csrf)]).await;
    assert_eq!((out.status, out.location()), (303, "/login"));
    assert_eq!(browser.get("/").await.status, 303);
    browser.cookies = old;
    assert_eq!(browser.get("/").await.status, 303, "the old cookie is worth nothing");
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_new_password_ends_sessions() {
    let mut browser = Browser::in_front_of("0.0.0.0:8080").await;
    browser.user("Ayşe", Role::Admin).await;
    browser.user("Can", Role::Viewer).await;
    assert_eq!(browser.log_in("Ayşe", PASSWORD).await.status, 303);
    let user = browser.app.store.user_by_name("Ayşe").await.expect("a user").id;
    let change =
        UserChange { password_hash: Some(hash_password("yeni uzun parola".to_owned()).await), ..UserChange::default() };
    browser.app.store.change_user(user, &change, "cli").await.expect("it changes");
    assert_eq!(browser.get("/").await.status, 303, "logged out");
    let mut last = 0;
    for _ in 0..8 {
        let seen = browser.log_in("Ayşe", "tahmin tahmin").await;
        last = seen.status;
        if last == 429 {
            assert!(seen.headers.contains_key("retry-after"));
            break;
        }
        assert_eq!(last, 401);
    }
    assert_eq!(last, 429);
    assert_eq!(browser.log_in("Ayşe", "yeni uzun parola").await.status, 429, "the right one waits too");
    // Others are not held up; and who only looks on changes nothing.
    assert_eq!(browser.log_in("Can", PASSWORD).await.status, 303);
    let csrf = browser.get("/").await.csrf();
    let stop = browser.post("/sending/stop", &[("csrf", &csrf)]).await;
    assert_eq!(stop.status, 403, "{}", stop.text);
    for path in ["/users", "/schedule/new"] {
        assert_eq!(browser.get(path).await.status, 403, "{path}");
    }
}

#[tokio::test]
async fn the_first_user_is_made_once_through_the_printed_link() {
    let mut browser = Browser::in_front_of("0.0.0.0:8080").await;
    let link = login::setup_link(&browser.app).await.expect("a link").expect("nobody could log in");
    assert!(link.starts_with("http://localhost:8080/setup?token="), "{link}");
    let path = link.trim_start_matches("http://localhost:8080").to_owned();
    let token = path.split_once('=').expect("a token").1.to_owned();
    assert_eq!(browser.get("/setup?token=guessed").await.status, 410);
    let csrf = browser.get(&path).await.csrf();
    let form = |password: &'static str, again: &'static str| {
        vec![
            ("csrf", csrf.clone()),
            ("token", token.clone()),
            ("name", "yönetici".to_owned()),
            ("password", password.to_owned()),
            ("again", again.to_owned()),
        ]
    };
    let mut send = async |form: Vec<(&str, String)>| {
        let form: Vec<(&str, &str)> = form.iter().map(|(name, value)| (*name, value.as_str())).collect();
        browser.post("/setup", &form).await
    };
    assert_eq!(send(form("kısa", "kısa")).await.status, 422);
    assert_eq!(send(form("uzun bir parola", "başka bir parola")).await.status, 422);
    let made = send(form("uzun bir parola", "uzun bir parola")).await;
    assert_eq!((made.status, made.location()), (303, "/"));
    assert_eq!(browser.get("/").await.status, 200, "logged in at once");
    assert_eq!(browser.get(&path).await.status, 410, "the link is spent");
    assert_eq!(login::setup_link(&browser.app).await.expect("no fault"), None);
}
