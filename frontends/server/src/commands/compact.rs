//! `siglake compact`: merges what is worth merging, until nothing is, and exits.

use std::io::Write as _;

use crate::cli::ConfigArgs;
use crate::config::{self, Config, format_size};
use crate::engine::Engine;
use crate::error::Error;
use crate::logging;

/// Compacts the lake of a folder that no other process has open.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Error> {
    let mut config = Config::new(&config::load(args, config::environment())?);
    logging::start(&config.log)?;
    // The merges are done here, one look after the other; nobody else is needed.
    config.storage.compaction.enabled = false;
    super::runtime()?.block_on(async {
        let engine = Engine::open(&config, None).await?;
        let before = engine.stats().store;
        let compacted = engine.compact().await;
        let after = engine.stats().store;
        let closed = engine.close().await;
        compacted?;
        closed?;
        let done = after.compaction;
        let text = format!(
            "{} segments of {} became {} of {} ({} bytes)\n\
             {} merges wrote {}; {} of {} rows repeated others\n",
            before.segments,
            format_size(before.segment_bytes),
            after.segments,
            format_size(after.segment_bytes),
            after.segment_bytes,
            done.merges,
            format_size(done.output_bytes),
            done.repeated_rows,
            done.input_rows,
        );
        std::io::stdout()
            .lock()
            .write_all(text.as_bytes())
            .map_err(|source| Error::io("cannot write to stdout", source))
    })
}
