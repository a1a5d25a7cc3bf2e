//! Reading the log back after a crash.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::frame::{Decoded, decode};
use crate::objects::disk;
use crate::{Error, ErrorKind, Frame};

/// One file of the log, read back.
pub(crate) struct Replayed {
    /// The file's number; numbers ascend.
    pub(crate) number: u64,
    /// Its frames with their sequence numbers, in order.
    pub(crate) frames: Vec<(u64, Frame)>,
}

/// The files of a log, oldest first, each read when it is asked for. A torn tail of the last file
/// is cut off; damage anywhere else is an error that names file and offset.
pub(crate) fn replay(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<Replayed, Error>> + use<>, Error> {
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| disk(folder, error))? {
        let path = entry.map_err(|error| disk(folder, error))?.path();
        if path.extension().is_none_or(|extension| extension != "wal") {
            continue;
        }
        let number = path.file_stem().and_then(|stem| stem.to_str()?.parse().ok());
        let number = number.ok_or_else(|| {
            Error::new(ErrorKind::Damaged, format!("{}: not a log number", path.display()))
        })?;
        files.push((number, path));
    }
    files.sort_unstable();
    let last = files.last().map(|(number, _)| *number);
    let mut previous = None;
    Ok(files.into_iter().map(move |(number, path)| {
        let file = read_file(number, &path, Some(number) == last)?;
        for (sequence, _) in &file.frames {
            // Files are removed oldest first, so a gap means that acknowledged requests are lost.
            if let Some(previous) = previous.replace(*sequence)
                && previous + 1 != *sequence
            {
                let what = format!("request {sequence} follows request {previous}");
                let message = format!("{}: damaged, {what}", path.display());
                return Err(Error::new(ErrorKind::Damaged, message));
            }
        }
        Ok(file)
    }))
}

fn read_file(number: u64, path: &Path, is_last: bool) -> Result<Replayed, Error> {
    let bytes = Bytes::from(fs::read(path).map_err(|error| disk(path, error))?);
    let mut frames = Vec::new();
    let mut offset = 0;
    loop {
        match decode(&bytes.slice(offset..)) {
            Decoded::Frame(frame, sequence, length) => {
                frames.push((sequence, frame));
                offset += length;
            }
            Decoded::End => break,
            Decoded::Broken if is_last => {
                tracing::warn!(
                    file = %path.display(), offset, bytes = bytes.len() - offset,
                    "cut a torn tail off the write-ahead log"
                );
                cut(path, offset as u64)?;
                break;
            }
            Decoded::Broken => {
                let message = format!("{}: damaged at byte {offset}", path.display());
                return Err(Error::new(ErrorKind::Damaged, message));
            }
        }
    }
    Ok(Replayed { number, frames })
}

/// Cuts a file and makes that durable.
fn cut(path: &Path, bytes: u64) -> Result<(), Error> {
    let file = fs::OpenOptions::new().write(true).open(path).map_err(|error| disk(path, error))?;
    file.set_len(bytes).and_then(|()| file.sync_all()).map_err(|error| disk(path, error))
}
