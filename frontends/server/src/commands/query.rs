//! `siglake query`: asks a running server.

use crate::cli::QueryArgs;
use crate::error::Error;
use crate::query;

/// Asks and prints the answer.
pub(crate) fn run(args: &QueryArgs) -> Result<(), Error> {
    super::runtime()?.block_on(query::run(args))
}
