//! `Upload`: an object that is written piece by piece, with bounded memory.
//!
//! ```text
//!  write ─▶ buffer ─ full ─▶ local: temporary file   ─ finish ─▶ link to its name
//!                            bucket: part, part, …   ─ finish ─▶ complete
//! ```
//!
//! The object appears whole when it is finished, or never. S3 has no way to complete parts on
//! the condition that there is no such object that all clients know, so a large object's name
//! must be its writer's alone, as names of segments are; it is looked for just before.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::multipart::PartId;
use object_store::{Error as ObjectError, MultipartId, PutPayload};
use tokio::task::JoinSet;

use super::cache::Written;
use super::local::{self, Draft};
use super::remote::Remote;
use super::stats::RequestKind;
use super::{Created, Objects, Place};
use crate::{Error, ErrorKind};

/// Parts that are under way at once: as many are held in memory, and one more.
const PARTS_AT_ONCE: usize = 3;

/// Bytes that are written to a local file at once.
const DISK_BYTES: usize = 1 << 20;

/// What has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Uploaded {
    /// Whether the object is there by this upload.
    pub(crate) created: Created,
    /// Size of the object.
    pub(crate) bytes: u64,
    /// CRC-32C of its bytes.
    pub(crate) crc32c: u32,
}

/// An object that is being written. Dropping it leaves no object.
#[derive(Debug)]
pub(crate) struct Upload {
    objects: Objects,
    path: String,
    buffer: BytesMut,
    bytes: u64,
    crc32c: u32,
    target: Target,
    is_finished: bool,
}

#[derive(Debug)]
enum Target {
    /// A local file; `None` while a write has it.
    Disk(Option<Draft>),
    /// Parts of an object in a bucket; none until the first is full.
    Parts(Option<Parts>),
}

impl Upload {
    /// Nothing is asked of the store before the first part is full.
    pub(super) fn new(objects: Objects, path: &str) -> Self {
        let target = match &*objects.place {
            Place::Disk { .. } => Target::Disk(None),
            Place::Bucket(_) => Target::Parts(None),
        };
        let (path, buffer) = (path.to_owned(), BytesMut::new());
        Self { objects, path, buffer, bytes: 0, crc32c: 0, target, is_finished: false }
    }

    /// Adds bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.bytes += bytes.len() as u64;
        self.crc32c = crc32c::crc32c_append(self.crc32c, bytes);
        let part_bytes = match &*self.objects.place {
            Place::Disk { .. } => DISK_BYTES,
            Place::Bucket(remote) => remote.limits.part_bytes,
        };
        let mut rest = bytes;
        while self.buffer.len() + rest.len() >= part_bytes {
            // Parts of one size each but the last: some stores insist on it.
            let (head, tail) = rest.split_at(part_bytes - self.buffer.len());
            self.buffer.extend_from_slice(head);
            rest = tail;
            let part = self.buffer.split().freeze();
            let end = self.bytes - rest.len() as u64;
            self.cache(&part, end, false);
            self.push(part).await?;
        }
        self.buffer.extend_from_slice(rest);
        Ok(())
    }

    /// Makes the object appear. `Exists` if there is one of that name, which stays.
    pub(crate) async fn finish(mut self) -> Result<Uploaded, Error> {
        let last = self.buffer.split().freeze();
        self.cache(&last, self.bytes, true);
        let place = Arc::clone(&self.objects.place);
        let created = match (&*place, &mut self.target) {
            (Place::Bucket(remote), Target::Parts(None)) => remote.create(&self.path, last).await?,
            (Place::Bucket(_), Target::Parts(Some(parts))) => {
                parts.push(last).await?;
                parts.complete(self.bytes).await?
            }
            (Place::Disk { .. }, _) => {
                self.push(last).await?;
                self.publish().await?
            }
            (Place::Bucket(_), Target::Disk(_)) => return Err(cut_off()),
        };
        // The blocks are those of the object that was there before, if there was one.
        self.is_finished = created == Created::New;
        Ok(Uploaded { created, bytes: self.bytes, crc32c: self.crc32c })
    }

    /// Hands a full buffer on.
    async fn push(&mut self, part: Bytes) -> Result<(), Error> {
        let place = Arc::clone(&self.objects.place);
        match (&*place, &mut self.target) {
            (Place::Bucket(remote), Target::Parts(parts)) => {
                if parts.is_none() {
                    *parts = Some(Parts::begin(remote.clone(), &self.path).await?);
                }
                match parts {
                    Some(parts) => parts.push(part).await,
                    None => Err(cut_off()),
                }
            }
            (Place::Disk { root, meter, .. }, Target::Disk(draft)) => {
                let (root, taken) = (root.clone(), draft.take());
                let length = part.len() as u64;
                let written = local::blocking(root.join(&self.path), move || {
                    let mut draft = taken.map_or_else(|| Draft::new(&root), Ok)?;
                    draft.write(&part)?;
                    Ok(draft)
                });
                *draft = Some(written.await?);
                meter.moved(RequestKind::Put, length);
                Ok(())
            }
            _ => Err(cut_off()),
        }
    }

    /// Keeps a part nearby that ends at byte `end` of the object.
    fn cache(&self, part: &Bytes, end: u64, is_end: bool) {
        if let Some(cache) = &self.objects.cache {
            let offset = end - part.len() as u64;
            let written = Written { bytes: part.clone(), offset, is_end, in_memory: false };
            cache.admit(&self.path, &written);
        }
    }

    async fn publish(&mut self) -> Result<Created, Error> {
        let Target::Disk(draft) = &mut self.target else { return Err(cut_off()) };
        let draft = draft.take().ok_or_else(cut_off)?;
        let path = self.path.clone();
        match &*self.objects.place {
            Place::Disk { root, meter, .. } => {
                let began = std::time::Instant::now();
                let published = local::blocking(root.join(&path), move || draft.publish(&path));
                let published = published.await;
                meter.attempt(RequestKind::Put, began.elapsed());
                published
            }
            Place::Bucket(_) => Err(cut_off()),
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if !self.is_finished {
            self.objects.forget(&self.path);
        }
    }
}

fn cut_off() -> Error {
    Error::new(ErrorKind::Internal, "an upload goes on after it has failed")
}

/// The parts of an object in a bucket. Dropping them before they are complete removes them.
#[derive(Debug)]
struct Parts {
    remote: Remote,
    path: String,
    id: MultipartId,
    pending: JoinSet<Result<(usize, PartId), Error>>,
    done: Vec<Option<PartId>>,
    is_complete: bool,
}

impl Parts {
    async fn begin(remote: Remote, path: &str) -> Result<Self, Error> {
        let at = remote.at(path);
        let begin = || remote.bucket.create_multipart(&at);
        let answer = remote.ask(RequestKind::Put, path, 0, begin).await?;
        let id = answer.result.map_err(|error| remote.refuse(RequestKind::Put, path, error))?;
        let (path, pending) = (path.to_owned(), JoinSet::new());
        Ok(Self { remote, path, id, pending, done: Vec::new(), is_complete: false })
    }

    /// Sends a part, after others have arrived if too many are under way.
    async fn push(&mut self, part: Bytes) -> Result<(), Error> {
        if part.is_empty() {
            return Ok(());
        }
        while self.pending.len() >= PARTS_AT_ONCE {
            self.join_one().await?;
        }
        let number = self.done.len();
        self.done.push(None);
        let (remote, path, id) = (self.remote.clone(), self.path.clone(), self.id.clone());
        self.pending.spawn(async move {
            let at = remote.at(&path);
            let length = part.len() as u64;
            let put = || {
                let payload = PutPayload::from_bytes(part.clone());
                remote.bucket.put_part(&at, &id, number, payload)
            };
            let answer = remote.ask(RequestKind::Put, &path, length, put).await?;
            let id =
                answer.result.map_err(|error| remote.refuse(RequestKind::Put, &path, error))?;
            remote.meter.moved(RequestKind::Put, length);
            Ok((number, id))
        });
        Ok(())
    }

    async fn join_one(&mut self) -> Result<(), Error> {
        let Some(joined) = self.pending.join_next().await else { return Ok(()) };
        let (number, id) = joined.map_err(|error| {
            Error::with_source(ErrorKind::Internal, "sending a part was cut off", error)
        })??;
        if let Some(slot) = self.done.get_mut(number) {
            *slot = Some(id);
        }
        Ok(())
    }

    /// Makes an object of `bytes` bytes of the parts.
    async fn complete(&mut self, bytes: u64) -> Result<Created, Error> {
        while !self.pending.is_empty() {
            self.join_one().await?;
        }
        let parts: Option<Vec<PartId>> = self.done.drain(..).collect();
        let parts = parts.ok_or_else(cut_off)?;
        if self.remote.head(&self.path).await?.is_some() {
            return Ok(Created::Exists);
        }
        let at = self.remote.at(&self.path);
        let complete = || self.remote.bucket.complete_multipart(&at, &self.id, parts.clone());
        let answer = self.remote.ask(RequestKind::Put, &self.path, 0, complete).await?;
        match answer.result {
            Ok(_) => {}
            // Done by an attempt whose answer was lost: the parts are gone, the object is there.
            Err(ObjectError::NotFound { .. } | ObjectError::Generic { .. })
                if answer.doubtful && self.is_there(bytes).await? => {}
            Err(error) => return Err(self.remote.refuse(RequestKind::Put, &self.path, error)),
        }
        self.is_complete = true;
        Ok(Created::New)
    }

    async fn is_there(&self, bytes: u64) -> Result<bool, Error> {
        Ok(self.remote.head(&self.path).await?.is_some_and(|found| found.bytes == bytes))
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.is_complete {
            return;
        }
        let (remote, path, id) = (self.remote.clone(), self.path.clone(), self.id.clone());
        // Parts of a part that arrives later stay until the bucket's own rules remove them.
        runtime.spawn(async move {
            let at = remote.at(&path);
            let abort = || remote.bucket.abort_multipart(&at, &id);
            let aborted = remote.ask(RequestKind::Delete, &path, 0, abort).await;
            let failed = match aborted {
                Ok(answer) => answer.result.err().map(|error| error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            if let Some(error) = failed {
                tracing::warn!(path, error, "parts of an unfinished object are left");
            }
        });
    }
}

#[cfg(test)]
mod tests;
