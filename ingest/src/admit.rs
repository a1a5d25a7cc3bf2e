//! Admission: what is let in, record by record and request by request.
//!
//! A record that breaks a limit becomes a [`Rejection`]; the decoders collect them in
//! [`Rejections`], whose message goes to the sender as OTLP's partial success. A request needs
//! room in the [`Budget`] for as long as it is under way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use schemas::model::{NANOS_PER_SECOND, TimestampNs};
use schemas::tables::{date_of_day, day_of_ns};

use crate::error::{Error, ErrorKind};
use crate::limits::{Limits, REASON_BYTES_MAX};

/// Why a record was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reason {
    /// Its time lies before the oldest time accepted.
    TooOld,
    /// Its time lies after the newest time accepted.
    TooFarAhead,
    /// A text is not UTF-8.
    NotUtf8,
    /// A trace or span id has the wrong length or only zeros.
    InvalidId,
    /// A number does not fit its column.
    OutOfRange,
    /// Too many attributes, or one that is too large or too deep.
    Attributes,
    /// Too many labels, or one that is too large.
    Labels,
    /// The log body is too large.
    BodyTooLarge,
    /// The metric or the data point makes no sense.
    InvalidMetric,
    /// The tenant has as many series or streams as it may.
    TooManySeries,
    /// It was rejected when the same request came first, though it would not be now.
    RejectedBefore,
    /// Its series or stream is new, and the label index has no memory for more.
    NoRoom,
}

impl Reason {
    /// Every reason, in a fixed order.
    pub(crate) const ALL: [Self; 12] = [
        Self::TooOld,
        Self::TooFarAhead,
        Self::NotUtf8,
        Self::InvalidId,
        Self::OutOfRange,
        Self::Attributes,
        Self::Labels,
        Self::BodyTooLarge,
        Self::InvalidMetric,
        Self::TooManySeries,
        Self::RejectedBefore,
        Self::NoRoom,
    ];

    /// Snake-case name, as it stands in metric labels.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::TooOld => "too_old",
            Self::TooFarAhead => "too_far_ahead",
            Self::NotUtf8 => "not_utf8",
            Self::InvalidId => "invalid_id",
            Self::OutOfRange => "out_of_range",
            Self::Attributes => "attributes",
            Self::Labels => "labels",
            Self::BodyTooLarge => "body_too_large",
            Self::InvalidMetric => "invalid_metric",
            Self::TooManySeries => "too_many_series",
            Self::RejectedBefore => "rejected_before",
            Self::NoRoom => "no_room",
        }
    }

    /// Place in [`Self::ALL`].
    pub(crate) fn index(self) -> usize {
        self as usize
    }
}

/// Why one record, or all records of one resource or scope, were rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The kind of reason.
    pub(crate) reason: Reason,
    /// What the sender reads, with the value that offends.
    pub(crate) message: String,
}

impl Rejection {
    pub(crate) fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}

impl Rejection {
    /// The same with what it is about before the message, at most 64 characters of it.
    pub(crate) fn about(self, kind: &str, name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        Self { message: format!("{kind} {name:?}: {}", self.message), ..self }
    }
}

/// The rejected records of a request: how many, and the first message of each reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rejections {
    entries: Vec<(Rejection, u64)>,
}

impl Rejections {
    /// Counts `records` records that were rejected for one cause.
    pub(crate) fn add(&mut self, rejection: Rejection, records: u64) {
        if records == 0 {
            return;
        }
        let known = self.entries.iter_mut().find(|entry| entry.0.reason == rejection.reason);
        match known {
            Some(entry) => entry.1 += records,
            None => self.entries.push((rejection, records)),
        }
    }

    /// Number of rejected records.
    pub(crate) fn count(&self) -> u64 {
        self.entries.iter().map(|entry| entry.1).sum()
    }

    /// Number of rejected records by reason.
    pub(crate) fn by_reason(&self) -> impl Iterator<Item = (Reason, u64)> {
        self.entries.iter().map(|entry| (entry.0.reason, entry.1))
    }

    /// What the sender reads; `None` if nothing was rejected.
    pub(crate) fn message(&self) -> Option<String> {
        if self.entries.is_empty() {
            return None;
        }
        let told: Vec<String> = self
            .entries
            .iter()
            .map(|(rejection, count)| match count {
                1 => rejection.message.clone(),
                more => format!("{} (and {} more)", rejection.message, more - 1),
            })
            .collect();
        let mut message = told.join("; ");
        if message.len() > REASON_BYTES_MAX {
            message.truncate(message.floor_char_boundary(REASON_BYTES_MAX));
            message.push('…');
        }
        Some(message)
    }
}

/// The times that records may have, both ends inclusive.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeBounds {
    oldest_ns: TimestampNs,
    newest_ns: TimestampNs,
}

impl TimeBounds {
    /// The bounds of a request received at `received_ns`.
    pub(crate) fn new(limits: &Limits, received_ns: TimestampNs) -> Self {
        Self {
            oldest_ns: received_ns.saturating_sub(nanos(limits.past_max)),
            newest_ns: received_ns.saturating_add(nanos(limits.ahead_max)),
        }
    }

    /// `time_ns` as a timestamp if it lies within the bounds.
    pub(crate) fn check(&self, time_ns: u64) -> Result<TimestampNs, Rejection> {
        let signed = i64::try_from(time_ns).unwrap_or(i64::MAX);
        if signed < self.oldest_ns {
            let (time, oldest) = (rfc3339(signed), rfc3339(self.oldest_ns));
            let message = format!("time {time} is too old, the oldest accepted is {oldest}");
            return Err(Rejection::new(Reason::TooOld, message));
        }
        if signed > self.newest_ns {
            let (time, newest) = (rfc3339(signed), rfc3339(self.newest_ns));
            let message = format!("time {time} is too far ahead, the newest accepted is {newest}");
            return Err(Rejection::new(Reason::TooFarAhead, message));
        }
        Ok(signed)
    }
}

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// `YYYY-MM-DDThh:mm:ss.nnnnnnnnnZ`.
fn rfc3339(time_ns: TimestampNs) -> String {
    let date = date_of_day(day_of_ns(time_ns));
    let second = time_ns.div_euclid(NANOS_PER_SECOND).rem_euclid(86_400);
    let nano = time_ns.rem_euclid(NANOS_PER_SECOND);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{date}T{hour:02}:{minute:02}:{second:02}.{nano:09}Z")
}

/// Room for the bytes of all requests under way: within a limit of their own and within the
/// memory budget of the process.
#[derive(Debug)]
pub(crate) struct Budget {
    bytes_max: usize,
    taken_bytes: AtomicUsize,
    memory: Arc<storage::Budget>,
}

impl Budget {
    pub(crate) fn new(bytes_max: usize, memory: &Arc<storage::Budget>) -> Arc<Self> {
        let memory = Arc::clone(memory);
        Arc::new(Self { bytes_max, taken_bytes: AtomicUsize::new(0), memory })
    }

    /// The memory budget of the process.
    pub(crate) fn memory(&self) -> &Arc<storage::Budget> {
        &self.memory
    }

    /// Bytes now taken.
    pub(crate) fn taken_bytes(&self) -> usize {
        self.taken_bytes.load(Ordering::Relaxed)
    }

    /// A reservation of nothing yet.
    pub(crate) fn reservation(self: &Arc<Self>) -> Reservation {
        let memory = self.memory.reservation(storage::Use::Ingest);
        Reservation { budget: Arc::clone(self), bytes: 0, memory }
    }
}

/// A part of the budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    bytes: usize,
    memory: storage::Reservation,
}

impl Reservation {
    /// Takes `bytes` more, or says that there is no room now.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Error> {
        let max = self.budget.bytes_max;
        let fits = |taken: usize| taken.checked_add(bytes).filter(|total| *total <= max);
        let taken =
            self.budget.taken_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits);
        if taken.is_err() {
            let message = format!("requests under way hold {max} bytes or nearly so, the limit");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        self.bytes += bytes;
        Ok(self.memory.grow(bytes)?)
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.taken_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
