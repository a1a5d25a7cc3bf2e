//! The roster: which label sets a query has met, each with a small number.
//!
//! Labels never travel with values. Between operators a series is a `u32` ordinal into the
//! query's one roster; operators that change labels map ordinals to ordinals, once per series.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use schemas::model::{Label, Labels, METRIC_NAME};

use crate::memory::Held;
use crate::{Error, ErrorKind};

/// The label sets of one query, numbered in the order met.
#[derive(Debug)]
pub(crate) struct Roster {
    inner: Mutex<Inner>,
    series_max: usize,
    held: Held,
}

/// Memory of a label set beside its labels: its places in the list and in the map.
const SET_BYTES: usize = 64;

#[derive(Debug, Default)]
struct Inner {
    labels: Vec<Labels>,
    ordinals: HashMap<Labels, u32, ahash::RandomState>,
}

impl Roster {
    /// An empty roster that refuses more than `series_max` label sets; their memory is taken from
    /// `held`.
    pub(crate) fn new(series_max: usize, held: Held) -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default(), series_max, held })
    }

    /// The ordinal of `labels`, given now if it is new.
    pub(crate) fn ordinal(&self, labels: &Labels) -> Result<u32, Error> {
        let mut inner = self.inner.lock();
        if let Some(ordinal) = inner.ordinals.get(labels) {
            return Ok(*ordinal);
        }
        let ordinal = inner.labels.len();
        if ordinal >= self.series_max {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the query has over {} series, the limit of series_max", self.series_max),
            ));
        }
        self.held.grow(SET_BYTES + labels.len() * size_of::<Label>())?;
        let ordinal = u32::try_from(ordinal).expect("series_max is far below 2^32");
        inner.labels.push(labels.clone());
        inner.ordinals.insert(labels.clone(), ordinal);
        Ok(ordinal)
    }

    /// The label set of an ordinal that this roster gave.
    pub(crate) fn labels(&self, ordinal: u32) -> Labels {
        self.inner.lock().labels[ordinal as usize].clone()
    }
}

/// Labels that say what a metric is; they go where a value is no longer that of the metric.
const NAMING: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// The labels without those that name the metric, its type and its unit.
pub(crate) fn without_name(labels: &Labels) -> Labels {
    labels.filter(|label| !NAMING.contains(&label.name.as_ref()))
}

/// Maps ordinals to ordinals by a function of labels, computed once per ordinal.
pub(crate) struct OrdinalMap<F> {
    roster: Arc<Roster>,
    known: Vec<u32>,
    function: F,
}

const UNKNOWN: u32 = u32::MAX;

impl<F: FnMut(&Labels) -> Labels> OrdinalMap<F> {
    /// A map that applies `function` to the labels of each ordinal it is asked for.
    pub(crate) fn new(roster: Arc<Roster>, function: F) -> Self {
        Self { roster, known: Vec::new(), function }
    }

    /// The ordinal of the mapped labels.
    pub(crate) fn get(&mut self, ordinal: u32) -> Result<u32, Error> {
        let at = ordinal as usize;
        if at >= self.known.len() {
            self.known.resize(at + 1, UNKNOWN);
        }
        if self.known[at] == UNKNOWN {
            let labels = (self.function)(&self.roster.labels(ordinal));
            self.known[at] = self.roster.ordinal(&labels)?;
        }
        Ok(self.known[at])
    }
}
