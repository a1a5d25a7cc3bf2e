//! Grouping of series and direction of reading.

use super::{Label, Labels, METRIC_NAME};

/// Which labels an aggregation keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Keep exactly these labels; none puts everything into one group.
    By(Vec<String>),
    /// Keep all labels but these and the metric name.
    Without(Vec<String>),
}

impl Grouping {
    /// The labels of the group that a series belongs to.
    pub fn group_of(&self, labels: &Labels) -> Labels {
        match self {
            Self::By(names) => labels.filter(|label| contains(names, label)),
            Self::Without(names) => {
                labels.filter(|label| label.name.as_ref() != METRIC_NAME && !contains(names, label))
            }
        }
    }
}

fn contains(names: &[String], label: &Label) -> bool {
    names.iter().any(|name| name == label.name.as_ref())
}

/// Which end of a time range is read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Oldest first.
    Forward,
    /// Newest first.
    Backward,
}
