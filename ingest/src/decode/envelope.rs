//! The envelope that all signals share: a request holds resources, these hold scopes, these hold
//! records.
//!
//! ```text
//!  Export*ServiceRequest   1: Resource*                     (repeated)
//!  Resource*               1: Resource   2: Scope*          (repeated)   3: schema_url
//!  Scope*                  1: Scope      2: record          (repeated)   3: schema_url
//! ```
//!
//! Fields may come in any order, so each level is walked twice: first for what its records share,
//! then for the records. A walk steps over the records by their lengths.

use super::attributes::{self, KeyValue, utf8};
use super::wire::{Fields, Malformed};
use super::{Failure, Tally};
use crate::error::Error;
use crate::limits::{Limits, SHARED_PART_BYTES};

/// What the records of a resource share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resource<'a> {
    /// Attributes, keys unique, in the order sent.
    pub(crate) attributes: Vec<KeyValue<'a>>,
    /// Attributes that the sender dropped.
    pub(crate) dropped: u32,
    /// Empty if not sent.
    pub(crate) schema_url: &'a str,
}

/// What the records of a scope share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope<'a> {
    /// Empty if not sent.
    pub(crate) name: &'a str,
    /// Empty if not sent.
    pub(crate) version: &'a str,
    /// Attributes, keys unique, in the order sent.
    pub(crate) attributes: Vec<KeyValue<'a>>,
    /// Attributes that the sender dropped.
    pub(crate) dropped: u32,
    /// Empty if not sent.
    pub(crate) schema_url: &'a str,
}

impl<'a> Resource<'a> {
    /// The value of an attribute.
    pub(crate) fn attribute(&self, key: &str) -> Option<&KeyValue<'a>> {
        self.attributes.iter().find(|attribute| attribute.key == key)
    }
}

/// What a signal makes of an envelope. A rejected resource or scope has all its records counted
/// and rejected, without further calls for them.
pub(crate) trait Records<'a> {
    /// A resource begins.
    fn begin_resource(&mut self, resource: &Resource<'a>) -> Result<(), Failure>;
    /// A scope of the resource begins.
    fn begin_scope(&mut self, scope: &Scope<'a>) -> Result<(), Failure>;
    /// A record of the scope. Tells `tally` of the records received and rejected; what it returns
    /// fails the request.
    fn record(&mut self, message: &'a [u8], tally: &mut Tally) -> Result<(), Error>;
    /// The resource ends; not called if it was rejected.
    fn end_resource(&mut self, tally: &mut Tally) -> Result<(), Error>;
    /// How many records, as the sender counts them, a message passed to [`Self::record`] holds.
    fn count(message: &'a [u8]) -> Result<u64, Malformed>;
}

/// Walks a request.
pub(crate) fn walk<'a, R: Records<'a>>(
    request: &'a [u8],
    limits: &Limits,
    records: &mut R,
    tally: &mut Tally,
) -> Result<(), Error> {
    let mut fields = Fields::new(request);
    while let Some((field, value)) = fields.next()? {
        if field == 1 {
            walk_resource(value.bytes()?, limits, records, tally)?;
        }
    }
    Ok(())
}

fn walk_resource<'a, R: Records<'a>>(
    message: &'a [u8],
    limits: &Limits,
    records: &mut R,
    tally: &mut Tally,
) -> Result<(), Error> {
    let begun = read_resource(message, limits).and_then(|resource| {
        let parts = 1 + resource.attributes.len();
        tally.make_rows(parts, SHARED_PART_BYTES)?;
        records.begin_resource(&resource)?;
        Ok(parts)
    });
    let parts = match begun {
        Ok(parts) => parts,
        Err(failure) => {
            let count = sum_of(message, |scope| sum_of(scope, R::count))?;
            return tally.reject(failure, count);
        }
    };
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        if field == 2 {
            walk_scope(value.bytes()?, parts, limits, records, tally)?;
        }
    }
    records.end_resource(tally)
}

/// `resource_parts` is what the scope takes again of its resource: a stream is both.
fn walk_scope<'a, R: Records<'a>>(
    message: &'a [u8],
    resource_parts: usize,
    limits: &Limits,
    records: &mut R,
    tally: &mut Tally,
) -> Result<(), Error> {
    let begun = read_scope(message, limits).and_then(|scope| {
        tally.make_rows(resource_parts + scope.attributes.len(), SHARED_PART_BYTES)?;
        records.begin_scope(&scope)
    });
    if let Err(failure) = begun {
        return tally.reject(failure, sum_of(message, R::count)?);
    }
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        if field == 2 {
            records.record(value.bytes()?, tally)?;
        }
    }
    Ok(())
}

/// The sum over all messages of field 2.
fn sum_of<'a>(
    message: &'a [u8],
    count: impl Fn(&'a [u8]) -> Result<u64, Malformed>,
) -> Result<u64, Malformed> {
    let mut fields = Fields::new(message);
    let mut sum = 0;
    while let Some((field, value)) = fields.next()? {
        if field == 2 {
            sum += count(value.bytes()?)?;
        }
    }
    Ok(sum)
}

fn read_resource<'a>(message: &'a [u8], limits: &Limits) -> Result<Resource<'a>, Failure> {
    let mut resource = Resource::default();
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => {
                let mut inner = Fields::new(value.bytes()?);
                while let Some((field, value)) = inner.next()? {
                    match field {
                        1 => attributes::push(&mut resource.attributes, value.bytes()?, limits)?,
                        2 => resource.dropped = value.uint32()?,
                        _ => {}
                    }
                }
            }
            3 => resource.schema_url = utf8(value.bytes()?, "a resource's schema URL")?,
            _ => {}
        }
    }
    attributes::dedup(&mut resource.attributes);
    Ok(resource)
}

fn read_scope<'a>(message: &'a [u8], limits: &Limits) -> Result<Scope<'a>, Failure> {
    let mut scope = Scope::default();
    let mut fields = Fields::new(message);
    while let Some((field, value)) = fields.next()? {
        match field {
            1 => {
                let mut inner = Fields::new(value.bytes()?);
                while let Some((field, value)) = inner.next()? {
                    match field {
                        1 => scope.name = utf8(value.bytes()?, "a scope's name")?,
                        2 => scope.version = utf8(value.bytes()?, "a scope's version")?,
                        3 => attributes::push(&mut scope.attributes, value.bytes()?, limits)?,
                        4 => scope.dropped = value.uint32()?,
                        _ => {}
                    }
                }
            }
            3 => scope.schema_url = utf8(value.bytes()?, "a scope's schema URL")?,
            _ => {}
        }
    }
    attributes::dedup(&mut scope.attributes);
    Ok(scope)
}
