//! Promoted attributes: the hot keys that have a typed column of their own.
//!
//! An attribute whose value has another type than its column stays in the overflow object, so a
//! reader asks both places and nothing is lost. The lists here are where every lake begins; a
//! lake's own list is its [`super::TableLayout`].

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef};

use super::{Table, dictionary};
use crate::model::Scope;

/// Longest key that can have a column, in bytes.
const KEY_BYTES_MAX: usize = 128;

/// The type of a promoted column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PromotedType {
    /// Dictionary Utf8.
    Text,
    /// Utf8 without a dictionary: mostly distinct values.
    UniqueText,
    /// Int64.
    Int,
    /// Float64.
    Double,
    /// Boolean.
    Bool,
}

impl PromotedType {
    /// The column's type in Arrow.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Text => dictionary(),
            Self::UniqueText => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }

    /// The type whose columns have this Arrow type; `None` if no promoted column has it.
    pub fn of_data_type(data_type: &DataType) -> Option<Self> {
        match data_type {
            DataType::Dictionary(_, values) if **values == DataType::Utf8 => Some(Self::Text),
            DataType::Utf8 => Some(Self::UniqueText),
            DataType::Int64 => Some(Self::Int),
            DataType::Float64 => Some(Self::Double),
            DataType::Boolean => Some(Self::Bool),
            _ => None,
        }
    }
}

/// An attribute that has a column.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Promoted {
    /// Where the attribute sits.
    pub scope: Scope,
    /// Its key, as sent.
    pub key: Arc<str>,
    /// The column's name: scope and key, joined by a dot.
    pub column: Arc<str>,
    /// The only type of value that the column takes.
    pub value_type: PromotedType,
}

impl Promoted {
    /// A column for an attribute; `None` if none can be called so.
    ///
    /// Delta tables take a name only without spaces, braces, commas, semicolons and equals signs,
    /// and other engines quote the rest differently, so a key must be 1 to 128 bytes of ASCII
    /// letters, digits and `. _ - / : @`.
    pub fn new(scope: Scope, key: &str, value_type: PromotedType) -> Option<Self> {
        if !has_column_name(key) {
            return None;
        }
        let column = column_of(scope, key).into();
        Some(Self { scope, key: key.into(), column, value_type })
    }

    /// What a column of a segment or a batch holds, by its name and its type; `None` for columns
    /// that are no promoted attributes: their names have no dot.
    pub fn of_field(field: &Field) -> Option<Self> {
        let (scope, key) = attribute_of(field.name())?;
        let value_type = PromotedType::of_data_type(field.data_type())?;
        Some(Self { scope, key: key.into(), column: field.name().as_str().into(), value_type })
    }

    /// The column in a schema; always nullable.
    pub(super) fn field(&self) -> FieldRef {
        Arc::new(Field::new(self.column.as_ref(), self.value_type.data_type(), true))
    }
}

/// Whether a key can be part of a column's name.
pub fn has_column_name(key: &str) -> bool {
    let is_fit = |byte: u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'/' | b':' | b'@')
    };
    (1..=KEY_BYTES_MAX).contains(&key.len()) && key.bytes().all(is_fit)
}

/// The name of the column that an attribute has if it is promoted.
pub fn column_of(scope: Scope, key: &str) -> String {
    format!("{}.{key}", scope.name())
}

/// The attribute whose promoted column has this name; `None` for names of other columns.
pub fn attribute_of(column: &str) -> Option<(Scope, &str)> {
    let (scope, key) = column.split_once('.')?;
    let scopes = [Scope::Resource, Scope::Span, Scope::Log];
    let scope = scopes.into_iter().find(|known| known.name() == scope)?;
    Some((scope, key))
}

type Start = (Scope, &'static str, PromotedType);

macro_rules! starting {
    ($($scope:ident $key:literal $type:ident;)*) => {
        &[$((Scope::$scope, $key, PromotedType::$type)),*]
    };
}

const LOGS: &[Start] = starting! {
    Log "http.request.method" Text;
    Log "http.response.status_code" Int;
    Log "http.route" Text;
    Log "exception.type" Text;
};

const LOG_STREAMS: &[Start] = starting! {
    Resource "service.name" Text;
    Resource "service.namespace" Text;
    Resource "service.instance.id" Text;
    Resource "deployment.environment.name" Text;
    Resource "host.name" Text;
    Resource "k8s.namespace.name" Text;
    Resource "k8s.pod.name" Text;
};

const SPANS: &[Start] = starting! {
    Resource "service.namespace" Text;
    Resource "service.version" Text;
    Resource "service.instance.id" Text;
    Resource "deployment.environment.name" Text;
    Resource "host.name" Text;
    Resource "k8s.cluster.name" Text;
    Resource "k8s.namespace.name" Text;
    Resource "k8s.pod.name" Text;
    Span "http.request.method" Text;
    Span "http.response.status_code" Int;
    Span "http.route" Text;
    Span "url.path" Text;
    Span "url.full" UniqueText;
    Span "server.address" Text;
    Span "db.system.name" Text;
    Span "db.operation.name" Text;
    Span "rpc.system" Text;
    Span "rpc.service" Text;
    Span "rpc.method" Text;
    Span "messaging.system" Text;
    Span "messaging.destination.name" Text;
    Span "error.type" Text;
};

/// The promoted attributes that every lake has from its first day on, in the order of their
/// columns: keys of OpenTelemetry's semantic conventions.
pub(super) fn starting(table: Table) -> Vec<Promoted> {
    let start = match table {
        Table::Logs => LOGS,
        Table::LogStreams => LOG_STREAMS,
        Table::Spans => SPANS,
        _ => &[],
    };
    let promoted = start.iter().map(|(scope, key, value_type)| {
        Promoted::new(*scope, key, *value_type).expect("keys of the conventions are plain")
    });
    promoted.collect()
}
