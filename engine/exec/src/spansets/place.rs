//! Where a value of a span is stored.
//!
//! | asked for | looked for in |
//! |---|---|
//! | `span.x` | the column of `x` if it is promoted, then the span's overflow object |
//! | `resource.x` | the same of the resource; `service.name` is the column `service_name` |
//! | `.x` | the places of `span.x`, then those of `resource.x` |
//! | `event.x`, `link.x` | the overflow object of each event or link |
//! | an intrinsic | its column |
//!
//! Which attributes are promoted is told by a schema: that of the table's layout when columns are
//! chosen, that of the rows when they are read.

use std::borrow::Cow;

use arrow::datatypes::Schema;
use plan::Expr;
use plan::expr::Intrinsic;
use schemas::model::{Attribute, Scope};
use schemas::tables::{PromotedType, column_of, columns};

const SERVICE_NAME: &str = "service.name";

/// What the items of a place are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Items {
    /// One of each span.
    Spans,
    /// Those of the list `events`.
    Events,
    /// Those of the list `links`.
    Links,
}

impl Items {
    /// The column that holds the items, if they are not the rows themselves.
    pub(super) fn list_column(self) -> Option<&'static str> {
        match self {
            Self::Spans => None,
            Self::Events => Some(columns::EVENTS),
            Self::Links => Some(columns::LINKS),
        }
    }
}

/// How a column says a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Text; null is absent.
    Text,
    /// Text; null is the empty text.
    TextOrEmpty,
    /// 64-bit integer; null is absent.
    Int,
    /// Double; null is absent.
    Float,
    /// Null is absent.
    Bool,
    /// Nanoseconds.
    Duration,
    /// Code of a status.
    Status,
    /// Code of a span kind.
    Kind,
    /// Bytes of an id, as lower-case hex; null is the empty text.
    Id,
    /// Left edge of the parent: -1 for a span without one, for others 0, which stands for any
    /// number that is not negative.
    ParentEdge,
    /// Time of an event, as nanoseconds since the span's start.
    SinceStart,
    /// A member of a JSON object.
    Json,
}

/// A column, and how to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) items: Items,
    pub(super) column: Cow<'static, str>,
    pub(super) form: Form,
}

/// The places of an attribute, in the order they are asked.
pub(super) fn attribute_places(attribute: &Attribute, schema: &Schema) -> Vec<Place> {
    match attribute.scope {
        None => {
            let mut places = span_places(&attribute.key, schema);
            places.extend(resource_places(&attribute.key, schema));
            places
        }
        Some(Scope::Span) => span_places(&attribute.key, schema),
        Some(Scope::Resource) => resource_places(&attribute.key, schema),
        Some(Scope::Instrumentation) => vec![json(Items::Spans, columns::SCOPE_ATTRIBUTES)],
        Some(Scope::Event) => vec![json(Items::Events, columns::ATTRIBUTES)],
        Some(Scope::Link) => vec![json(Items::Links, columns::ATTRIBUTES)],
        Some(Scope::Log | Scope::Point) => Vec::new(),
    }
}

fn json(items: Items, column: &'static str) -> Place {
    Place { items, column: Cow::Borrowed(column), form: Form::Json }
}

fn span_places(key: &str, schema: &Schema) -> Vec<Place> {
    let mut places = promoted_place(Scope::Span, key, schema);
    places.push(json(Items::Spans, columns::ATTRIBUTES));
    places
}

fn resource_places(key: &str, schema: &Schema) -> Vec<Place> {
    if key == SERVICE_NAME {
        let column = Cow::Borrowed(columns::SERVICE);
        return vec![Place { items: Items::Spans, column, form: Form::Text }];
    }
    let mut places = promoted_place(Scope::Resource, key, schema);
    places.push(json(Items::Spans, columns::RESOURCE_ATTRIBUTES));
    places
}

fn promoted_place(scope: Scope, key: &str, schema: &Schema) -> Vec<Place> {
    let column = column_of(scope, key);
    let Ok(field) = schema.field_with_name(&column) else { return Vec::new() };
    let form = match PromotedType::of_data_type(field.data_type()) {
        Some(PromotedType::Int) => Form::Int,
        Some(PromotedType::Double) => Form::Float,
        Some(PromotedType::Bool) => Form::Bool,
        // Readers may make views or plain texts of dictionaries.
        Some(PromotedType::Text | PromotedType::UniqueText) | None => Form::Text,
    };
    vec![Place { items: Items::Spans, column: Cow::Owned(column), form }]
}

/// The place of an intrinsic; `None` for those that only a whole trace knows.
pub(super) fn intrinsic_place(intrinsic: Intrinsic) -> Option<Place> {
    let (items, column, form) = match intrinsic {
        Intrinsic::Name => (Items::Spans, columns::NAME, Form::Text),
        Intrinsic::Duration => (Items::Spans, columns::DURATION_NS, Form::Duration),
        Intrinsic::Status => (Items::Spans, columns::STATUS_CODE, Form::Status),
        Intrinsic::StatusMessage => (Items::Spans, columns::STATUS_MESSAGE, Form::TextOrEmpty),
        Intrinsic::Kind => (Items::Spans, columns::KIND, Form::Kind),
        Intrinsic::TraceId => (Items::Spans, columns::TRACE_ID, Form::Id),
        Intrinsic::SpanId => (Items::Spans, columns::SPAN_ID, Form::Id),
        Intrinsic::ParentId => (Items::Spans, columns::PARENT_SPAN_ID, Form::Id),
        Intrinsic::NestedSetParent => (Items::Spans, columns::PARENT_SPAN_ID, Form::ParentEdge),
        Intrinsic::EventName => (Items::Events, columns::NAME, Form::Text),
        Intrinsic::EventTimeSinceStart => (Items::Events, columns::TIME_NS, Form::SinceStart),
        Intrinsic::LinkTraceId => (Items::Links, columns::TRACE_ID, Form::Id),
        Intrinsic::LinkSpanId => (Items::Links, columns::SPAN_ID, Form::Id),
        Intrinsic::InstrumentationName => (Items::Spans, columns::SCOPE_NAME, Form::Text),
        Intrinsic::InstrumentationVersion => (Items::Spans, columns::SCOPE_VERSION, Form::Text),
        Intrinsic::TraceState => (Items::Spans, columns::TRACE_STATE, Form::TextOrEmpty),
        Intrinsic::RootName
        | Intrinsic::RootServiceName
        | Intrinsic::TraceDuration
        | Intrinsic::ChildCount
        | Intrinsic::NestedSetLeft
        | Intrinsic::NestedSetRight => return None,
    };
    Some(Place { items, column: Cow::Borrowed(column), form })
}

/// What a value is called by, and where it is looked for among columns of `schema`.
pub(super) fn places<'a>(expr: &'a Expr, schema: &Schema) -> Option<(&'a str, Vec<Place>)> {
    match expr {
        Expr::Attribute(attribute) => Some((&attribute.key, attribute_places(attribute, schema))),
        Expr::Intrinsic(intrinsic) => Some(("", intrinsic_place(*intrinsic).into_iter().collect())),
        _ => None,
    }
}

/// Calls `each` for every attribute and intrinsic in an expression.
pub(super) fn for_each_reference<'a>(expr: &'a Expr, each: &mut impl FnMut(&'a Expr)) {
    match expr {
        Expr::Attribute(_) | Expr::Intrinsic(_) => each(expr),
        Expr::Compare { left, right, .. } | Expr::Arithmetic { left, right, .. } => {
            for_each_reference(left, each);
            for_each_reference(right, each);
        }
        Expr::Negate(input)
        | Expr::Contains { input, .. }
        | Expr::Matches { input, .. }
        | Expr::Exists(input)
        | Expr::Not(input) => for_each_reference(input, each),
        Expr::And(inputs) | Expr::Or(inputs) => {
            for input in inputs {
                for_each_reference(input, each);
            }
        }
        // Constants, and what only log rows have.
        _ => {}
    }
}

/// The columns of `schema` that an expression reads, each once.
pub(super) fn columns_read(expr: &Expr, schema: &Schema) -> Vec<Cow<'static, str>> {
    let mut read = Vec::new();
    let mut add = |column| {
        if !read.contains(&column) {
            read.push(column);
        }
    };
    for_each_reference(expr, &mut |reference| {
        for place in places(reference, schema).map(|(_, places)| places).unwrap_or_default() {
            add(place.items.list_column().map_or(place.column, Cow::Borrowed));
            if place.form == Form::SinceStart {
                add(Cow::Borrowed(columns::START_NS));
            }
        }
    });
    read
}

/// The lists that an expression reads.
pub(super) fn lists_read(expr: &Expr) -> Vec<Items> {
    // Nothing in a list is promoted, so no schema is asked.
    let none = Schema::empty();
    let mut lists = Vec::new();
    for_each_reference(expr, &mut |reference| {
        for place in places(reference, &none).map(|(_, places)| places).unwrap_or_default() {
            if place.items != Items::Spans && !lists.contains(&place.items) {
                lists.push(place.items);
            }
        }
    });
    lists
}
