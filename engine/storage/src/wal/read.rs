//! Reading the log back after a crash.
//!
//! A file is read group by group, so that memory does not grow with it. What a file must hold is
//! known from the next one: every number up to the first of that.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use super::frame;
use super::group::{self, Group, Kind};
use crate::disk::{Disk, DiskFile};
use crate::objects::disk as disk_error;
use crate::waiting::{self, Summary};
use crate::{Error, ErrorKind, Frame};

/// The files of a log, oldest first.
#[derive(Debug)]
pub(crate) struct Log {
    disk: Arc<dyn Disk>,
    files: Vec<LogFile>,
    /// Number of the last file, whether or not it holds anything.
    pub(crate) last_number: u64,
}

#[derive(Debug)]
struct LogFile {
    number: u64,
    path: PathBuf,
    /// Number of its first request; `None` if its first group is not whole.
    first: Option<u64>,
    /// What its first group stands for, if that holds rows that were carried over.
    carried: Option<Summary>,
}

/// What is read from a log, in order.
#[derive(Debug)]
pub(crate) enum Read {
    /// Requests that follow one another.
    Requests {
        /// The number of the file.
        file: u64,
        /// Sequence number of the first.
        first: u64,
        /// The requests.
        frames: Vec<Frame>,
    },
    /// Rows that were carried over from requests before.
    Carried {
        /// The number of the file.
        file: u64,
        /// Their sequence number.
        sequence: u64,
        /// What `waiting::encode` has made of them.
        body: Bytes,
    },
    /// Requests that were given up when their file was set aside.
    Lost {
        /// Sequence number of the first.
        first: u64,
        /// How many.
        requests: u64,
    },
}

/// Numbers and paths of the log files in a folder, oldest first.
pub(super) fn files(disk: &dyn Disk, folder: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let mut files: Vec<(u64, PathBuf)> = Vec::new();
    for path in disk.list(folder).map_err(|error| disk_error(folder, error))? {
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
    Ok(files)
}

impl Log {
    /// Finds the files and what each begins with.
    pub(crate) fn open(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, Error> {
        let mut log = Self { files: Vec::new(), last_number: 0, disk };
        for (number, path) in files(log.disk.as_ref(), folder)? {
            let failed = |error| disk_error(&path, error);
            let file = log.disk.open(&path).map_err(failed)?;
            let bytes = file.bytes().map_err(failed)?;
            let first = group::read(file.as_ref(), number, 0, bytes).map_err(failed)?;
            let carried = first.as_ref().filter(|group| group.header.kind == Kind::Carried);
            let carried = carried.map(|group| {
                let summary = waiting::summary(&group.body);
                summary.ok_or_else(|| damaged(&path, 0, "what waits is not of this version"))
            });
            let carried = carried.transpose()?;
            let first = first.map(|group| group.header.first);
            log.last_number = number;
            log.files.push(LogFile { number, path, first, carried });
        }
        Ok(log)
    }

    /// What the groups of carried rows stand for, oldest first, with their sequence numbers.
    pub(crate) fn carried(&self) -> impl Iterator<Item = (u64, &Summary)> {
        self.files.iter().filter_map(|file| Some((file.first?, file.carried.as_ref()?)))
    }

    /// Sequence number of the oldest request; `None` if the log is empty.
    pub(crate) fn first(&self) -> Option<u64> {
        self.files.iter().find_map(|file| file.first)
    }

    /// Calls `each` with everything in the log. A torn tail is cut off; damage is an error that
    /// names file and offset. An error of `each` ends it.
    pub(crate) fn read(
        &self,
        mut each: impl FnMut(Read) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut expected = self.first();
        for (at, file) in self.files.iter().enumerate() {
            let end = self.files[at + 1..].iter().find_map(|later| later.first);
            if file.first.is_none() && self.is_void(file, expected, end)? {
                continue;
            }
            let mut reader = Reader {
                file: self.disk.open(&file.path).map_err(|error| disk_error(&file.path, error))?,
                of: file,
                expected: expected.unwrap_or(0),
                end,
                synced: 0,
            };
            reader.read(&mut each)?;
            expected = Some(reader.expected);
        }
        Ok(())
    }

    /// Whether a file whose first group is not whole holds nothing that was acknowledged: its
    /// first write was torn or refused.
    fn is_void(
        &self,
        file: &LogFile,
        expected: Option<u64>,
        end: Option<u64>,
    ) -> Result<bool, Error> {
        let failed = |error| disk_error(&file.path, error);
        let mut opened = self.disk.open(&file.path).map_err(failed)?;
        let bytes = opened.bytes().map_err(failed)?;
        let later = group::find(opened.as_ref(), file.number, 0, bytes).map_err(failed)?;
        let was_synced = later.is_some_and(|(_, group)| group.header.synced > 0);
        let is_older_than_all = end.is_some() && expected == end && self.first() == end;
        let has_bytes = || -> io::Result<bool> {
            let mut block = vec![0; group::BLOCK_BYTES];
            opened.read_at(0, &mut block)?;
            Ok(block.iter().any(|byte| *byte != 0))
        };
        // Of the oldest file nothing says which number it began with.
        let may_be_damaged = is_older_than_all && has_bytes().map_err(failed)?;
        let is_missed = end.is_some() && expected != end;
        if was_synced || may_be_damaged || is_missed {
            return Err(damaged(&file.path, 0, "the first group is broken"));
        }
        tracing::info!(file = %file.path.display(), "a WAL file holds nothing that was acknowledged");
        // Before another file follows, and nothing tells any more that this was the last one.
        opened.set_len(0).and_then(|()| opened.sync()).map_err(failed)?;
        Ok(true)
    }
}

/// Reads one file.
struct Reader<'l> {
    file: Box<dyn DiskFile>,
    of: &'l LogFile,
    /// The next sequence number.
    expected: u64,
    /// What the next file begins with; `None` for the last one.
    end: Option<u64>,
    /// Bytes of the file that were on the disk when its last group was written.
    synced: u64,
}

impl Reader<'_> {
    fn read(&mut self, each: &mut impl FnMut(Read) -> Result<(), Error>) -> Result<(), Error> {
        let path = &self.of.path;
        let failed = |error| disk_error(path, error);
        let bytes = self.file.bytes().map_err(failed)?;
        let mut offset = 0;
        while self.end.is_none_or(|end| self.expected < end) {
            let group = group::read(self.file.as_ref(), self.of.number, offset, bytes);
            let Some(group) = group.map_err(failed)? else {
                return match self.end {
                    None => self.end_of_log(offset, bytes),
                    Some(end) => {
                        let what = format!("requests {} to {} are missing", self.expected, end - 1);
                        Err(damaged(path, offset, &what))
                    }
                };
            };
            let first = group.header.first;
            if first != self.expected {
                let what = format!("request {first} stands where {} should", self.expected);
                return Err(damaged(path, offset, &what));
            }
            self.expected += group.header.requests;
            self.synced = group.header.synced;
            offset += group.bytes();
            each(self.content(&group, offset)?)?;
        }
        Ok(())
    }

    fn content(&self, group: &Group, offset: u64) -> Result<Read, Error> {
        let (first, requests) = (group.header.first, group.header.requests);
        if group.header.kind == Kind::Lost {
            return Ok(Read::Lost { first, requests });
        }
        if group.header.kind == Kind::Carried {
            let body = group.body.clone();
            return Ok(Read::Carried { file: self.of.number, sequence: first, body });
        }
        let frames = frame::decode_all(&group.body)
            .filter(|frames| frames.len() as u64 == requests)
            .ok_or_else(|| damaged(&self.of.path, offset, "a frame is not of this version"))?;
        Ok(Read::Requests { file: self.of.number, first, frames })
    }

    /// Nothing whole stands at `offset` of the last file: its end, unless something behind says
    /// that it was on the disk.
    fn end_of_log(&mut self, offset: u64, bytes: u64) -> Result<(), Error> {
        let path = &self.of.path;
        let failed = |error| disk_error(path, error);
        let mut at = offset;
        while let Some((found, group)) =
            group::find(self.file.as_ref(), self.of.number, at, bytes).map_err(failed)?
        {
            if group.header.synced > offset {
                return Err(damaged(path, offset, "a group is broken that others follow"));
            }
            at = found;
        }
        if offset < bytes {
            tracing::info!(
                file = %path.display(), offset, bytes = bytes - offset,
                "cut off what was not acknowledged, or never written"
            );
        }
        self.settle(offset).map_err(failed)
    }

    /// Makes what was read of the last file durable. The process that wrote it may have ended
    /// before it was, or because it could not be: then the kernel takes it for written, and only
    /// writing it again helps.
    fn settle(&mut self, end: u64) -> io::Result<()> {
        let mut window = vec![0; 1 << 20];
        let mut at = self.synced;
        while at < end {
            let part = window.len().min(usize::try_from(end - at).unwrap_or(usize::MAX));
            let read = self.file.read_at(at, &mut window[..part])?;
            if read == 0 {
                break;
            }
            self.file.write_at(at, &window[..read])?;
            at += read as u64;
        }
        self.file.set_len(end)?;
        self.file.sync()
    }
}

fn damaged(path: &Path, offset: u64, what: &str) -> Error {
    let message = format!(
        "{}: damaged at byte {offset}: {what}. Requests that were acknowledged cannot be read. \
         Bring the file back from a copy, or give them up with `siglake wal set-aside {}`",
        path.display(),
        path.display()
    );
    Error::new(ErrorKind::Damaged, message)
}
