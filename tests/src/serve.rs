//! A server of our own for a tool: the program beside it, on a folder that goes with it.

use std::error::Error;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long it may take until it answers.
const READY_MAX: Duration = Duration::from_secs(30);

/// A running server, killed when dropped.
#[derive(Debug)]
pub(crate) struct Served {
    child: Child,
    port: u16,
    _folder: TempDir,
}

impl Served {
    /// Starts the program `siglake` in the folder of this one; `settings` are `key=value`.
    pub(crate) async fn start(settings: &[&str]) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let program = std::env::current_exe()?.with_file_name("siglake");
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = Command::new(&program);
        command.args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--data"]);
        command.arg(folder.path().join("data"));
        command.args(["--set", "ports.otlp_grpc=", "--set", "ports.otlp_http="]);
        for setting in settings {
            command.args(["--set", setting]);
        }
        let log = std::fs::File::create(folder.path().join("log"))?;
        let started = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        let child = started.map_err(|error| {
            format!("{}: {error}; build it: cargo build --release --bin siglake", program.display())
        })?;
        let mut served = Self { child, port, _folder: folder };
        served.wait().await?;
        Ok(served)
    }

    /// `http://127.0.0.1:port`, followed by `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    async fn wait(&mut self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let began = Instant::now();
        while began.elapsed() < READY_MAX {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("siglake ended while it started: {status}").into());
            }
            let answer = reqwest::get(self.url("/ready")).await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err("siglake does not become ready".into())
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
