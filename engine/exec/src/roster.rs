//! The roster: which label sets a query has met, each with a small number.
//!
//! Labels never travel with values. Between operators a series is a `u32` ordinal into the
//! query's one roster; operators that change labels map ordinals to ordinals, once per series.
//!
//! Where names are dropped at the end of a query rather than at once, a label set is there twice:
//! as it is, and as one that will lose its name.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use plan::node::Naming;
use schemas::model::{Label, Labels, METRIC_NAME};

use crate::memory::Held;
use crate::{Error, ErrorKind};

/// A label set as a series has it on its way through a query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// The labels that grouping and matching see.
    pub(crate) labels: Labels,
    /// Whether the metric's name, type and unit go at the end of the query.
    pub(crate) sheds_name: bool,
}

impl Identity {
    /// Labels that stay as they are.
    pub(crate) fn plain(labels: Labels) -> Self {
        Self { labels, sheds_name: false }
    }

    /// The labels of the answer.
    fn shown(&self) -> Labels {
        if self.sheds_name { without_name(&self.labels) } else { self.labels.clone() }
    }
}

/// The label sets of one query, numbered in the order met.
#[derive(Debug)]
pub(crate) struct Roster {
    inner: Mutex<Inner>,
    naming: Naming,
    sets_max: usize,
    held: Held,
}

/// Label sets that a query may have for each series that a selector may select: what operators
/// rename or make anew counts, too.
const SETS_A_SERIES: usize = 4;

/// Label sets that can be numbered.
const SETS_MAX: usize = UNKNOWN as usize;

/// Memory of a label set beside its labels: its places in the list and in the map.
const SET_BYTES: usize = 64;

/// Bytes of a label value that a query makes: values that are put together of one another grow
/// without end otherwise.
const VALUE_BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Default)]
struct Inner {
    identities: Vec<Identity>,
    ordinals: HashMap<Labels, u32, ahash::RandomState>,
    /// Of those that shed their names.
    shedding: HashMap<Labels, u32, ahash::RandomState>,
}

impl Roster {
    /// An empty roster that refuses more than four label sets for each of `series_max` series; their
    /// memory is taken from `held`.
    pub(crate) fn new(naming: Naming, series_max: usize, held: Held) -> Arc<Self> {
        let sets_max = series_max.saturating_mul(SETS_A_SERIES).min(SETS_MAX);
        Arc::new(Self { inner: Mutex::default(), naming, sets_max, held })
    }

    /// When series lose the name of a metric that they are no longer.
    pub(crate) fn naming(&self) -> Naming {
        self.naming
    }

    /// The ordinal of labels that stay as they are, given now if it is new.
    pub(crate) fn ordinal(&self, labels: &Labels) -> Result<u32, Error> {
        self.number(labels, false)
    }

    /// The ordinal of an identity, given now if it is new.
    pub(crate) fn ordinal_of(&self, identity: &Identity) -> Result<u32, Error> {
        self.number(&identity.labels, identity.sheds_name)
    }

    fn number(&self, labels: &Labels, sheds_name: bool) -> Result<u32, Error> {
        let mut inner = self.inner.lock();
        let known = if sheds_name { &inner.shedding } else { &inner.ordinals };
        if let Some(ordinal) = known.get(labels) {
            return Ok(*ordinal);
        }
        let ordinal = inner.identities.len();
        if ordinal >= self.sets_max {
            let message = format!(
                "the query makes over {} series, {SETS_A_SERIES} times series_max",
                self.sets_max
            );
            return Err(Error::new(ErrorKind::Limit, message));
        }
        self.held.grow(SET_BYTES + labels.len() * size_of::<Label>())?;
        let ordinal = u32::try_from(ordinal).expect("there are fewer than 2^32");
        inner.identities.push(Identity { labels: labels.clone(), sheds_name });
        let known = if sheds_name { &mut inner.shedding } else { &mut inner.ordinals };
        known.insert(labels.clone(), ordinal);
        Ok(ordinal)
    }

    /// Takes memory for the bytes of a label value that the query makes; `Limit` if there is none
    /// or the value is too long.
    pub(crate) fn make_value(&self, bytes: usize) -> Result<(), Error> {
        if bytes > VALUE_BYTES_MAX {
            let message = format!("the query makes a label value of over {VALUE_BYTES_MAX} bytes");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        self.held.grow(bytes)
    }

    /// The label set of an ordinal that this roster gave, with names that go at the end.
    pub(crate) fn labels(&self, ordinal: u32) -> Labels {
        self.inner.lock().identities[ordinal as usize].labels.clone()
    }

    /// What this roster gave an ordinal for.
    pub(crate) fn identity(&self, ordinal: u32) -> Identity {
        self.inner.lock().identities[ordinal as usize].clone()
    }

    /// Whether a series loses its name at the end.
    pub(crate) fn sheds_name(&self, ordinal: u32) -> bool {
        self.naming == Naming::Delayed && self.inner.lock().identities[ordinal as usize].sheds_name
    }

    /// A series whose values are no longer those of its metric.
    pub(crate) fn renamed(&self, identity: Identity) -> Identity {
        match self.naming {
            Naming::AtOnce => Identity::plain(without_name(&identity.labels)),
            Naming::Delayed => Identity { sheds_name: true, ..identity },
        }
    }
}

/// Labels that say what a metric is; they go where a value is no longer that of the metric.
const NAMING: [&str; 3] = [METRIC_NAME, "__type__", "__unit__"];

/// The labels without those that name the metric, its type and its unit.
pub(crate) fn without_name(labels: &Labels) -> Labels {
    labels.filter(|label| !NAMING.contains(&label.name.as_ref()))
}

/// The identity that a series has in the answer, as a map's function.
pub(crate) fn shown(identity: Identity) -> Result<Identity, Error> {
    Ok(Identity::plain(identity.shown()))
}

/// Maps ordinals to ordinals by a function of identities, computed once per ordinal.
pub(crate) struct OrdinalMap<F> {
    roster: Arc<Roster>,
    known: Vec<u32>,
    function: F,
}

const UNKNOWN: u32 = u32::MAX;

impl<F: FnMut(Identity) -> Result<Identity, Error>> OrdinalMap<F> {
    /// A map that applies `function` to the identity of each ordinal it is asked for.
    pub(crate) fn new(roster: Arc<Roster>, function: F) -> Self {
        Self { roster, known: Vec::new(), function }
    }

    /// The ordinal of the mapped identity.
    pub(crate) fn get(&mut self, ordinal: u32) -> Result<u32, Error> {
        let at = ordinal as usize;
        if at >= self.known.len() {
            self.known.resize(at + 1, UNKNOWN);
        }
        if self.known[at] == UNKNOWN {
            let mapped = (self.function)(self.roster.identity(ordinal))?;
            self.known[at] = self.roster.ordinal_of(&mapped)?;
        }
        Ok(self.known[at])
    }
}
