//! Metadata of metrics, told from the series index alone.

use std::collections::BTreeMap;

use storage::LabelIndex;

use crate::MetricMetadata;

/// Endings of the series that one histogram or summary is stored as.
const FAMILY_ENDINGS: [&str; 3] = ["_bucket", "_sum", "_count"];

/// One entry for each metric family, sorted by name.
pub(crate) fn metrics(index: &LabelIndex, name: Option<&str>) -> Vec<MetricMetadata> {
    let mut families: BTreeMap<String, MetricMetadata> = BTreeMap::new();
    for (metric, info) in index.metrics() {
        let kind = match info.kind.as_str() {
            "exponential_histogram" => "histogram",
            "" => "unknown",
            kind => kind,
        };
        let family = family(&metric, kind);
        if name.is_some_and(|name| name != family) {
            continue;
        }
        families.entry(family.to_owned()).or_insert_with(|| MetricMetadata {
            name: family.to_owned(),
            kind: kind.to_owned(),
            unit: info.unit.clone(),
            help: info.help.clone(),
        });
    }
    families.into_values().collect()
}

/// The name of the family that a series of this name and type belongs to.
fn family<'a>(metric: &'a str, kind: &str) -> &'a str {
    if !matches!(kind, "histogram" | "summary") {
        return metric;
    }
    FAMILY_ENDINGS.iter().find_map(|ending| metric.strip_suffix(ending)).unwrap_or(metric)
}
