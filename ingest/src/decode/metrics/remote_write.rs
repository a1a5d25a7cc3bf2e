//! Prometheus remote write, 1.0 and 2.0 → the same tables as OTLP's metrics.
//!
//! ```text
//!  1.0  WriteRequest  { 1 timeseries { 1 labels }, 3 metadata }        by family name
//!  2.0  Request       { 4 symbols, 5 timeseries { 1 labels_refs, 5 metadata } }
//!       timeseries    { samples, histograms, exemplars }  ─▶ series, rows
//! ```
//!
//! Names and labels are kept as they were sent, whatever their characters. A series whose labels
//! make no sense is rejected with its samples; an exemplar that makes none is left out. Metadata
//! of 1.0 count for the series of the same request that are new. Source: the remote-write
//! specifications 1.0 and 2.0.

mod histogram;
mod series;

use std::rc::Rc;

use ahash::AHashMap;
use schemas::model::{METRIC_NAME, NANOS_PER_MILLI};
use schemas::tables::day_of_ms;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use self::series::Series;
use super::columns::Sink;
use super::exemplars::Exemplar;
use super::{About, Name, Times};
use crate::admit::{Reason, Rejection, TimeBounds};
use crate::decode::attributes::{close_object, utf8, write_member};
use crate::decode::wire::{Fields, Malformed, Value};
use crate::decode::{Context, Decoded, Failure, Tally, Written};
use crate::error::Error;
use crate::known::{Found, Key, Lookup};
use crate::limits::{NESTED_ROW_BYTES, SAMPLE_ROW_BYTES};

/// Which message a body holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::decode) enum Version {
    /// `prometheus.WriteRequest`.
    One,
    /// `io.prometheus.write.v2.Request`.
    Two,
}

/// The rows of a remote-write request.
pub(in crate::decode) fn decode(
    version: Version,
    request: &[u8],
    context: &Context<'_>,
) -> Result<Decoded, Error> {
    let mut tally = Tally::new(context);
    let lookup = context.lookup();
    let shared = Shared::read(version, request, lookup.seed())?;
    let mut decoder = Decoder {
        context: *context,
        bounds: context.time_bounds(),
        sink: Sink::new(context),
        names: AHashMap::new(),
        lookup,
        series: Series::default(),
        hashed: Vec::new(),
        json: String::new(),
        written: Written::default(),
    };
    let mut fields = Fields::new(request);
    while let Some((field, value)) = fields.next()? {
        if field == version.series_field() {
            decoder.push(value.bytes()?, &shared, &mut tally)?;
        }
    }
    let mut decoded = tally.finish(decoder.sink.finish()?);
    decoded.written = decoder.written;
    Ok(decoded)
}

impl Version {
    fn series_field(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 5,
        }
    }

    /// The fields of samples, histograms and exemplars in a series.
    fn row_fields(self) -> (u32, u32, u32) {
        match self {
            Self::One => (2, 4, 3),
            Self::Two => (2, 3, 4),
        }
    }
}

/// What the series of a request refer to.
struct Shared<'a> {
    version: Version,
    /// 2.0: texts by number, the first one empty.
    symbols: Vec<&'a [u8]>,
    /// Their hashes.
    hashes: Vec<u64>,
    /// 1.0: by the name of the metric family.
    metadata: AHashMap<&'a [u8], About<'a>>,
}

impl<'a> Shared<'a> {
    fn read(version: Version, request: &'a [u8], seed: u64) -> Result<Self, Error> {
        let mut shared =
            Self { version, symbols: Vec::new(), hashes: Vec::new(), metadata: AHashMap::new() };
        let mut fields = Fields::new(request);
        while let Some((field, value)) = fields.next()? {
            match (version, field) {
                (Version::One, 3) => shared.read_metadata(value.bytes()?)?,
                (Version::Two, 4) => shared.add_symbol(value.bytes()?, seed),
                _ => {}
            }
        }
        if shared.symbols.first().is_some_and(|first| !first.is_empty()) {
            return Err(Malformed("the first symbol is not empty").into());
        }
        Ok(shared)
    }

    fn read_metadata(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        let (mut kind, mut name, mut help, mut unit) = (0, &[][..], &[][..], &[][..]);
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                1 => kind = value.uint32()?,
                2 => name = value.bytes()?,
                4 => help = value.bytes()?,
                5 => unit = value.bytes()?,
                _ => {}
            }
        }
        self.metadata.insert(name, about(kind, help, unit));
        Ok(())
    }

    fn add_symbol(&mut self, symbol: &'a [u8], seed: u64) {
        self.symbols.push(symbol);
        self.hashes.push(xxh3_64_with_seed(symbol, seed));
    }

    fn symbol(&self, at: u32) -> Result<&'a [u8], Malformed> {
        let symbol = usize::try_from(at).ok().and_then(|at| self.symbols.get(at));
        symbol.copied().ok_or(Malformed("a reference to a symbol that is not there"))
    }
}

/// Metadata as a series has it; texts that are not UTF-8 are left out.
fn about<'a>(kind: u32, help: &'a [u8], unit: &'a [u8]) -> About<'a> {
    let type_name = match kind {
        1 => "counter",
        2 => "gauge",
        3 => "histogram",
        4 => "gaugehistogram",
        5 => "summary",
        6 => "info",
        7 => "stateset",
        _ => "unknown",
    };
    let text = |bytes: &'a [u8]| std::str::from_utf8(bytes).unwrap_or_default();
    About { type_name, unit: text(unit), help: text(help), temporality: "" }
}

struct Decoder<'a, 'c> {
    context: Context<'c>,
    bounds: TimeBounds,
    sink: Sink<'c>,
    names: AHashMap<&'a str, Rc<Name>>,
    lookup: Lookup<'c>,
    series: Series<'a>,
    hashed: Vec<u8>,
    json: String,
    written: Written,
}

/// A series whose rows are being read.
struct Target<'a> {
    id: i64,
    name: Rc<Name>,
    about: About<'a>,
}

/// A series of a request: its labels are read only if there is a need.
struct Source<'a> {
    message: &'a [u8],
    /// Stands for its labels.
    key: Option<Key>,
    /// What is known of them.
    found: Option<Found>,
    /// What was read of them.
    target: Option<Target<'a>>,
}

impl<'a> Decoder<'a, '_> {
    fn push(
        &mut self,
        message: &'a [u8],
        shared: &Shared<'a>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let (samples, histograms, exemplars) = shared.version.row_fields();
        let mut source = self.source(message, shared)?;
        if source.found.is_none()
            && let Err(failure) = self.target(&mut source, shared)
        {
            let mut rows = 0;
            each(message, |field, _| {
                rows += u64::from(field == samples || field == histograms);
                Ok(())
            })?;
            return tally.reject(failure, rows);
        }
        let mut has_exemplars = false;
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            has_exemplars |= field == exemplars;
            if (field != samples && field != histograms) || !tally.receive() {
                continue;
            }
            let pushed = if field == samples {
                self.push_sample(&mut source, value.bytes()?, shared, tally)
            } else {
                self.push_histogram(&mut source, value.bytes()?, shared, tally)
            };
            if let Err(failure) = pushed {
                tally.fail(failure, 1)?;
            }
        }
        if has_exemplars { self.push_exemplars(&mut source, shared, tally) } else { Ok(()) }
    }

    /// A series whose labels are not read yet.
    fn source(&mut self, message: &'a [u8], shared: &Shared<'a>) -> Result<Source<'a>, Malformed> {
        let key = series::key(message, shared, self.lookup.seed(), &mut self.hashed)?;
        let found = key.and_then(|key| self.lookup.get(key));
        Ok(Source { message, key, found, target: None })
    }

    /// The series with its labels.
    fn target<'s>(
        &mut self,
        source: &'s mut Source<'a>,
        shared: &Shared<'a>,
    ) -> Result<&'s Target<'a>, Failure> {
        match &mut source.target {
            Some(target) => Ok(target),
            empty => Ok(empty.insert(self.read_series(source.message, shared)?)),
        }
    }

    fn read_series(
        &mut self,
        message: &'a [u8],
        shared: &Shared<'a>,
    ) -> Result<Target<'a>, Failure> {
        self.series.read(message, shared, self.context.limits)?;
        let name = self.series.value(METRIC_NAME).ok_or_else(|| {
            Rejection::new(Reason::InvalidMetric, "a series has no label __name__")
        })?;
        let known = self.names.entry(name);
        let known = known.or_insert_with(|| Rc::new(Name::new(name.to_owned())));
        let name = Rc::clone(known);
        let about = match &self.series.about {
            Some(about) => *about,
            None => family_about(&name.text, shared),
        };
        Ok(Target { id: self.series.id(&mut self.hashed), name, about })
    }

    fn push_sample(
        &mut self,
        source: &mut Source<'a>,
        message: &'a [u8],
        shared: &Shared<'a>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        tally.make_rows(1, SAMPLE_ROW_BYTES)?;
        let (mut number, mut time_ms, mut start_ms) = (0.0, 0, 0);
        each(message, |field, value| {
            match field {
                1 => number = value.double()?,
                2 => time_ms = value.varint()? as i64,
                3 => start_ms = value.varint()? as i64,
                _ => {}
            }
            Ok(())
        })?;
        if let Some(found) = source.found
            && let Ok(times) = self.times(time_ms, start_ms)
            && found.day == Some(day_of_ms(times.time_ms))
        {
            self.sink.push_sample(found.metric, found.series, times, number);
            self.written.samples += 1;
            return Ok(());
        }
        let target = self.target(source, shared)?;
        let times = self.times_of(target, time_ms, start_ms)?;
        let (id, metric, day) = (target.id, target.name.metric_id, day_of_ms(times.time_ms));
        let is_known = self.ensure(target, &target.about, times, tally)?;
        self.sink.push_sample(metric, id, times, number);
        self.written.samples += 1;
        if let Some(key) = source.key.filter(|_| is_known) {
            self.lookup.put(key, id, metric, day);
            source.found = Some(Found { series: id, metric, day: Some(day) });
        }
        Ok(())
    }

    fn push_histogram(
        &mut self,
        source: &mut Source<'a>,
        message: &'a [u8],
        shared: &Shared<'a>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let read = histogram::read(message)?;
        histogram::reserve(&read.point, tally)?;
        let target = self.target(source, shared)?;
        let times = self.times_of(target, read.time_ms, read.start_ms)?;
        // Its rows lie in a table of their own, which the type tells.
        let about = About { type_name: "exponential_histogram", ..target.about };
        self.ensure(target, &about, times, tally)?;
        self.sink.push_histogram(&target.name, target.id, times, &read.point);
        self.written.histograms += 1;
        Ok(())
    }

    fn ensure(
        &mut self,
        target: &Target<'a>,
        about: &About<'a>,
        times: Times,
        tally: &mut Tally,
    ) -> Result<bool, Failure> {
        let labels = self.series.labels();
        self.sink.ensure(target.id, labels, about, &target.name, times, tally)
    }

    fn times_of(&self, target: &Target<'a>, time_ms: i64, start_ms: i64) -> Result<Times, Failure> {
        self.times(time_ms, start_ms).map_err(|failure| match failure {
            Failure::Rejected(rejection) => {
                rejection.about("sample of metric", &target.name.text).into()
            }
            other => other,
        })
    }

    fn times(&self, time_ms: i64, start_ms: i64) -> Result<Times, Failure> {
        let time_ns = time_ms.saturating_mul(NANOS_PER_MILLI);
        // Negative times are before all bounds, which are those of an unsigned number.
        let time_ns = u64::try_from(time_ns).unwrap_or(0);
        let time_ms = self.bounds.check(time_ns)?.div_euclid(NANOS_PER_MILLI);
        Ok(Times { time_ms, start_ms: (start_ms != 0).then_some(start_ms) })
    }

    /// Exemplars never fail a request: one that makes no sense is left out.
    fn push_exemplars(
        &mut self,
        source: &mut Source<'a>,
        shared: &Shared<'a>,
        tally: &mut Tally,
    ) -> Result<(), Error> {
        let (_, _, exemplars) = shared.version.row_fields();
        let mut fields = Fields::new(source.message);
        while let Some((field, value)) = fields.next()? {
            if field != exemplars {
                continue;
            }
            match self.push_exemplar(source, value.bytes()?, shared, tally) {
                Ok(()) | Err(Failure::Rejected(_)) => {}
                Err(failure) => tally.fail(failure, 0)?,
            }
        }
        Ok(())
    }

    fn push_exemplar(
        &mut self,
        source: &mut Source<'a>,
        message: &'a [u8],
        shared: &Shared<'a>,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        let target = self.target(source, shared)?;
        tally.make_rows(1, NESTED_ROW_BYTES)?;
        let (mut number, mut time_ms) = (0.0, 0);
        let labels = series::labels(message, shared)?;
        each(message, |field, value| {
            match field {
                2 => number = value.double()?,
                3 => time_ms = value.varint()? as i64,
                _ => {}
            }
            Ok(())
        })?;
        let times = self.times(time_ms, 0)?;
        let (mut trace_id, mut span_id) = (None, None);
        self.json.clear();
        for (name, value) in labels {
            let (name, value) = (utf8(name, "a label's name")?, utf8(value, "a label's value")?);
            match name {
                "trace_id" if trace_id.is_none() => trace_id = hex_id::<16>(value),
                "span_id" if span_id.is_none() => span_id = hex_id::<8>(value),
                _ => {
                    let value = crate::decode::attributes::AnyValue::Text(value);
                    write_member(&mut self.json, name, &value)?;
                }
            }
        }
        close_object(&mut self.json);
        self.ensure(target, &target.about, times, tally)?;
        self.sink.push_exemplar(
            target.id,
            Exemplar {
                time_ms: times.time_ms,
                number,
                trace_id: trace_id.as_ref(),
                span_id: span_id.as_ref(),
                attributes: &self.json,
            },
        );
        self.written.exemplars += 1;
        Ok(())
    }
}

/// Metadata of 1.0, which name the family; a histogram's or summary's series have suffixes.
fn family_about<'a>(name: &str, shared: &Shared<'a>) -> About<'a> {
    let parts = ["", "_bucket", "_sum", "_count", "_total"];
    let of_family = |part: &str| {
        let family = name.strip_suffix(part)?;
        shared.metadata.get(family.as_bytes()).copied()
    };
    parts.into_iter().find_map(of_family).unwrap_or_else(|| about(0, &[], &[]))
}

/// An id of `N` bytes, not all zero, written as hex digits.
fn hex_id<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut id = [0; N];
    hex::decode_to_slice(text, &mut id).ok()?;
    id.iter().any(|byte| *byte != 0).then_some(id)
}

/// Calls `field` for every field of a message.
fn each<'a>(
    message: &'a [u8],
    mut field: impl FnMut(u32, Value<'a>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::new(message);
    while let Some((number, value)) = fields.next()? {
        field(number, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
