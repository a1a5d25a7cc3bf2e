//! Logs of the program itself: to stderr, so that stdout stays free for answers.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::SystemTime;

use crate::config::Log;
use crate::error::Error;

/// Begins logging; at most once in a process.
pub(crate) fn start(log: &Log) -> Result<(), Error> {
    let filter = EnvFilter::builder()
        .parse(&log.level)
        .map_err(|error| Error::Usage(format!("log.level: {error}")))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_timer(SystemTime)
        .with_writer(std::io::stderr);
    let started = if log.json {
        builder.json().flatten_event(true).try_init()
    } else {
        builder.with_ansi(std::io::stderr().is_terminal()).try_init()
    };
    started.map_err(|error| Error::Usage(format!("cannot start logging: {error}")))
}
