//! Asks a running server and shows its answer.
//!
//! ```text
//!  arguments ─▶ request: path, parameters ─▶ ask: HTTP, progress ─▶ JSON ─▶ render ─▶ table
//! ```

mod ask;
mod columns;
mod render;
mod request;
mod table;
mod times;

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::cli::QueryArgs;
use crate::error::Error;

/// Asks and prints.
pub(crate) async fn run(args: &QueryArgs) -> Result<(), Error> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now_ns = i64::try_from(since.as_nanos()).unwrap_or(i64::MAX);
    let request = request::build(args, now_ns).map_err(Error::Usage)?;
    let body = ask::ask(args, &request).await?;
    let text = if args.json {
        let mut text = String::from_utf8_lossy(&body).into_owned();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    } else {
        let answer = serde_json::from_slice(&body).map_err(Error::Answer)?;
        render::render(request.form, &answer, columns::of_rows(&body))
    };
    let written = std::io::stdout().lock().write_all(text.as_bytes());
    match written {
        // A pager that was closed has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        other => other.map_err(|source| Error::io("cannot write to stdout", source)),
    }
}
