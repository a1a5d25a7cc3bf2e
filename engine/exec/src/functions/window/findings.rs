//! What windows of histograms held that is worth telling.

/// One such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// Numbers and histograms in a window that therefore has no value.
    Mixed = 0,
    /// Histograms that a function of numbers did not look at.
    Ignored = 1,
    /// A gauge was taken for a counter.
    NotCounter = 2,
    /// A counter was taken for a gauge.
    NotGauge = 3,
    /// Exponential and custom buckets, which have no common result.
    MixedBuckets = 4,
    /// Custom bounds that differed in an addition.
    ReconciledAddition = 5,
    /// Custom bounds that differed in a subtraction.
    ReconciledSubtraction = 6,
    /// Custom bounds that differed in a sum or mean.
    ReconciledAggregation = 7,
    /// Histograms that say that a counter was reset, among others that say it was not.
    ConflictingResets = 8,
    /// A counter that is said to begin before the sample in front of it, but not where that did.
    Overlap = 9,
}

/// Everything that was found in the windows of one series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Findings(u16);

impl Findings {
    /// Notes one thing.
    pub(crate) fn add(&mut self, finding: Finding) {
        self.0 |= 1 << finding as u16;
    }

    /// Notes one thing if it `is_so`.
    pub(crate) fn add_if(&mut self, is_so: bool, finding: Finding) {
        if is_so {
            self.add(finding);
        }
    }

    /// Whether it was noted.
    pub(crate) fn has(self, finding: Finding) -> bool {
        self.0 & (1 << finding as u16) != 0
    }

    /// What was found in either.
    pub(crate) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether nothing was noted.
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }
}
