//! The real program: built if need be, started on a folder of its own, killed when dropped.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::cage::Cage;
use crate::tidy::root;

/// How long the program may take to answer `/ready`, recovery included.
const READY_MAX: Duration = Duration::from_secs(60);

/// How long the program may take to flush and exit after it was asked to.
const EXIT_MAX: Duration = Duration::from_secs(60);

/// A running `siglake serve` with a data folder that lives as long as this value.
#[derive(Debug)]
pub(crate) struct Program {
    child: Child,
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    /// The file to which it writes its number before it begins, if there is one.
    entrance: Option<PathBuf>,
    /// Speaks HTTP to it.
    pub(crate) http: reqwest::Client,
}

impl Program {
    /// Starts the program on an empty folder; `settings` are `key=value`.
    pub(crate) async fn start(settings: &[&str]) -> Self {
        Self::start_in(settings, &[]).await
    }

    /// The same with further variables of the environment.
    pub(crate) async fn start_in(settings: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut program = Self::prepare(settings);
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        program.environment = environment.iter().map(owned).collect();
        program.start_again().await;
        program
    }

    /// The same in a control group, if there is one.
    pub(crate) async fn start_caged(settings: &[&str], cage: Option<&Cage>) -> Self {
        let mut program = Self::prepare(settings);
        program.entrance = cage.map(Cage::entrance);
        program.start_again().await;
        program
    }

    /// A program on an empty folder that is not running yet.
    pub(crate) fn prepare(settings: &[&str]) -> Self {
        let mut child = Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        Self {
            child,
            folder: TempDir::new().unwrap(),
            port: 0,
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            environment: Vec::new(),
            entrance: None,
            http: reqwest::Client::builder().timeout(Duration::from_secs(60)).build().unwrap(),
        }
    }

    /// Starts it again on the same folder, on another port. It must not be running.
    pub(crate) async fn start_again(&mut self) {
        assert!(self.child.try_wait().unwrap().is_some(), "the program still runs");
        (self.child, self.port) = self.spawn();
        self.wait_until_ready().await;
    }

    /// Starts it on the same folder, which it must refuse; returns what it has logged.
    pub(crate) async fn refuses_to_start(&mut self) -> String {
        (self.child, self.port) = self.spawn();
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(!status.success(), "it ends, but tells no error\n{}", self.log());
                return self.log();
            }
            assert!(started.elapsed() < READY_MAX, "siglake does not refuse\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Runs another command of the program; returns all that it writes.
    pub(crate) fn command(&self, args: &[&str]) -> String {
        let output = Command::new(binary()).args(args).output().unwrap();
        let (told, error) = (output.stdout, output.stderr);
        format!("{}{}", String::from_utf8_lossy(&told), String::from_utf8_lossy(&error))
    }

    /// Ends it as a power failure of the process would: `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end and waits until it has.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let asked = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(asked.elapsed() < EXIT_MAX, "it does not exit\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The id of the process that was started last.
    pub(crate) fn child_id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process that was started last still lives.
    pub(crate) fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Most memory that the process ever held, in bytes; `None` where the system does not tell.
    pub(crate) fn peak_resident_bytes(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1024)
    }

    /// `http://127.0.0.1:port`, followed by `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// `127.0.0.1:port`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it keeps its data.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The end of what it has logged.
    pub(crate) fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    fn spawn(&self) -> (Child, u16) {
        let (port, folder) = (free_port(), self.folder.path());
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = self.program();
        command
            .arg("serve")
            .arg("--data")
            .arg(folder.join("data"))
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .args(["--set", "ports.otlp_grpc=", "--set", "ports.otlp_http="])
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        for setting in &self.settings {
            command.args(["--set", setting]);
        }
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        (child.unwrap_or_else(|error| panic!("{}: {error}", binary().display())), port)
    }

    /// The program, by way of a shell if it has to go somewhere first.
    fn program(&self) -> Command {
        let Some(entrance) = &self.entrance else { return Command::new(binary()) };
        let mut shell = Command::new("sh");
        shell.args(["-c", r#"echo $$ > "$0" && exec "$@""#]).arg(entrance).arg(binary());
        shell
    }

    async fn wait_until_ready(&mut self) {
        let started = Instant::now();
        loop {
            let answer = self.http.get(self.url("/ready")).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("siglake ended while it started: {status}\n{}", self.log());
            }
            assert!(started.elapsed() < READY_MAX, "siglake is not ready\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already, and there is nobody to tell.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The program beside this test's executable, up to date with the sources.
///
/// `cargo test` builds the binaries of a package only if that package has integration tests,
/// so this builds it; where nothing has changed that takes a moment. `SIGLAKE_BIN` names another.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("SIGLAKE_BIN") {
            return PathBuf::from(named);
        }
        let test = std::env::current_exe().unwrap();
        // target/<profile>/deps/it-<hash>
        let folder = test.parent().unwrap().parent().unwrap();
        let binary = folder.join("siglake");
        match std::env::var_os("CARGO") {
            Some(cargo) => build(Path::new(&cargo), folder),
            None => assert!(
                binary.exists(),
                "{} is missing; build it: cargo build --workspace --bin siglake",
                binary.display()
            ),
        }
        binary
    })
}

/// Builds with the features of the whole workspace, so that nothing is compiled twice.
fn build(cargo: &Path, folder: &Path) {
    let profile = folder.file_name().unwrap().to_str().unwrap();
    let profile = if profile == "debug" { "dev" } else { profile };
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--workspace", "--bin", "siglake", "--profile", profile])
        .arg("--target-dir")
        .arg(folder.parent().unwrap())
        .current_dir(root());
    // What cargo tells about the package under test would make build scripts run again.
    for (name, _) in std::env::vars() {
        let about_us = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
        if about_us.iter().any(|prefix| name.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    assert!(command.status().unwrap().success(), "siglake does not build");
}
