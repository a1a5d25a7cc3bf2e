//! Copying one object, piece by piece, with its checksum.

use super::manifest::Entry;
use crate::objects::{Created, Objects};
use crate::{Error, ErrorKind};

/// Bytes that are copied at once.
const CHUNK_BYTES: u64 = 8 << 20;

/// Copies an object in place of whatever the target has there.
///
/// `Conflict` if it is not there any more, `Damaged` if it is not what was expected.
pub(super) async fn copy(
    from: &Objects,
    to: &Objects,
    path: &str,
    expected: Option<&Entry>,
) -> Result<Entry, Error> {
    let Some(head) = from.head(path).await? else {
        let message = format!("{path}: it went while the backup was made");
        return Err(Error::new(ErrorKind::Conflict, message));
    };
    if to.head(path).await?.is_some() {
        to.delete(path).await?;
    }
    let mut upload = to.upload(path);
    let mut at = 0;
    while at < head.bytes {
        let end = (at + CHUNK_BYTES).min(head.bytes);
        upload.write(&from.read_range(path, at..end).await?).await?;
        at = end;
    }
    let uploaded = upload.finish().await?;
    if uploaded.created == Created::Exists {
        let message = format!("{path}: somebody else writes to the target");
        return Err(Error::new(ErrorKind::Unavailable, message));
    }
    let entry = Entry { bytes: uploaded.bytes, crc32c: uploaded.crc32c };
    let is_expected = expected.is_none_or(|expected| {
        expected.bytes == entry.bytes && (expected.crc32c == 0 || expected.crc32c == entry.crc32c)
    });
    if is_expected {
        return Ok(entry);
    }
    to.delete(path).await?;
    let message = format!("{path}: damaged, its size or checksum is not what it was");
    Err(Error::new(ErrorKind::Damaged, message))
}
