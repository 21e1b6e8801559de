//! A proxy between the workers and a server, which can be broken in the ways that networks break.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::plan::Broken;

/// Ends with its runtime.
pub struct Wire {
    pub port: u16,
    broken: Arc<watch::Sender<Option<Broken>>>,
}

impl Wire {
    pub async fn to(port: u16) -> Wire {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free");
        let own = listener.local_addr().expect("it is bound").port();
        let broken = Arc::new(watch::Sender::new(None));
        tokio::spawn(listen(listener, own, port, broken.clone()));
        Wire { port: own, broken }
    }

    /// Breaks it, or mends it. What was on its way while it was silent never arrives.
    pub fn set(&self, broken: Option<Broken>) {
        self.broken.send_replace(broken);
    }
}

async fn listen(listener: TcpListener, own: u16, to: u16, broken: Arc<watch::Sender<Option<Broken>>>) {
    let mut listener = Some(listener);
    let mut state = broken.subscribe();
    loop {
        if *state.borrow_and_update() == Some(Broken::Refused) {
            listener = None;
            let _ = state.changed().await;
            continue;
        }
        let Some(open) = &listener else {
            match TcpListener::bind(("127.0.0.1", own)).await {
                Ok(open) => listener = Some(open),
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
            continue;
        };
        tokio::select! {
            accepted = open.accept() => if let Ok((client, _)) = accepted {
                tokio::spawn(pass(client, to, broken.subscribe()));
            },
            _ = state.changed() => {}
        }
    }
}

async fn pass(mut client: TcpStream, to: u16, mut broken: watch::Receiver<Option<Broken>>) {
    let state = *broken.borrow_and_update();
    if state.is_none()
        && let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await
    {
        // An unset option costs milliseconds, not correctness.
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let ended = tokio::select! {
            copied = tokio::io::copy_bidirectional(&mut client, &mut server) => copied.is_ok(),
            _ = broken.changed() => false,
        };
        if ended {
            return;
        }
        // One side broke off: so does the other.
        let _ = server.set_zero_linger();
    }
    while *broken.borrow_and_update() == Some(Broken::Silent) {
        if broken.changed().await.is_err() {
            break;
        }
    }
    let _ = client.set_zero_linger();
}
