//! The S3 server of the tests on its own, for trying things and for measurements:
//! `cargo run -p tests --bin s3_server -- 127.0.0.1:9000 [latency in milliseconds]`. It keeps
//! everything in memory; a line on standard input prints what was asked so far.

#![expect(clippy::print_stdout, reason = "what it prints is what it is asked for")]
#![expect(clippy::unwrap_used, reason = "a request that it does not know ends the connection")]

use std::time::Duration;

#[expect(dead_code, reason = "faults are for the tests")]
#[path = "../s3/mod.rs"]
mod s3;

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:9000".to_owned());
    let latency = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let server = s3::Server::start_at(&address).await;
    server.set_latency(Duration::from_millis(latency));
    println!("{}", server.url);
    let waiting = tokio::task::spawn_blocking(move || {
        for _ in std::io::stdin().lines() {
            println!("{:?}", server.counted());
        }
    });
    if waiting.await.is_ok() {
        // Standard input has ended; whoever started it ends it.
        std::future::pending::<()>().await;
    }
}
