//! A small S3 server in memory, for tests and measurements: the requests that Siglake sends, the
//! conditions it relies on, a count of everything, and faults on demand.
//!
//! ```text
//!  request ─▶ count ─▶ fault? ─▶ bucket ─▶ answer
//! ```
//!
//! It signs nothing and believes everybody. Every bucket exists.

mod bucket;
pub(crate) mod faults;
mod xml;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};

use self::bucket::Bucket;
use self::faults::{Fault, Faults};

/// Largest body of a request.
const BODY_BYTES_MAX: usize = 1 << 30;

/// A running server. Its task ends with the runtime.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// `http://127.0.0.1:port`.
    pub(crate) url: String,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    bucket: Bucket,
    faults: Faults,
    counts: Counts,
    /// Added to every answer, in milliseconds.
    latency_ms: AtomicU64,
    /// Whether `If-None-Match` is believed to be there for decoration.
    ignores_conditions: AtomicBool,
}

/// Requests and bytes so far.
#[derive(Debug, Default)]
struct Counts {
    segment_gets: AtomicU64,
    other_gets: AtomicU64,
    puts: AtomicU64,
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
}

/// Requests and bytes so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Gets of segments.
    pub(crate) segment_gets: u64,
    /// Gets of everything else, listings included.
    pub(crate) other_gets: u64,
    /// Puts, of parts, too.
    pub(crate) puts: u64,
    /// Bytes of segments sent.
    pub(crate) bytes_out: u64,
    /// Bytes received.
    pub(crate) bytes_in: u64,
}

impl Server {
    /// Starts on a free port.
    pub(crate) async fn start() -> Self {
        Self::start_at("127.0.0.1:0").await
    }

    /// Starts at an address.
    pub(crate) async fn start_at(address: &str) -> Self {
        let shared: Arc<Shared> = Arc::default();
        let router = Router::new()
            .fallback(serve)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url: format!("http://{address}"), shared }
    }

    /// Settings of Siglake that put its lake here.
    pub(crate) fn settings(&self) -> Vec<String> {
        let endpoint = format!("storage.s3.endpoint={}", self.url);
        let others = [
            "storage.s3.bucket=lake",
            "storage.s3.access_key_id=any",
            "storage.s3.secret_access_key=any",
            "storage.s3.allow_http=true",
        ];
        others.iter().map(|&text| text.to_owned()).chain([endpoint]).collect()
    }

    /// What became of requests so far.
    pub(crate) fn counted(&self) -> Counted {
        let counts = &self.shared.counts;
        let load = |counter: &AtomicU64| counter.load(Ordering::SeqCst);
        Counted {
            segment_gets: load(&counts.segment_gets),
            other_gets: load(&counts.other_gets),
            puts: load(&counts.puts),
            bytes_out: load(&counts.bytes_out),
            bytes_in: load(&counts.bytes_in),
        }
    }

    /// What becomes of requests to come.
    pub(crate) fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// Overwrites what should only be created, as some servers do.
    pub(crate) fn ignore_conditions(&self) {
        self.shared.ignores_conditions.store(true, Ordering::SeqCst);
    }

    /// Lets every answer take this long.
    pub(crate) fn set_latency(&self, latency: Duration) {
        let latency_ms = u64::try_from(latency.as_millis()).unwrap();
        self.shared.latency_ms.store(latency_ms, Ordering::SeqCst);
    }
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or("").to_owned(),
        headers: parts.headers,
        is_conditional: !shared.ignores_conditions.load(Ordering::SeqCst),
        body: axum::body::to_bytes(body, BODY_BYTES_MAX).await.unwrap_or_default(),
    };
    let latency = shared.latency_ms.load(Ordering::SeqCst);
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }
    match shared.faults.next(&format!("{} {}?{}", call.method, call.path, call.query)) {
        None => shared.perform(&call),
        Some(Fault::Refuse(status, code)) => {
            xml::error(StatusCode::from_u16(status).unwrap(), code)
        }
        Some(Fault::Reset) => hang_up(),
        Some(Fault::LoseAnswer) => {
            shared.perform(&call);
            hang_up()
        }
        Some(Fault::Stall) => std::future::pending().await,
        Some(Fault::Late(delay)) => {
            // Done even if the client hangs up meanwhile.
            let late = tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                shared.perform(&call)
            });
            late.await.unwrap()
        }
    }
}

/// Ends the connection without an answer: its task unwinds, and no message is printed.
fn hang_up() -> Response {
    std::panic::resume_unwind(Box::new("the connection is cut"))
}

/// A request as the bucket sees it.
#[derive(Debug)]
struct Call {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    /// Whether conditions count.
    is_conditional: bool,
    body: Bytes,
}

impl Call {
    /// A parameter of the query, decoded.
    fn parameter(&self, name: &str) -> Option<String> {
        self.query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then(|| xml::decode(value))
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Bucket and key.
    fn key(&self) -> String {
        xml::decode(self.path.trim_start_matches('/'))
    }

    fn is_of_segment(&self) -> bool {
        self.path.ends_with(".parquet") && !self.path.contains("_delta_log")
    }
}

impl Shared {
    fn perform(&self, call: &Call) -> Response {
        let has = |name: &str| call.parameter(name).is_some();
        let add = |counter: &AtomicU64, by: u64| counter.fetch_add(by, Ordering::SeqCst);
        match call.method {
            Method::GET if has("list-type") => {
                add(&self.counts.other_gets, 1);
                self.bucket.list(call)
            }
            Method::GET => {
                let answer = self.bucket.get(call);
                let counts = &self.counts;
                let gets = if call.is_of_segment() {
                    add(&counts.bytes_out, body_length(&answer));
                    &counts.segment_gets
                } else {
                    &counts.other_gets
                };
                add(gets, 1);
                answer
            }
            Method::HEAD => self.bucket.head(call),
            Method::PUT => {
                add(&self.counts.puts, 1);
                add(&self.counts.bytes_in, call.body.len() as u64);
                if has("uploadId") { self.bucket.put_part(call) } else { self.bucket.put(call) }
            }
            Method::POST if has("uploads") => self.bucket.begin(call),
            Method::POST if has("delete") => self.bucket.delete_many(call),
            Method::POST if has("uploadId") => {
                add(&self.counts.puts, 1);
                self.bucket.complete(call)
            }
            Method::DELETE if has("uploadId") => self.bucket.abort(call),
            Method::DELETE => self.bucket.delete(call),
            _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        }
    }
}

fn body_length(answer: &Response<Body>) -> u64 {
    use axum::body::HttpBody as _;

    answer.body().size_hint().exact().unwrap_or(0)
}
