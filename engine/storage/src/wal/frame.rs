//! Frames: one request each, in the body of a group.

use std::sync::Arc;

use bytes::Bytes;
use schemas::model::Signal;

use crate::{Error, ErrorKind, Frame, Identity};

/// Bytes of the fields that every frame has, its length not counted.
const FIXED_BYTES: usize = 4 + 4 + 8;
/// Bytes of an identity.
const IDENTITY_BYTES: usize = 16 + 4 + 4;
/// The frame has an identity.
const FLAG_IDENTITY: u8 = 1;
/// Largest frame in bytes: what a length field may say.
const FRAME_BYTES_MAX: usize = 1 << 30;

/// Appends a frame to the body of a group.
pub(super) fn encode(frame: &Frame, body: &mut Vec<u8>) -> Result<(), Error> {
    let identity_bytes = frame.identity.map_or(0, |_| IDENTITY_BYTES);
    let texts = frame.tenant.len() + frame.notes.len() + frame.payload.len();
    let length = FIXED_BYTES + identity_bytes + texts;
    if length > FRAME_BYTES_MAX {
        let message = format!("a frame of {length} bytes is over the limit of {FRAME_BYTES_MAX}");
        return Err(Error::new(ErrorKind::Limit, message));
    }
    let tenant_length = u8::try_from(frame.tenant.len()).map_err(|_| {
        Error::new(ErrorKind::Invalid, "a tenant's name is over the limit of 255 bytes")
    })?;
    let flags = if frame.identity.is_some() { FLAG_IDENTITY } else { 0 };
    let small = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    body.reserve(4 + length);
    body.extend_from_slice(&small(length));
    body.extend_from_slice(&small(frame.notes.len()));
    body.extend_from_slice(&[frame.encoding, signal_number(frame.signal), tenant_length, flags]);
    body.extend_from_slice(&frame.received_ns.to_le_bytes());
    if let Some(identity) = &frame.identity {
        body.extend_from_slice(&identity.hash.to_le_bytes());
        body.extend_from_slice(&identity.records.to_le_bytes());
        body.extend_from_slice(&identity.rejected.to_le_bytes());
    }
    body.extend_from_slice(frame.tenant.as_bytes());
    body.extend_from_slice(&frame.notes);
    body.extend_from_slice(&frame.payload);
    Ok(())
}

/// The frames of a body whose checksum holds; `None` if they are not what [`encode`] writes.
pub(super) fn decode_all(body: &Bytes) -> Option<Vec<Frame>> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at < body.len() {
        let length = u32::from_le_bytes(array(body, at)?) as usize;
        let end = at.checked_add(4)?.checked_add(length)?;
        frames.push(decode(&body.slice_ref(body.get(at + 4..end)?))?);
        at = end;
    }
    Some(frames)
}

fn decode(bytes: &Bytes) -> Option<Frame> {
    let notes_length = u32::from_le_bytes(array(bytes, 0)?) as usize;
    let [encoding, signal, tenant_length, flags] = array(bytes, 4)?;
    let received_ns = i64::from_le_bytes(array(bytes, 8)?);
    let mut at = FIXED_BYTES;
    let mut identity = None;
    if flags & FLAG_IDENTITY != 0 {
        identity = Some(Identity {
            hash: u128::from_le_bytes(array(bytes, at)?),
            records: u32::from_le_bytes(array(bytes, at + 16)?),
            rejected: u32::from_le_bytes(array(bytes, at + 20)?),
        });
        at += IDENTITY_BYTES;
    }
    let notes_at = at + usize::from(tenant_length);
    let payload_at = notes_at.checked_add(notes_length)?;
    if payload_at > bytes.len() {
        return None;
    }
    Some(Frame {
        tenant: Arc::from(str::from_utf8(bytes.get(at..notes_at)?).ok()?),
        signal: signal_of(signal)?,
        encoding,
        received_ns,
        notes: bytes.slice(notes_at..payload_at),
        payload: bytes.slice(payload_at..),
        identity,
    })
}

/// `N` bytes from `at` on, if there are as many.
pub(super) fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
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
