//! The program under measurement: the release binary beside this one, on a folder of its own.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::machine::{children_cpu_seconds, cpu_seconds, memory_bytes, peak_memory_bytes};

/// How long it may take to answer `/ready`, or to flush and exit.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    port: u16,
    started_cpu_seconds: f64,
    ready_seconds: f64,
    /// CPU seconds that it had used when it was ready.
    ready_cpu_seconds: f64,
}

/// What a server used from its start to its exit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// User and system time.
    pub(crate) cpu_seconds: f64,
    /// Most resident memory.
    pub(crate) peak_memory_bytes: u64,
    /// From the signal to the exit: the time of the flush.
    pub(crate) exit_seconds: f64,
}

impl Server {
    /// Starts it with fsync on and without flushes by time, and waits until it is ready.
    pub(crate) async fn start(folder: &Path, settings: &[String]) -> io::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let binary = std::env::current_exe()?.with_file_name("siglake");
        let log = File::options().create(true).append(true).open(folder.join("log"))?;
        let mut command = Command::new(&binary);
        command.arg("serve").arg("--data").arg(folder.join("data"));
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        let fixed = ["ports.otlp_grpc=", "ports.otlp_http=", "storage.durability=fsync"];
        // Flushes come when the measurement asks for them, by data time and not by the clock.
        let fixed = fixed.into_iter().chain(["storage.flush_interval=1h"]);
        for setting in fixed.chain(settings.iter().map(String::as_str)) {
            command.args(["--set", setting]);
        }
        let started_cpu_seconds = children_cpu_seconds();
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn();
        let child = child.map_err(|error| {
            let message = format!("{}: {error}; run cargo build --release", binary.display());
            io::Error::new(error.kind(), message)
        })?;
        let mut server = Self {
            child,
            folder: folder.to_owned(),
            port,
            started_cpu_seconds,
            ready_seconds: 0.0,
            ready_cpu_seconds: 0.0,
        };
        let started = Instant::now();
        server.wait_until_ready().await?;
        server.ready_seconds = started.elapsed().as_secs_f64();
        server.ready_cpu_seconds = cpu_seconds(server.child.id()).unwrap_or(0.0);
        Ok(server)
    }

    /// `http://127.0.0.1:port`, followed by `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// From its start until it was ready.
    pub(crate) fn ready_seconds(&self) -> f64 {
        self.ready_seconds
    }

    /// User and system time it had used when it was ready.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        self.ready_cpu_seconds
    }

    /// Most resident memory until now, in bytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        peak_memory_bytes(self.child.id()).unwrap_or(0)
    }

    /// Resident memory now, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        memory_bytes(self.child.id()).unwrap_or(0)
    }

    /// Ends it at once, as `kill -9` does.
    pub(crate) fn kill(mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(|_| ())
    }

    /// Asks it to flush and exit, waits, and tells what it has used.
    pub(crate) async fn stop(mut self) -> io::Result<Usage> {
        let pid = self.child.id();
        let asked = Instant::now();
        Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
        let mut usage = Usage::default();
        while self.child.try_wait()?.is_none() {
            let peak = peak_memory_bytes(pid).unwrap_or(0);
            usage.peak_memory_bytes = usage.peak_memory_bytes.max(peak);
            if asked.elapsed() > PATIENCE {
                return Err(self.failure("does not exit"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        usage.exit_seconds = asked.elapsed().as_secs_f64();
        usage.cpu_seconds = children_cpu_seconds() - self.started_cpu_seconds;
        Ok(usage)
    }

    async fn wait_until_ready(&mut self) -> io::Result<()> {
        let started = Instant::now();
        loop {
            if let Ok(answer) = reqwest::get(self.url("/ready")).await
                && answer.status().is_success()
            {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() || started.elapsed() > PATIENCE {
                return Err(self.failure("does not start"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn failure(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        io::Error::other(format!("siglake {what}:\n{end}"))
    }
}

/// Merges the segments of a folder that no server has open; what it used, and what it says.
pub(crate) fn compact(folder: &Path, settings: &[String]) -> io::Result<(Usage, String)> {
    let binary = std::env::current_exe()?.with_file_name("siglake");
    let mut command = Command::new(&binary);
    command.arg("compact").arg("--data").arg(folder.join("data"));
    // What was flushed a moment ago would wait for more of its kind.
    let fixed = ["storage.compaction.settle=0s"].into_iter();
    for setting in fixed.chain(settings.iter().map(String::as_str)) {
        command.args(["--set", setting]);
    }
    let started = children_cpu_seconds();
    let output = command.output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    let cpu_seconds = children_cpu_seconds() - started;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok((Usage { cpu_seconds, ..Usage::default() }, said))
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already unless the measurement failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes of the files in a folder whose path holds `part`.
pub(crate) fn folder_bytes(folder: &Path, part: &str) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.is_dir() {
            bytes += folder_bytes(&path, part)?;
        } else if path.to_string_lossy().contains(part) {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
