//! `target_info`: the resource of a request's metrics as a series of its own.
//!
//! Its samples are 1, one each half lookback from the resource's earliest to its latest point and
//! one at the latest, so that a join finds one at every instant. It needs a label that says whose
//! resource it is, and an attribute to tell.

use super::super::Failure;
use super::super::attributes::KeyValue;
use super::labels::check_value;
use super::{
    About, MetricsDecoder, Name, SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_NAMESPACE, Tally,
    Times, attributes,
};
use crate::limits::{SAMPLE_ROW_BYTES, TARGET_INFO_SAMPLES_MAX};

const TARGET_INFO: &str = "target_info";
/// Half of Prometheus' lookback of five minutes.
const INTERVAL_MS: i64 = 150_000;

impl<'a> MetricsDecoder<'a, '_> {
    /// Adds the samples between the two times, both inclusive. An attribute that is too long for
    /// a label is left out.
    pub(super) fn push_target_info(
        &mut self,
        (first_ms, last_ms): (i64, i64),
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let limits = self.context.limits;
        let mut described: Vec<KeyValue<'a>> = Vec::new();
        for attribute in &self.resource.attributes {
            if [SERVICE_NAME, SERVICE_NAMESPACE, SERVICE_INSTANCE_ID].contains(&attribute.key) {
                continue;
            }
            let mut text = String::new();
            attributes::write_label_text(&mut text, &attribute.value()?)?;
            if !text.is_empty() && check_value(attribute.key, text.len(), limits).is_ok() {
                described.push(*attribute);
            }
        }
        if described.is_empty() || self.identity.is_empty() {
            return Ok(());
        }
        described.truncate(limits.labels_max.saturating_sub(3));
        self.labels.set_base(self.identity.clone());
        self.labels.set_extra(None);
        self.labels.read(&described, limits)?;
        let name = Name::new(TARGET_INFO.to_owned());
        let about =
            About { type_name: "gauge", unit: "", help: "Target metadata", temporality: "" };
        let samples = ((last_ms - first_ms) / INTERVAL_MS).min(TARGET_INFO_SAMPLES_MAX - 1);
        let first_ms = first_ms.max(last_ms - (samples + 1) * INTERVAL_MS + 1);
        let mut time_ms = first_ms;
        loop {
            tally.make_rows(1, SAMPLE_ROW_BYTES)?;
            let times = Times { time_ms, start_ms: None };
            let (series, _) =
                self.sink.series(&mut self.labels, &about, (&name, ""), times, tally)?;
            self.sink.push_sample(name.metric_id, series, times, 1.0);
            if time_ms >= last_ms {
                return Ok(());
            }
            time_ms = time_ms.saturating_add(INTERVAL_MS).min(last_ms);
        }
    }
}
