//! `siglake serve`: takes in telemetry and answers queries until it is told to stop.

use crate::cli::ConfigArgs;
use crate::config::{self, Config};
use crate::error::Error;
use crate::serve::Server;
use crate::{listen, logging};

/// Serves until SIGINT or SIGTERM.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Error> {
    let config = Config::new(&config::load(args, config::environment())?);
    logging::start(&config.log)?;
    super::runtime()?.block_on(async {
        let server = Server::start(&config).await?;
        listen::stop_signal().await;
        server.stop(&config).await
    })
}
