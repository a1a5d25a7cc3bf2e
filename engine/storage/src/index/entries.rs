//! Entries and postings: every text is kept once, every entry knows its labels.

use std::collections::HashSet;
use std::sync::Arc;

use ahash::{HashMap, RandomState};
use schemas::model::{Label, Labels};
use serde_json::{Map, Value as Json};

use super::days::Days;
use super::rows::{Kind, Rows, StreamColumns};
use super::{SeriesEntry, SeriesInfo, StreamInfo};
use crate::{Error, ErrorKind};

/// Most entries of one index: ordinals have 32 bits.
const ENTRIES_MAX: usize = u32::MAX as usize;

/// What the index holds; an entry's ordinal is its place in `entries`.
#[derive(Debug, Default)]
pub(super) struct Entries {
    entries: Vec<Entry>,
    ordinals: HashMap<i64, u32>,
    labels: HashMap<Arc<str>, LabelValues>,
    infos: HashSet<Arc<SeriesInfo>, RandomState>,
    texts: HashSet<Arc<str>, RandomState>,
}

#[derive(Debug)]
struct Entry {
    id: i64,
    metric_id: i64,
    labels: Labels,
    info: Arc<SeriesInfo>,
    stream: Option<Arc<StreamInfo>>,
    days: Days,
}

/// The values of one label.
#[derive(Debug)]
pub(super) struct LabelValues {
    name: Arc<str>,
    slots: HashMap<Arc<str>, u32>,
    values: Vec<(Arc<str>, Posting)>,
}

/// The ordinals of the entries that have a value, ascending.
#[derive(Debug)]
pub(super) enum Posting {
    One(u32),
    Many(Vec<u32>),
}

impl Posting {
    pub(super) fn ordinals(&self) -> &[u32] {
        match self {
            Self::One(ordinal) => std::slice::from_ref(ordinal),
            Self::Many(ordinals) => ordinals,
        }
    }

    fn push(&mut self, ordinal: u32) {
        match self {
            Self::One(first) => *self = Self::Many(vec![*first, ordinal]),
            Self::Many(ordinals) => ordinals.push(ordinal),
        }
    }
}

impl LabelValues {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &[u32])> {
        self.values.iter().map(|(value, posting)| (value, posting.ordinals()))
    }

    /// The ordinals of the entries with this value; none if nobody has it.
    pub(super) fn ordinals(&self, value: &str) -> &[u32] {
        self.slots.get(value).map_or(&[], |slot| self.values[*slot as usize].1.ordinals())
    }

    fn add(&mut self, value: &str, ordinal: u32) -> Label {
        let name = Arc::clone(&self.name);
        if let Some(slot) = self.slots.get(value) {
            let (value, posting) = &mut self.values[*slot as usize];
            posting.push(ordinal);
            return Label { name, value: Arc::clone(value) };
        }
        let value: Arc<str> = value.into();
        // There are no more values than entries, whose number fits.
        self.slots.insert(Arc::clone(&value), self.values.len() as u32);
        self.values.push((Arc::clone(&value), Posting::One(ordinal)));
        Label { name, value }
    }
}

impl Entries {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn ordinal(&self, id: i64) -> Option<u32> {
        self.ordinals.get(&id).copied()
    }

    pub(super) fn label(&self, name: &str) -> Option<&LabelValues> {
        self.labels.get(name)
    }

    pub(super) fn value(&self, ordinal: u32, name: &str) -> &str {
        self.at(ordinal).labels.value(name)
    }

    pub(super) fn is_seen(&self, ordinal: u32) -> bool {
        !self.at(ordinal).days.is_empty()
    }

    pub(super) fn is_seen_on(&self, ordinal: u32, day: i32) -> bool {
        self.at(ordinal).days.contains(day)
    }

    /// Whether the entry was seen from `first` to `last`, both inclusive.
    pub(super) fn is_seen_in(&self, ordinal: u32, (first, last): (i32, i32)) -> bool {
        self.at(ordinal).days.overlaps(first, last)
    }

    pub(super) fn stream(&self, ordinal: u32) -> Option<Arc<StreamInfo>> {
        self.at(ordinal).stream.clone()
    }

    pub(super) fn series_entry(&self, ordinal: u32) -> SeriesEntry {
        let entry = self.at(ordinal);
        SeriesEntry {
            id: entry.id,
            metric_id: entry.metric_id,
            labels: entry.labels.clone(),
            info: Arc::clone(&entry.info),
        }
    }

    /// The names of the labels of some entries, each once, in no order.
    pub(super) fn label_names(&self, ordinals: &[u32]) -> Vec<Arc<str>> {
        if ordinals.len() == self.entries.len() {
            return self.labels.keys().cloned().collect();
        }
        let labels = ordinals.iter().flat_map(|ordinal| self.at(*ordinal).labels.iter());
        let names: HashSet<&Arc<str>, RandomState> = labels.map(|label| &label.name).collect();
        names.into_iter().cloned().collect()
    }

    /// The values of one label of some entries, each once, in no order.
    pub(super) fn label_values(&self, name: &str, ordinals: &[u32]) -> Vec<Arc<str>> {
        let mut found: HashSet<&str, RandomState> = HashSet::default();
        for ordinal in ordinals {
            found.extend(self.at(*ordinal).labels.get(name));
        }
        let Some(values) = self.labels.get(name) else { return Vec::new() };
        let shared = |text| values.slots.get_key_value(text).map(|(text, _)| Arc::clone(text));
        found.into_iter().filter_map(shared).collect()
    }

    /// Marks a day of an entry; tells whether it is new.
    pub(super) fn see(&mut self, ordinal: u32, day: i32) -> bool {
        self.entries[ordinal as usize].days.insert(day)
    }

    /// The place of a row's id; `Invalid` if the id belongs to other labels.
    pub(super) fn enter(&mut self, rows: &Rows<'_>, row: usize) -> Result<u32, Error> {
        let id = rows.id(row);
        let labels = rows.labels(row);
        if let Some(ordinal) = self.ordinal(id) {
            self.check(ordinal, rows, row, &labels)?;
            if let Kind::Series { .. } = rows.kind {
                // A metric's description may change: the newest one is told.
                self.entries[ordinal as usize].info = self.info(rows, row);
            }
            return Ok(ordinal);
        }
        if self.entries.len() >= ENTRIES_MAX {
            let message = format!("index holds {ENTRIES_MAX} entries, the most it can");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        let ordinal = self.entries.len() as u32;
        let labels = labels.iter().map(|(name, value)| self.post(name, value, ordinal)).collect();
        let (metric_id, stream) = match &rows.kind {
            Kind::Series { metric_id, .. } => (metric_id.value(row), None),
            Kind::Streams(columns) => (0, Some(self.stream_info(columns, row))),
        };
        let info = self.info(rows, row);
        self.ordinals.insert(id, ordinal);
        self.entries.push(Entry { id, metric_id, labels, info, stream, days: Days::default() });
        Ok(ordinal)
    }

    fn at(&self, ordinal: u32) -> &Entry {
        &self.entries[ordinal as usize]
    }

    fn check(
        &self,
        ordinal: u32,
        rows: &Rows<'_>,
        row: usize,
        labels: &[(&str, &str)],
    ) -> Result<(), Error> {
        let entry = self.at(ordinal);
        let known = entry.labels.iter().map(|label| (label.name.as_ref(), label.value.as_ref()));
        let is_same = known.eq(labels.iter().copied())
            && match (&rows.kind, &entry.stream) {
                (Kind::Streams(columns), Some(stream)) => is_same_stream(stream, columns, row),
                _ => true,
            };
        if is_same {
            return Ok(());
        }
        let message = format!(
            "id {:016x} of {:?} belongs to {} already: their hashes collide",
            entry.id, labels, entry.labels
        );
        Err(Error::new(ErrorKind::Invalid, message))
    }

    fn post(&mut self, name: &str, value: &str, ordinal: u32) -> Label {
        if let Some(values) = self.labels.get_mut(name) {
            return values.add(value, ordinal);
        }
        let name: Arc<str> = name.into();
        let mut values =
            LabelValues { name: Arc::clone(&name), slots: HashMap::default(), values: Vec::new() };
        let label = values.add(value, ordinal);
        self.labels.insert(name, values);
        label
    }

    fn info(&mut self, rows: &Rows<'_>, row: usize) -> Arc<SeriesInfo> {
        let info = match &rows.kind {
            Kind::Series { info, .. } => {
                let [kind, unit, help, temporality] =
                    info.each_ref().map(|texts| texts.get(row).unwrap_or("").to_owned());
                SeriesInfo { kind, unit, help, temporality }
            }
            Kind::Streams(_) => SeriesInfo::default(),
        };
        if let Some(known) = self.infos.get(&info) {
            return Arc::clone(known);
        }
        let info = Arc::new(info);
        self.infos.insert(Arc::clone(&info));
        info
    }

    fn stream_info(&mut self, columns: &StreamColumns<'_>, row: usize) -> Arc<StreamInfo> {
        let mut shared = |text: Option<&str>| text.map(|text| self.text(text));
        Arc::new(StreamInfo {
            service: shared(columns.service.get(row)).unwrap_or_default(),
            resource_attributes: shared(columns.resource_attributes.get(row)),
            promoted: columns
                .promoted
                .iter()
                .filter_map(|(key, texts)| Some((*key, shared(texts.get(row))?)))
                .collect(),
            scope_name: shared(columns.scope_name.get(row)),
            scope_version: shared(columns.scope_version.get(row)),
            scope_attributes: shared(columns.scope_attributes.get(row)),
        })
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }
}

fn is_same_stream(stream: &StreamInfo, columns: &StreamColumns<'_>, row: usize) -> bool {
    Some(stream.service.as_ref()) == columns.service.get(row)
        && stream.scope_name.as_deref() == columns.scope_name.get(row)
        && stream.scope_version.as_deref() == columns.scope_version.get(row)
        && is_same_resource(stream, columns, row)
        && is_same_object(stream.scope_attributes.as_deref(), columns.scope_attributes.get(row))
}

fn is_same_resource(stream: &StreamInfo, columns: &StreamColumns<'_>, row: usize) -> bool {
    let known = || stream.promoted.iter().map(|(key, value)| (*key, value.as_ref()));
    let given = || columns.promoted.iter().filter_map(|(key, of)| Some((*key, of.get(row)?)));
    let rest = (stream.resource_attributes.as_deref(), columns.resource_attributes.get(row));
    if known().eq(given()) {
        return is_same_object(rest.0, rest.1);
    }
    // Attributes that have become columns meanwhile: the whole must be the same.
    let whole = |promoted: Vec<(&str, &str)>, rest: Option<&str>| {
        let mut object: Map<String, Json> = serde_json::from_str(rest.unwrap_or("{}")).ok()?;
        object.extend(promoted.into_iter().map(|(key, value)| (key.to_owned(), value.into())));
        Some(object)
    };
    let known = whole(known().collect(), rest.0);
    known.is_some() && known == whole(given().collect(), rest.1)
}

/// Whether two JSON objects hold the same; senders do not always keep the order of attributes.
fn is_same_object(a: Option<&str>, b: Option<&str>) -> bool {
    let parsed = |text: Option<&str>| serde_json::from_str::<Json>(text?).ok();
    a == b || parsed(a).is_some_and(|a| parsed(b) == Some(a))
}
