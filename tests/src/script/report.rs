//! How files fared: what passed, what failed and why.

/// Why an eval failed, roughly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Native histograms are loaded or expected.
    Histograms,
    /// A warning or info is expected that we do not give.
    Annotations,
    /// The engine says that it cannot do this.
    Unsupported,
    /// The answer is wrong.
    Wrong,
}

impl Reason {
    /// One word for lists.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Histograms => "histograms",
            Self::Annotations => "annotations",
            Self::Unsupported => "unsupported",
            Self::Wrong => "wrong",
        }
    }
}

/// An eval that failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// Counted from 1.
    pub(crate) line: usize,
    /// Why, roughly.
    pub(crate) reason: Reason,
    /// The query and its times.
    pub(crate) query: String,
    /// Why, precisely.
    pub(crate) message: String,
}

/// How a file fared.
#[derive(Debug, Default)]
pub(crate) struct FileReport {
    /// The file's name without its folder.
    pub(crate) file: String,
    /// Evals that passed.
    pub(crate) passed: usize,
    /// Evals that failed, in order.
    pub(crate) failures: Vec<Failure>,
}
