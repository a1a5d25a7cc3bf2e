//! Checking the log without changing it, also while somebody writes it.

use std::path::Path;

use super::group::{self, Kind};
use super::{frame, read};
use crate::Error;
use crate::disk::Disk;
use crate::objects::disk as disk_error;

/// What a check has read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Checked {
    /// Files.
    pub(crate) files: u64,
    /// Requests in them.
    pub(crate) requests: u64,
}

/// Reads all frames with their checksums; `damaged` is told path and what is wrong. A torn end of
/// the last file is none: whoever wrote it was never told that it was stored.
pub(crate) fn check(
    disk: &dyn Disk,
    folder: &Path,
    mut damaged: impl FnMut(&Path, String),
) -> Result<Checked, Error> {
    let mut checked = Checked::default();
    let mut expected: Option<u64> = None;
    let files = read::files(disk, folder)?;
    let last = files.last().map(|(number, _)| *number);
    for (number, path) in &files {
        let failed = |error| disk_error(path, error);
        let file = match disk.open(path) {
            Ok(file) => file,
            // Its rows were flushed meanwhile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        checked.files += 1;
        let bytes = file.bytes().map_err(failed)?;
        let mut offset = 0;
        while let Some(group) =
            group::read(file.as_ref(), *number, offset, bytes).map_err(failed)?
        {
            let first = group.header.first;
            if expected.is_some_and(|expected| expected != first) {
                damaged(path, format!("request {first} stands where {expected:?} should"));
            }
            let is_readable = match group.header.kind {
                Kind::Requests => frame::decode_all(&group.body).is_some(),
                Kind::Carried => crate::waiting::decode(&group.body).is_ok(),
                Kind::Lost => true,
            };
            if !is_readable {
                damaged(path, format!("the requests at byte {offset} cannot be read"));
            }
            checked.requests += group.header.requests;
            expected = Some(first + group.header.requests);
            offset += group.bytes();
        }
        let later = group::find(file.as_ref(), *number, offset, bytes).map_err(failed)?;
        if later.is_some() || (Some(*number) != last && has_bytes(file.as_ref(), offset, bytes)?) {
            damaged(path, format!("damaged at byte {offset}"));
            expected = None;
        }
    }
    Ok(checked)
}

/// Whether anything but zeros follows.
fn has_bytes(file: &dyn crate::disk::DiskFile, offset: u64, bytes: u64) -> Result<bool, Error> {
    let mut block = vec![0; group::BLOCK_BYTES];
    let mut at = offset;
    while at < bytes {
        let read = file
            .read_at(at, &mut block)
            .map_err(|error| disk_error(Path::new("write-ahead log"), error))?;
        if block[..read].iter().any(|byte| *byte != 0) {
            return Ok(true);
        }
        if read == 0 {
            break;
        }
        at += read as u64;
    }
    Ok(false)
}
