//! Connections that can be cut: a fault such as "accepted, then the connection was reset" must look on the wire as it
//! does in life, so the listener hands every request a grip on the connection it came over.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;

const RESET: u8 = 1;
const CUT: u8 = 2;

/// A grip on the connection that a request came over.
#[derive(Debug, Clone, Default)]
pub(crate) struct Grip(Arc<AtomicU8>);

impl Grip {
    /// The next write resets the connection instead.
    pub(crate) fn reset(&self) {
        self.0.store(RESET, Ordering::SeqCst);
    }

    /// The next write sends its first half, then the connection is reset.
    pub(crate) fn cut(&self) {
        self.0.store(CUT, Ordering::SeqCst);
    }
}

/// One accepted connection. It ends when the server goes dark, idle or not.
pub(crate) struct Wire {
    stream: TcpStream,
    grip: Grip,
    lights_out: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Wire {
    fn die(&self) -> io::Error {
        // Without lingering the kernel sends a reset rather than a polite end.
        match self.stream.set_zero_linger() {
            Ok(()) => io::ErrorKind::ConnectionReset.into(),
            Err(error) => error,
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.lights_out.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(self.die()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.grip.0.load(Ordering::SeqCst) {
            RESET => Poll::Ready(Err(self.die())),
            CUT => {
                let half = &bytes[..bytes.len() / 2];
                let written = Pin::new(&mut self.stream).poll_write(cx, half);
                if written.is_ready() {
                    self.grip.reset();
                }
                written
            }
            _ => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Connections that wait to be accepted. More than that at a moment are made to wait a second by the system, which no
/// network of any size does.
const BACKLOG: u32 = 4096;

/// Opens the port.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The simulator's listener. While it is dark its port is closed, so that callers are refused as by a dead server.
pub(crate) struct Door {
    open: Option<TcpListener>,
    address: SocketAddr,
    dark: watch::Receiver<bool>,
}

impl Door {
    pub(crate) fn new(listener: TcpListener, dark: watch::Receiver<bool>) -> io::Result<Self> {
        Ok(Self { address: listener.local_addr()?, open: Some(listener), dark })
    }
}

impl Listener for Door {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        loop {
            if *self.dark.borrow_and_update() {
                self.open = None;
                if self.dark.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
                continue;
            }
            let Some(listener) = &self.open else {
                match listen(self.address) {
                    Ok(listener) => self.open = Some(listener),
                    // Somebody else took the port meanwhile: try until it is free again.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                }
                continue;
            };
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        // An unset option costs milliseconds, not correctness.
                        let _ = stream.set_nodelay(true);
                        let mut dark = self.dark.clone();
                        let lights_out = Box::pin(async move {
                            if dark.wait_for(|dark| *dark).await.is_err() {
                                std::future::pending::<()>().await;
                            }
                        });
                        return (Wire { stream, grip: Grip::default(), lights_out }, from);
                    }
                    // Out of file descriptors, most likely: give the others time to close.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                changed = self.dark.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Connected<IncomingStream<'_, Door>> for Grip {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.io().grip.clone()
    }
}
