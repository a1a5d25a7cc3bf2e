//! Exemplars: single measurements that a data point brings along.

use std::ops::Range;

use schemas::model::NANOS_PER_MILLI;

use super::super::attributes::{self, KeyValue};
use super::super::wire::Fields;
use super::super::{Failure, valid_id};
use super::{Tally, Times};
use crate::admit::TimeBounds;
use crate::limits::{Limits, NESTED_ROW_BYTES};

/// An exemplar that was read.
#[derive(Debug)]
pub(super) struct Exemplar<'e> {
    pub(super) time_ms: i64,
    pub(super) number: f64,
    pub(super) trace_id: Option<&'e [u8; 16]>,
    pub(super) span_id: Option<&'e [u8; 8]>,
    /// JSON text; empty if there are none.
    pub(super) attributes: &'e str,
}

#[derive(Debug)]
struct Read<'a> {
    time_ms: i64,
    number: f64,
    trace_id: Option<&'a [u8; 16]>,
    span_id: Option<&'a [u8; 8]>,
    attributes: Range<usize>,
}

/// The exemplars of the data point that is being read.
#[derive(Debug, Default)]
pub(super) struct Exemplars<'a> {
    messages: Vec<&'a [u8]>,
    read: Vec<Read<'a>>,
    attributes: Vec<KeyValue<'a>>,
    json: String,
    object: String,
}

impl<'a> Exemplars<'a> {
    /// Begins a point.
    pub(super) fn clear(&mut self) {
        self.messages.clear();
        self.read.clear();
        self.json.clear();
    }

    /// Adds an `Exemplar` message of the point.
    pub(super) fn push(&mut self, message: &'a [u8]) {
        self.messages.push(message);
    }

    /// Reads the messages. One without a time has that of its point; those out of bounds are left
    /// out: an SDK may send an old one with every point, which is no reason to reject the point.
    pub(super) fn read(
        &mut self,
        point: Times,
        bounds: &TimeBounds,
        limits: &Limits,
        tally: &mut Tally,
    ) -> Result<(), Failure> {
        tally.make_rows(self.messages.len(), NESTED_ROW_BYTES)?;
        for i in 0..self.messages.len() {
            self.read_one(self.messages[i], point, bounds, limits)?;
        }
        Ok(())
    }

    fn read_one(
        &mut self,
        message: &'a [u8],
        point: Times,
        bounds: &TimeBounds,
        limits: &Limits,
    ) -> Result<(), Failure> {
        self.attributes.clear();
        self.object.clear();
        let (mut time_ns, mut number) = (0, 0.0);
        let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
        let mut fields = Fields::new(message);
        while let Some((field, value)) = fields.next()? {
            match field {
                2 => time_ns = value.fixed64()?,
                3 => number = value.double()?,
                4 => span_id = value.bytes()?,
                5 => trace_id = value.bytes()?,
                6 => number = value.fixed64()? as i64 as f64,
                7 => attributes::push(&mut self.attributes, value.bytes()?, limits)?,
                _ => {}
            }
        }
        let time_ms = match time_ns {
            0 => point.time_ms,
            time_ns => match bounds.check(time_ns) {
                Ok(time_ns) => time_ns.div_euclid(NANOS_PER_MILLI),
                Err(_) => return Ok(()),
            },
        };
        attributes::dedup(&mut self.attributes);
        attributes::write_object(&mut self.object, &self.attributes)?;
        let start = self.json.len();
        self.json.push_str(&self.object);
        self.read.push(Read {
            time_ms,
            number,
            trace_id: valid_id(trace_id),
            span_id: valid_id(span_id),
            attributes: start..self.json.len(),
        });
        Ok(())
    }

    /// The exemplars that were read, in the order sent.
    pub(super) fn iter(&self) -> impl Iterator<Item = Exemplar<'_>> {
        self.read.iter().map(|read| Exemplar {
            time_ms: read.time_ms,
            number: read.number,
            trace_id: read.trace_id,
            span_id: read.span_id,
            attributes: &self.json[read.attributes.clone()],
        })
    }
}
