//! What tells a request from others, and what its replay needs to know.
//!
//! ```text
//!  hash    xxh3-128 of  signal │ message │ tenant 0xFF │ protobuf, inflated
//!  notes   version u8 │ limits │ (gap, run)* of rejected records       all varints
//! ```
//!
//! The hash is taken of the protobuf, so that a request is the same however it is compressed, and
//! as JSON if it becomes the same protobuf. Whoever could find two messages of one hash could hide
//! one of his own tenant's requests behind the other, and nobody else's.

use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;
use schemas::model::Signal;
use xxhash_rust::xxh3::Xxh3;

use crate::body::Format;
use crate::error::{Error, ErrorKind};
use crate::limits::Limits;

/// The only form of notes so far.
const VERSION: u8 = 1;

/// The hash of a request's content.
pub(crate) fn hash(tenant: &str, signal: Signal, format: Format, message: &[u8]) -> u128 {
    let kind = match format {
        Format::Protobuf | Format::Json => 0,
        Format::RemoteWrite1 => 1,
        Format::RemoteWrite2 => 2,
    };
    let mut hasher = Xxh3::new();
    hasher.update(&[signal as u8, kind]);
    hasher.update(tenant.as_bytes());
    hasher.update(&[0xFF]);
    hasher.update(message);
    hasher.digest128()
}

/// Runs of rejected records, written as they are found.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    written: Vec<u8>,
    /// The end of the run before `open`.
    end: u64,
    open: Range<u64>,
}

impl Runs {
    /// Adds records by their places in the request, behind all that were added before.
    pub(crate) fn push(&mut self, records: Range<u64>) {
        if records.start == self.open.end && !self.open.is_empty() {
            self.open.end = records.end;
        } else if !records.is_empty() {
            self.close();
            self.open = records;
        }
    }

    fn close(&mut self) {
        if !self.open.is_empty() {
            push_varint(&mut self.written, self.open.start - self.end);
            push_varint(&mut self.written, self.open.end - self.open.start);
            self.end = self.open.end;
        }
    }

    /// The notes of a request that was decoded within `limits`.
    pub(crate) fn into_notes(mut self, limits: &Limits) -> Bytes {
        self.close();
        let mut notes = vec![VERSION];
        for number in [
            limits.attributes_max,
            limits.attribute_key_bytes_max,
            limits.attribute_value_bytes_max,
            limits.log_body_bytes_max,
            limits.labels_max,
            limits.label_name_bytes_max,
            limits.label_value_bytes_max,
        ] {
            push_varint(&mut notes, number as u64);
        }
        for duration in [limits.past_max, limits.ahead_max] {
            let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
            push_varint(&mut notes, nanos);
        }
        notes.extend_from_slice(&self.written);
        notes.into()
    }
}

/// Takes over the limits that held when a request came, and returns the records that were
/// rejected then. Of a request without notes both are as they are now.
pub(crate) fn read_notes(notes: &[u8], limits: &mut Limits) -> Result<Vec<Range<u64>>, Error> {
    let mut rest = match notes.split_first() {
        None => return Ok(Vec::new()),
        Some((&VERSION, rest)) => rest,
        Some((version, _)) => {
            let message = format!("notes of version {version} are not known");
            return Err(Error::new(ErrorKind::Invalid, message));
        }
    };
    for number in [
        &mut limits.attributes_max,
        &mut limits.attribute_key_bytes_max,
        &mut limits.attribute_value_bytes_max,
        &mut limits.log_body_bytes_max,
        &mut limits.labels_max,
        &mut limits.label_name_bytes_max,
        &mut limits.label_value_bytes_max,
    ] {
        *number = usize::try_from(read_varint(&mut rest)?).unwrap_or(usize::MAX);
    }
    limits.past_max = Duration::from_nanos(read_varint(&mut rest)?);
    limits.ahead_max = Duration::from_nanos(read_varint(&mut rest)?);
    let (mut runs, mut end) = (Vec::new(), 0_u64);
    while !rest.is_empty() {
        let start = end.saturating_add(read_varint(&mut rest)?);
        end = start.saturating_add(read_varint(&mut rest)?);
        runs.push(start..end);
    }
    Ok(runs)
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64, Error> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let Some((byte, rest)) = bytes.split_first() else { break };
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Error::new(ErrorKind::Invalid, "notes of a request are cut off"))
}

#[cfg(test)]
mod tests;
