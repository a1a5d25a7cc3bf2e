//! Attributes: OpenTelemetry's typed key-value pairs, told apart by where they sit.

use std::fmt;

/// Where an attribute sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// The entity that sent the telemetry.
    Resource,
    /// The instrumentation library.
    Instrumentation,
    /// A span.
    Span,
    /// An event of a span.
    Event,
    /// A link of a span.
    Link,
    /// A log record.
    Log,
    /// A metric's data point.
    Point,
}

impl Scope {
    /// Lower-case name, as TraceQL writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Resource => "resource",
            Self::Instrumentation => "instrumentation",
            Self::Span => "span",
            Self::Event => "event",
            Self::Link => "link",
            Self::Log => "log",
            Self::Point => "point",
        }
    }
}

/// The key of an attribute within a scope.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Attribute {
    /// Where to look; `None` looks in the span first, then in its resource.
    pub scope: Option<Scope>,
    /// The key as sent, dots and all.
    pub key: String,
}

impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.scope.map_or("", Scope::name), self.key)
    }
}

/// The name of the LogQL label that an attribute key gives: what is no letter, digit or underscore
/// becomes an underscore, runs of them become one, and a leading digit is marked.
pub fn label_name(key: &str) -> String {
    let plain = key.chars().all(|c| c == '_' || c.is_ascii_alphanumeric());
    if plain && key.starts_with("__") && key.ends_with("__") {
        return key.to_owned();
    }
    let mut name = String::with_capacity(key.len());
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push_str("key_");
    }
    for c in key.chars() {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.ends_with('_') {
            name.push('_');
        }
    }
    name
}
