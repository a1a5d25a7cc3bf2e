//! What is remarked about a query while it runs.
//!
//! Operators note what they find once, not at every sample: they keep flags and turn them into
//! remarks after a series or at their end. Remarks of one text are one, at the last place that has
//! it, since clients show texts.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use plan::annotation::Severity;
use plan::{Annotation, Position, Remark};

/// Different remarks of each severity that are kept; later ones are left out.
const REMARKS_MAX: usize = 1_000;

/// The remarks of one query, complete when its stream has ended.
#[derive(Debug, Default)]
pub struct Annotations {
    inner: Mutex<Inner>,
}

/// Remarks by their texts.
#[derive(Debug, Default)]
struct Inner {
    warnings: BTreeMap<String, Annotation>,
    infos: BTreeMap<String, Annotation>,
}

impl Annotations {
    /// Keeps a remark, or adds it to one with the same text.
    pub(crate) fn add(&self, annotation: Annotation) {
        let mut inner = self.inner.lock();
        let kept = match annotation.remark.severity() {
            Severity::Warning => &mut inner.warnings,
            Severity::Info => &mut inner.infos,
        };
        let key = annotation.remark.key();
        if let Some(own) = kept.get_mut(&key) {
            own.remark.merge(&annotation.remark);
            own.at = own.at.max(annotation.at);
        } else if kept.len() < REMARKS_MAX {
            kept.insert(key, annotation);
        }
    }

    /// Texts of the warnings, by place and then by text; at most a thousand.
    pub fn warnings(&self) -> Vec<String> {
        texts(&self.inner.lock().warnings)
    }

    /// Texts of the infos, by place and then by text; at most a thousand.
    pub fn infos(&self) -> Vec<String> {
        texts(&self.inner.lock().infos)
    }
}

fn texts(kept: &BTreeMap<String, Annotation>) -> Vec<String> {
    let mut kept: Vec<&Annotation> = kept.values().collect();
    // Stable: remarks of one place stay in the order of their texts.
    kept.sort_by_key(|annotation| annotation.at);
    kept.into_iter().map(ToString::to_string).collect()
}

/// Where the remarks about one part of a query go; without a position they go nowhere.
#[derive(Clone, Debug)]
pub(crate) struct Remarks {
    annotations: Arc<Annotations>,
    at: Option<Position>,
}

impl Remarks {
    /// Remarks about what stands at a position.
    pub(crate) fn new(annotations: &Arc<Annotations>, at: Option<Position>) -> Self {
        Self { annotations: Arc::clone(annotations), at }
    }

    /// Whether remarks are wanted.
    pub(crate) fn are_wanted(&self) -> bool {
        self.at.is_some()
    }

    /// Makes a remark.
    pub(crate) fn add(&self, remark: Remark) {
        if let Some(at) = self.at {
            self.annotations.add(Annotation { remark, at });
        }
    }

    /// Makes a remark if `found` says so.
    pub(crate) fn add_if(&self, found: bool, remark: impl FnOnce() -> Remark) {
        if found && self.are_wanted() {
            self.add(remark());
        }
    }
}

#[cfg(test)]
mod tests;
