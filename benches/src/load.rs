//! Clients: each sends its next request when its last was acknowledged.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use clap::ValueEnum;
use tokio::task::JoinSet;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use crate::LoadArgs;
use crate::generate::{Load, Signal};
use crate::server::Server;

/// How long a client waits before it sends again what was refused for lack of room.
pub(crate) const RETRY_AFTER: Duration = Duration::from_millis(20);

/// How requests are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    /// OTLP over gRPC, a connection per client.
    Grpc,
    /// OTLP over HTTP/1.1, a connection per client.
    Http,
}

/// What sending took.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    /// Microseconds from sending to acknowledgement, one a request; refused attempts included.
    pub(crate) latencies_us: Vec<u64>,
    /// Attempts that were told to come again later.
    pub(crate) refused: u64,
    /// From the first request to the last acknowledgement.
    pub(crate) seconds: f64,
}

impl Sent {
    /// The latency that this share of requests stays below, in milliseconds.
    pub(crate) fn quantile_ms(&mut self, share: f64) -> f64 {
        self.latencies_us.sort_unstable();
        let last = self.latencies_us.len().saturating_sub(1);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "an index between 0 and last"
        )]
        let index = (last as f64 * share).round() as usize;
        #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
        let latency = self.latencies_us.get(index).map_or(0.0, |us| *us as f64);
        latency / 1000.0
    }

    /// Adds what another round took.
    pub(crate) fn merge(&mut self, other: Self) {
        self.latencies_us.extend(other.latencies_us);
        self.refused += other.refused;
        self.seconds += other.seconds;
    }
}

/// Sends all requests with this many clients; returns when all are acknowledged.
pub(crate) async fn send(
    server: &Server,
    signal: Signal,
    args: &LoadArgs,
    loads: Vec<Load>,
) -> io::Result<Sent> {
    let loads = Arc::new(loads);
    let next = Arc::new(AtomicUsize::new(0));
    let mut sinks = Vec::with_capacity(args.clients);
    for _ in 0..args.clients {
        sinks.push(Sink::open(server, signal, args.transport).await?);
    }
    let started = Instant::now();
    let pause = Duration::from_millis(args.pause_ms);
    let mut tasks = JoinSet::new();
    for (number, sink) in (0..).zip(sinks) {
        // Clients that rest begin one after the other, not all at once.
        let begin = pause * number / u32::try_from(args.clients.max(1)).unwrap_or(u32::MAX);
        let (loads, next) = (Arc::clone(&loads), Arc::clone(&next));
        tasks.spawn(async move {
            tokio::time::sleep(begin).await;
            client(sink, loads, next, pause).await
        });
    }
    let mut sent = Sent::default();
    while let Some(done) = tasks.join_next().await {
        sent.merge(done.map_err(io::Error::other)??);
    }
    sent.seconds = started.elapsed().as_secs_f64();
    Ok(sent)
}

async fn client(
    mut sink: Sink,
    loads: Arc<Vec<Load>>,
    next: Arc<AtomicUsize>,
    pause: Duration,
) -> io::Result<Sent> {
    let mut sent = Sent::default();
    while let Some(load) = loads.get(next.fetch_add(1, Ordering::Relaxed)) {
        let started = Instant::now();
        while !sink.send(load.body.clone()).await? {
            sent.refused += 1;
            tokio::time::sleep(RETRY_AFTER).await;
        }
        let latency = started.elapsed().as_micros();
        sent.latencies_us.push(u64::try_from(latency).unwrap_or(u64::MAX));
        if !pause.is_zero() {
            tokio::time::sleep(pause).await;
        }
    }
    Ok(sent)
}

/// One client's connection.
#[derive(Debug)]
pub(crate) enum Sink {
    /// OTLP over gRPC.
    Grpc { channel: Channel, path: PathAndQuery },
    /// OTLP over HTTP.
    Http { client: reqwest::Client, url: String },
}

impl Sink {
    /// Connects to a server.
    pub(crate) async fn open(
        server: &Server,
        signal: Signal,
        transport: Transport,
    ) -> io::Result<Self> {
        match transport {
            Transport::Grpc => {
                let channel = Channel::from_shared(server.url("")).map_err(io::Error::other)?;
                let channel = channel.connect().await.map_err(io::Error::other)?;
                Ok(Self::Grpc { channel, path: PathAndQuery::from_static(signal.grpc_path()) })
            }
            Transport::Http => {
                let url = server.url(signal.http_path());
                Ok(Self::Http { client: reqwest::Client::new(), url })
            }
        }
    }

    /// Whether the request was acknowledged; if not, it may be sent again later.
    pub(crate) async fn send(&mut self, body: Bytes) -> io::Result<bool> {
        match self {
            Self::Grpc { channel, path } => {
                let mut grpc = tonic::client::Grpc::new(channel.clone());
                grpc.ready().await.map_err(io::Error::other)?;
                match grpc.unary(Request::new(body), path.clone(), Verbatim).await {
                    Ok(_) => Ok(true),
                    Err(status)
                        if matches!(status.code(), Code::ResourceExhausted | Code::Unavailable) =>
                    {
                        Ok(false)
                    }
                    Err(status) => Err(io::Error::other(status)),
                }
            }
            Self::Http { client, url } => {
                let request = client.post(&*url).header("content-type", "application/x-protobuf");
                let answer = request.body(body).send().await.map_err(io::Error::other)?;
                match answer.status().as_u16() {
                    200 => Ok(true),
                    429 | 503 => Ok(false),
                    status => Err(io::Error::other(format!("{url}: {status}"))),
                }
            }
        }
    }
}

/// Sends bytes that are a message already, so that the clients' own work stays small.
#[derive(Clone, Copy, Debug, Default)]
struct Verbatim;

impl Codec for Verbatim {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Verbatim {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
