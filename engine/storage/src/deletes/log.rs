//! The log of requests: numbered objects that are created once.

use bytes::Bytes;
use serde_json::{Value, json};

use super::select::check_size;
use super::{DeletePhase, DeleteRequest, DeleteSpec, Replaced, Tracked};
use crate::clock::now_ms;
use crate::objects::{Created, Objects};
use crate::{Error, ErrorKind, Segment};
use schemas::model::NANOS_PER_MILLI;

/// The folder of the log in the lake.
pub(crate) const FOLDER: &str = "_deletes";

/// Numbers that are tried, at most: each is lost to another process.
const CONFLICTS_MAX: u32 = 100;

/// The log of requests.
#[derive(Clone, Debug)]
pub(crate) struct DeleteLog {
    objects: Objects,
}

impl DeleteLog {
    /// The log of a lake.
    pub(crate) fn new(objects: Objects) -> Self {
        Self { objects }
    }

    /// Makes a request durable under a number that is `next` or higher.
    pub(crate) async fn create(
        &self,
        spec: &DeleteSpec,
        next: u64,
        cancel_ms: i64,
        deadline_ms: i64,
    ) -> Result<DeleteRequest, Error> {
        for number in (next..).take(CONFLICTS_MAX as usize) {
            let created_ms = now_ms();
            let mut spec = spec.clone();
            spec.range = spec.settled_range(created_ms.saturating_mul(NANOS_PER_MILLI));
            let request = DeleteRequest {
                number,
                spec,
                created_ms,
                cancel_until_ms: created_ms.saturating_add(cancel_ms),
                deadline_ms: created_ms.saturating_add(deadline_ms),
            };
            check_size(&request)?;
            let path = path(number, "");
            match self.objects.create(&path, body(&request.to_json())).await? {
                Created::New => return Ok(request),
                Created::Exists => {}
            }
        }
        let message = format!("{CONFLICTS_MAX} numbers in a row were lost to other processes");
        Err(Error::new(ErrorKind::Unavailable, message))
    }

    /// The request of a number and how far it has come; `None` if there is none yet.
    pub(crate) async fn read(&self, number: u64) -> Result<Option<Tracked>, Error> {
        let path = path(number, "");
        let Some(value) = self.find(&path).await? else { return Ok(None) };
        let request = DeleteRequest::from_json(&path, &value)?;
        let mut tracked = Tracked::new(request, DeletePhase::Masked)?;
        self.follow(&mut tracked).await?;
        Ok(Some(tracked))
    }

    /// Reads how far a request has come since; whether that has changed.
    pub(crate) async fn follow(&self, tracked: &mut Tracked) -> Result<bool, Error> {
        let before = tracked.phase;
        let number = tracked.request.number;
        if tracked.phase == DeletePhase::Masked {
            if self.find(&path(number, ".cancelled")).await?.is_some() {
                tracked.phase = DeletePhase::Cancelled;
            } else if let Some(report) = self.report(number).await? {
                for clean in report["clean"].as_array().into_iter().flatten() {
                    tracked.note_clean(clean.as_str().unwrap_or_default());
                }
                tracked.phase = DeletePhase::Rewritten;
            }
        }
        if tracked.phase == DeletePhase::Rewritten
            && self.find(&path(number, ".gone")).await?.is_some()
        {
            tracked.phase = DeletePhase::Gone;
        }
        Ok(before != tracked.phase)
    }

    /// What was done for a request, once it is rewritten.
    pub(crate) async fn report(&self, number: u64) -> Result<Option<Value>, Error> {
        self.find(&path(number, ".rewritten")).await
    }

    /// What was deleted for good, once it is.
    pub(crate) async fn gone(&self, number: u64) -> Result<Option<Value>, Error> {
        self.find(&path(number, ".gone")).await
    }

    /// Notes that a request is cancelled.
    pub(crate) async fn cancel(&self, number: u64) -> Result<(), Error> {
        let note = json!({"number": number, "cancelled_ms": now_ms()});
        self.objects.create(&path(number, ".cancelled"), body(&note)).await.map(|_| ())
    }

    /// Notes that no live segment has covered rows any more. Who is first has said it.
    pub(crate) async fn rewritten(&self, number: u64, report: &Value) -> Result<(), Error> {
        self.objects.create(&path(number, ".rewritten"), body(report)).await.map(|_| ())
    }

    /// Notes that the objects are deleted.
    pub(crate) async fn note_gone(&self, number: u64, report: &Value) -> Result<(), Error> {
        self.objects.create(&path(number, ".gone"), body(report)).await.map(|_| ())
    }

    /// Notes that a segment has rows that a request covers, and is about to be replaced.
    pub(crate) async fn note_replaced(
        &self,
        number: u64,
        segment: &Segment,
        rows: u64,
    ) -> Result<(), Error> {
        let note = json!({"path": segment.path, "bytes": segment.bytes, "rows": rows});
        let name = segment.path.replace('/', ",");
        let path = format!("{FOLDER}/{number:020}.replaced/{name}.json");
        self.objects.create(&path, body(&note)).await.map(|_| ())
    }

    /// The segments that were noted for a request, by path.
    pub(crate) async fn replaced(&self, number: u64) -> Result<Vec<Replaced>, Error> {
        let folder = format!("{FOLDER}/{number:020}.replaced");
        let mut replaced = Vec::new();
        for listed in self.objects.list_with_sizes(&folder).await? {
            let Some(note) = self.find(&listed.path).await? else { continue };
            replaced.push(Replaced {
                path: note["path"].as_str().unwrap_or_default().to_owned(),
                bytes: note["bytes"].as_u64().unwrap_or_default(),
                rows: note["rows"].as_u64().unwrap_or_default(),
                is_there: false,
            });
        }
        Ok(replaced)
    }

    async fn find(&self, path: &str) -> Result<Option<Value>, Error> {
        let Some(bytes) = self.objects.find(path).await? else { return Ok(None) };
        let value = serde_json::from_slice(&bytes).map_err(|error| {
            Error::with_source(ErrorKind::Damaged, format!("{path}: {error}"), error)
        })?;
        Ok(Some(value))
    }
}

fn path(number: u64, state: &str) -> String {
    format!("{FOLDER}/{number:020}{state}.json")
}

fn body(value: &Value) -> Bytes {
    Bytes::from(value.to_string())
}
