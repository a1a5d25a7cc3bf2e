//! Limits of one request and of all requests under way.

use std::time::Duration;

/// Deepest nesting of an attribute value; a plain value has depth 1.
pub(crate) const VALUE_DEPTH_MAX: usize = 32;
/// Deepest nesting of protobuf groups in an unknown field.
pub(crate) const GROUP_DEPTH_MAX: usize = 16;
/// Bytes of rows that a request may decode to, reckoned with the sizes below. An empty record
/// takes two bytes on the wire and more than a hundred in memory, so the size of the body is no
/// bound.
pub(crate) const ROW_BYTES_PER_REQUEST_MAX: usize = 512 << 20;
/// A log record without its texts.
pub(crate) const LOG_ROW_BYTES: usize = 160;
/// A span without its texts, events and links.
pub(crate) const SPAN_ROW_BYTES: usize = 320;
/// An event, a link or an exemplar without its texts.
pub(crate) const NESTED_ROW_BYTES: usize = 64;
/// A sample.
pub(crate) const SAMPLE_ROW_BYTES: usize = 56;
/// A series or a stream without its labels.
pub(crate) const SERIES_ROW_BYTES: usize = 96;
/// An exponential histogram without its buckets.
pub(crate) const HISTOGRAM_ROW_BYTES: usize = 160;
/// A bucket of an exponential histogram.
pub(crate) const BUCKET_BYTES: usize = 8;
/// A resource, a scope, or an attribute of either, which costs time even if no row comes of it.
pub(crate) const SHARED_PART_BYTES: usize = 128;
/// Bytes of labels that a request may add to the series and stream tables: a long resource is
/// written once per series, so the size of the body is no bound.
pub(crate) const LABEL_BYTES_PER_REQUEST_MAX: usize = 128 << 20;
/// Buckets of one histogram data point, each side of an exponential one.
pub(crate) const HISTOGRAM_BUCKETS_MAX: usize = 4_096;
/// Samples of `target_info` that one resource of one request makes.
pub(crate) const TARGET_INFO_SAMPLES_MAX: i64 = 64;
/// Bytes a WAL frame may inflate to when it is replayed: it was accepted once, perhaps under
/// another configuration, so this is far beyond what is taken from the wire.
pub(crate) const REPLAY_BYTES_MAX: usize = 1 << 30;
/// Bodies of at least this many bytes are decoded on a blocking thread, so that they do not hold
/// up the other requests of a worker. Smaller ones take less than a millisecond.
pub(crate) const INLINE_BYTES_MAX: usize = 64 << 10;
/// The same for compressed bodies, which may hold much more than they look.
pub(crate) const INLINE_COMPRESSED_BYTES_MAX: usize = 8 << 10;
/// Bytes of a message to the sender about rejected records.
pub(crate) const REASON_BYTES_MAX: usize = 1_024;

/// Limits of ingest, each with its unit and its default.
///
/// A request over a size limit is refused as a whole. A record over one of the others is
/// rejected, the rest of the request is stored, and the sender is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a request body as received. Default 20 MiB.
    pub body_bytes_max: usize,
    /// Bytes of a request body after decompression. Default 64 MiB.
    pub inflated_bytes_max: usize,
    /// Bytes of all bodies that are being received, inflated or stored, counted as received plus
    /// as inflated. Requests beyond are answered "try again later". Default 256 MiB.
    pub inflight_bytes_max: usize,
    /// Attributes of one record, resource or scope. Default 512.
    pub attributes_max: usize,
    /// Bytes of an attribute's key. Default 1 KiB.
    pub attribute_key_bytes_max: usize,
    /// Bytes of an attribute's value. Default 256 KiB.
    pub attribute_value_bytes_max: usize,
    /// Bytes of a log record's body. Default 1 MiB.
    pub log_body_bytes_max: usize,
    /// Labels of a series or stream. Default 128.
    pub labels_max: usize,
    /// Bytes of a label's name. Default 1 KiB.
    pub label_name_bytes_max: usize,
    /// Bytes of a label's value. Default 4 KiB.
    pub label_value_bytes_max: usize,
    /// Records older than this when they are received are rejected. Default 7 days.
    pub past_max: Duration,
    /// Records further ahead than this when they are received are rejected. Default 10 minutes.
    pub ahead_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 20 << 20,
            inflated_bytes_max: 64 << 20,
            inflight_bytes_max: 256 << 20,
            attributes_max: 512,
            attribute_key_bytes_max: 1 << 10,
            attribute_value_bytes_max: 256 << 10,
            log_body_bytes_max: 1 << 20,
            labels_max: 128,
            label_name_bytes_max: 1 << 10,
            label_value_bytes_max: 4 << 10,
            past_max: Duration::from_secs(7 * 86_400),
            ahead_max: Duration::from_secs(600),
        }
    }
}
