//! Index labels of a log stream: what LogQL selects by, as Loki makes them of a resource.

use schemas::model::{Label, Labels};

use super::super::Failure;
use super::super::attributes::{self, AnyValue, UNKNOWN_SERVICE};
use super::super::envelope::Resource;
use crate::admit::{Reason, Rejection};
use crate::limits::Limits;

/// The resource attributes that become index labels: Loki's default list.
const INDEX_ATTRIBUTES: [&str; 18] = [
    "service.name",
    "service.namespace",
    "service.instance.id",
    "deployment.environment",
    "deployment.environment.name",
    "cloud.region",
    "cloud.availability_zone",
    "k8s.cluster.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.container.name",
    "container.name",
    "k8s.replicaset.name",
    "k8s.deployment.name",
    "k8s.statefulset.name",
    "k8s.daemonset.name",
    "k8s.cronjob.name",
    "k8s.job.name",
];

const SERVICE_NAME: &str = "service_name";

/// The index labels that stand in for a service name that was not sent, best first.
const SERVICE_NAME_FALLBACKS: [&str; 13] = [
    "service",
    "app",
    "application",
    "app_name",
    "name",
    "app_kubernetes_io_name",
    "container",
    "container_name",
    "k8s_container_name",
    "component",
    "workload",
    "job",
    "k8s_job_name",
];

/// The index labels of a resource; `service_name` is always among them.
pub(super) fn of_resource(resource: &Resource<'_>, limits: &Limits) -> Result<Labels, Failure> {
    let mut labels = Vec::new();
    for key in INDEX_ATTRIBUTES {
        if let Some(attribute) = resource.attribute(key) {
            push(&mut labels, &label_name(key), &attribute.value()?, limits, 1)?;
        }
    }
    let labels = Labels::new(labels);
    if labels.get(SERVICE_NAME).is_some() {
        return Ok(labels);
    }
    let fallback = SERVICE_NAME_FALLBACKS.iter().find_map(|name| labels.get(name));
    let service = fallback.unwrap_or(UNKNOWN_SERVICE).to_owned();
    Ok(labels.with(SERVICE_NAME, &service))
}

/// Adds a label; a map adds one for each of its members.
fn push(
    labels: &mut Vec<Label>,
    name: &str,
    value: &AnyValue<'_>,
    limits: &Limits,
    depth: usize,
) -> Result<(), Failure> {
    if let AnyValue::Map(entries) = value {
        let depth = attributes::deeper(depth)?;
        for entry in attributes::map_entries(entries)? {
            let name = format!("{name}_{}", label_name(entry.key));
            push(labels, &name, &entry.value()?, limits, depth)?;
        }
        return Ok(());
    }
    let mut text = String::new();
    attributes::write_label_text(&mut text, value)?;
    if labels.len() >= limits.labels_max {
        let message = format!("a stream has more than {} labels, the limit", limits.labels_max);
        return Err(Rejection::new(Reason::Labels, message).into());
    }
    if name.len() > limits.label_name_bytes_max || text.len() > limits.label_value_bytes_max {
        let (name_max, value_max) = (limits.label_name_bytes_max, limits.label_value_bytes_max);
        let message = format!(
            "stream label {name:.64} has a name of {} and a value of {} bytes, \
             limits {name_max} and {value_max}",
            name.len(),
            text.len(),
        );
        return Err(Rejection::new(Reason::Labels, message).into());
    }
    labels.push(Label::new(name, text));
    Ok(())
}

/// An attribute's key as Loki writes it: letters, digits and single underscores; a leading digit
/// gets `key_`. Names of the form `__x__` keep their double underscores.
fn label_name(key: &str) -> String {
    let is_reserved = key.starts_with("__") && key.ends_with("__") && key.len() > 4;
    let mut name = String::with_capacity(key.len() + 4);
    if key.starts_with(|c: char| c.is_ascii_digit()) {
        name.push_str("key_");
    }
    for c in key.chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '_' };
        if c != '_' || is_reserved || !name.ends_with('_') {
            name.push(c);
        }
    }
    name
}
