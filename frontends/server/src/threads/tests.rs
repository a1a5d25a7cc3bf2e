//! Tests of which threads work runs on.

use super::*;

#[test]
fn work_runs_on_threads_of_its_kind() {
    let threads = Threads::start(&config::Threads { query_nice: 3, background_nice: 7 }).unwrap();
    let nice = own_nice();
    let places = threads.places();
    let seen = || (std::thread::current().name().map(str::to_owned), own_nice());
    let named = |name: &str, nice| (Some(name.to_owned()), nice);
    let shift = if cfg!(target_os = "linux") { 1 } else { 0 };
    let (query, background, blocking, serve) = threads.block_on(async {
        let query = places.query.spawn(async move { seen() }).await.unwrap();
        let background = places.background.spawn(async move { seen() }).await.unwrap();
        let blocking = places.background.spawn_blocking(seen).await.unwrap();
        (query, background, blocking, tokio::spawn(async move { seen() }).await.unwrap())
    });
    assert_eq!(query, named("query", nice + 3 * shift));
    assert_eq!(background, named("background", nice + 7 * shift));
    assert_eq!(blocking, named("background", nice + 7 * shift));
    assert_eq!(serve, named("serve", nice));
}
