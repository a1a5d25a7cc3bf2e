//! Groups: what is written, synced and acknowledged at once.

use std::io;

use bytes::Bytes;

use super::frame::array;
use crate::disk::DiskFile;

/// Groups begin at multiples of this many bytes: what a disk or a file system writes at once.
pub(super) const BLOCK_BYTES: usize = 4096;
/// Bytes before the body.
pub(super) const HEADER_BYTES: usize = 52;
/// Begins a group of this version of the format.
const MAGIC: u32 = u32::from_le_bytes(*b"SGW2");

/// What a group holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Frames.
    Requests,
    /// Nothing: its requests were damaged, and given up by whoever had the file set aside.
    Lost,
    /// Rows of requests before it, which it stands for from here on; the first of its file.
    Carried,
}

/// What stands before the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Number of the file that the group was written to.
    pub(super) file: u64,
    /// Bytes of the file that were synced when the group was written.
    pub(super) synced: u64,
    /// Sequence number of the first request.
    pub(super) first: u64,
    /// Requests in the group.
    pub(super) requests: u64,
}

/// A group that was read whole.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) header: Header,
    pub(super) body: Bytes,
}

impl Group {
    /// Bytes of the file up to the next group.
    pub(super) fn bytes(&self) -> u64 {
        padded(HEADER_BYTES + self.body.len()) as u64
    }
}

/// Room for a header, before the body is appended.
pub(super) fn begin(buffer: &mut Vec<u8>) {
    buffer.clear();
    buffer.resize(HEADER_BYTES, 0);
}

/// Writes the header before a body, and zeros behind it.
pub(super) fn finish(buffer: &mut Vec<u8>, header: &Header) {
    let kind: u32 = match header.kind {
        Kind::Requests => 1,
        Kind::Lost => 2,
        Kind::Carried => 3,
    };
    let body_bytes = (buffer.len() - HEADER_BYTES) as u64;
    buffer[..4].copy_from_slice(&MAGIC.to_le_bytes());
    buffer[4..8].copy_from_slice(&kind.to_le_bytes());
    let numbers = [body_bytes, header.file, header.synced, header.first, header.requests];
    for (at, number) in numbers.into_iter().enumerate() {
        buffer[8 + 8 * at..16 + 8 * at].copy_from_slice(&number.to_le_bytes());
    }
    let checksum = checksum(&buffer[..HEADER_BYTES], &buffer[HEADER_BYTES..]);
    buffer[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
    buffer.resize(padded(buffer.len()), 0);
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&header[..HEADER_BYTES - 4]), body)
}

fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(BLOCK_BYTES)
}

/// The group at `offset` of a file; `None` if there is none that is whole.
pub(super) fn read(
    file: &dyn DiskFile,
    number: u64,
    offset: u64,
    file_bytes: u64,
) -> io::Result<Option<Group>> {
    let left = file_bytes.saturating_sub(offset);
    let mut header = [0; HEADER_BYTES];
    let read = file.read_at(offset, &mut header)?;
    let Some((header, body_bytes)) = header_of(&header[..read], number) else {
        return Ok(None);
    };
    if body_bytes > left.saturating_sub(HEADER_BYTES as u64) {
        return Ok(None);
    }
    // At most the size of the file.
    let whole = HEADER_BYTES + usize::try_from(body_bytes).map_err(io::Error::other)?;
    let mut buffer = vec![0; whole];
    if file.read_at(offset, &mut buffer)? < whole {
        return Ok(None);
    }
    let expected = array(&buffer, HEADER_BYTES - 4).map(u32::from_le_bytes);
    if expected != Some(checksum(&buffer[..HEADER_BYTES], &buffer[HEADER_BYTES..])) {
        return Ok(None);
    }
    Ok(Some(Group { header, body: Bytes::from(buffer).slice(HEADER_BYTES..) }))
}

fn header_of(bytes: &[u8], file: u64) -> Option<(Header, u64)> {
    if bytes.len() < HEADER_BYTES || u32::from_le_bytes(array(bytes, 0)?) != MAGIC {
        return None;
    }
    let number = |at: usize| array(bytes, 8 + 8 * at).map(u64::from_le_bytes);
    let kind = match u32::from_le_bytes(array(bytes, 4)?) {
        1 => Kind::Requests,
        2 => Kind::Lost,
        3 => Kind::Carried,
        _ => return None,
    };
    let header = Header {
        kind,
        file: number(1).filter(|number| *number == file)?,
        synced: number(2)?,
        first: number(3)?,
        requests: number(4)?,
    };
    Some((header, number(0)?))
}

/// The next whole group behind `offset`, with its own offset.
pub(super) fn find(
    file: &dyn DiskFile,
    number: u64,
    offset: u64,
    file_bytes: u64,
) -> io::Result<Option<(u64, Group)>> {
    let block = BLOCK_BYTES as u64;
    let mut at = (offset / block + 1) * block;
    let mut window = vec![0; 1 << 20];
    while at < file_bytes {
        let read = file.read_at(at, &mut window)?;
        if read == 0 {
            break;
        }
        for start in (0..read).step_by(BLOCK_BYTES) {
            if header_of(&window[start..read], number).is_none() {
                continue;
            }
            let offset = at + start as u64;
            if let Some(group) = self::read(file, number, offset, file_bytes)? {
                return Ok(Some((offset, group)));
            }
        }
        at += window.len() as u64;
    }
    Ok(None)
}
