//! Range vectors as results of instant queries, such as `up[5m]`: samples as they are stored.

use axum::response::Response;
use exec::RawSeries;
use schemas::model::{Matcher, NANOS_PER_MILLI, TimeRange};

use super::encode::{write_labels, write_remarks, write_sample, write_stats};
use super::params::{QueryParams, STALE_NAN_BITS};
use super::{Ask, histograms};
use crate::error::Error;
use crate::json::separate;
use crate::respond::{End, check_answer, json};
use crate::time::write_seconds;

/// The samples of the series that the matchers select; stale markers are not shown.
pub(super) async fn answer(
    ask: &Ask,
    params: &QueryParams<'_>,
    matchers: Vec<Matcher>,
    range: TimeRange,
) -> Result<Response, Error> {
    let deadline = ask.deadline(params.timeout);
    let mut samples = ask.api.raw(&ask.tenant, &[matchers], range, deadline).await?;
    let held = samples.hold("answer");
    let mut out = r#"{"status":"success","data":{"resultType":"matrix","result":["#.to_owned();
    let (mut written, mut truncated) = (0, false);
    while let Some(series) = samples.next().await.transpose()? {
        if params.limit.is_some_and(|limit| written >= limit) {
            truncated = true;
            break;
        }
        written += usize::from(write_series(&mut out, &series));
        held.resize(out.capacity())?;
        check_answer(out.len() as u64, ask.options.answer_bytes_max)?;
    }
    out.push(']');
    let end = End {
        stats: samples.stats(),
        warnings: Vec::new(),
        infos: Vec::new(),
        started: ask.started,
    };
    if params.stats {
        write_stats(&mut out, &end);
    }
    out.push('}');
    write_remarks(&mut out, &end, truncated, params.warning());
    out.push('}');
    Ok(json(out))
}

/// Writes a series unless it has nothing but stale markers; tells whether it did.
fn write_series(out: &mut String, series: &RawSeries) -> bool {
    let is_shown = |value: f64| value.to_bits() != STALE_NAN_BITS;
    let mut numbers = series.samples.iter().filter(|sample| is_shown(sample.1)).peekable();
    let mut found = series.histograms.iter().filter(|sample| is_shown(sample.1.sum)).peekable();
    if numbers.peek().is_none() && found.peek().is_none() {
        return false;
    }
    separate(out);
    out.push_str("{\"metric\":");
    write_labels(out, series.labels.iter().map(|label| (&*label.name, &*label.value)));
    let mut time = String::new();
    let mut before = ",\"values\":[";
    for (time_ms, value) in numbers {
        out.push_str(std::mem::replace(&mut before, ","));
        time.clear();
        write_seconds(&mut time, time_ms.saturating_mul(NANOS_PER_MILLI));
        write_sample(out, &time, *value);
    }
    if before == "," {
        out.push(']');
    }
    let mut before = ",\"histograms\":[";
    for (time_ms, histogram) in found {
        out.push_str(std::mem::replace(&mut before, ","));
        time.clear();
        write_seconds(&mut time, time_ms.saturating_mul(NANOS_PER_MILLI));
        histograms::write_sample(out, &time, histogram);
    }
    if before == "," {
        out.push(']');
    }
    out.push('}');
    true
}
