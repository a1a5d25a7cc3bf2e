//! Regular expressions: the one place where the RE2 dialect of all three languages is compiled.
//!
//! PromQL, LogQL and TraceQL take Go's RE2 syntax; we run it on the `regex` crate. Where the
//! two differ, the pattern is translated here and nowhere else.

mod reach;
#[cfg(test)]
mod tests;
mod translate;

use regex::{Regex, RegexBuilder};

pub use reach::Reach;
use translate::translate;

/// Longest accepted pattern in bytes; longer ones would cost unbounded compile time.
pub const PATTERN_BYTES_MAX: usize = 64 * 1024;

/// Memory a compiled pattern may take, in bytes.
const COMPILED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Why a pattern was refused.
#[derive(Debug, thiserror::Error)]
pub enum PatternError {
    /// The pattern is longer than [`PATTERN_BYTES_MAX`].
    #[error("pattern of {bytes} bytes is over the limit of {PATTERN_BYTES_MAX} bytes")]
    TooLong {
        /// Length of the refused pattern in bytes.
        bytes: usize,
    },
    /// The pattern is not valid, or needs too much memory when compiled.
    #[error("invalid pattern {pattern:?}")]
    Invalid {
        /// The pattern as the caller wrote it.
        pattern: String,
        /// What the regex compiler said.
        #[source]
        source: Box<regex::Error>,
    },
}

/// Compiles a pattern that must match the whole text, as label matchers do.
///
/// `.` matches line feeds, as it does in Prometheus and Loki.
pub fn compile_anchored(pattern: &str) -> Result<Regex, PatternError> {
    compile(pattern, |translated| format!("^(?s:{translated})$"))
}

/// Which texts a pattern that is to match the whole text can match; for patterns that
/// [`compile_anchored`] takes.
pub(super) fn reach_anchored(pattern: &str) -> Reach {
    let translated = translate(pattern).map(|translated| format!("(?s:{translated})"));
    translated.map_or(Reach::ANYWHERE, |translated| Reach::of(&translated))
}

/// Compiles a pattern that may match anywhere in the text, as line filters do.
pub fn compile_search(pattern: &str) -> Result<Regex, PatternError> {
    compile(pattern, |translated| translated)
}

fn compile(written: &str, surround: impl Fn(String) -> String) -> Result<Regex, PatternError> {
    if written.len() > PATTERN_BYTES_MAX {
        return Err(PatternError::TooLong { bytes: written.len() });
    }
    translate(written)
        .map_err(|message| regex::Error::Syntax(message.to_owned()))
        .and_then(|translated| {
            RegexBuilder::new(&surround(translated)).size_limit(COMPILED_BYTES_MAX).build()
        })
        .map_err(|source| PatternError::Invalid {
            pattern: written.to_owned(),
            source: Box::new(source),
        })
}
