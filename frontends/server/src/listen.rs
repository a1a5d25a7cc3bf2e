//! Ports: bound first, served next, and closed in an orderly way.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tracing::{info, warn};

use crate::error::Error;

/// A port that is bound and not yet served.
#[derive(Debug)]
pub(crate) struct Port {
    listener: TcpListener,
    /// Where it is, with the port number that was given.
    pub(crate) address: SocketAddr,
}

/// Binds an address: `127.0.0.1:7400`, `localhost:7400`, or `:7400` for every interface.
pub(crate) async fn bind(address: &str) -> Result<Port, Error> {
    let failed = |source| Error::io(format!("cannot listen on {address}"), source);
    let full = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    let listener = TcpListener::bind(full).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Port { listener, address })
}

/// The ports of a server, served together.
#[derive(Debug)]
pub(crate) struct Ports {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    connections_max: usize,
}

impl Ports {
    /// No port yet; each will hold at most this many connections.
    pub(crate) fn new(connections_max: usize) -> Self {
        let (stop, _) = watch::channel(false);
        Self { tasks: JoinSet::new(), stop, connections_max }
    }

    /// Begins to serve a port: HTTP/1.1 and h2c.
    pub(crate) fn serve(&mut self, port: Port, router: Router) {
        let mut stop = self.stop.subscribe();
        let address = port.address;
        let limited = Limited {
            listener: port.listener,
            permits: Arc::new(Semaphore::new(self.connections_max.max(1))),
        };
        self.tasks.spawn(async move {
            // A sender that is gone means the same as one that says stop.
            let stopped = async move { drop(stop.wait_for(|stop| *stop).await) };
            let served = axum::serve(limited, router).with_graceful_shutdown(stopped).await;
            if let Err(error) = served {
                warn!(%address, %error, "a port has failed");
            }
        });
    }

    /// Accepts no more, and waits until running requests are answered, at most for `grace` or
    /// until `hurry` ends.
    pub(crate) async fn stop(mut self, grace: Duration, hurry: impl Future<Output = ()>) {
        self.stop.send_replace(true);
        let all_done = async { while self.tasks.join_next().await.is_some() {} };
        tokio::select! {
            () = all_done => info!("all requests are answered"),
            () = tokio::time::sleep(grace) => warn!("some requests were cut off"),
            () = hurry => warn!("told to hurry, some requests were cut off"),
        }
        self.tasks.abort_all();
    }
}

/// Ends when the process is told to stop: SIGINT (Ctrl-C) or SIGTERM.
pub(crate) async fn stop_signal() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            warn!(%error, "cannot listen for SIGINT");
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(error) => {
                warn!(%error, "cannot listen for SIGTERM");
                std::future::pending::<()>().await;
            }
        }
    };
    #[cfg(not(unix))]
    let terminate = std::future::pending::<()>();
    tokio::select! {
        () = interrupt => {}
        () = terminate => {}
    }
}

/// The wish that the configuration is read again: SIGHUP. It never comes where there is none.
#[derive(Debug)]
pub(crate) struct Reload {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Reload {
    /// From now on SIGHUP does not end the process.
    #[cfg(unix)]
    pub(crate) fn new() -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        let signal = signal.inspect_err(|error| warn!(%error, "cannot listen for SIGHUP")).ok();
        Self { signal }
    }

    /// From now on SIGHUP does not end the process.
    #[cfg(not(unix))]
    pub(crate) fn new() -> Self {
        Self {}
    }

    /// Ends when the next one has come.
    pub(crate) async fn wait(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}

/// A listener that leaves clients waiting while it holds as many connections as it may.
#[derive(Debug)]
struct Limited {
    listener: TcpListener,
    permits: Arc<Semaphore>,
}

impl axum::serve::Listener for Limited {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.expect("the semaphore is never closed");
        // Not the listener's own `accept`: this one sleeps over errors such as too many files.
        let (stream, address) = axum::serve::Listener::accept(&mut self.listener).await;
        // Answers are written whole; waiting for more would only delay them.
        if let Err(error) = stream.set_nodelay(true) {
            warn!(%error, "cannot set TCP_NODELAY");
        }
        (Connection { stream, _permit: permit }, address)
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that gives its place back when it is dropped.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests;
