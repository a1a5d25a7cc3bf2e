//! Matchers: compiled in one place for all languages.

use schemas::model::{CompiledMatcher, Matcher};

use crate::{Error, ErrorKind};

/// The matchers ready to be asked; a bad pattern is the caller's fault.
pub(crate) fn compile(matchers: &[Matcher]) -> Result<Vec<CompiledMatcher>, Error> {
    let compile = |matcher: &Matcher| {
        matcher
            .compile()
            .map_err(|error| Error::with_source(ErrorKind::Invalid, error.to_string(), error))
    };
    matchers.iter().map(compile).collect()
}
