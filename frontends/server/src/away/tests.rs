//! Tests of answers that come from another runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use futures::StreamExt as _;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use super::*;

fn other() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).thread_name("other").enable_all().build().unwrap()
}

async fn ask(router: Router, path: &str) -> Response {
    router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap()
}

fn thread() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

#[test]
fn answers_are_made_there_and_arrive_whole() {
    let (here, there) = (Runtime::new().unwrap(), other());
    let streamed = || async {
        let parts = (0..20).map(|at| Ok::<_, std::io::Error>(format!("{at} {}\n", thread())));
        Body::from_stream(stream::iter(parts))
    };
    let router =
        Router::new().route("/whole", get(|| async { thread() })).route("/parts", get(streamed));
    let router = router.layer(from_fn_with_state(there.handle().clone(), answer));
    here.block_on(async {
        let whole = ask(router.clone(), "/whole").await;
        assert_eq!(whole.headers()["content-length"], "5");
        assert_eq!(whole.into_body().collect().await.unwrap().to_bytes(), "other");
        let parts = ask(router.clone(), "/parts").await.into_body().collect().await.unwrap();
        let expected: String = (0..20).map(|at| format!("{at} other\n")).collect();
        assert_eq!(parts.to_bytes(), expected);
        assert_eq!(ask(router, "/nowhere").await.status(), StatusCode::NOT_FOUND);
    });
}

#[test]
fn a_handler_that_dies_is_an_error_and_never_a_short_answer() {
    let (here, there) = (Runtime::new().unwrap(), other());
    let dies = || async {
        if thread() == "other" {
            panic!("on purpose")
        }
    };
    let stops = || async {
        let part = stream::once(async { Ok::<_, std::io::Error>(Bytes::from("begun")) });
        let then = stream::once(async { panic!("on purpose") });
        Body::from_stream(part.chain(then))
    };
    let router = Router::new().route("/dies", get(dies)).route("/stops", get(stops));
    let router = router.layer(from_fn_with_state(there.handle().clone(), answer));
    here.block_on(async {
        let died = ask(router.clone(), "/dies").await;
        assert_eq!(died.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let stopped = ask(router, "/stops").await;
        assert_eq!(stopped.status(), StatusCode::OK);
        assert!(stopped.into_body().collect().await.is_err());
    });
}

#[test]
fn work_ends_when_the_client_has_gone() {
    struct Gone(Arc<AtomicBool>);
    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let (here, there) = (Runtime::new().unwrap(), other());
    let gone = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&gone);
    let waits = move || async move {
        let _gone = Gone(seen);
        std::future::pending::<()>().await;
    };
    let router = Router::new().route("/", get(waits));
    let router = router.layer(from_fn_with_state(there.handle().clone(), answer));
    here.block_on(async {
        let asked = tokio::time::timeout(Duration::from_millis(100), ask(router, "/")).await;
        assert!(asked.is_err(), "it waits for ever");
        for _ in 0..200 {
            if gone.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the work goes on without a client");
    });
}
