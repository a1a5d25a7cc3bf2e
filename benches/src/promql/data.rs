//! What is loaded: series as of a fleet of services, and those of Prometheus' own benchmark.
//!
//! | share | metric | values |
//! |---|---|---|
//! | 70 % | `http_requests_total{job, instance, method, status}` | integer counters with resets |
//! | 10 % | `node_load{job, instance}` | gauges of two decimals |
//! | 10 % | `request_duration_seconds_bucket{instance, le}` | ten buckets an instance |
//! | 10 % | `a_one b_one a_hundred b_hundred h_one h_hundred sparse` | step + i / 1443, as there |
//!
//! Every value is a function of (seed, series, step), so that each system gets the same.

use std::hash::{BuildHasher, Hasher};

/// Distance of two samples, in milliseconds.
pub(super) const INTERVAL_MS: i64 = 15_000;

/// Series of Prometheus' benchmark, by which its values are divided.
const BENCH_SERIES: f64 = 1443.0;
/// Bounds of the classic histograms.
const BOUNDS: [&str; 10] =
    ["0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "+Inf"];
/// Bounds of the histograms of Prometheus' benchmark.
const BENCH_BOUNDS: usize = 11;
const STATUSES: [&str; 5] = ["200", "201", "400", "404", "500"];
const METHODS: [&str; 2] = ["GET", "POST"];

/// One series.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// Name and value, sorted by name.
    pub(super) labels: Vec<(String, String)>,
    kind: Kind,
    number: u64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Increments of up to this; a reset about every 2,000 steps.
    Counter {
        increment_max: u64,
    },
    Gauge,
    /// The place of a bucket among those of its histogram.
    Bucket {
        place: u64,
    },
    /// `step + number / 1443`.
    Ramp,
    /// A ramp in one of fifty stretches only.
    Sparse {
        stretch: u64,
    },
}

/// About as many series as asked for.
pub(super) fn series(count: usize) -> Vec<Series> {
    let mut all = Vec::with_capacity(count);
    let counters = count * 7 / 10;
    for number in 0..counters {
        let instance = number / (STATUSES.len() * METHODS.len());
        let labels = [
            ("instance", format!("host-{instance}:9100")),
            ("job", format!("job-{}", instance % 20)),
            ("method", METHODS[number % METHODS.len()].to_owned()),
            ("status", STATUSES[number / METHODS.len() % STATUSES.len()].to_owned()),
        ];
        let increment_max = 1 << (number % 11);
        push(&mut all, "http_requests_total", labels, Kind::Counter { increment_max });
    }
    for number in 0..count / 10 {
        let labels =
            [("instance", format!("host-{number}:9100")), ("job", format!("job-{}", number % 20))];
        push(&mut all, "node_load", labels, Kind::Gauge);
    }
    for number in 0..count / 10 {
        let labels = [
            ("instance", format!("host-{}:9100", number / BOUNDS.len())),
            ("le", BOUNDS[number % BOUNDS.len()].to_owned()),
        ];
        let kind = Kind::Bucket { place: (number % BOUNDS.len()) as u64 };
        push(&mut all, "request_duration_seconds_bucket", labels, kind);
    }
    let rest = count.saturating_sub(all.len());
    bench(&mut all, rest);
    all
}

/// The series of Prometheus' benchmark: as many histograms as there is room for.
fn bench(all: &mut Vec<Series>, room: usize) {
    push(all, "a_one", [], Kind::Ramp);
    push(all, "b_one", [], Kind::Ramp);
    for number in 0..100 {
        push(all, "a_hundred", [("l", number.to_string())], Kind::Ramp);
        push(all, "b_hundred", [("l", number.to_string())], Kind::Ramp);
    }
    let le = |place: usize| match place {
        10 => "+Inf".to_owned(),
        place => place.to_string(),
    };
    for place in 0..BENCH_BOUNDS {
        push(all, "h_one", [("le", le(place))], Kind::Ramp);
    }
    for stretch in 0..10 {
        push(all, "sparse", [("l", stretch.to_string())], Kind::Sparse { stretch: stretch * 5 });
    }
    for number in 0..room.saturating_sub(223) / BENCH_BOUNDS {
        for place in 0..BENCH_BOUNDS {
            let labels = [("l", number.to_string()), ("le", le(place))];
            push(all, "h_hundred", labels, Kind::Ramp);
        }
    }
}

fn push<const N: usize>(
    all: &mut Vec<Series>,
    name: &str,
    labels: [(&str, String); N],
    kind: Kind,
) {
    let mut labels: Vec<(String, String)> =
        labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    labels.insert(0, ("__name__".to_owned(), name.to_owned()));
    let number = all.len() as u64;
    all.push(Series { labels, kind, number });
}

/// Where a series stands; values are asked for in order of steps.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    total: f64,
}

impl Series {
    /// The value at a step of `steps`, if there is one.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    pub(super) fn value(&self, state: &mut State, step: u64, steps: u64, seed: u64) -> Option<f64> {
        let random = random(seed, self.number, step);
        match self.kind {
            Kind::Counter { increment_max } => {
                if random.is_multiple_of(2003) {
                    state.total = 0.0;
                }
                state.total += (random / 2003 % (increment_max + 1)) as f64;
                Some(state.total)
            }
            Kind::Gauge => Some((random % 2000) as f64 / 100.0),
            Kind::Bucket { place } => {
                // The same step of all buckets of a histogram grows by the same draw.
                let draw = self::random(seed, self.number - place, step);
                state.total += (draw % 7 * (place + 1)) as f64;
                Some(state.total)
            }
            Kind::Ramp => Some(step as f64 + (self.number % 1443) as f64 / BENCH_SERIES),
            Kind::Sparse { stretch } => {
                let length = (steps / 50).max(1);
                (step / length == stretch).then(|| step as f64 + self.number as f64 / BENCH_SERIES)
            }
        }
    }
}

fn random(seed: u64, series: u64, step: u64) -> u64 {
    let mut hasher = std::hash::BuildHasherDefault::<Mixer>::default().build_hasher();
    hasher.write_u64(seed);
    hasher.write_u64(series);
    hasher.write_u64(step);
    hasher.finish()
}

/// SplitMix64 over what is written.
#[derive(Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        let mut mixed = self.0.wrapping_add(number).wrapping_add(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        self.0 = mixed ^ (mixed >> 31);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
