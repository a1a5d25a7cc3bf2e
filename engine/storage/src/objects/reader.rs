//! `Reader`: the lake as an [`ObjectStore`] that can only be read, for engines above.
//!
//! It reads as storage itself does, bounded attempts, counted; blocks of segments are cached.

use std::fmt;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::path::Path as ObjectPath;
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};

use super::{Listed, Objects};

/// How errors of the reader name it.
const NAME: &str = "lake";

/// The lake, to be read.
#[derive(Clone, Debug)]
pub(super) struct Reader {
    pub(super) objects: Objects,
}

impl fmt::Display for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)
    }
}

impl Reader {
    async fn head(&self, location: &ObjectPath) -> Result<ObjectMeta> {
        let found = self.objects.head(location.as_ref()).await.map_err(failed)?;
        found.map(meta).ok_or_else(|| Error::NotFound {
            path: location.to_string(),
            source: "there is no such object".into(),
        })
    }
}

#[async_trait]
impl ObjectStore for Reader {
    async fn get_opts(&self, location: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        let bounded = match &options.range {
            // Whoever names both ends knows the size; it is not asked for.
            Some(GetRange::Bounded(range)) if !options.head => Some(range.clone()),
            _ => None,
        };
        let (meta, range) = match bounded {
            Some(range) => (placeholder(location, range.end), range),
            None => {
                let meta = self.head(location).await?;
                options.check_preconditions(&meta)?;
                let range = match options.range {
                    Some(GetRange::Bounded(range)) => range.start..range.end.min(meta.size),
                    Some(GetRange::Offset(start)) => start.min(meta.size)..meta.size,
                    Some(GetRange::Suffix(length)) => meta.size.saturating_sub(length)..meta.size,
                    None => 0..meta.size,
                };
                (meta, range)
            }
        };
        let bytes = match options.head {
            true => Bytes::new(),
            false => {
                let ranges = std::slice::from_ref(&range);
                let read = self.objects.read_cached(location.as_ref(), ranges);
                read.await.map_err(failed)?.pop().unwrap_or_default()
            }
        };
        let payload = GetResultPayload::Stream(futures::stream::iter([Ok(bytes)]).boxed());
        Ok(GetResult { payload, meta, range, attributes: Attributes::default() })
    }

    async fn get_ranges(&self, location: &ObjectPath, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.objects.read_cached(location.as_ref(), ranges).await.map_err(failed)
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let objects = self.objects.clone();
        let folder = prefix.map(ToString::to_string).unwrap_or_default();
        let listed = async move {
            let listed = objects.list_with_sizes(&folder).await.map_err(failed)?;
            Ok::<_, Error>(futures::stream::iter(listed.into_iter().map(|listed| Ok(meta(listed)))))
        };
        futures::stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, _: Option<&ObjectPath>) -> Result<ListResult> {
        Err(read_only("list_with_delimiter"))
    }

    async fn put_opts(&self, _: &ObjectPath, _: PutPayload, _: PutOptions) -> Result<PutResult> {
        Err(read_only("put"))
    }

    async fn put_multipart_opts(
        &self,
        _: &ObjectPath,
        _: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(read_only("put_multipart"))
    }

    fn delete_stream(
        &self,
        _: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        futures::stream::iter([Err(read_only("delete"))]).boxed()
    }

    async fn copy_opts(&self, _: &ObjectPath, _: &ObjectPath, _: CopyOptions) -> Result<()> {
        Err(read_only("copy"))
    }
}

fn meta(listed: Listed) -> ObjectMeta {
    let modified = Duration::from_millis(u64::try_from(listed.modified_ms).unwrap_or(0));
    ObjectMeta {
        location: ObjectPath::from(listed.path),
        last_modified: (SystemTime::UNIX_EPOCH + modified).into(),
        size: listed.bytes,
        e_tag: None,
        version: None,
    }
}

fn placeholder(location: &ObjectPath, size: u64) -> ObjectMeta {
    let last_modified = SystemTime::UNIX_EPOCH.into();
    ObjectMeta { location: location.clone(), last_modified, size, e_tag: None, version: None }
}

fn failed(error: crate::Error) -> Error {
    Error::Generic { store: NAME, source: Box::new(error) }
}

fn read_only(operation: &str) -> Error {
    let operation = operation.to_owned();
    Error::NotImplemented { operation, implementer: NAME.to_owned() }
}
