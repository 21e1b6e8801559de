//! A whole worker on a database of its own: the simulated network, listening, sending and the console over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use muhatap::app::App;
use muhatap::config::Config;
use muhatap::model::AccountId;
use muhatap_simulator::{Options, Simulator};
use reqwest::header::{COOKIE, SET_COOKIE};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{Backend, Database, eventually};

/// Ends with its value.
pub struct Running {
    pub app: Arc<App>,
    pub simulator: Simulator,
    /// `http://127.0.0.1:PORT` of the console.
    pub url: String,
    pub account: AccountId,
    tasks: JoinSet<()>,
    // Last, so that the files go when nothing writes any more.
    _database: Database,
}

impl Running {
    /// With the shop's Mastodon account on a network where nobody has written yet.
    pub async fn start() -> Running {
        Self::with(Options::quiet(), "").await
    }

    /// `more` goes into the configuration file.
    pub async fn with(options: Options, more: &str) -> Running {
        let database = Database::fresh(Backend::Sqlite).await;
        let simulator = Simulator::start(options).await.expect("the simulated network starts");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let address: SocketAddr = listener.local_addr().expect("it is bound");
        let token = database.dir().join("token");
        std::fs::write(&token, "simulated-yelpazar").expect("a file can be written");
        let text = format!(
            "data_dir = {dir:?}\n[database]\nurl = {url:?}\n[console]\nlisten = \"{address}\"\nlanguage = \"en\"\n{more}\n\
             [[accounts]]\nname = \"yelpazar\"\nbrand = \"Yelpazar\"\nnetwork = \"mastodon\"\nbase_url = {base:?}\n\
             token = {{ file = {token:?} }}\npoll_seconds = 5\n",
            dir = database.dir().display().to_string(),
            url = database.url,
            base = simulator.url(),
            token = token.display().to_string(),
        );
        let config = database.dir().join("muhatap.toml");
        std::fs::write(&config, text).expect("a file can be written");
        let config = Config::load(Some(&config)).expect("the configuration is right");
        let app = App::open(config).await.expect("the app opens");
        app.put_accounts().await.expect("the account can be added");
        let account = app.store.account_by_name("yelpazar").await.expect("the account is there").id;
        let mut tasks = JoinSet::new();
        tasks.spawn(muhatap::deliver::run(Arc::clone(&app)));
        tasks.spawn(muhatap::outbox::run(Arc::clone(&app)));
        let listening = Arc::clone(&app);
        tasks.spawn(async move { muhatap::listen::run(listening).await.expect("listening goes on") });
        let following = Arc::clone(&app);
        tasks.spawn(async move { following.live.follow(&following.store, following.shutdown.clone()).await });
        let serving = Arc::clone(&app);
        tasks.spawn(async move { muhatap::web::serve(serving, listener).await.expect("the console is served") });
        Running { app, simulator, url: format!("http://{address}"), account, tasks, _database: database }
    }

    /// Somebody writes on the network.
    pub async fn stranger_writes(&self, handle: &str, text: &str) {
        let answer = reqwest::Client::new()
            .post(format!("{}/simulator/posts", self.simulator.url()))
            .json(&json!({ "by": handle, "text": text }))
            .send()
            .await
            .expect("the simulator answers");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
    }

    /// Somebody writes, and it is stored here.
    pub async fn mention(&self, handle: &str, text: &str) -> muhatap::store::inbox::MentionRow {
        self.stranger_writes(handle, text).await;
        // Not in five seconds: now.
        self.app.store.poll_account_now(self.account).await.expect("streams can be made due");
        self.app.live.wake(muhatap::live::Wake::Streams);
        let written = text.replace("@yelpazar", "");
        let known = written.trim();
        let found = || async {
            let mentions = self.app.store.mentions(&Default::default()).await.expect("mentions can be read");
            mentions.into_iter().find(|mention| mention.text.as_deref().is_some_and(|text| text.contains(known)))
        };
        eventually("the mention is stored", || async { found().await.is_some() }).await;
        found().await.expect("it was just there")
    }

    /// The texts of our own posts on the network.
    pub fn our_posts(&self) -> Vec<String> {
        self.simulator.simulation().look(|world| {
            let timeline = world.timeline();
            timeline
                .posts()
                .iter()
                .filter(|post| post.deleted_at.is_none() && timeline.person(post.author).is_ours())
                .map(|post| post.text.clone())
                .collect()
        })
    }

    /// A browser without a script.
    pub fn visitor(&self) -> Visitor {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .expect("a client can be built");
        Visitor { url: self.url.clone(), client, cookies: Vec::new(), language: "en".to_owned() }
    }

    /// Ends every loop, as a signal would.
    pub async fn stop(mut self) {
        self.app.shutdown.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("no loop panics");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.app.shutdown.cancel();
    }
}

/// Somebody with cookies and forms, without a script.
pub struct Visitor {
    url: String,
    client: reqwest::Client,
    cookies: Vec<(String, String)>,
    pub language: String,
}

/// What a page answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub location: Option<String>,
    pub headers: reqwest::header::HeaderMap,
    pub body: String,
}

impl Visitor {
    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.url));
        self.send(request).await
    }

    /// Sends a form with the token of the page that was last asked for.
    pub async fn post(&mut self, path: &str, csrf: &str, fields: &[(&str, &str)]) -> Answer {
        let mut form = vec![("csrf", csrf)];
        form.extend_from_slice(fields);
        let request = self.client.post(format!("{}{path}", self.url)).form(&form);
        self.send(request).await
    }

    async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = request.header("accept", "text/html").header("accept-language", &self.language);
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let response = request.send().await.expect("the console answers");
        for set in response.headers().get_all(SET_COOKIE) {
            let set = set.to_str().expect("a cookie is text");
            let (name, value) =
                set.split(';').next().and_then(|pair| pair.split_once('=')).expect("a cookie has a name");
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
        let location = response.headers().get("location").map(|at| at.to_str().expect("it is text").to_owned());
        Answer {
            status: response.status().as_u16(),
            location,
            headers: response.headers().clone(),
            body: response.text().await.expect("the page is text"),
        }
    }
}

impl Answer {
    /// The value of the first field `name` of the page.
    pub fn field(&self, name: &str) -> String {
        let from = self.body.split(&format!("name=\"{name}\" value=\"")).nth(1);
        from.and_then(|rest| rest.split('"').next())
            .unwrap_or_else(|| panic!("no field {name} in {}", self.body))
            .to_owned()
    }
}
