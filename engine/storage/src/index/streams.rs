//! What log streams have beside their index labels.

use std::collections::HashSet;
use std::sync::Arc;

use ahash::{HashMap, RandomState};
use serde_json::{Map, Value as Json};

use super::StreamInfo;
use super::rows::StreamColumns;

/// Memory of a stream beside its texts: itself, its counters, its place in the map.
const STREAM_BYTES: usize = size_of::<StreamInfo>() + 48;

/// Memory of a shared text beside its bytes: counters, its place in the set, rounding.
const TEXT_BYTES: usize = 48;

/// What streams share, by ordinal.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: HashMap<u32, Arc<StreamInfo>>,
    texts: HashSet<Arc<str>, RandomState>,
    bytes: usize,
    /// Streams removed since texts that nobody has were looked for.
    removed: usize,
}

impl Streams {
    pub(super) fn get(&self, ordinal: u32) -> Option<Arc<StreamInfo>> {
        self.streams.get(&ordinal).cloned()
    }

    pub(super) fn insert(&mut self, ordinal: u32, columns: &StreamColumns<'_>, row: usize) {
        let mut shared = |text: Option<&str>| text.map(|text| self.text(text));
        let info = StreamInfo {
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
        };
        self.bytes += bytes_of(&info);
        self.streams.insert(ordinal, Arc::new(info));
    }

    pub(super) fn remove(&mut self, ordinal: u32) {
        let Some(info) = self.streams.remove(&ordinal) else { return };
        self.bytes -= bytes_of(&info);
        drop(info);
        self.removed += 1;
        // Looking at all texts pays once many streams are gone.
        if self.removed > self.streams.len() {
            self.removed = 0;
            let bytes = &mut self.bytes;
            self.texts.retain(|text| {
                let is_used = Arc::strong_count(text) > 1;
                *bytes -= if is_used { 0 } else { text.len() + TEXT_BYTES };
                is_used
            });
        }
    }

    /// Whether a row tells the same of a stream as is known; `true` if the stream is not known.
    pub(super) fn is_same(&self, ordinal: u32, columns: &StreamColumns<'_>, row: usize) -> bool {
        self.streams.get(&ordinal).is_none_or(|stream| is_same_stream(stream, columns, row))
    }

    /// Memory of everything.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        self.bytes += text.len() + TEXT_BYTES;
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }
}
fn bytes_of(info: &StreamInfo) -> usize {
    STREAM_BYTES + info.promoted.capacity() * size_of::<(&str, Arc<str>)>()
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
