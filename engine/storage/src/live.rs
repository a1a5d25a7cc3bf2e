//! The live set: which segments can be read, by tenant and day, behind `Arc`s.
//!
//! ```text
//!  LiveTable ─ tenant ─▶ Segments ─ day ─▶ Day ─ by oldest row ─▶ (oldest, newest, Arc<Segment>)
//! ```
//!
//! A snapshot takes one `Arc`, whatever the table holds. A change copies what it touches, and only
//! if a snapshot still looks at it: the list of days, and the list of a day's segments.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use schemas::model::TimeRange;

use crate::Segment;

/// The live segments of one table, all tenants.
#[derive(Debug, Default)]
pub(crate) struct LiveTable {
    tenants: HashMap<Arc<str>, Segments>,
    /// Number of segments.
    pub(crate) segments: u64,
    /// Bytes of all segments.
    pub(crate) bytes: u64,
}

impl LiveTable {
    /// The segments of a tenant.
    pub(crate) fn tenant(&self, tenant: &str) -> Segments {
        self.tenants.get(tenant).cloned().unwrap_or_default()
    }

    /// All tenants that have segments, in no order.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = (&Arc<str>, &Segments)> {
        self.tenants.iter()
    }

    /// Adds segments that are not there yet.
    pub(crate) fn extend(&mut self, segments: impl IntoIterator<Item = Arc<Segment>>) {
        let mut groups: HashMap<(Arc<str>, i32), Vec<Entry>> = HashMap::new();
        for segment in segments {
            self.segments += 1;
            self.bytes += segment.bytes;
            let group = (Arc::clone(&segment.tenant), segment.day);
            groups.entry(group).or_default().push(Entry::from(segment));
        }
        for ((tenant, day), entries) in groups {
            self.tenants.entry(tenant).or_default().extend(day, entries);
        }
    }

    /// Removes a segment; whether it was there.
    pub(crate) fn remove(&mut self, segment: &Segment) -> bool {
        let Some(of_tenant) = self.tenants.get_mut(&segment.tenant) else { return false };
        if !of_tenant.remove(segment) {
            return false;
        }
        if of_tenant.is_empty() {
            self.tenants.remove(&segment.tenant);
        }
        self.segments -= 1;
        self.bytes -= segment.bytes;
        true
    }
}

/// The segments of one table and tenant at one moment; a clone costs nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Segments {
    days: Arc<BTreeMap<i32, Arc<Day>>>,
    len: usize,
}

/// The segments of one day.
#[derive(Clone, Debug, PartialEq)]
struct Day {
    /// In the order of their oldest row, then of their path.
    entries: Vec<Entry>,
    /// Time of the oldest and of the newest row, both inclusive; wider after a removal.
    times_ns: (i64, i64),
}

/// A segment with its times at hand, so that most are passed over without being looked at.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    min_ns: i64,
    max_ns: i64,
    segment: Arc<Segment>,
}

impl Segments {
    /// Number of segments.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All segments, by day, then by the time of their oldest row.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Segment>> {
        self.days.values().flat_map(|day| &day.entries).map(|entry| &entry.segment)
    }

    /// The segments that may hold rows of `range`, in the order of [`Self::iter`].
    pub fn in_range(&self, range: &TimeRange) -> Vec<Arc<Segment>> {
        let mut found = Vec::new();
        for day in self.days.values() {
            if !range.overlaps(day.times_ns.0, day.times_ns.1) {
                continue;
            }
            let end = day.entries.partition_point(|entry| entry.min_ns < range.end_ns);
            let overlapping =
                day.entries[..end].iter().filter(|entry| entry.max_ns >= range.start_ns);
            found.extend(overlapping.map(|entry| Arc::clone(&entry.segment)));
        }
        found
    }

    /// The days that have segments, from 1970-01-01, ascending, each with its segments in the
    /// order of [`Self::iter`].
    pub fn days(&self) -> impl Iterator<Item = (i32, impl Iterator<Item = &Arc<Segment>>)> {
        self.days.iter().map(|(day, of)| (*day, of.entries.iter().map(|entry| &entry.segment)))
    }

    fn extend(&mut self, day: i32, added: Vec<Entry>) {
        self.len += added.len();
        let day = Arc::make_mut(&mut self.days).entry(day).or_default();
        let day = Arc::make_mut(day);
        for entry in &added {
            day.times_ns = (day.times_ns.0.min(entry.min_ns), day.times_ns.1.max(entry.max_ns));
        }
        day.entries.extend(added);
        // The sort finds runs that are in order already, so one more costs a pass.
        day.entries.sort_by(|a, b| a.key().cmp(&b.key()));
    }

    fn remove(&mut self, segment: &Segment) -> bool {
        let days = Arc::make_mut(&mut self.days);
        let Some(day) = days.get_mut(&segment.day) else { return false };
        let key = (segment.min_time_ns, segment.path.as_str());
        let Ok(at) = day.entries.binary_search_by(|entry| entry.key().cmp(&key)) else {
            return false;
        };
        Arc::make_mut(day).entries.remove(at);
        if day.entries.is_empty() {
            days.remove(&segment.day);
        }
        self.len -= 1;
        true
    }
}

impl Default for Day {
    fn default() -> Self {
        Self { entries: Vec::new(), times_ns: (i64::MAX, i64::MIN) }
    }
}

impl From<Arc<Segment>> for Entry {
    fn from(segment: Arc<Segment>) -> Self {
        Self { min_ns: segment.min_time_ns, max_ns: segment.max_time_ns, segment }
    }
}

impl Entry {
    fn key(&self) -> (i64, &str) {
        (self.min_ns, self.segment.path.as_str())
    }
}

#[cfg(test)]
mod tests;
