//! Sends a request and receives the answer, with a line of progress where someone watches.

use std::io::{IsTerminal, Write as _};
use std::time::{Duration, Instant};

use super::request::Request;
use crate::cli::QueryArgs;
use crate::config::format_size;
use crate::error::Error;

/// Answers are held in memory; a larger one is not for a terminal.
const ANSWER_BYTES_MAX: usize = 256 << 20;

/// Characters of a server's error that are shown.
const MESSAGE_CHARS_MAX: usize = 2000;

/// How often the line of progress is renewed, and when it first appears.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// The body of the server's answer; an error if its status is one.
pub(super) async fn ask(args: &QueryArgs, request: &Request) -> Result<Vec<u8>, Error> {
    let url = format!("{}{}", args.url.trim_end_matches('/'), request.path);
    let client = reqwest::Client::new();
    let mut builder = if request.post {
        client
            .post(&url)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form(&request.parameters))
    } else {
        client.get(format!("{url}?{}", form(&request.parameters)))
    };
    if let Some(tenant) = &args.tenant {
        builder = builder.header("x-scope-orgid", tenant);
    }
    let unreachable = |source: reqwest::Error| Error::Unreachable {
        url: args.url.clone(),
        source: source.without_url(),
    };
    let mut progress = Progress::new();
    let mut response = progress.watch(builder.send()).await.map_err(unreachable)?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = progress.watch(response.chunk()).await.map_err(unreachable)? {
        body.extend_from_slice(&chunk);
        progress.bytes = body.len();
        if body.len() > ANSWER_BYTES_MAX {
            let limit = format_size(ANSWER_BYTES_MAX as u64);
            return Err(Error::Usage(format!("the answer is larger than {limit}")));
        }
    }
    progress.clear();
    if status.is_success() {
        return Ok(body);
    }
    Err(Error::Refused { status, message: message(&body) })
}

/// The message in an error's body: of Prometheus and Loki, of SQL, or plain text.
fn message(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let text = field("error").or_else(|| field("message"));
    let text = text.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.trim().chars().take(MESSAGE_CHARS_MAX).collect()
}

/// Parameters as `application/x-www-form-urlencoded`.
fn form(parameters: &[(&str, String)]) -> String {
    let mut text = String::new();
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    text.push(char::from(byte));
                }
                _ => text.push_str(&format!("%{byte:02X}")),
            }
        }
    }
    text
}

/// A line on stderr that is renewed while something takes long; nothing if stderr is no terminal.
#[derive(Debug)]
struct Progress {
    began: Instant,
    visible: bool,
    shown: bool,
    bytes: usize,
}

impl Progress {
    fn new() -> Self {
        let visible = std::io::stderr().is_terminal();
        Self { began: Instant::now(), visible, shown: false, bytes: 0 }
    }

    /// Waits, and shows how long it already takes.
    async fn watch<T>(&mut self, work: impl Future<Output = T>) -> T {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                () = tokio::time::sleep(PROGRESS_EVERY) => self.show(),
            }
        }
    }

    fn show(&mut self) {
        let seconds = self.began.elapsed().as_secs_f64();
        let text = match self.bytes {
            0 => format!("{seconds:.1} s, waiting for the server"),
            bytes => format!("{seconds:.1} s, {} KiB received", bytes / 1024),
        };
        self.write(&format!("\r\x1b[K{text}"));
        self.shown = true;
    }

    fn clear(&mut self) {
        if self.shown {
            self.write("\r\x1b[K");
        }
    }

    fn write(&self, text: &str) {
        if self.visible {
            let mut stderr = std::io::stderr().lock();
            // Progress that cannot be shown is not worth failing for.
            let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        }
    }
}

#[cfg(test)]
mod tests;
