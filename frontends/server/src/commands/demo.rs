//! `siglake demo`: a server that sends itself the telemetry of a small shop.

use std::io::Write as _;

use tracing::warn;

use crate::cli::DemoArgs;
use crate::config::{self, Config};
use crate::demo::{Demo, Options};
use crate::error::Error;
use crate::serve::Server;
use crate::threads::Threads;
use crate::{listen, logging};

/// Name of the file in the data folder that remembers what was sent.
const MARKER: &str = "demo.sent";

/// Serves and sends until SIGINT or SIGTERM.
pub(crate) fn run(args: &DemoArgs) -> Result<(), Error> {
    let config = Config::new(&config::load(&args.config, config::environment())?);
    if config.multi_tenancy {
        return Err(Error::Usage("the demo names no tenant: set multi_tenancy=false".to_owned()));
    }
    logging::start(&config.log)?;
    let threads = Threads::start(&config.threads)?;
    threads.block_on(async {
        match &args.target {
            Some(url) => send_until_stopped(args, &config, url).await,
            None => {
                let server = Server::start(&config, threads.places()).await?;
                let sent = send_until_stopped(args, &config, &server.url()).await;
                let stopped = server.stop(&config).await;
                sent.and(stopped)
            }
        }
    })
}

async fn send_until_stopped(args: &DemoArgs, config: &Config, url: &str) -> Result<(), Error> {
    let failed = |source| Error::io(format!("cannot create {}", config.data.display()), source);
    std::fs::create_dir_all(&config.data).map_err(failed)?;
    let demo = Demo::new(Options {
        url: url.to_owned(),
        seed: args.seed,
        rate: args.rate,
        backfill: args.backfill,
        marker: config.data.join(MARKER),
    })?;
    tokio::select! {
        sent = send(demo, url) => sent,
        () = listen::stop_signal() => Ok(()),
    }
}

async fn send(mut demo: Demo, url: &str) -> Result<(), Error> {
    if let Err(error) = demo.backfill().await {
        // The server is up and can be looked at; live telemetry may well get through.
        warn!(error = error.full_message(), "demo: the past could not be filled");
    }
    welcome(url)?;
    demo.live().await;
    Ok(())
}

/// Says where to look and what to ask.
fn welcome(url: &str) -> Result<(), Error> {
    let at = if url.ends_with(":7400") { String::new() } else { format!(" --url {url}") };
    let promql = "sum by (service_name) (rate(http_server_request_duration_seconds_count[5m]))";
    let text = format!(
        r#"
Siglake demo: a small shop (api-gateway, user, order, notification) at {url}

  Ask
    siglake query promql '{promql}'{at}
    siglake query logql '{{service_name="order"}} |= "failed"'{at}
    siglake query traceql '{{ resource.service.name = "api-gateway" && status = error }}'{at}
    siglake query sql 'SELECT service_name, count(*) FROM spans GROUP BY 1'{at}

  Grafana data sources
    Prometheus {url}/prometheus    Loki {url}/loki    Tempo {url}/tempo

  Ctrl-C ends it.

"#
    );
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|source| Error::io("cannot write to stdout", source))
}
