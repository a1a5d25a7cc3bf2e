//! Tests of ports: both versions of HTTP on one, the limit of connections, and stopping.

use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

const GRACE: Duration = Duration::from_secs(5);

async fn served(connections_max: usize) -> (Ports, SocketAddr) {
    let port = bind("127.0.0.1:0").await.unwrap();
    let address = port.address;
    let mut ports = Ports::new(connections_max);
    let slow = || async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        "slow"
    };
    ports
        .serve(port, Router::new().route("/", get(|| async { "hello" })).route("/slow", get(slow)));
    (ports, address)
}

async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn one_port_speaks_http_1_and_h2c() {
    let (ports, address) = served(10).await;
    assert!(ask(address, "/").await.unwrap().ends_with("hello"));
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The preface of HTTP/2 and empty settings.
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut frame = [0; 9];
    stream.read_exact(&mut frame).await.unwrap();
    assert_eq!(frame[3], 4, "the server's settings");
    drop(stream);
    ports.stop(GRACE, std::future::pending()).await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_for_their_turn() {
    let (_ports, address) = served(1).await;
    let idle = TcpStream::connect(address).await.unwrap();
    let waiting = ask(address, "/");
    tokio::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(200), &mut waiting).await;
    assert!(early.is_err(), "answered beside the one connection allowed");
    drop(idle);
    assert!(waiting.await.unwrap().ends_with("hello"));
}

#[tokio::test]
async fn running_requests_are_answered_before_the_end_and_none_after() {
    let (ports, address) = served(10).await;
    let running = tokio::spawn(ask(address, "/slow"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    ports.stop(GRACE, std::future::pending()).await;
    assert!(running.await.unwrap().unwrap().ends_with("slow"));
    assert!(ask(address, "/").await.is_err());
}

#[tokio::test]
async fn a_taken_address_is_an_error_that_names_it() {
    let port = bind("127.0.0.1:0").await.unwrap();
    let error = bind(&port.address.to_string()).await.unwrap_err();
    assert!(error.to_string().contains(&port.address.to_string()), "{error}");
}
