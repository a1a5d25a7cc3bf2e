//! The vocabulary that all languages, the plan and the storage share.

mod attribute;
mod date;
mod grouping;
mod label;
mod matcher;
mod pattern;
mod quantity;
mod selector;
mod signal;
mod tenant;
mod time;

pub use attribute::{Attribute, Scope, label_name};
pub use date::{Date, parse_rfc3339, rfc3339};
pub use grouping::{Direction, Grouping};
pub use label::{Label, Labels, METRIC_NAME};
pub use matcher::{CompiledMatcher, MatchOp, Matcher};
pub use pattern::{PATTERN_BYTES_MAX, PatternError, Reach, compile_anchored, compile_search};
pub use quantity::{parse_float, parse_go_duration, parse_size};
pub use selector::Selector;
pub use signal::Signal;
pub use tenant::{TENANT_BYTES_MAX, TENANT_HEADER, TenantError, check_tenant, tenant_of};
pub use time::{
    NANOS_PER_DAY, NANOS_PER_MILLI, NANOS_PER_SECOND, StepGrid, TimeRange, TimestampNs,
};
