//! Tests of what answers where, over a lake in a temporary folder.

use axum::body::{Body, to_bytes};
use tempfile::TempDir;

use super::*;
use crate::config::{Config, Settings};

async fn routes() -> (TempDir, Routes, Arc<AtomicBool>) {
    let dir = TempDir::new().unwrap();
    let mut settings = Settings::defaults();
    settings.merge_flags([("data", dir.path().to_str().unwrap())]).unwrap();
    let config = Config::new(&settings);
    let engine = Engine::open(&config, None).await.unwrap();
    let stopping = Arc::new(AtomicBool::new(false));
    let routes = Routes::new(engine, config.http, Arc::clone(&stopping));
    (dir, routes, stopping)
}

async fn ask(router: &Router, request: Request) -> (StatusCode, String) {
    let response = router.clone().oneshot(request).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

fn get_of(path: &str) -> Request {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn the_main_port_tells_how_it_is() {
    let (_dir, routes, stopping) = routes().await;
    let main = routes.main();
    assert_eq!(ask(&main, get_of("/ready")).await, (StatusCode::OK, "ready\n".to_owned()));
    assert_eq!(ask(&main, get_of("/healthy")).await.0, StatusCode::OK);
    assert!(ask(&main, get_of("/")).await.1.contains("Siglake"));
    let (status, text) = ask(&main, get_of("/metrics")).await;
    assert_eq!(status, StatusCode::OK);
    let sample = "siglake_ingest_rows_received_total{tenant=\"default\",signal=\"traces\"} 0";
    assert!(text.contains(sample), "{text}");
    stopping.store(true, Ordering::Relaxed);
    assert_eq!(ask(&main, get_of("/ready")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&main, get_of("/healthy")).await.0, StatusCode::OK);
}

#[tokio::test]
async fn unknown_paths_are_told_in_the_way_of_the_client() {
    let (_dir, routes, _) = routes().await;
    for router in [routes.main(), routes.classic(Protocol::OtlpGrpc)] {
        let (status, text) = ask(&router, get_of("/nowhere")).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
        assert!(text.contains("nothing answers at /nowhere"), "{text}");
        let request = Request::post("/some.Service/Method")
            .header("content-type", "application/grpc+proto")
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["grpc-status"], "12");
    }
}

#[tokio::test]
async fn every_classic_port_can_be_built() {
    let (_dir, routes, _) = routes().await;
    for protocol in [
        Protocol::OtlpGrpc,
        Protocol::OtlpHttp,
        Protocol::Prometheus,
        Protocol::Loki,
        Protocol::Tempo,
    ] {
        let (status, _) = ask(&routes.classic(protocol), get_of("/no/such/path")).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{protocol:?}");
    }
}
