//! Time: instants, ranges and step grids, all in nanoseconds.

/// Nanoseconds since 1970-01-01T00:00:00Z, without leap seconds.
pub type TimestampNs = i64;

/// Nanoseconds in a millisecond.
pub const NANOS_PER_MILLI: i64 = 1_000_000;
/// Nanoseconds in a second.
pub const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Nanoseconds in a day.
pub const NANOS_PER_DAY: i64 = 86_400 * NANOS_PER_SECOND;

/// The half-open range `[start_ns, end_ns)`.
///
/// Lookback, `offset` and window are already folded in when a range is built; whoever
/// scans it neither widens nor shifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// Inclusive.
    pub start_ns: TimestampNs,
    /// Exclusive. A range that ends before it starts is empty, not an error.
    pub end_ns: TimestampNs,
}

impl TimeRange {
    /// Every instant that can be told.
    pub const ALL: Self = Self { start_ns: i64::MIN, end_ns: i64::MAX };

    /// Whether no instant lies in the range.
    pub fn is_empty(&self) -> bool {
        self.end_ns <= self.start_ns
    }

    /// Whether `at_ns` lies in the range.
    pub fn contains(&self, at_ns: TimestampNs) -> bool {
        self.start_ns <= at_ns && at_ns < self.end_ns
    }

    /// Whether an instant of the closed range `[min_ns, max_ns]` lies in this range.
    pub fn overlaps(&self, min_ns: TimestampNs, max_ns: TimestampNs) -> bool {
        !self.is_empty() && min_ns < self.end_ns && max_ns >= self.start_ns
    }

    /// The smallest range that holds both.
    pub fn union(&self, other: &Self) -> Self {
        Self { start_ns: self.start_ns.min(other.start_ns), end_ns: self.end_ns.max(other.end_ns) }
    }
}

/// The instants a query is evaluated at: `start_ns, start_ns + step_ns, …`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StepGrid {
    /// The first instant.
    pub start_ns: TimestampNs,
    /// Distance between two instants; positive.
    pub step_ns: i64,
    /// Number of instants; 1 for an instant query.
    pub steps: u32,
}

impl StepGrid {
    /// The grid of an instant query.
    pub fn instant(at_ns: TimestampNs) -> Self {
        Self { start_ns: at_ns, step_ns: 1, steps: 1 }
    }

    /// The instants from `start_ns` to `end_ns`, both inclusive; none if `end_ns` lies before.
    ///
    /// `step_ns` must be positive.
    pub fn new(start_ns: TimestampNs, end_ns: TimestampNs, step_ns: i64) -> Self {
        let steps = if end_ns < start_ns { 0 } else { (end_ns - start_ns) / step_ns + 1 };
        Self { start_ns, step_ns, steps: u32::try_from(steps).unwrap_or(u32::MAX) }
    }

    /// The `step`-th instant.
    pub fn at(&self, step: u32) -> TimestampNs {
        self.start_ns + self.step_ns * i64::from(step)
    }

    /// The last instant; the first one if the grid has no steps.
    pub fn last_ns(&self) -> TimestampNs {
        self.at(self.steps.saturating_sub(1))
    }

    /// All instants in order.
    pub fn iter(&self) -> impl Iterator<Item = TimestampNs> + use<> {
        let grid = *self;
        (0..grid.steps).map(move |step| grid.at(step))
    }
}
