//! Planning: which segments are worth merging. Pure, so that its promises can be tested.
//!
//! ```text
//!  day not over:  segments of level 0 and 1 by hour ─▶ hour over?   ─▶ tiers ─▶ level 1
//!                                                      many of them? ─▶ tiers ─▶ level 1
//!  day over:      all that are not large ───────────────────────────▶ tiers ─▶ level 2
//!
//!  tiers:  ▁▁▂▂▃▃▄      the small ones up to a segment that is large against their sum:
//!          └merged┘  █  it waits until as much has gathered as makes rewriting it worth while
//! ```
//!
//! So a row is written a logarithmic number of times whatever arrives late, a few late rows never
//! rewrite a day, and the number of segments stays bounded.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use schemas::model::NANOS_PER_DAY;

use super::CompactionOptions;
use crate::Segment;

/// Level of segments that were merged within an hour.
pub(super) const HOUR_LEVEL: u8 = 1;
/// Level of segments that were merged within a day.
pub(super) const DAY_LEVEL: u8 = 2;

/// A segment is merged with smaller ones if it has at most this many times the bytes of all of them together.
const RATIO: u64 = 2;
/// Segments of an hour that is not over are merged when there are so many.
const OPEN_HOUR_SEGMENTS: usize = 16;
/// Fresh segments of an hour or day that is over wait for others unless there are so many.
const WAITING_SEGMENTS_MAX: usize = 8;

const NANOS_PER_HOUR: i64 = NANOS_PER_DAY / 24;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// Segments that become one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Merge {
    /// At least two, all of one tenant and day, by their oldest row.
    pub(crate) inputs: Vec<Arc<Segment>>,
    /// Level of the new segment.
    pub(crate) level: u8,
}

impl Merge {
    /// Bytes of all inputs.
    pub(crate) fn bytes(&self) -> u64 {
        self.inputs.iter().map(|segment| segment.bytes).sum()
    }
}

/// What is worth merging among live segments of one table. No segment is in two merges.
///
/// Planning again after the merges were done finds nothing or merges of fewer segments: it ends.
pub(crate) fn plan(
    segments: impl IntoIterator<Item = Arc<Segment>>,
    now_ms: i64,
    options: &CompactionOptions,
) -> Vec<Merge> {
    let mut days: BTreeMap<(Arc<str>, i32), Vec<Arc<Segment>>> = BTreeMap::new();
    for segment in segments {
        if segment.bytes < options.segment_bytes {
            let day = (Arc::clone(&segment.tenant), segment.day);
            days.entry(day).or_default().push(segment);
        }
    }
    let mut merges = Vec::new();
    for ((_, day), segments) in days {
        let end_ms = (i64::from(day) + 1) * (NANOS_PER_DAY / NANOS_PER_MILLI);
        if now_ms >= end_ms.saturating_add(millis(options.day_grace)) {
            let limits = Limits { segments_max: options.day_segments_max, level: DAY_LEVEL };
            merges.extend(tiers(settled(segments, now_ms, options), limits, options));
        } else {
            merges.extend(plan_hours(segments, now_ms, options));
        }
    }
    merges
}

fn plan_hours(segments: Vec<Arc<Segment>>, now_ms: i64, options: &CompactionOptions) -> Vec<Merge> {
    let mut hours: BTreeMap<i64, Vec<Arc<Segment>>> = BTreeMap::new();
    for segment in segments {
        // A few late rows make a segment look old; where it ends tells when it was written.
        hours.entry(segment.max_time_ns.div_euclid(NANOS_PER_HOUR)).or_default().push(segment);
    }
    let limits = Limits { segments_max: options.hour_segments_max, level: HOUR_LEVEL };
    let mut merges = Vec::new();
    for (hour, segments) in hours {
        let end_ms = (hour + 1) * (NANOS_PER_HOUR / NANOS_PER_MILLI);
        if now_ms >= end_ms.saturating_add(millis(options.hour_grace)) {
            merges.extend(tiers(settled(segments, now_ms, options), limits, options));
        } else if segments.len() >= OPEN_HOUR_SEGMENTS {
            merges.extend(tiers(segments, limits, options));
        }
    }
    merges
}

/// Without the fresh ones, if there are few: more may come soon.
fn settled(
    segments: Vec<Arc<Segment>>,
    now_ms: i64,
    options: &CompactionOptions,
) -> Vec<Arc<Segment>> {
    let settled_ms = now_ms.saturating_sub(millis(options.settle));
    let is_fresh = |segment: &Arc<Segment>| segment.level == 0 && segment.created_ms > settled_ms;
    if segments.iter().filter(|segment| is_fresh(segment)).count() > WAITING_SEGMENTS_MAX {
        return segments;
    }
    segments.into_iter().filter(|segment| !is_fresh(segment)).collect()
}

#[derive(Clone, Copy)]
struct Limits {
    segments_max: usize,
    level: u8,
}

/// Merges of the small ones among segments of one hour or day.
fn tiers(
    mut segments: Vec<Arc<Segment>>,
    limits: Limits,
    options: &CompactionOptions,
) -> Vec<Merge> {
    segments.sort_by(|a, b| (a.bytes, &a.path).cmp(&(b.bytes, &b.path)));
    let mut small = 0;
    let mut sum = 0_u64;
    for (at, segment) in segments.iter().enumerate() {
        if at > 0 && segment.bytes <= sum.saturating_mul(RATIO) {
            small = at + 1;
        }
        sum = sum.saturating_add(segment.bytes);
    }
    // Merging `small` leaves one in their place.
    if segments.len() + 1 > limits.segments_max + small.max(1) {
        small = segments.len() + 1 - limits.segments_max.max(1);
    }
    segments.truncate(small);
    segments.sort_by(|a, b| (a.min_time_ns, &a.path).cmp(&(b.min_time_ns, &b.path)));
    groups(segments, limits.level, options)
}

/// Neighbours in time, as many at once as the limits allow.
fn groups(segments: Vec<Arc<Segment>>, level: u8, options: &CompactionOptions) -> Vec<Merge> {
    let fan_in = options.fan_in_max.max(2);
    // With equal shares no merge is left with a few of them only.
    let merges = segments.len().div_ceil(fan_in).max(1);
    let share = segments.len().div_ceil(merges).max(2);
    let bytes_max = options.segment_bytes.saturating_mul(2);
    let mut found: Vec<Merge> = Vec::new();
    for segment in segments {
        match found.last_mut() {
            Some(merge)
                if merge.inputs.len() < share && merge.bytes() + segment.bytes <= bytes_max =>
            {
                merge.inputs.push(segment);
            }
            _ => found.push(Merge { inputs: vec![segment], level }),
        }
    }
    found.retain(|merge| merge.inputs.len() > 1);
    // What frees most readers from most segments goes first.
    found.sort_by_key(|merge| Reverse(merge.inputs.len()));
    found
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
