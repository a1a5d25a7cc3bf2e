//! Promoted attributes: the hot keys that have a typed column of their own.
//!
//! An attribute whose value has another type than its column stays in the overflow object, so a
//! reader asks both places and nothing is lost. The list is part of the schema; columns are only
//! ever added.

use super::Table;
use crate::model::Scope;

/// The type of a promoted column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromotedType {
    /// Dictionary Utf8.
    Text,
    /// Utf8 without a dictionary: mostly distinct values.
    UniqueText,
    /// Int64.
    Int,
}

/// An attribute that has a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promoted {
    /// Where the attribute sits.
    pub scope: Scope,
    /// Its key, as sent.
    pub key: &'static str,
    /// The column's name: scope and key, joined by a dot.
    pub column: &'static str,
    /// The only type of value that the column takes.
    pub value_type: PromotedType,
}

macro_rules! promoted {
    ($($scope:ident $prefix:literal $key:literal $type:ident;)*) => {
        &[$(Promoted {
            scope: Scope::$scope,
            key: $key,
            column: concat!($prefix, ".", $key),
            value_type: PromotedType::$type,
        }),*]
    };
}

const LOGS: &[Promoted] = promoted! {
    Log "log" "http.request.method" Text;
    Log "log" "http.response.status_code" Int;
    Log "log" "http.route" Text;
    Log "log" "exception.type" Text;
};

const LOG_STREAMS: &[Promoted] = promoted! {
    Resource "resource" "service.name" Text;
    Resource "resource" "service.namespace" Text;
    Resource "resource" "service.instance.id" Text;
    Resource "resource" "deployment.environment.name" Text;
    Resource "resource" "host.name" Text;
    Resource "resource" "k8s.namespace.name" Text;
    Resource "resource" "k8s.pod.name" Text;
};

const SPANS: &[Promoted] = promoted! {
    Resource "resource" "service.namespace" Text;
    Resource "resource" "service.version" Text;
    Resource "resource" "service.instance.id" Text;
    Resource "resource" "deployment.environment.name" Text;
    Resource "resource" "host.name" Text;
    Resource "resource" "k8s.cluster.name" Text;
    Resource "resource" "k8s.namespace.name" Text;
    Resource "resource" "k8s.pod.name" Text;
    Span "span" "http.request.method" Text;
    Span "span" "http.response.status_code" Int;
    Span "span" "http.route" Text;
    Span "span" "url.path" Text;
    Span "span" "url.full" UniqueText;
    Span "span" "server.address" Text;
    Span "span" "db.system.name" Text;
    Span "span" "db.operation.name" Text;
    Span "span" "rpc.system" Text;
    Span "span" "rpc.service" Text;
    Span "span" "rpc.method" Text;
    Span "span" "messaging.system" Text;
    Span "span" "messaging.destination.name" Text;
    Span "span" "error.type" Text;
};

/// The promoted attributes of a table, in the order of their columns.
pub fn promoted(table: Table) -> &'static [Promoted] {
    match table {
        Table::Logs => LOGS,
        Table::LogStreams => LOG_STREAMS,
        Table::Spans => SPANS,
        _ => &[],
    }
}
