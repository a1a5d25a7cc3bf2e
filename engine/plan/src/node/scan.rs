//! `Scan`: where rows come from.

use schemas::model::Selector;

/// Rows of one signal that match a selector.
///
/// Order is not promised. Metric matchers select series, log matchers select streams by their
/// index labels; spans have no matchers, their conditions are a [`super::Filter`].
#[derive(Clone, Debug)]
pub struct Scan {
    /// What is read; the range already covers lookback, offset and window of whatever reads it.
    pub selector: Selector,
}
