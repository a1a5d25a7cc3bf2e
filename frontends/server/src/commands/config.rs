//! `siglake config`: prints the effective configuration.

use std::io::Write as _;

use crate::cli::ConfigArgs;
use crate::config;
use crate::error::Error;

/// Prints every key with its documentation, default and value.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Error> {
    let settings = config::load(args, config::environment())?;
    let text = config::to_toml(&settings);
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|source| Error::io("cannot write to stdout", source))
}
