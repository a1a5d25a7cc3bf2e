//! Frames: one request body each.

use std::sync::Arc;

use bytes::Bytes;
use schemas::model::Signal;

use crate::{Error, ErrorKind, Frame};

/// Bytes of the length and the checksum.
pub(super) const PREFIX_BYTES: usize = 8;
/// Bytes of the fixed fields behind the prefix.
const HEADER_BYTES: usize = 4 + 8 + 8;
/// The only kind of frame so far: a request body.
const KIND_REQUEST: u8 = 1;
/// Largest frame in bytes, prefix not counted: what a length field may say.
pub(super) const FRAME_BYTES_MAX: usize = 1 << 30;

/// Appends a frame to `buffer`.
pub(super) fn encode(frame: &Frame, sequence: u64, buffer: &mut Vec<u8>) -> Result<(), Error> {
    let length = HEADER_BYTES + frame.tenant.len() + frame.payload.len();
    if length > FRAME_BYTES_MAX {
        let message = format!("a frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let tenant_length = u8::try_from(frame.tenant.len()).map_err(|_| {
        Error::new(ErrorKind::Invalid, "a tenant's name is over the limit of 255 bytes")
    })?;
    let start = buffer.len();
    buffer.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&[
        KIND_REQUEST,
        frame.encoding,
        signal_number(frame.signal),
        tenant_length,
    ]);
    buffer.extend_from_slice(&frame.received_ns.to_le_bytes());
    buffer.extend_from_slice(&sequence.to_le_bytes());
    buffer.extend_from_slice(frame.tenant.as_bytes());
    buffer.extend_from_slice(&frame.payload);
    let checksum = crc32c::crc32c(&buffer[start + PREFIX_BYTES..]);
    buffer[start + 4..start + PREFIX_BYTES].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// What stands at the beginning of some bytes.
pub(super) enum Decoded {
    /// A frame with its sequence number, and how many bytes it took.
    Frame(Frame, u64, usize),
    /// Zeros only, or nothing: the end.
    End,
    /// Something that is no frame.
    Broken,
}

/// Reads the frame at the beginning of `bytes`.
pub(super) fn decode(bytes: &Bytes) -> Decoded {
    let Some(prefix) = bytes.get(..PREFIX_BYTES) else {
        return if bytes.iter().all(|byte| *byte == 0) { Decoded::End } else { Decoded::Broken };
    };
    let length = u32_at(prefix, 0) as usize;
    if length == 0 {
        // Zeros to the end of the file are space that was never written.
        return if bytes.iter().all(|byte| *byte == 0) { Decoded::End } else { Decoded::Broken };
    }
    let Some(body) = bytes.get(PREFIX_BYTES..PREFIX_BYTES + length) else {
        return Decoded::Broken;
    };
    if length < HEADER_BYTES || crc32c::crc32c(body) != u32_at(prefix, 4) {
        return Decoded::Broken;
    }
    let tenant_end = HEADER_BYTES + usize::from(body[3]);
    let (Some(signal), Some(tenant)) =
        (signal_of(body[2]), body.get(HEADER_BYTES..tenant_end).map(String::from_utf8_lossy))
    else {
        return Decoded::Broken;
    };
    if body[0] != KIND_REQUEST {
        return Decoded::Broken;
    }
    let frame = Frame {
        tenant: Arc::from(tenant),
        signal,
        encoding: body[1],
        received_ns: i64::from_le_bytes(eight(body, 4)),
        payload: bytes.slice(PREFIX_BYTES + tenant_end..PREFIX_BYTES + length),
        notes: Bytes::new(),
        identity: None,
    };
    Decoded::Frame(frame, u64::from_le_bytes(eight(body, 12)), PREFIX_BYTES + length)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    bytes[at..at + 8].try_into().expect("eight bytes")
}

fn signal_number(signal: Signal) -> u8 {
    match signal {
        Signal::Metrics => 1,
        Signal::Logs => 2,
        Signal::Traces => 3,
    }
}

fn signal_of(number: u8) -> Option<Signal> {
    Signal::ALL.into_iter().find(|signal| signal_number(*signal) == number)
}
