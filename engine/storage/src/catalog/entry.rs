//! A segment as the log's texts say it: the same in JSON commits and in checkpoints.

use std::fmt::Write;
use std::sync::Arc;

use schemas::tables::{Table, date_of_day};
use serde::Deserialize;

use crate::{Error, ErrorKind, Occupied, Segment};

/// The texts of an `add`.
#[derive(Debug)]
pub(super) struct AddTexts<'a> {
    /// Path below the table's folder. Ours hold nothing that the protocol would have encoded.
    pub(super) path: &'a str,
    /// Partition value.
    pub(super) tenant: &'a str,
    /// Partition value, `2026-11-21`.
    pub(super) date: String,
    /// JSON with the number of rows and the ranges of the sort key.
    pub(super) stats: String,
    /// What the protocol has no word for.
    pub(super) tags: [(&'static str, String); 11],
}

impl<'a> AddTexts<'a> {
    /// What the log shall say of a segment.
    pub(super) fn of(table: Table, segment: &'a Segment) -> Result<Self, Error> {
        Ok(Self {
            path: relative(table, &segment.path)?,
            tenant: &segment.tenant,
            date: date_of_day(segment.day),
            stats: stats(table, segment),
            tags: [
                ("created_ms", segment.created_ms.to_string()),
                ("crc32c", segment.crc32c.to_string()),
                ("day", segment.day.to_string()),
                ("deletes_applied", segment.deletes_applied.to_string()),
                ("footer_bytes", segment.footer_bytes.to_string()),
                ("key_ranges", key_ranges(segment)),
                ("level", segment.level.to_string()),
                ("max_time_ns", segment.max_time_ns.to_string()),
                ("min_time_ns", segment.min_time_ns.to_string()),
                ("promoted", segment.occupied.to_tag()),
                ("sort_key", table.sort_key().columns.join(",")),
            ],
        })
    }
}

/// A path below the table's folder.
pub(super) fn relative(table: Table, path: &str) -> Result<&str, Error> {
    path.strip_prefix(table.name()).and_then(|path| path.strip_prefix('/')).ok_or_else(|| {
        Error::new(ErrorKind::Internal, format!("{path} is no segment of {}", table.name()))
    })
}

/// Names of columns are plain words, so nothing has to be escaped.
fn stats(table: Table, segment: &Segment) -> String {
    let ranges = || table.sort_key().columns.iter().zip(&segment.key_ranges);
    let mut text = format!("{{\"numRecords\":{}", segment.rows);
    let mut object = |name: &str, value: &dyn Fn(&(i64, i64)) -> i64| {
        let _ = write!(text, ",\"{name}\":{{");
        for (at, (column, range)) in ranges().enumerate() {
            let comma = if at > 0 { "," } else { "" };
            let _ = write!(text, "{comma}\"{column}\":{}", value(range));
        }
        text.push('}');
    };
    object("minValues", &|range| range.0);
    object("maxValues", &|range| range.1);
    object("nullCount", &|_| 0);
    text.push('}');
    text
}

fn key_ranges(segment: &Segment) -> String {
    let mut text = String::from("[");
    for (at, (least, greatest)) in segment.key_ranges.iter().enumerate() {
        let comma = if at > 0 { "," } else { "" };
        let _ = write!(text, "{comma}[{least},{greatest}]");
    }
    text.push(']');
    text
}

/// The tags of an `add` that mean something to us.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tags<'a> {
    created_ms: Option<&'a str>,
    crc32c: Option<&'a str>,
    day: Option<&'a str>,
    deletes_applied: Option<&'a str>,
    footer_bytes: Option<&'a str>,
    key_ranges: Option<&'a str>,
    level: Option<&'a str>,
    max_time_ns: Option<&'a str>,
    min_time_ns: Option<&'a str>,
    promoted: Option<&'a str>,
}

impl<'a> Tags<'a> {
    /// Takes a tag; others than ours are passed over.
    pub(super) fn set(&mut self, name: &str, value: &'a str) {
        let tag = match name {
            "created_ms" => &mut self.created_ms,
            "crc32c" => &mut self.crc32c,
            "day" => &mut self.day,
            "deletes_applied" => &mut self.deletes_applied,
            "footer_bytes" => &mut self.footer_bytes,
            "key_ranges" => &mut self.key_ranges,
            "level" => &mut self.level,
            "max_time_ns" => &mut self.max_time_ns,
            "min_time_ns" => &mut self.min_time_ns,
            "promoted" => &mut self.promoted,
            _ => return,
        };
        *tag = Some(value);
    }

    /// The segment; `None` if something is missing that every writer of ours has told. Tags
    /// that older writers did not know count as zero.
    pub(super) fn segment(
        &self,
        path: String,
        tenant: Arc<str>,
        bytes: u64,
        stats: &str,
    ) -> Option<Segment> {
        let later = |tag: Option<&'a str>| tag.unwrap_or("0");
        let stats: Stats = serde_json::from_str(stats).ok()?;
        Some(Segment {
            path,
            tenant,
            day: self.day?.parse().ok()?,
            bytes,
            rows: stats.num_records,
            min_time_ns: self.min_time_ns?.parse().ok()?,
            max_time_ns: self.max_time_ns?.parse().ok()?,
            key_ranges: serde_json::from_str(self.key_ranges?).ok()?,
            footer_bytes: self.footer_bytes?.parse().ok()?,
            level: later(self.level).parse().ok()?,
            crc32c: later(self.crc32c).parse().ok()?,
            deletes_applied: later(self.deletes_applied).parse().ok()?,
            created_ms: later(self.created_ms).parse().ok()?,
            occupied: self.promoted.map(Occupied::of_tag).unwrap_or_default(),
        })
    }
}

/// What is read of the statistics: the ranges are in a tag, too.
#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "numRecords")]
    num_records: u64,
}
