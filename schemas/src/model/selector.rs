//! Selectors: what is asked for, before any language-specific computing.

use super::{Matcher, Signal, TimeRange};

/// The series, streams or spans of one signal that match, within a time range.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    /// Which signal.
    pub signal: Signal,
    /// All must hold; none means everything.
    pub matchers: Vec<Matcher>,
    /// When.
    pub range: TimeRange,
}
