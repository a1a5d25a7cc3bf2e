//! Objects in a bucket: every request with a limit of time, a few attempts, and counted.
//!
//! ```text
//!  request ─▶ attempt ─▶ answer                     counted: requests, time, bytes
//!               ▲  └─ throttled, 5xx, no answer ─▶ wait (doubling, jittered)
//!               └──────────────────────────────────┘  until attempts or deadline are spent
//! ```
//!
//! This is the only place that repeats requests; the client below must not. An attempt whose
//! answer was lost may have been done: what a later attempt of a create finds is then read back,
//! and taken for ours if it holds what we wrote.

use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path as ObjectPath;
use object_store::{
    Error as ObjectError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode,
    PutOptions, PutPayload,
};

use super::refused::{Verdict, cause, is_out_of_range, judge};
use super::stats::{Meter, RequestKind};
use super::{Created, Listed};
use crate::{Error, ErrorKind};

/// Longest wait between two attempts, unless the store asks for more.
const BACKOFF_MAX: Duration = Duration::from_secs(5);

/// Bytes that the slowest connection we put up with moves in a second.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;

/// Bytes that are asked for in one request.
const READ_BYTES_MAX: u64 = 16 << 20;

/// Requests for one object that are under way at once.
const READS_AT_ONCE: usize = 4;

/// Names in a page of a listing.
const PAGE_NAMES: u64 = 1000;

/// The object that tells lakes apart.
const IDENTITY: &str = "_lake_id";

/// What storage needs of an object store: creates that fail where an object is, and parts.
pub trait Bucket: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Bucket for T {}

/// How long and how often a bucket is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestLimits {
    /// Attempts of one request, the first included; at least 1. More ride out longer trouble and
    /// make callers wait longer. Default 6.
    pub attempts_max: u32,
    /// Time an attempt may take, plus a second for each MiB it moves. Default 10 seconds.
    pub timeout: Duration,
    /// Time that all attempts of a request may take together. Default 1 minute.
    pub deadline: Duration,
    /// Wait before the second attempt, doubled before each further one, of which a random half
    /// is left out. Default 100 ms.
    pub backoff: Duration,
    /// Bytes of a part of a large object; at least 5 MiB on S3, which takes 10,000 parts. Larger
    /// parts cost fewer requests and more memory. Default 16 MiB.
    pub part_bytes: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self {
            attempts_max: 6,
            timeout: Duration::from_secs(10),
            deadline: Duration::from_secs(60),
            backoff: Duration::from_millis(100),
            part_bytes: 16 << 20,
        }
    }
}

/// A bucket, or a folder of one, whose objects are durable when a put is answered.
///
/// The client must not repeat requests by itself.
#[derive(Clone)]
pub struct Remote {
    pub(super) bucket: Arc<dyn Bucket>,
    /// How messages name it: `s3://bucket`.
    name: Arc<str>,
    /// Folder in the bucket, without slashes at its ends; empty: its root.
    prefix: Arc<str>,
    pub(super) limits: RequestLimits,
    pub(super) meter: Arc<Meter>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remote")
            .field("name", &self.name)
            .field("prefix", &self.prefix)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// A final answer.
pub(super) struct Answer<T> {
    /// What was asked for, or an error that another attempt would meet again.
    pub(super) result: Result<T, ObjectError>,
    /// Whether an attempt before this answer may have been done.
    pub(super) doubtful: bool,
}

impl Remote {
    /// The root of a bucket; `name` is how messages name it.
    pub fn new(bucket: Arc<dyn Bucket>, name: &str, limits: RequestLimits) -> Self {
        let meter = Arc::new(Meter::default());
        Self { bucket, name: Arc::from(name), prefix: Arc::from(""), limits, meter }
    }

    /// The same bucket with all objects below a folder.
    #[must_use]
    pub fn with_prefix(self, prefix: &str) -> Self {
        Self { prefix: Arc::from(prefix.trim_matches('/')), ..self }
    }

    /// Finds out whether the store refuses to create an object twice, on which commits rely.
    ///
    /// `Invalid` if it does not, `Unavailable` if it does not answer or refuses access.
    pub async fn check_create_once(&self) -> Result<(), Error> {
        let random = RandomState::new().hash_one(0);
        let path = format!("_self_test/{random:016x}");
        let first = self.create(&path, Bytes::from_static(b"first")).await?;
        let second = self.create(&path, Bytes::from_static(b"second")).await;
        self.delete(&path).await?;
        if (first, second?) == (Created::New, Created::Exists) {
            return Ok(());
        }
        let message = format!(
            "{}: the server ignores If-None-Match: two writers could overwrite each other's \
             commits, so it cannot hold a lake",
            self.name
        );
        Err(Error::new(ErrorKind::Invalid, message))
    }

    /// What tells this lake from all others: made once, random, kept in the bucket.
    pub(super) async fn identity(&self) -> Result<String, Error> {
        let random = || RandomState::new().hash_one(0);
        let mine = Bytes::from(format!("{:016x}{:016x}", random(), random()));
        let bytes = match self.find(IDENTITY).await? {
            Some(found) => found,
            None => match self.create(IDENTITY, mine.clone()).await? {
                Created::New => mine,
                Created::Exists => {
                    self.find(IDENTITY).await?.ok_or_else(|| self.missing(IDENTITY))?
                }
            },
        };
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Creates an object if there is none of that name.
    pub(super) async fn create(&self, path: &str, bytes: Bytes) -> Result<Created, Error> {
        let at = self.at(path);
        let length = bytes.len() as u64;
        let put = || {
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            self.bucket.put_opts(&at, PutPayload::from_bytes(bytes.clone()), options)
        };
        let answer = self.ask(RequestKind::Put, path, length, put).await?;
        match answer.result {
            Ok(_) => {
                self.meter.moved(RequestKind::Put, length);
                Ok(Created::New)
            }
            Err(ObjectError::AlreadyExists { .. } | ObjectError::Precondition { .. }) => {
                let is_ours =
                    answer.doubtful && self.find(path).await?.is_some_and(|found| found == bytes);
                Ok(if is_ours { Created::New } else { Created::Exists })
            }
            Err(error) => Err(self.refuse(RequestKind::Put, path, error)),
        }
    }

    /// Writes an object whether there is one of that name or not.
    pub(super) async fn replace(&self, path: &str, bytes: Bytes) -> Result<(), Error> {
        let at = self.at(path);
        let length = bytes.len() as u64;
        let put = || self.bucket.put(&at, PutPayload::from_bytes(bytes.clone()));
        let answer = self.ask(RequestKind::Put, path, length, put).await?;
        answer.result.map_err(|error| self.refuse(RequestKind::Put, path, error))?;
        self.meter.moved(RequestKind::Put, length);
        Ok(())
    }

    /// The whole object; `None` if there is none of that name.
    pub(super) async fn find(&self, path: &str) -> Result<Option<Bytes>, Error> {
        // Most objects that are read whole are small, and a long wait for all would delay them.
        let first = self.get(path, 0..READ_BYTES_MAX, BYTES_PER_SECOND_MIN).await?;
        let Some((first, size)) = first else { return Ok(None) };
        if first.len() as u64 >= size {
            return Ok(Some(first));
        }
        let rest = self.read_range(path, first.len() as u64..size).await?;
        Ok(Some([first, rest].concat().into()))
    }

    /// Bytes of an object; fewer only if it ends before.
    ///
    /// `Damaged` if there is no such object, which the caller has reason to believe in.
    pub(super) async fn read_range(&self, path: &str, range: Range<u64>) -> Result<Bytes, Error> {
        let length = usize::try_from(READ_BYTES_MAX).unwrap_or(usize::MAX);
        let starts = range.clone().step_by(length);
        let reads = starts.map(|start| async move {
            let part = start..range.end.min(start + READ_BYTES_MAX);
            let length = part.end - part.start;
            let found = self.get(path, part, length).await?;
            found.map(|(bytes, _)| bytes).ok_or_else(|| self.missing(path))
        });
        let mut parts: Vec<Bytes> =
            futures::stream::iter(reads).buffered(READS_AT_ONCE).try_collect().await?;
        match parts.len() {
            1 => Ok(parts.remove(0)),
            _ => Ok(parts.concat().into()),
        }
    }

    /// Bytes of an object, of which `expected` are likely, and its size; `None` if there is none
    /// of that name.
    async fn get(
        &self,
        path: &str,
        range: Range<u64>,
        expected: u64,
    ) -> Result<Option<(Bytes, u64)>, Error> {
        let at = self.at(path);
        let get = || async {
            let range = Some(GetRange::Bounded(range.clone()));
            let found = self.bucket.get_opts(&at, GetOptions { range, ..GetOptions::default() });
            let found = found.await?;
            let size = found.meta.size;
            Ok((found.bytes().await?, size))
        };
        let answer = self.ask(RequestKind::Get, path, expected, get).await?;
        match answer.result {
            Ok((bytes, size)) => {
                self.meter.moved(RequestKind::Get, bytes.len() as u64);
                Ok(Some((bytes, size)))
            }
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) if is_out_of_range(&error) => {
                let message = format!("{}: ends before byte {}", self.url(path), range.start);
                Err(Error::new(ErrorKind::Damaged, message))
            }
            Err(error) => Err(self.refuse(RequestKind::Get, path, error)),
        }
    }

    /// Size and age of an object; `None` if there is none of that name.
    pub(super) async fn head(&self, path: &str) -> Result<Option<Listed>, Error> {
        let at = self.at(path);
        let answer = self.ask(RequestKind::Head, path, 0, || self.bucket.head(&at)).await?;
        match answer.result {
            Ok(meta) => Ok(Some(self.listed(&meta))),
            Err(ObjectError::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.refuse(RequestKind::Head, path, error)),
        }
    }

    /// Removes an object; nothing happens if there is none.
    pub(super) async fn delete(&self, path: &str) -> Result<(), Error> {
        let at = self.at(path);
        let answer = self.ask(RequestKind::Delete, path, 0, || self.bucket.delete(&at)).await?;
        match answer.result {
            Ok(()) | Err(ObjectError::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.refuse(RequestKind::Delete, path, error)),
        }
    }

    /// Objects below a folder, in no order. A listing that breaks off goes on where it was.
    pub(super) async fn list(
        &self,
        folder: &str,
        after: Option<&str>,
    ) -> Result<Vec<Listed>, Error> {
        let at = self.at(folder);
        let mut found: Vec<Listed> = Vec::new();
        let mut last = after.map(|after| self.at(after));
        loop {
            // Everything up to the end, or to the name before the trouble.
            let (page, end) = self.list_some(&at, folder, last.clone()).await?;
            found.extend(page.iter().map(|meta| self.listed(meta)));
            match end {
                true => return Ok(found),
                false => last = page.last().map(|meta| meta.location.clone()).or(last),
            }
        }
    }

    /// Objects after `last`, and whether they are all.
    async fn list_some(
        &self,
        at: &ObjectPath,
        folder: &str,
        last: Option<ObjectPath>,
    ) -> Result<(Vec<ObjectMeta>, bool), Error> {
        let limit = self.limits.timeout;
        let list = || async {
            let mut names = match &last {
                None => self.bucket.list(Some(at)),
                Some(last) => self.bucket.list_with_offset(Some(at), last),
            };
            let mut page: Vec<ObjectMeta> = Vec::new();
            loop {
                match tokio::time::timeout(limit, names.next()).await {
                    Ok(None) => return Ok((page, true)),
                    Ok(Some(Ok(meta))) => page.push(meta),
                    // What was read is worth keeping; the next call meets the trouble alone.
                    Ok(Some(Err(_))) | Err(_) if !page.is_empty() => return Ok((page, false)),
                    Ok(Some(Err(error))) => return Err(error),
                    Err(elapsed) => {
                        return Err(ObjectError::Generic {
                            store: "listing",
                            source: elapsed.into(),
                        });
                    }
                }
            }
        };
        // A folder of a hundred thousand names takes a hundred pages.
        let answer = self.ask(RequestKind::List, folder, 100 * BYTES_PER_SECOND_MIN, list).await?;
        let page = answer.result.map_err(|error| self.refuse(RequestKind::List, folder, error))?;
        for _ in 0..page.0.len() as u64 / PAGE_NAMES {
            self.meter.attempt(RequestKind::List, Duration::ZERO);
        }
        Ok(page)
    }

    /// Sends a request until there is a final answer, attempts or time are spent.
    ///
    /// `bytes` is how much it moves, at most.
    pub(super) async fn ask<T, F>(
        &self,
        operation: RequestKind,
        path: &str,
        bytes: u64,
        mut request: impl FnMut() -> F,
    ) -> Result<Answer<T>, Error>
    where
        F: Future<Output = Result<T, ObjectError>>,
    {
        let began = Instant::now();
        let patience = Duration::from_secs(bytes / BYTES_PER_SECOND_MIN);
        let deadline = self.limits.deadline + patience;
        let mut backoff = self.limits.backoff;
        let mut doubtful = false;
        let mut attempt = 1;
        loop {
            let sent = Instant::now();
            let limit = self.limits.timeout + patience;
            let limit = limit.min(deadline.saturating_sub(began.elapsed()));
            let answer = tokio::time::timeout(limit, request()).await;
            self.meter.attempt(operation, sent.elapsed());
            let (cause, after) = match answer {
                Err(_) => {
                    doubtful = true;
                    (format!("no answer within {} s", limit.as_secs_f32()), None)
                }
                Ok(Ok(value)) => return Ok(Answer { result: Ok(value), doubtful }),
                Ok(Err(error)) => match judge(&error) {
                    Verdict::Final => return Ok(Answer { result: Err(error), doubtful }),
                    Verdict::Retry { maybe_done, after } => {
                        doubtful |= maybe_done;
                        (cause(&error), after)
                    }
                },
            };
            let wait = jittered(backoff).max(after.unwrap_or_default());
            if attempt >= self.limits.attempts_max || began.elapsed() + wait >= deadline {
                return Err(self.give_up(operation, path, attempt, began.elapsed(), &cause));
            }
            let operation_name = operation.name();
            tracing::debug!(
                operation_name,
                path,
                attempt,
                cause,
                "the object store is asked again"
            );
            self.meter.retry(operation);
            tokio::time::sleep(wait).await;
            backoff = (backoff * 2).min(BACKOFF_MAX);
            attempt += 1;
        }
    }

    fn give_up(
        &self,
        operation: RequestKind,
        path: &str,
        attempts: u32,
        took: Duration,
        cause: &str,
    ) -> Error {
        self.meter.error(operation);
        let message = format!(
            "{} {}: given up after {attempts} attempts in {:.1} s: {cause}",
            operation.name(),
            self.url(path),
            took.as_secs_f32()
        );
        Error::new(ErrorKind::Unavailable, message)
    }

    /// An answer that is an error and that no other attempt would change.
    pub(super) fn refuse(&self, operation: RequestKind, path: &str, error: ObjectError) -> Error {
        self.meter.error(operation);
        let message = format!("{} {}: {}", operation.name(), self.url(path), cause(&error));
        Error::with_source(ErrorKind::Unavailable, message, error)
    }

    fn missing(&self, path: &str) -> Error {
        Error::new(ErrorKind::Damaged, format!("{}: there is no such object", self.url(path)))
    }

    /// Where an object of ours lies in the bucket.
    pub(super) fn at(&self, path: &str) -> ObjectPath {
        match self.prefix.as_ref() {
            "" => ObjectPath::from(path),
            prefix => ObjectPath::from(format!("{prefix}/{path}")),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{}", self.name, self.at(path))
    }

    fn listed(&self, meta: &ObjectMeta) -> Listed {
        let path = meta.location.as_ref();
        let path = path.strip_prefix(self.prefix.as_ref()).unwrap_or(path);
        Listed {
            path: path.trim_start_matches('/').to_owned(),
            bytes: meta.size,
            modified_ms: meta.last_modified.timestamp_millis(),
        }
    }
}

/// Between half of a duration and all of it, at random, so that many do not come back at once.
fn jittered(duration: Duration) -> Duration {
    let random = RandomState::new().hash_one(0) & 0xffff;
    #[expect(clippy::cast_precision_loss, reason = "16 bits")]
    let part = random as f64 / 65_536.0;
    duration.mul_f64(0.5 + part / 2.0)
}

#[cfg(test)]
mod tests;
