//! `siglake deletes`, `siglake retention`: what a server deletes, as its JSON, one line a value.

use std::io::Write as _;

use serde_json::Value;

use crate::cli::{DeletesArgs, DeletesWhat, ServerArgs};
use crate::error::Error;

/// Shows delete requests.
pub(crate) fn run(args: &DeletesArgs) -> Result<(), Error> {
    match &args.what {
        DeletesWhat::List(server) => show(server, "/api/v1/deletes"),
        DeletesWhat::Show { number, server } => show(server, &format!("/api/v1/deletes/{number}")),
    }
}

/// Shows what retention would take away.
pub(crate) fn retention(args: &ServerArgs) -> Result<(), Error> {
    show(args, "/api/v1/retention")
}

fn show(server: &ServerArgs, path: &str) -> Result<(), Error> {
    let body = super::runtime()?.block_on(get(server, path))?;
    let answer: Value = serde_json::from_slice(&body).map_err(Error::Answer)?;
    let text = match &answer {
        Value::Array(all) => all.iter().map(|it| format!("{it}\n")).collect(),
        one => format!("{one:#}\n"),
    };
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|source| Error::io("cannot write to stdout", source))
}

async fn get(server: &ServerArgs, path: &str) -> Result<Vec<u8>, Error> {
    let url = format!("{}{path}", server.url.trim_end_matches('/'));
    let mut request = reqwest::Client::new().get(url);
    if let Some(tenant) = &server.tenant {
        request = request.header("x-scope-orgid", tenant);
    }
    let unreachable = |source: reqwest::Error| Error::Unreachable {
        url: server.url.clone(),
        source: source.without_url(),
    };
    let response = request.send().await.map_err(unreachable)?;
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    if status.is_success() {
        return Ok(body.to_vec());
    }
    let message = String::from_utf8_lossy(&body).trim().to_owned();
    Err(Error::Refused { status, message })
}
