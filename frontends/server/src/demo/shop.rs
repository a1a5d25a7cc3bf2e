//! The shop: its services, and where each of their instances runs.

use opentelemetry_proto::tonic::resource::v1::Resource;

use super::otlp::{resource, text};

/// A service of the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Service {
    /// What customers talk to.
    Gateway,
    /// Accounts and sessions.
    User,
    /// Orders and payments.
    Order,
    /// Mails and messages, from a queue.
    Notification,
}

impl Service {
    /// All services, callers first.
    pub(super) const ALL: [Self; 4] = [Self::Gateway, Self::User, Self::Order, Self::Notification];

    /// `service.name`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Gateway => "api-gateway",
            Self::User => "user",
            Self::Order => "order",
            Self::Notification => "notification",
        }
    }

    /// Number of instances.
    pub(super) fn instances(self) -> u8 {
        match self {
            Self::Gateway | Self::Order => 3,
            Self::User | Self::Notification => 2,
        }
    }

    fn language(self) -> &'static str {
        match self {
            Self::Gateway => "go",
            Self::User => "python",
            Self::Order => "java",
            Self::Notification => "nodejs",
        }
    }

    fn version(self) -> &'static str {
        match self {
            Self::Gateway => "2.14.0",
            Self::User => "1.8.3",
            Self::Order => "3.1.7",
            Self::Notification => "0.9.12",
        }
    }
}

/// One instance of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place {
    /// The service.
    pub(super) service: Service,
    /// Which of its instances, from 0.
    pub(super) instance: u8,
}

impl Place {
    /// Every instance of every service.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Service::ALL.into_iter().flat_map(|service| {
            (0..service.instances()).map(move |instance| Self { service, instance })
        })
    }

    /// `service.instance.id`, which is the pod's name.
    pub(super) fn id(self) -> String {
        const SUFFIXES: [&str; 3] = ["x7k2p", "m9qrt", "b4wzn"];
        let suffix = SUFFIXES[usize::from(self.instance) % SUFFIXES.len()];
        format!("{}-{suffix}", self.service.name())
    }

    /// The resource that the instance's telemetry carries.
    pub(super) fn resource(self) -> Resource {
        let node = format!("node-{}", self.instance + 1);
        resource(vec![
            text("service.name", self.service.name()),
            text("service.namespace", "shop"),
            text("service.version", self.service.version()),
            text("service.instance.id", self.id()),
            text("deployment.environment.name", "demo"),
            text("host.name", node.clone()),
            text("k8s.namespace.name", "shop"),
            text("k8s.pod.name", self.id()),
            text("k8s.node.name", node),
            text("k8s.deployment.name", self.service.name()),
            text("k8s.container.name", self.service.name()),
            text("telemetry.sdk.language", self.service.language()),
            text("telemetry.sdk.name", "opentelemetry"),
        ])
    }
}
