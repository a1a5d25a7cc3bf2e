//! Metrics → `metric_samples`, `metric_histograms`, `metric_series` and `exemplars`.
//!
//! ```text
//!  gauge, sum             name[_unit][_total|_ratio]
//!  histogram              name_bucket{le}  name_sum  name_count
//!  summary                name{quantile}   name_sum  name_count
//!  exponential histogram  name, in metric_histograms
//!  resource               target_info
//! ```
//!
//! Names and labels are those that Prometheus makes of OTLP. Values of delta temporality are
//! stored as sent; `temporality` in the series tells. The smallest and largest value of an
//! explicit histogram have no place among Prometheus' series and are not kept.

mod columns;
mod exemplars;
mod histograms;
mod labels;
mod name_cache;
mod names;
mod points;
pub(super) mod remote_write;
mod target_info;

use std::cell::OnceCell;
use std::sync::Arc;

use schemas::model::NANOS_PER_MILLI;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::columns::Sink;
use self::histograms::Buckets;
use self::labels::{BaseLabel, PointLabels, check_value};
pub(crate) use self::name_cache::NameCache;
use self::name_cache::{Name, Names};
use self::names::Suffix;
use super::attributes::{self, KeyValue, utf8};
use super::envelope::{self, Records, Resource, Scope};
use super::wire::{Fields, Malformed};
use super::{Context, Decoded, Failure, Tally, optional_time};
use crate::admit::{Reason, Rejection, TimeBounds};
use crate::error::Error;
use crate::known::Lookup;
use crate::limits::SAMPLE_ROW_BYTES;

/// The resource attributes that become labels of every series, beside `job` and `instance`: what
/// Prometheus calls promoted resource attributes. An attribute of the point with the same name
/// holds against them.
const PROMOTED_RESOURCE_ATTRIBUTES: [&str; 1] = ["service.name"];

const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE_ID: &str = "service.instance.id";

/// What a stale marker is in Prometheus: a NaN of its own.
const STALE: f64 = f64::from_bits(0x7ff0_0000_0000_0002);
/// The flag of a data point that says that there is no value any more.
const NO_RECORDED_VALUE: u32 = 1;

/// The rows of an `ExportMetricsServiceRequest`.
pub(super) fn decode(request: &[u8], context: &Context<'_>) -> Result<Decoded, Error> {
    let mut decoder = MetricsDecoder {
        context: *context,
        bounds: context.time_bounds(),
        sink: Sink::new(context),
        labels: PointLabels::new(),
        lookup: context.lookup(),
        scratch: Scratch::default(),
        resource: Resource::default(),
        identity: Vec::new(),
        resource_seed: 0,
        seen_ms: None,
    };
    let mut tally = Tally::new(context);
    envelope::walk(request, context.limits, &mut decoder, &mut tally)?;
    Ok(tally.finish(decoder.sink.finish()?))
}

struct MetricsDecoder<'a, 'c> {
    context: Context<'c>,
    bounds: TimeBounds,
    sink: Sink<'c>,
    labels: PointLabels<'a>,
    lookup: Lookup<'c>,
    scratch: Scratch<'a>,
    resource: Resource<'a>,
    /// `job` and `instance` of the resource.
    identity: Vec<BaseLabel>,
    /// Stands for the labels that the resource gives, in lookups.
    resource_seed: u64,
    /// Earliest and latest time of a stored point of the resource.
    seen_ms: Option<(i64, i64)>,
}

/// What is reused from point to point.
#[derive(Default)]
struct Scratch<'a> {
    attributes: Vec<KeyValue<'a>>,
    exemplars: exemplars::Exemplars<'a>,
    buckets: Buckets,
    series: Vec<i64>,
    hashed: Vec<u8>,
}

/// The five kinds of metric, with the field that holds their data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Gauge = 5,
    Sum = 7,
    Histogram = 9,
    ExponentialHistogram = 10,
    Summary = 11,
}

impl Kind {
    fn of_field(field: u32) -> Option<Self> {
        match field {
            5 => Some(Self::Gauge),
            7 => Some(Self::Sum),
            9 => Some(Self::Histogram),
            10 => Some(Self::ExponentialHistogram),
            11 => Some(Self::Summary),
            _ => None,
        }
    }

    /// The label that tells the series of a point apart.
    fn extra_label(self) -> Option<&'static str> {
        match self {
            Self::Histogram => Some("le"),
            Self::Summary => Some("quantile"),
            Self::Gauge | Self::Sum | Self::ExponentialHistogram => None,
        }
    }
}

/// What the points of a metric share.
struct Family<'a> {
    /// As sent.
    name: &'a str,
    suffix: Suffix,
    kind: Kind,
    about: About<'a>,
    /// Made when first needed: of known series all is known. A rejection holds for every point.
    names: OnceCell<Result<Arc<Names>, Rejection>>,
    /// Stands for the labels that the resource and the metric give, in lookups.
    seed: u64,
}

/// What is told about a metric beside its name.
#[derive(Clone, Copy, Debug)]
struct About<'a> {
    /// As the column `type` writes it.
    type_name: &'static str,
    unit: &'a str,
    help: &'a str,
    /// `cumulative`, `delta`, or empty.
    temporality: &'static str,
}

/// A `Metric` message whose data have not been read. Of several kinds of data the last counts.
struct Metric<'a> {
    name: &'a [u8],
    help: &'a [u8],
    unit: &'a [u8],
    kind: Option<Kind>,
    /// What is left of the message where the data of `kind` begin.
    data: Fields<'a>,
}

impl<'a> Metric<'a> {
    fn read(message: &'a [u8]) -> Result<Self, Malformed> {
        let mut fields = Fields::new(message);
        let mut metric = Self { name: &[], help: &[], unit: &[], kind: None, data: fields };
        loop {
            let before = fields;
            let Some((field, value)) = fields.next()? else {
                return Ok(metric);
            };
            match field {
                1 => metric.name = value.bytes()?,
                2 => metric.help = value.bytes()?,
                3 => metric.unit = value.bytes()?,
                _ => {
                    let kind = Kind::of_field(field);
                    if kind.is_some() && kind != metric.kind {
                        metric.kind = kind;
                        metric.data = before;
                    }
                }
            }
        }
    }

    /// Calls `each` with the fields of the data, of all their occurrences.
    fn each_field<E: From<Malformed>>(
        &self,
        mut each: impl FnMut(u32, super::wire::Value<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut data = self.data;
        while let Some((field, value)) = data.next()? {
            if self.kind.is_none_or(|kind| kind as u32 != field) {
                continue;
            }
            let mut fields = Fields::new(value.bytes()?);
            while let Some((field, value)) = fields.next()? {
                each(field, value)?;
            }
        }
        Ok(())
    }

    fn count_points(&self) -> Result<u64, Malformed> {
        let mut count = 0;
        self.each_field(|field, _| {
            count += u64::from(field == 1);
            Ok::<_, Malformed>(())
        })?;
        Ok(count)
    }
}

impl<'a> Records<'a> for MetricsDecoder<'a, '_> {
    fn begin_resource(&mut self, resource: &Resource<'a>) -> Result<(), Failure> {
        self.seen_ms = None;
        self.resource = resource.clone();
        self.identity = self.identity_labels()?;
        let mut base = self.identity.clone();
        for key in PROMOTED_RESOURCE_ATTRIBUTES {
            if let Some(value) = self.resource_text(key)? {
                base.push(BaseLabel { name: names::label_name(key).into(), value, wins: false });
            }
        }
        self.resource_seed = self.seed_of(&base);
        self.labels.set_base(base);
        Ok(())
    }

    fn begin_scope(&mut self, _scope: &Scope<'a>) -> Result<(), Failure> {
        Ok(())
    }

    fn record(&mut self, message: &'a [u8], tally: &mut Tally) -> Result<(), Error> {
        let metric = Metric::read(message)?;
        let family = match self.read_family(&metric) {
            Ok(Some(family)) => family,
            Ok(None) => return Ok(()),
            Err(failure) => return tally.reject(failure, metric.count_points()?),
        };
        self.labels.set_extra(family.kind.extra_label());
        metric.each_field(|field, value| {
            if field != 1 || !tally.receive() {
                return Ok(());
            }
            let stored = self.push_point(&family, value.bytes()?, tally);
            match stored {
                Ok(()) => Ok(()),
                Err(failure) => tally.fail(failure, 1),
            }
        })
    }

    fn end_resource(&mut self, tally: &mut Tally) -> Result<(), Error> {
        let Some(seen_ms) = self.seen_ms else {
            return Ok(());
        };
        match self.push_target_info(seen_ms, tally) {
            Ok(()) | Err(Failure::Rejected(_)) => Ok(()),
            Err(failure) => tally.fail(failure, 0),
        }
    }

    fn count(message: &'a [u8]) -> Result<u64, Malformed> {
        Metric::read(message)?.count_points()
    }
}

impl<'a> MetricsDecoder<'a, '_> {
    /// What the metric's points share; `None` if it has no data.
    fn read_family(&mut self, metric: &Metric<'a>) -> Result<Option<Family<'a>>, Failure> {
        let Some(kind) = metric.kind else {
            return Ok(None);
        };
        let (mut temporality, mut is_monotonic) = (0, false);
        metric.each_field(|field, value| {
            match field {
                2 if kind != Kind::Gauge && kind != Kind::Summary => temporality = value.int32()?,
                3 if kind == Kind::Sum => is_monotonic = value.bool()?,
                _ => {}
            }
            Ok::<_, Failure>(())
        })?;
        let name = utf8(metric.name, "a metric's name")?;
        let unit = utf8(metric.unit, "a metric's unit")?;
        let (type_name, suffix) = match kind {
            Kind::Gauge => ("gauge", Suffix::Ratio),
            Kind::Sum if is_monotonic => ("counter", Suffix::Total),
            Kind::Sum => ("gauge", Suffix::None),
            Kind::Histogram => ("histogram", Suffix::None),
            Kind::ExponentialHistogram => ("exponential_histogram", Suffix::None),
            Kind::Summary => ("summary", Suffix::None),
        };
        let temporality = match (kind, temporality) {
            (Kind::Gauge | Kind::Summary, _) => "",
            (_, 1) => "delta",
            (_, 2) => "cumulative",
            (_, other) => {
                let message = format!("metric {name:?} has the temporality {other}, not known");
                return Err(Rejection::new(Reason::InvalidMetric, message).into());
            }
        };
        let help = utf8(metric.help, "a metric's description")?;
        // The kind, too: some add a label of their own.
        name_cache::identify(&mut self.scratch.hashed, (name, unit), (kind, suffix));
        Ok(Some(Family {
            name,
            suffix,
            kind,
            about: About { type_name, unit, help, temporality },
            names: OnceCell::new(),
            seed: xxh3_64_with_seed(&self.scratch.hashed, self.resource_seed),
        }))
    }

    /// The names of the metric's series.
    fn names<'f>(&mut self, family: &'f Family<'a>) -> Result<&'f Names, Failure> {
        let names = family.names.get_or_init(|| self.make_names(family));
        names.as_deref().map_err(|rejection| rejection.clone().into())
    }

    fn make_names(&mut self, family: &Family<'a>) -> Result<Arc<Names>, Rejection> {
        let (name, unit) = (family.name, family.about.unit);
        let max = self.context.limits.label_value_bytes_max;
        let of = (family.kind, family.suffix);
        let made = self.context.known.names.names((name, unit), of, &mut self.scratch.hashed);
        if let Some(names) = made.filter(|names| names.plain.text.len() <= max) {
            return Ok(names);
        }
        let message = format!(
            "metric name {name:.64?} and its unit have {} bytes, must have 1 to {max} that a \
             name can keep",
            name.len() + unit.len(),
        );
        Err(Rejection::new(Reason::InvalidMetric, message))
    }

    /// `job` and `instance`, as far as the resource tells them.
    fn identity_labels(&self) -> Result<Vec<BaseLabel>, Failure> {
        let mut labels = Vec::new();
        if let Some(name) = self.resource_text(SERVICE_NAME)? {
            let job = match self.resource_text(SERVICE_NAMESPACE)? {
                Some(namespace) => format!("{namespace}/{name}").into(),
                None => name,
            };
            labels.push(BaseLabel { name: "job".into(), value: job, wins: true });
        }
        if let Some(value) = self.resource_text(SERVICE_INSTANCE_ID)? {
            labels.push(BaseLabel { name: "instance".into(), value, wins: true });
        }
        Ok(labels)
    }

    /// A resource attribute as text; `None` if it is absent or empty.
    fn resource_text(&self, key: &str) -> Result<Option<Arc<str>>, Failure> {
        let Some(attribute) = self.resource.attribute(key) else {
            return Ok(None);
        };
        let mut text = String::new();
        attributes::write_label_text(&mut text, &attribute.value()?)?;
        check_value(key, text.len(), self.context.limits)?;
        Ok((!text.is_empty()).then(|| text.into()))
    }

    fn seed_of(&mut self, base: &[BaseLabel]) -> u64 {
        let hashed = &mut self.scratch.hashed;
        hashed.clear();
        for label in base {
            hashed.extend_from_slice(label.name.as_bytes());
            hashed.push(0xFF);
            hashed.extend_from_slice(label.value.as_bytes());
            hashed.extend_from_slice(&[0xFF, u8::from(label.wins)]);
        }
        xxh3_64_with_seed(hashed, self.lookup.seed())
    }

    fn push_point(
        &mut self,
        family: &Family<'a>,
        message: &'a [u8],
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        tally.make_rows(1, SAMPLE_ROW_BYTES)?;
        let times = match family.kind {
            Kind::Gauge | Kind::Sum => self.push_number(family, message, tally)?,
            Kind::Histogram => self.push_histogram(family, message, tally)?,
            Kind::ExponentialHistogram => self.push_exponential(family, message, tally)?,
            Kind::Summary => self.push_summary(family, message, tally)?,
        };
        let at = times.time_ms;
        let seen = self.seen_ms.get_or_insert((at, at));
        *seen = (seen.0.min(at), seen.1.max(at));
        Ok(())
    }

    fn read_times(
        &mut self,
        family: &Family<'a>,
        time_ns: u64,
        start_ns: u64,
    ) -> Result<Times, Failure> {
        let start_ns = optional_time(start_ns, "start time of a data point")?;
        let time_ns = match self.bounds.check(time_ns) {
            Ok(time_ns) => time_ns,
            Err(rejection) => {
                let name = &self.names(family)?.plain.text;
                return Err(rejection.about("data point of metric", name).into());
            }
        };
        Ok(Times {
            time_ms: time_ns.div_euclid(NANOS_PER_MILLI),
            start_ms: start_ns.map(|start_ns| start_ns.div_euclid(NANOS_PER_MILLI)),
        })
    }
}

/// The times of a data point.
#[derive(Clone, Copy, Debug)]
struct Times {
    time_ms: i64,
    start_ms: Option<i64>,
}

#[cfg(test)]
pub(super) mod tests;
