//! A running server: its ports over its engine, from start to stop.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::{info, warn};

use crate::config::Config;
use crate::engine::Engine;
use crate::error::Error;
use crate::listen::{self, Ports};
use crate::routes::{Protocol, Routes};
use crate::threads::Places;

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    engine: Engine,
    ports: Ports,
    stopping: Arc<AtomicBool>,
    /// Address of the main port.
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Binds the ports, opens the engine and begins to answer.
    ///
    /// A main port that is taken is an error, and found before the lake is touched; a classic
    /// port that is taken belongs to someone else on purpose and is only warned of.
    pub(crate) async fn start(config: &Config, places: Places) -> Result<Self, Error> {
        let main = listen::bind(&config.listen).await?;
        let address = main.address;
        let engine = Engine::open(config, Some(&places)).await?;
        let stopping = Arc::new(AtomicBool::new(false));
        let routes = Routes::new(engine.clone(), config.http.clone(), Arc::clone(&stopping));
        let routes = routes.with_queries_on(places.query);
        let mut ports = Ports::new(config.http.connections_max);
        ports.serve(main, routes.main());
        let classic = [
            (Protocol::OtlpGrpc, &config.ports.otlp_grpc),
            (Protocol::OtlpHttp, &config.ports.otlp_http),
            (Protocol::Prometheus, &config.ports.prometheus),
            (Protocol::Loki, &config.ports.loki),
            (Protocol::Tempo, &config.ports.tempo),
        ];
        for (protocol, wanted) in classic {
            let Some(wanted) = wanted else { continue };
            match listen::bind(wanted).await {
                Ok(port) => {
                    info!(?protocol, address = %port.address, "listening");
                    ports.serve(port, routes.classic(protocol));
                }
                Err(error) => warn!(?protocol, error = error.full_message(), "not listening"),
            }
        }
        info!(%address, "listening: everything");
        Ok(Self { engine, ports, stopping, address })
    }

    /// Takes over the limits of tenants from a configuration that was read again.
    pub(crate) fn set_tenant_limits(&self, config: &Config) {
        self.engine.set_tenant_limits(config);
    }

    /// URL of the main port as seen from this machine.
    pub(crate) fn url(&self) -> String {
        let mut address = self.address;
        match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}")
    }

    /// Accepts no more, answers what runs, flushes, closes. A second signal cuts the wait short.
    pub(crate) async fn stop(self, config: &Config) -> Result<(), Error> {
        info!("stopping");
        self.stopping.store(true, Ordering::Relaxed);
        self.ports.stop(config.http.shutdown_grace, listen::stop_signal()).await;
        self.engine.close().await
    }
}
