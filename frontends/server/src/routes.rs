//! Who answers on which path of which port.
//!
//! ```text
//!  main port   /  /ready  /healthy  /metrics  /sql
//!              /prometheus/… (with api/v1/write, api/v1/otlp, metrics)
//!              /loki/…  /tempo/…  /loki/api/v1/… (as pushing clients write it)
//!              /v1/{logs,metrics,traces}                          OTLP over HTTP
//!              /opentelemetry.proto.…  /arrow.flight.protocol.…   gRPC
//!  classic     one of the protocols, at its root
//! ```

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::from_fn_with_state;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use tokio::runtime::Handle;
use tower::ServiceExt as _;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::config::Http;
use crate::engine::Engine;
use crate::{away, home, metrics};

/// The protocol of a classic port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// OTLP over gRPC.
    OtlpGrpc,
    /// OTLP over HTTP.
    OtlpHttp,
    /// The Prometheus API.
    Prometheus,
    /// The Loki API.
    Loki,
    /// The Tempo API.
    Tempo,
}

/// Builds the routers of all ports over one engine.
#[derive(Clone, Debug)]
pub(crate) struct Routes {
    engine: Engine,
    http: Http,
    stopping: Arc<AtomicBool>,
    /// Where queries run; `None`: where they are asked.
    queries: Option<Handle>,
}

impl Routes {
    /// Routes to an engine; `/ready` denies once `stopping` is set.
    pub(crate) fn new(engine: Engine, http: Http, stopping: Arc<AtomicBool>) -> Self {
        Self { engine, http, stopping, queries: None }
    }

    /// The same with queries answered on another runtime.
    pub(crate) fn with_queries_on(self, place: Handle) -> Self {
        Self { queries: Some(place), ..self }
    }

    /// The main port: everything.
    pub(crate) fn main(&self) -> Router {
        let api = &self.engine.api;
        let loki = self.queries(api::loki_router(Arc::clone(api)));
        let own = self.own_metrics().route("/", get(|| async { Html(home::PAGE) }));
        self.compressed(own)
            .nest("/prometheus", self.prometheus())
            .nest("/loki", loki.clone())
            .nest("/tempo", self.queries(api::tempo_router(Arc::clone(api))))
            .merge(self.queries(api::sql_router(Arc::clone(api))))
            .merge(self.health())
            .merge(self.otlp_http())
            .fallback(move |request| elsewhere(loki.clone(), request))
            .merge(self.grpc())
    }

    /// A classic port: one protocol at its root.
    pub(crate) fn classic(&self, protocol: Protocol) -> Router {
        let api = Arc::clone(&self.engine.api);
        match protocol {
            Protocol::OtlpGrpc => self.grpc().fallback(not_found),
            Protocol::OtlpHttp => self.otlp_http().fallback(not_found),
            Protocol::Prometheus => self.prometheus(),
            Protocol::Loki => self.queries(api::loki_router(api)),
            Protocol::Tempo => self.queries(api::tempo_router(api)),
        }
    }

    fn own_metrics(&self) -> Router {
        let engine = self.engine.clone();
        let answer = move || async move { metrics::respond(&engine.stats()) };
        Router::new().route("/metrics", get(answer))
    }

    fn self_metrics(&self) -> Router {
        let engine = self.engine.clone();
        let answer = move |Query(params): Query<HashMap<String, String>>| async move {
            let pattern = params.get("metric_name_pattern").filter(|text| !text.is_empty());
            metrics::respond_json(&engine.stats(), pattern.map(String::as_str))
        };
        Router::new().route("/api/v1/status/self_metrics", get(answer))
    }

    fn health(&self) -> Router {
        let stopping = Arc::clone(&self.stopping);
        let ready = move || async move {
            if stopping.load(Ordering::Relaxed) {
                (StatusCode::SERVICE_UNAVAILABLE, "stopping\n")
            } else {
                (StatusCode::OK, "ready\n")
            }
        };
        Router::new().route("/ready", get(ready)).route("/healthy", get(|| async { "healthy\n" }))
    }

    fn otlp_http(&self) -> Router {
        let router = ingest::http_router(Arc::clone(&self.engine.ingest));
        match self.http.cors_origin.as_deref().map(cors) {
            Some(layer) => router.layer(layer),
            None => router,
        }
    }

    /// The Prometheus API with remote write and, below `otlp`, OTLP.
    fn prometheus(&self) -> Router {
        let ingest = Arc::clone(&self.engine.ingest);
        let stopping = Arc::clone(&self.stopping);
        let ready = move || async move { prometheus_ready(stopping.load(Ordering::Relaxed)) };
        self.queries(api::prometheus_router(Arc::clone(&self.engine.api)))
            .merge(self.compressed(self.own_metrics().merge(self.self_metrics())))
            .route("/-/ready", get(ready))
            .merge(ingest::remote_write_router(Arc::clone(&ingest)))
            .nest("/api/v1/otlp", ingest::http_router(ingest))
    }

    fn grpc(&self) -> Router {
        let session = Arc::clone(&self.engine.session);
        ingest::grpc_routes(Arc::clone(&self.engine.ingest))
            .merge(self.away(flight::routes(session, self.engine.flight.clone())))
    }

    /// Query routes: answered and compressed where queries run.
    fn queries(&self, router: Router) -> Router {
        self.away(self.compressed(router))
    }

    fn away(&self, router: Router) -> Router {
        match &self.queries {
            Some(place) => router.layer(from_fn_with_state(place.clone(), away::answer)),
            None => router,
        }
    }

    fn compressed(&self, router: Router) -> Router {
        if self.http.compression { router.layer(CompressionLayer::new()) } else { router }
    }
}

/// `/-/ready` as Prometheus answers it. Before the server is ready nobody answers at all.
fn prometheus_ready(is_stopping: bool) -> Response {
    if is_stopping {
        let header = [("x-prometheus-stopping", "true")];
        return (StatusCode::SERVICE_UNAVAILABLE, header, "Service Unavailable").into_response();
    }
    "Siglake is Ready.\n".into_response()
}

/// Browser pages of this origin may send OTLP.
fn cors(origin: &str) -> CorsLayer {
    let origin = match HeaderValue::from_str(origin) {
        Ok(origin) if origin != "*" => AllowOrigin::exact(origin),
        _ => AllowOrigin::any(),
    };
    let headers = ["content-type", "content-encoding", "authorization", "x-scope-orgid"];
    CorsLayer::new()
        .allow_origin(origin)
        .allow_methods([Method::POST])
        .allow_headers(AllowHeaders::list(headers.map(HeaderName::from_static)))
        .max_age(std::time::Duration::from_secs(3600))
}

/// Paths that no route has: Loki's own at the root, then nothing.
///
/// A fallback and no wildcard route, because that would add its own path parameter to those that
/// the Loki API reads.
async fn elsewhere(loki: Router, request: Request) -> Response {
    if request.uri().path().starts_with("/loki/api/") {
        let Ok(response) = loki.oneshot(request).await;
        return response;
    }
    not_found(request).await
}

/// gRPC clients are told in their way, others with a hint.
async fn not_found(request: Request) -> Response {
    let content_type = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    if content_type.is_some_and(|value| value.starts_with(b"application/grpc")) {
        let method = request.uri().path().to_owned();
        return tonic::Status::unimplemented(format!("no method {method}")).into_http();
    }
    let path = request.uri().path();
    let hint = format!("nothing answers at {path:.200}; `/` lists what runs here\n");
    (StatusCode::NOT_FOUND, hint).into_response()
}

#[cfg(test)]
mod tests;
