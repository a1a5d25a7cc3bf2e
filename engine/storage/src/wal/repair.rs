//! Setting a damaged file aside: what can be read stays in the log, what cannot is given up.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::group::{self, BLOCK_BYTES, Group, Header, Kind};
use super::read::files;
use crate::disk::{Disk, DiskFile, OsDisk};
use crate::objects::disk as disk_error;
use crate::{Error, ErrorKind};

/// What became of a damaged file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Where the file lies now; `None` if it was whole and stays.
    pub moved_to: Option<PathBuf>,
    /// Requests that stay in the log.
    pub kept: u64,
    /// Requests that are given up.
    pub lost: u64,
    /// Places that could not be read, as offsets in bytes.
    pub damaged_at: Vec<u64>,
}

/// Takes a file out of the log of a lake that no process has open, and puts what can be read of
/// it in its place, with a mark for what cannot. The file itself is kept, with the ending
/// `.damaged`.
///
/// `Invalid` if `path` is no file of a log, `Unavailable` if the disk refuses or a process has
/// the lake open.
pub fn set_aside(path: &Path) -> Result<SetAside, Error> {
    let path = path.canonicalize().map_err(|error| disk_error(path, error))?;
    let data = path.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    let _lock = crate::recover::lock(data)?;
    set_aside_on(&(Arc::new(OsDisk) as Arc<dyn Disk>), &path)
}

pub(super) fn set_aside_on(disk: &Arc<dyn Disk>, path: &Path) -> Result<SetAside, Error> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let all = files(disk.as_ref(), folder)?;
    let Some(at) = all.iter().position(|(_, of)| of.file_name() == path.file_name()) else {
        let message = format!("{}: not a file of a write-ahead log", path.display());
        return Err(Error::new(ErrorKind::Invalid, message));
    };
    let number = all[at].0;
    let failed = |error| disk_error(path, error);
    let file = disk.open(path).map_err(failed)?;
    let bytes = file.bytes().map_err(failed)?;
    let (groups, damaged_at) = whole_groups(file.as_ref(), number, bytes).map_err(failed)?;
    let end = first_of_a_later(disk, &all[at + 1..])?;
    let first = groups.first().map(|group| group.header.first).or(end);
    let begin = match at.checked_sub(1) {
        // The first group is there, so nothing before it is missing.
        _ if damaged_at.first() != Some(&0) => first,
        Some(before) => end_of(disk, &all[before], first)?,
        None => first,
    };
    let mut plan = Plan { next: begin, ..Plan::default() };
    for group in groups {
        plan.keep(group, end);
    }
    if let (Some(next), Some(end)) = (plan.next, end) {
        plan.lose(next, end.saturating_sub(next));
    }
    if plan.lost == 0 && damaged_at.is_empty() {
        return Ok(SetAside { moved_to: None, kept: plan.kept, lost: 0, damaged_at });
    }
    let replacement = path.with_extension("wal-new");
    write(disk, &replacement, number, &plan).map_err(|error| disk_error(&replacement, error))?;
    let moved_to = path.with_extension("wal.damaged");
    // Between the two renames there is a gap, which refuses to start, and nothing is lost.
    disk.rename(path, &moved_to).map_err(failed)?;
    disk.rename(&replacement, path).map_err(failed)?;
    disk.sync_folder(folder).map_err(failed)?;
    Ok(SetAside { moved_to: Some(moved_to), kept: plan.kept, lost: plan.lost, damaged_at })
}

/// What the new file will hold.
#[derive(Debug, Default)]
struct Plan {
    parts: Vec<Part>,
    /// The next sequence number; `None` while none is known.
    next: Option<u64>,
    kept: u64,
    lost: u64,
}

#[derive(Debug)]
enum Part {
    Kept(Group),
    Lost { first: u64, requests: u64 },
}

impl Plan {
    fn keep(&mut self, group: Group, end: Option<u64>) {
        let Header { first, requests, .. } = group.header;
        let next = self.next.unwrap_or(first);
        // A group behind the end was refused; one before what is known already is no part of it.
        if end.is_some_and(|end| first >= end) || first < next {
            return;
        }
        self.lose(next, first - next);
        self.kept += requests;
        self.next = Some(first + requests);
        self.parts.push(Part::Kept(group));
    }

    fn lose(&mut self, first: u64, requests: u64) {
        if requests > 0 {
            self.lost += requests;
            self.parts.push(Part::Lost { first, requests });
        }
        self.next = Some(first + requests);
    }
}

fn whole_groups(
    file: &dyn DiskFile,
    number: u64,
    bytes: u64,
) -> std::io::Result<(Vec<Group>, Vec<u64>)> {
    let (mut groups, mut damaged_at) = (Vec::new(), Vec::new());
    let mut offset = 0;
    while offset < bytes {
        if let Some(group) = group::read(file, number, offset, bytes)? {
            offset += group.bytes();
            groups.push(group);
            continue;
        }
        let next = group::find(file, number, offset, bytes)?;
        if next.is_some() || !is_zero(file, offset, bytes)? {
            damaged_at.push(offset);
        }
        match next {
            Some((found, _)) => offset = found,
            None => break,
        }
    }
    Ok((groups, damaged_at))
}

fn is_zero(file: &dyn DiskFile, mut offset: u64, bytes: u64) -> std::io::Result<bool> {
    let mut window = vec![0; 1 << 20];
    while offset < bytes {
        let read = file.read_at(offset, &mut window)?;
        if read == 0 || window[..read].iter().any(|byte| *byte != 0) {
            return Ok(read == 0);
        }
        offset += read as u64;
    }
    Ok(true)
}

/// The number that the next file that holds anything begins with.
fn first_of_a_later(disk: &Arc<dyn Disk>, later: &[(u64, PathBuf)]) -> Result<Option<u64>, Error> {
    for (number, path) in later {
        let failed = |error| disk_error(path, error);
        let file = disk.open(path).map_err(failed)?;
        let bytes = file.bytes().map_err(failed)?;
        if let Some(group) = group::read(file.as_ref(), *number, 0, bytes).map_err(failed)? {
            return Ok(Some(group.header.first));
        }
    }
    Ok(None)
}

/// The number behind the last request of a file that is not over `most`, for what a file holds
/// behind the next one was refused; `None` if nothing of it can be read.
fn end_of(
    disk: &Arc<dyn Disk>,
    (number, path): &(u64, PathBuf),
    most: Option<u64>,
) -> Result<Option<u64>, Error> {
    let failed = |error| disk_error(path, error);
    let file = disk.open(path).map_err(failed)?;
    let bytes = file.bytes().map_err(failed)?;
    let (groups, _) = whole_groups(file.as_ref(), *number, bytes).map_err(failed)?;
    let ends = groups.iter().map(|group| group.header.first + group.header.requests);
    Ok(ends.filter(|end| most.is_none_or(|most| *end <= most)).max())
}

fn write(disk: &Arc<dyn Disk>, path: &Path, number: u64, plan: &Plan) -> std::io::Result<()> {
    if disk.open(path).is_ok() {
        disk.remove(path)?;
    }
    let mut file = disk.create(path)?;
    let (mut offset, mut buffer) = (0_u64, Vec::new());
    for part in &plan.parts {
        group::begin(&mut buffer);
        let header = match part {
            Part::Kept(group) => {
                buffer.extend_from_slice(&group.body);
                Header { synced: offset, ..group.header }
            }
            Part::Lost { first, requests } => Header {
                kind: Kind::Lost,
                file: number,
                synced: offset,
                first: *first,
                requests: *requests,
            },
        };
        group::finish(&mut buffer, &header);
        file.write_at(offset, &buffer)?;
        offset += buffer.len() as u64;
    }
    debug_assert_eq!(offset % BLOCK_BYTES as u64, 0, "groups end at blocks");
    file.sync()
}
