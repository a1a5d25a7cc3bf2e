//! All telemetry of one second of the shop.

use rand::Rng;

use super::instruments::{ACTIVE_REQUESTS, CONNECTIONS, CPU, MEMORY, QUEUE_DEPTH};
use super::meters::{Instrument, Measurement};
use super::otlp::{SECOND_NS, text};
use super::shop::{Place, Service};
use super::story::{Recorded, Story};
use super::traffic::{self, conditions, normal, phase, rng_of};
use super::{notification, request};

/// Requests that one second has at most, whatever chance says.
const REQUESTS_MAX: u32 = 400;

/// Records what happens in `second`, counted from 1970. The same seed, rate and second give the
/// same telemetry.
pub(super) fn second(seed: u64, rate: f64, second: u64) -> Recorded {
    let now = conditions(seed, rate, second);
    let mut rng = rng_of(seed, second);
    let mut recorded = Recorded::default();
    let requests = traffic::count_of(now.requests, &mut rng).min(REQUESTS_MAX);
    for _ in 0..requests {
        let start_ns = second * SECOND_NS + rng.random_range(0..SECOND_NS);
        let mut story = Story::new(&mut rng, &mut recorded);
        let message = request::record(&mut story, now, start_ns);
        if let Some(message) = message {
            let mut story = Story::new(&mut rng, &mut recorded);
            notification::record(&mut story, now, &message);
        }
    }
    recorded
}

/// What the processes show when they are looked at in `second`.
pub(super) fn observe(seed: u64, rate: f64, second: u64) -> Vec<Measurement> {
    let now = conditions(seed, rate, second);
    let mut rng = rng_of(seed ^ 0x0B5E_12FE, second);
    let mut measurements = Vec::new();
    let mut take = |place, instrument: &'static Instrument, value, attributes| {
        measurements.push(Measurement {
            place,
            instrument,
            time_ns: second * SECOND_NS,
            value,
            attributes,
            span: None,
        });
    };
    let busy = now.requests / rate;
    for place in Place::all() {
        // A slow saw tooth: memory grows until the collector runs.
        let tooth = (second + 97 * u64::from(place.instance)) % 600;
        let memory = 9e7 + 4e7 * busy + 9e4 * tooth as f64 + 2e6 * normal(&mut rng);
        take(place, &MEMORY, memory.max(1e7).round(), Vec::new());
        let cpu = 0.08 + 0.35 * busy + 0.02 * normal(&mut rng);
        take(place, &CPU, cpu.clamp(0.01, 1.0), Vec::new());
        let active = (now.requests * 0.08 * now.database_slowness * rng.random::<f64>()).round();
        take(place, &ACTIVE_REQUESTS, active, vec![text("http.request.method", "GET")]);
        if matches!(place.service, Service::User | Service::Order) {
            let used = (4.0 * now.database_slowness * busy + rng.random::<f64>()).round();
            let used = used.min(20.0);
            for (state, value) in [("used", used), ("idle", 20.0 - used)] {
                take(place, &CONNECTIONS, value, vec![text("db.client.connection.state", state)]);
            }
        }
        if place.service == Service::Notification {
            let wave = 6.0 + 5.0 * phase(second, 900).sin() + normal(&mut rng);
            let queue = vec![text("messaging.destination.name", "order-events")];
            take(place, &QUEUE_DEPTH, wave.max(0.0).round(), queue);
        }
    }
    measurements
}
