//! A request's way from its body to the acknowledgement.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use schemas::model::{Signal, TimestampNs, check_tenant, tenant_of};
use storage::{Appended, Frame, Identity, LabelIndex, Store, Write};

use crate::admit::{Budget, Reason, Rejection, Rejections, Reservation};
use crate::body::{self, Compression, Encoding, Format};
use crate::decode::{self, Context, Decoded, Written};
use crate::error::{Error, ErrorKind};
use crate::identity;
use crate::known::KnownSeries;
use crate::limits::{INLINE_BYTES_MAX, INLINE_COMPRESSED_BYTES_MAX, Limits};
use crate::stats::{Counted, Counters, IngestStats};
use crate::tenants::{Load, TenantLimits, Tenants};

/// The tenant of all requests when multi-tenancy is off.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// Options of ingest.
#[derive(Clone, Debug)]
pub struct IngestOptions {
    /// Whether `X-Scope-OrgID` names the tenant; every request must then have it. If off, the
    /// header is ignored and all data belong to the tenant `default`.
    pub multi_tenancy: bool,
    /// Limits of requests and records.
    pub limits: Limits,
    /// Limits of each tenant.
    pub tenant_limits: TenantLimits,
    /// Limits of tenants that have their own, by name.
    pub tenant_overrides: HashMap<String, TenantLimits>,
    /// The clock: nanoseconds since the epoch.
    pub now_ns: fn() -> TimestampNs,
}

impl Default for IngestOptions {
    fn default() -> Self {
        Self {
            multi_tenancy: false,
            limits: Limits::default(),
            tenant_limits: TenantLimits::default(),
            tenant_overrides: HashMap::new(),
            now_ns: system_now_ns,
        }
    }
}

fn system_now_ns() -> TimestampNs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

/// What became of a request that was not refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Records that were not stored and must not be sent again.
    pub rejected: u64,
    /// Why, for the sender's eyes; `None` if nothing was rejected.
    pub reason: Option<String>,
    /// What was written of a remote-write request; zero of OTLP.
    pub written: Written,
}

/// Decodes, admits and stores requests.
#[derive(Debug)]
pub struct Ingest {
    store: Arc<Store>,
    limits: Arc<Limits>,
    tenants: Arc<Tenants>,
    multi_tenancy: bool,
    now_ns: fn() -> TimestampNs,
    budget: Arc<Budget>,
    known: Arc<KnownSeries>,
    counters: Counters,
}

impl Ingest {
    /// Ingest into `store`, which must have been opened with a [`crate::Decoder`] of the same
    /// options.
    pub fn new(store: Arc<Store>, options: IngestOptions) -> Self {
        let budget = Budget::new(options.limits.inflight_bytes_max, store.budget());
        let counters = Counters::default();
        if !options.multi_tenancy {
            // Its counters are there from the start, so that what they count first is an increase.
            counters.know(DEFAULT_TENANT);
        }
        Self {
            known: Arc::new(KnownSeries::within(store.budget())),
            store,
            limits: Arc::new(options.limits),
            tenants: Arc::new(Tenants::new(options.tenant_limits, options.tenant_overrides)),
            multi_tenancy: options.multi_tenancy,
            now_ns: options.now_ns,
            budget,
            counters,
        }
    }

    /// Stores the records of a request body. When this returns `Ok`, all but the rejected records
    /// are durable.
    pub async fn ingest(
        &self,
        tenant: &str,
        signal: Signal,
        encoding: Encoding,
        body: Bytes,
    ) -> Result<Accepted, Error> {
        let mut reservation = self.budget.reservation();
        let received = reservation.grow(body.len()).map(|()| (body, reservation));
        self.ingest_received(tenant, signal, encoding, received).await
    }

    /// The same for a body that was received within a reservation, or could not be; either is
    /// counted here.
    pub(crate) async fn ingest_received(
        &self,
        tenant: &str,
        signal: Signal,
        encoding: Encoding,
        received: Result<(Bytes, Reservation), Error>,
    ) -> Result<Accepted, Error> {
        let bytes = received.as_ref().map_or(0, |(body, _)| body.len());
        let result = match received {
            Ok((body, reservation)) => {
                self.store_body(tenant, signal, encoding, body, reservation).await
            }
            Err(error) => Err(error),
        };
        match result {
            Ok(Outcome { decoded, is_duplicate }) => {
                let counted = Counted {
                    bytes,
                    received_rows: decoded.received,
                    rejections: &decoded.rejections,
                    is_duplicate,
                };
                self.counters.accepted(tenant, signal, counted);
                let reason = decoded.rejections.message();
                let rejected = decoded.rejections.count();
                Ok(Accepted { rejected, reason, written: decoded.written })
            }
            Err(error) => {
                self.counters.refused(tenant, signal, bytes, error.kind());
                Err(error)
            }
        }
    }

    /// Counts a request that was refused before its body was read.
    pub(crate) fn refused(&self, signal: Signal, kind: ErrorKind) {
        self.counters.refused("", signal, 0, kind);
    }

    /// Counters and gauges.
    pub fn stats(&self) -> IngestStats {
        self.counters.stats(self.budget.taken_bytes())
    }

    /// From now on the limits of tenants are those of these options.
    pub fn set_tenant_limits(&self, options: &IngestOptions) {
        self.tenants.set(options.tenant_limits, options.tenant_overrides.clone());
    }

    /// The limits of requests and records.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The tenant of a request with these values of `X-Scope-OrgID`; they are ignored while
    /// multi-tenancy is off.
    pub fn tenant<'a>(
        &self,
        org_ids: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<&'a str, Error> {
        if !self.multi_tenancy {
            return Ok(DEFAULT_TENANT);
        }
        Ok(tenant_of(org_ids)?)
    }

    /// Waits a few seconds at most while the machine's memory is nearly full; then that is the
    /// error.
    pub(crate) async fn wait_for_memory(&self) -> Result<(), Error> {
        Ok(self.budget.memory().wait_for_memory().await?)
    }

    /// Room for a body that is about to be received.
    pub(crate) fn reservation(&self) -> Reservation {
        self.budget.reservation()
    }

    async fn store_body(
        &self,
        tenant: &str,
        signal: Signal,
        encoding: Encoding,
        body: Bytes,
        reservation: Reservation,
    ) -> Result<Outcome, Error> {
        check_tenant(tenant)?;
        self.store.ready(tenant).await?;
        let received_ns = (self.now_ns)();
        let job = Job {
            tenant: Arc::from(tenant),
            store: Arc::clone(&self.store),
            signal,
            encoding,
            body,
            reservation,
            received_ns,
            limits: Arc::clone(&self.limits),
            tenants: Arc::clone(&self.tenants),
            memory: Arc::clone(self.budget.memory()),
            known: Arc::clone(&self.known),
            series: self.store.series(tenant),
            streams: self.store.streams(tenant),
        };
        let inline_max = match encoding.compression {
            Compression::None => INLINE_BYTES_MAX,
            Compression::Gzip | Compression::Zstd | Compression::Snappy => {
                INLINE_COMPRESSED_BYTES_MAX
            }
        };
        let is_small = job.body.len() < inline_max;
        let done = if is_small {
            decode_job(job)?
        } else {
            tokio::task::spawn_blocking(move || decode_job(job)).await.map_err(|error| {
                Error::with_source(ErrorKind::Internal, "decoding was cut off", error)
            })??
        };
        let mut decoded = match done {
            Done::Known(known) => {
                let received = u64::from(known.records);
                let decoded = Decoded { received, ..Decoded::default() };
                return Ok(Outcome { decoded, is_duplicate: true });
            }
            Done::Decoded(decoded) => decoded,
        };
        let Some(write) = decoded.write.take() else {
            return Ok(Outcome { decoded: decoded.decoded, is_duplicate: false });
        };
        let appended = self.store.append(write).await?;
        let mut decoded = decoded.decoded;
        let is_duplicate = match appended {
            Appended::Stored => false,
            Appended::Duplicate(known) => {
                reject_as_before(&mut decoded.rejections, known);
                true
            }
        };
        Ok(Outcome { decoded, is_duplicate })
    }
}

/// What became of a request that was not refused.
struct Outcome {
    decoded: Decoded,
    /// Whether its records had been stored before.
    is_duplicate: bool,
}

/// Tells of a request that was stored before what it was told then: time has gone on, and another
/// number of records may be within the bounds now.
fn reject_as_before(rejections: &mut Rejections, known: Identity) {
    let rejected = u64::from(known.rejected);
    if rejections.count() != rejected {
        *rejections = Rejections::default();
        let message = "rejected when the same request came first, of which the rest was stored";
        rejections.add(Rejection::new(Reason::RejectedBefore, message), rejected);
    }
}

/// A body that waits to be decoded, with everything that needs.
struct Job {
    tenant: Arc<str>,
    store: Arc<Store>,
    signal: Signal,
    encoding: Encoding,
    body: Bytes,
    reservation: Reservation,
    received_ns: TimestampNs,
    limits: Arc<Limits>,
    tenants: Arc<Tenants>,
    memory: Arc<storage::Budget>,
    known: Arc<KnownSeries>,
    series: Arc<LabelIndex>,
    streams: Arc<LabelIndex>,
}

/// A body that was read.
enum Done {
    /// All its records were stored before.
    Known(Identity),
    /// Its rows are to be stored, if it has any.
    Decoded(Box<DecodedBody>),
}

/// A decoded body; the reservation is held until it is stored.
struct DecodedBody {
    decoded: Decoded,
    write: Option<Write>,
    _reservation: Reservation,
    _room: Option<storage::Reservation>,
}

fn decode_job(mut job: Job) -> Result<Done, Error> {
    let bytes_max = job.limits.inflated_bytes_max;
    let (compression, format) = (job.encoding.compression, job.encoding.format);
    let grown = |bytes| job.reservation.grow(bytes);
    let inflated = body::inflate(&job.body, compression, bytes_max, grown)?;
    let frame_encoding = body::frame_encoding(job.encoding)?;
    let (message, payload) = match format {
        Format::Protobuf | Format::RemoteWrite1 | Format::RemoteWrite2 => (inflated, job.body),
        Format::Json => {
            job.reservation.grow(inflated.len())?;
            let message = Bytes::from(decode::transcode_json(job.signal, &inflated)?);
            (message.clone(), message)
        }
    };
    let hash = identity::hash(&job.tenant, job.signal, format, &message);
    let is_remote_write = matches!(format, Format::RemoteWrite1 | Format::RemoteWrite2);
    // A retry costs no more than this, but where the answer tells more than its numbers.
    if !is_remote_write
        && let Some(known) = job.store.known(hash).filter(|known| known.rejected == 0)
    {
        return Ok(Done::Known(known));
    }
    let of_tenant = job.tenants.limits(&job.tenant);
    let limits = of_tenant.over(&job.limits);
    let context = Context {
        received_ns: job.received_ns,
        limits: &limits,
        series_max: of_tenant.series_max,
        streams_max: of_tenant.streams_max,
        tenant: &job.tenant,
        known: &job.known,
        series: &job.series,
        streams: &job.streams,
        is_replay: false,
        memory: Some(&job.memory),
        rejected_before: &[],
    };
    let mut decoded = decode::decode(job.signal, format, &message, &context)?;
    let load = Load { records: decoded.received, bytes: message.len() as u64 };
    job.tenants.admit(&job.tenant, job.signal, load, Instant::now())?;
    let small = |records: u64| u32::try_from(records).unwrap_or(u32::MAX);
    let identity = Identity {
        hash,
        records: small(decoded.received),
        rejected: small(decoded.rejections.count()),
    };
    let frame = Frame {
        tenant: job.tenant,
        signal: job.signal,
        encoding: frame_encoding,
        received_ns: job.received_ns,
        payload,
        notes: std::mem::take(&mut decoded.rejected).into_notes(&limits),
        identity: (!decoded.is_untimed).then_some(identity),
    };
    let batches = std::mem::take(&mut decoded.batches);
    let write = (!batches.is_empty()).then_some(Write { frame, batches });
    let room = decoded.room.take();
    let body = DecodedBody { decoded, write, _reservation: job.reservation, _room: room };
    Ok(Done::Decoded(Box::new(body)))
}
