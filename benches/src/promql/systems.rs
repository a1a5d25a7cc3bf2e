//! The systems side by side: each a child process with a data folder of its own.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::machine::{cpu_seconds, peak_memory_bytes, threads_cpu_ms};

/// How long a system may take to start, to stop, or to come to rest.
const PATIENCE: Duration = Duration::from_secs(900);
/// A system rests when it used less than this part of a core for a while.
const RESTING_CORES: f64 = 0.03;
/// That while.
const RESTING_FOR: Duration = Duration::from_millis(1500);

/// Which system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The program under measurement.
    Siglake,
    /// Debian package `prometheus`.
    Prometheus,
    /// Debian package `victoria-metrics`.
    VictoriaMetrics,
}

impl Kind {
    /// As it is shown.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Siglake => "Siglake",
            Self::Prometheus => "Prometheus",
            Self::VictoriaMetrics => "VictoriaMetrics",
        }
    }

    fn program(self) -> io::Result<PathBuf> {
        Ok(match self {
            Self::Siglake => std::env::current_exe()?.with_file_name("siglake"),
            Self::Prometheus => "prometheus".into(),
            Self::VictoriaMetrics => "victoria-metrics".into(),
        })
    }

    /// Whether it is installed.
    pub(super) fn is_installed(self) -> bool {
        let found = self.program().and_then(|program| {
            Command::new(program)
                .arg("--version")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
        });
        found.is_ok()
    }

    fn base(self) -> &'static str {
        match self {
            Self::Siglake | Self::VictoriaMetrics => "/prometheus",
            Self::Prometheus => "",
        }
    }

    fn ready(self) -> &'static str {
        match self {
            Self::Siglake => "/ready",
            Self::Prometheus => "/-/ready",
            Self::VictoriaMetrics => "/health",
        }
    }

    fn arguments(self, folder: &Path, port: u16, settings: &[String]) -> Vec<String> {
        let data = folder.join("data").display().to_string();
        let address = format!("127.0.0.1:{port}");
        match self {
            Self::Siglake => {
                let mut arguments: Vec<String> =
                    ["serve", "--data", &data, "--listen", &address].map(str::to_owned).into();
                // Merging is asked for, so that it does not fall into the measurement.
                let fixed =
                    ["ports.otlp_grpc=", "ports.otlp_http=", "storage.compaction.enabled=false"];
                let settings = fixed.into_iter().chain(settings.iter().map(String::as_str));
                arguments.extend(settings.flat_map(|one| ["--set".to_owned(), one.to_owned()]));
                arguments
            }
            Self::Prometheus => vec![
                format!("--config.file={}", folder.join("prometheus.yml").display()),
                format!("--storage.tsdb.path={data}"),
                format!("--web.listen-address={address}"),
                "--web.enable-remote-write-receiver".to_owned(),
                "--query.max-samples=500000000".to_owned(),
                "--log.level=error".to_owned(),
            ],
            Self::VictoriaMetrics => vec![
                format!("-storageDataPath={data}"),
                format!("-httpListenAddr={address}"),
                "-loggerLevel=ERROR".to_owned(),
                "-search.maxPointsPerTimeseries=1000000".to_owned(),
            ],
        }
    }
}

/// Steps in which the kernel tells what a process has spent, in milliseconds.
const TICK_MS: f64 = 10.0;

/// CPU time of a process until a moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spent {
    ticks_ms: f64,
    exact_ms: Option<f64>,
}

/// A running system; killed when dropped.
#[derive(Debug)]
pub(super) struct System {
    /// Which it is.
    pub(super) kind: Kind,
    folder: PathBuf,
    child: Child,
    port: u16,
    settings: Vec<String>,
}

impl System {
    /// Starts it over a folder, and waits until it is ready.
    pub(super) async fn start(kind: Kind, folder: &Path, settings: &[String]) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        if kind == Kind::Prometheus {
            fs::write(folder.join("prometheus.yml"), "global: {scrape_interval: 15s}\n")?;
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::options().create(true).append(true).open(folder.join("log"))?;
        let child = Command::new(kind.program()?)
            .args(kind.arguments(folder, port, settings))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let (folder, settings) = (folder.to_owned(), settings.to_vec());
        let mut system = Self { kind, folder, child, port, settings };
        let started = Instant::now();
        let ready = format!("http://127.0.0.1:{port}{}", kind.ready());
        loop {
            match reqwest::get(&ready).await {
                Ok(answer) if answer.status().is_success() => return Ok(system),
                _ if system.child.try_wait()?.is_some() || started.elapsed() > PATIENCE => {
                    return Err(system.failure("does not start"));
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// Stops it in good order and starts it again.
    pub(super) async fn restart(self) -> io::Result<Self> {
        let (kind, folder, settings) = (self.kind, self.folder.clone(), self.settings.clone());
        self.stop().await?;
        Self::start(kind, &folder, &settings).await
    }

    /// Stops it in good order; the CPU seconds it used in all.
    pub(super) async fn stop(mut self) -> io::Result<f64> {
        let pid = self.child.id();
        Command::new("kill").args(["-TERM", &pid.to_string()]).status()?;
        let (mut used, started) = (self.cpu_seconds(), Instant::now());
        while self.child.try_wait()?.is_none() {
            used = cpu_seconds(pid).unwrap_or(used).max(used);
            if started.elapsed() > PATIENCE {
                return Err(self.failure("does not stop"));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(used)
    }

    /// A URL of the Prometheus API.
    pub(super) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{}{path}", self.port, self.kind.base())
    }

    /// User and system time until now.
    pub(super) fn cpu_seconds(&self) -> f64 {
        cpu_seconds(self.child.id()).unwrap_or(0.0)
    }

    /// Milliseconds of CPU spent since `before`, which this gave earlier with `None`; exact as
    /// long as no thread ended meanwhile, else in steps of the kernel's clock.
    pub(super) fn cpu_ms_since(&self, before: Option<Spent>) -> (Spent, f64) {
        let pid = self.child.id();
        let now = Spent { ticks_ms: self.cpu_seconds() * 1000.0, exact_ms: threads_cpu_ms(pid) };
        let Some(before) = before else { return (now, 0.0) };
        let by_ticks = now.ticks_ms - before.ticks_ms;
        let exact = now.exact_ms.zip(before.exact_ms).map(|(now, before)| now - before);
        // A thread that ended took what it had spent with it.
        let is_whole = |exact: &f64| *exact >= 0.0 && *exact >= by_ticks - 2.0 * TICK_MS;
        (now, exact.filter(is_whole).unwrap_or(by_ticks))
    }

    /// Most resident memory since the start or [`Self::forget_peak`], in bytes.
    pub(super) fn peak_memory(&self) -> u64 {
        peak_memory_bytes(self.child.id()).unwrap_or(0)
    }

    /// Lets the peak of memory begin anew.
    pub(super) fn forget_peak(&self) -> io::Result<()> {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")
    }

    /// Waits until it does nothing in the background.
    pub(super) async fn rest(&self) -> io::Result<()> {
        let started = Instant::now();
        loop {
            let before = self.cpu_seconds();
            tokio::time::sleep(RESTING_FOR).await;
            let used = self.cpu_seconds() - before;
            if used <= RESTING_CORES * RESTING_FOR.as_secs_f64() {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                return Err(self.failure("does not come to rest"));
            }
        }
    }

    fn failure(&self, what: &str) -> io::Error {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(20)..].join("\n");
        io::Error::other(format!("{} {what}:\n{end}", self.kind.name()))
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // It has ended already unless the measurement failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
