//! A bucket in memory that fails as it is told to, for tests.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartId, MultipartUpload,
    ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use parking_lot::Mutex;

use super::{Refused, Remote, RequestLimits};

/// When a late put is done: after its sender has sent it again.
const LATE: Duration = Duration::from_millis(75);

/// What becomes of a request.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Nothing special.
    Pass,
    /// Not done, answered with a status.
    Refuse(u16),
    /// Not done, never answered.
    Stall,
    /// Done, but the answer is lost.
    LoseAnswer,
    /// A put is done after its sender has given it up; others are never answered.
    Late,
}

/// A bucket in memory.
#[derive(Debug, Default)]
pub(crate) struct Faulty {
    pub(crate) memory: Arc<InMemory>,
    /// Requests so far.
    pub(crate) calls: AtomicUsize,
    /// Faults of the requests to come, the next one first; then all pass.
    pub(crate) script: Mutex<VecDeque<Fault>>,
    /// Ranges of all gets so far.
    pub(crate) gets: Mutex<Vec<Range<u64>>>,
    /// Parts of uploads that are under way, by their number.
    uploads: Mutex<Vec<Option<BTreeMap<usize, PutPayload>>>>,
    /// Puts to paths that this is part of are refused for good.
    pub(crate) denied: Mutex<Option<&'static str>>,
    /// Commits to come that are made, but answered with an error that is not asked again.
    pub(crate) lost_commits: AtomicUsize,
}

impl Faulty {
    /// A bucket with a script.
    pub(crate) fn new(script: &[Fault]) -> Arc<Self> {
        let faulty = Self::default();
        faulty.script.lock().extend(script);
        Arc::new(faulty)
    }

    /// The lake in it, with short limits.
    pub(crate) fn remote(self: &Arc<Self>) -> Remote {
        let limits = RequestLimits {
            attempts_max: 3,
            timeout: Duration::from_millis(50),
            deadline: Duration::from_secs(5),
            backoff: Duration::from_millis(1),
            part_bytes: 1000,
        };
        Remote::new(Arc::<Self>::clone(self), "s3://test", limits)
    }

    fn check_denied(&self, at: &Path) -> Result<()> {
        match self.denied.lock().is_some_and(|denied| at.as_ref().contains(denied)) {
            true => Err(denied()),
            false => Ok(()),
        }
    }

    fn next(&self) -> Fault {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.script.lock().pop_front().unwrap_or(Fault::Pass)
    }

    async fn apply<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.next() {
            Fault::Pass => work.await,
            Fault::Refuse(status) => {
                let (code, message) = ("Code".to_owned(), String::new());
                let refused = Refused { status, code, message, retry_after: None };
                Err(Error::Generic { store: "test", source: refused.into() })
            }
            Fault::Stall | Fault::Late => std::future::pending().await,
            Fault::LoseAnswer => {
                // A request that fails has no answer worth losing.
                work.await?;
                Err(Error::Generic { store: "test", source: "connection reset".into() })
            }
        }
    }
}

fn denied() -> Error {
    Error::NotSupported { source: "denied by the test".into() }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, body: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.check_denied(at)?;
        if matches!(self.script.lock().front(), Some(Fault::Late)) {
            let (memory, at) = (Arc::clone(&self.memory), at.clone());
            tokio::spawn(async move {
                tokio::time::sleep(LATE).await;
                // That it may be refused by now is the point.
                let _ = memory.put_opts(&at, body, opts).await;
            });
            return self.apply(std::future::pending()).await;
        }
        let answer = self.apply(self.memory.put_opts(at, body, opts)).await?;
        let down = |count: usize| count.checked_sub(1);
        let is_lost = at.as_ref().contains("_delta_log")
            && self.lost_commits.fetch_update(Ordering::SeqCst, Ordering::SeqCst, down).is_ok();
        if is_lost { Err(denied()) } else { Ok(answer) }
    }

    async fn put_multipart_opts(
        &self,
        at: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.memory.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(object_store::GetRange::Bounded(range)) = &options.range {
            self.gets.lock().push(range.clone());
        }
        self.apply(self.memory.get_opts(at, options)).await
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.memory.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let names = self.memory.list(prefix);
        match self.next() {
            Fault::Stall | Fault::Late => futures::stream::pending().boxed(),
            // Breaks off in the middle.
            Fault::LoseAnswer => {
                let lost = Error::Generic { store: "test", source: "connection reset".into() };
                names.take(2).chain(futures::stream::iter([Err(lost)])).boxed()
            }
            _ => names,
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.memory.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.memory.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for Faulty {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.check_denied(path)?;
        self.apply(async {
            let mut uploads = self.uploads.lock();
            uploads.push(Some(BTreeMap::new()));
            Ok((uploads.len() - 1).to_string())
        })
        .await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.apply(async {
            let mut uploads = self.uploads.lock();
            let parts = uploads[id.parse::<usize>().unwrap()].as_mut();
            parts.ok_or_else(|| gone(path))?.insert(part_idx, data);
            Ok(PartId { content_id: part_idx.to_string() })
        })
        .await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.apply(async {
            let found = self.uploads.lock()[id.parse::<usize>().unwrap()].take();
            let found = found.ok_or_else(|| gone(path))?;
            assert_eq!(found.len(), parts.len());
            let body: PutPayload = found.into_values().flatten().collect();
            self.memory.put_opts(path, body, PutOptions::default()).await
        })
        .await
    }

    async fn abort_multipart(&self, _: &Path, id: &MultipartId) -> Result<()> {
        self.uploads.lock()[id.parse::<usize>().unwrap()] = None;
        Ok(())
    }
}

fn gone(path: &Path) -> Error {
    Error::NotFound { path: path.to_string(), source: "no such upload".into() }
}
