//! `siglake serve`: takes in telemetry and answers queries until it is told to stop.

use crate::cli::ConfigArgs;
use crate::config::{self, Config};
use crate::error::Error;
use crate::serve::Server;
use crate::threads::Threads;
use crate::{listen, logging};

/// Serves until SIGINT or SIGTERM; SIGHUP reads the limits of tenants again.
pub(crate) fn run(args: &ConfigArgs) -> Result<(), Error> {
    let config = Config::new(&config::load(args, config::environment())?);
    logging::start(&config.log)?;
    let threads = Threads::start(&config.threads)?;
    threads.block_on(async {
        let server = Server::start(&config, threads.places()).await?;
        tokio::select! {
            () = listen::stop_signal() => {}
            () = reload(args, &server) => {}
        }
        server.stop(&config).await
    })
}

/// Reads the configuration again at each SIGHUP, as long as it is polled. One with a mistake is
/// told of and left; keys that are not limits of tenants wait for the next start.
async fn reload(args: &ConfigArgs, server: &Server) {
    let mut signal = listen::Reload::new();
    loop {
        signal.wait().await;
        match config::load(args, config::environment()) {
            Ok(settings) => {
                server.set_tenant_limits(&Config::new(&settings));
                tracing::info!("read the limits of tenants again");
            }
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "the configuration is not read again: limits stay");
            }
        }
    }
}
