//! A proxy between the worker and its network that holds the call that publishes where a test wants it held.

use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Where a call is held: nothing of it goes on until the proxy is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// A read that prepares the call, before it reaches the network.
    Preparing,
    /// The call, before any of it reaches the network.
    Request,
    /// The call, with half of it on the network.
    HalfRequest,
    /// The answer, before any of it reaches the worker: the network has the message.
    Answer,
    /// The answer, with half of it at the worker.
    HalfAnswer,
    /// Nothing; told once the worker has the whole answer.
    Answered,
}

/// Parts of the paths of the two kinds of requests that are held.
#[derive(Debug, Clone, Copy)]
pub struct Paths {
    pub preparing: &'static str,
    pub calling: &'static str,
}

struct State {
    upstream: String,
    paths: Paths,
    /// Whether a hold is set, and its end is the proxy's or the worker's.
    hold: watch::Sender<Option<Hold>>,
    reached: watch::Sender<bool>,
}

/// Listens on a port of its own; ends with the test's runtime.
pub struct Proxy {
    pub address: String,
    state: Arc<State>,
}

impl Proxy {
    pub async fn start(upstream: String, paths: Paths) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = format!("http://localhost:{}", listener.local_addr().expect("an address").port());
        let state =
            Arc::new(State { upstream, paths, hold: watch::Sender::new(None), reached: watch::Sender::new(false) });
        let accepting = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let state = accepting.clone();
                // A worker that is killed breaks its connections: nobody is left to tell.
                tokio::spawn(async move { state.pass(client).await.ok() });
            }
        });
        Self { address, state }
    }

    /// Holds the next request of that kind.
    pub fn hold(&self, hold: Hold) {
        self.state.reached.send_replace(false);
        self.state.hold.send_replace(Some(hold));
    }

    /// Waits until a request is held.
    pub async fn reached(&self) {
        let mut reached = self.state.reached.subscribe();
        let wait = reached.wait_for(|reached| *reached);
        tokio::time::timeout(super::PATIENCE, wait).await.expect("a call is held in time").expect("the proxy runs");
    }

    /// Lets every request pass from now on; those that were held are dropped.
    pub fn open(&self) {
        self.state.hold.send_replace(None);
    }
}

impl State {
    /// One request and its answer; each connection carries one.
    async fn pass(&self, mut client: TcpStream) -> std::io::Result<()> {
        let Some((head, body)) = read_message(&mut client).await? else { return Ok(()) };
        let path = head.split_whitespace().nth(1).unwrap_or_default();
        let wanted = *self.hold.borrow();
        let hold = wanted.filter(|hold| match hold {
            Hold::Preparing => path.contains(self.paths.preparing),
            _ => path.contains(self.paths.calling),
        });
        if matches!(hold, Some(Hold::Preparing | Hold::Request)) {
            return self.stop().await;
        }
        let mut server = TcpStream::connect(&self.upstream).await?;
        let request = [closing(&head).as_bytes(), &body].concat();
        if hold == Some(Hold::HalfRequest) {
            server.write_all(&request[..request.len() - body.len() / 2 - 1]).await?;
            server.flush().await?;
            return self.stop().await;
        }
        server.write_all(&request).await?;
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).await?;
        match hold {
            Some(Hold::Answer) => self.stop().await,
            Some(Hold::HalfAnswer) => {
                client.write_all(&answer[..answer.len() - 5]).await?;
                client.flush().await?;
                self.stop().await
            }
            hold => {
                client.write_all(&answer).await?;
                client.shutdown().await?;
                if hold.is_some() {
                    self.reached.send_replace(true);
                }
                Ok(())
            }
        }
    }

    /// Tells that a request is held, and keeps its connections until the proxy opens.
    async fn stop(&self) -> std::io::Result<()> {
        let mut hold = self.hold.subscribe();
        self.reached.send_replace(true);
        let _ = hold.wait_for(Option::is_none).await;
        Ok(())
    }
}

/// A request's head and body; `None` when the connection ends before one.
async fn read_message(client: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        if client.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = bytes.split_off(end);
    while body.len() < length.unwrap_or(0) {
        if client.read_buf(&mut body).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some((head, body)))
}

/// The head, asking the server to end the connection behind its answer.
fn closing(head: &str) -> String {
    let kept = head.trim_end().lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    kept.map(|line| format!("{line}\r\n")).collect::<String>() + "connection: close\r\n\r\n"
}
