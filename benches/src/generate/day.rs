//! Samples of a whole day whose motions are known, so that bytes a sample can be compared: of ten
//! series seven count things (Poisson), two count seconds in hundredths, one is a gauge.

use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, Sum, metric, number_data_point,
};
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::metrics::{HOST_SERIES, HOSTS, STEP_NS, request};
use super::otlp::text;
use super::{Load, SECOND_NS};

/// Scrapes of a day.
const STEPS_MAX: u64 = 86_400 * SECOND_NS / STEP_NS;

/// Series of a metric on one host.
const FAMILY_SERIES: u64 = 10;

/// A series, with its last value in the unit that it moves in.
#[derive(Clone, Copy, Debug)]
enum Series {
    /// A counter of whole things: its mean increment a step.
    Count { total: u64, mean: f64 },
    /// A counter of seconds: hundredths, of which some part of the 1,500 of a step pass.
    Seconds { hundredths: u64, mean: f64 },
    /// A gauge that walks about, in tenths.
    Gauge { tenths: i64 },
}

/// What counters tell beside their values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Starts {
    /// Nothing, as scrapes.
    None,
    /// When their process started, as SDKs.
    Process,
    /// Values are differences, each with the time of the one before.
    Delta,
}

/// About `rows` samples, every 15 s up to `end_ns`.
pub(super) fn generate(
    rows: u64,
    seed: u64,
    end_ns: u64,
    starts: Starts,
) -> impl Iterator<Item = Load> + Send {
    let mut rng = StdRng::seed_from_u64(seed);
    let first = |rng: &mut StdRng, number| match number / FAMILY_SERIES % 10 {
        0..7 => {
            // From one in a minute to twenty a second, evenly in orders of magnitude.
            let mean = 0.25 * 1_200_f64.powf(rng.random());
            Series::Count { total: rng.random_range(0..10_000_000), mean }
        }
        7..9 => {
            let mean = 1_500.0 * rng.random::<f64>().powi(3);
            Series::Seconds { hundredths: rng.random_range(0..90_000_000), mean }
        }
        _ => Series::Gauge { tenths: rng.random_range(200..9_000) },
    };
    let mut hosts: Vec<Vec<Series>> = (0..HOSTS)
        .map(|_| (0..HOST_SERIES).map(|number| first(&mut rng, number)).collect())
        .collect();
    // When the hosts' processes started, or told last.
    let mut told: Vec<u64> =
        (0..HOSTS).map(|host| end_ns - (7_000 + host) * 60 * SECOND_NS).collect();
    let mut last = vec![vec![0.0; HOST_SERIES as usize]; HOSTS as usize];
    let steps = rows.div_ceil(HOSTS * HOST_SERIES).min(STEPS_MAX);
    (0..steps).flat_map(move |step| {
        let time_ns = end_ns - (steps - 1 - step) * STEP_NS;
        let scrape = |(number, host): (u32, &mut Vec<Series>)| {
            let late_ms = if rng.random_ratio(3, 100) { rng.random_range(3..=10) } else { 0 };
            let time_ns = time_ns + late_ms * 1_000_000;
            let mut values: Vec<f64> =
                host.iter_mut().map(|series| series.step(&mut rng)).collect();
            let at = number as usize;
            let start_ns = if starts == Starts::None { 0 } else { told[at] };
            if starts == Starts::Delta {
                told[at] = time_ns;
                for ((value, last), series) in values.iter_mut().zip(&mut last[at]).zip(&*host) {
                    let total = std::mem::replace(last, *value);
                    *value -= if matches!(series, Series::Gauge { .. }) { 0.0 } else { total };
                }
            }
            let times = Times { time_ns, start_ns, is_delta: starts == Starts::Delta };
            let body = request(number, metrics(&values, times)).encode_to_vec().into();
            Load { time_ns, rows: HOST_SERIES, body }
        };
        (0..).zip(&mut hosts).map(scrape).collect::<Vec<_>>()
    })
}

/// What the points of a scrape share.
#[derive(Clone, Copy, Debug)]
struct Times {
    time_ns: u64,
    /// 0 if it is not told.
    start_ns: u64,
    is_delta: bool,
}

/// The families of a host: ten series each.
fn metrics(values: &[f64], times: Times) -> Vec<Metric> {
    let family = |(number, values): (u64, &[f64])| {
        let point = |(series, value): (u64, &f64)| NumberDataPoint {
            attributes: vec![text("device", format!("device-{series}"))],
            time_unix_nano: times.time_ns,
            start_time_unix_nano: if number % 10 == 9 { 0 } else { times.start_ns },
            value: Some(number_data_point::Value::AsDouble(*value)),
            ..NumberDataPoint::default()
        };
        let data_points = (0..).zip(values).map(point).collect();
        let (name, data) = match number % 10 {
            0..7 => (format!("day_things_{number}_total"), sum(data_points, times)),
            7..9 => (format!("day_busy_{number}_seconds_total"), sum(data_points, times)),
            _ => (format!("day_level_{number}"), metric::Data::Gauge(Gauge { data_points })),
        };
        Metric { name, data: Some(data), ..Metric::default() }
    };
    let chunk = usize::try_from(FAMILY_SERIES).unwrap_or(usize::MAX);
    (0..).zip(values.chunks(chunk)).map(family).collect()
}

fn sum(data_points: Vec<NumberDataPoint>, times: Times) -> metric::Data {
    let aggregation_temporality = if times.is_delta { 1 } else { 2 };
    metric::Data::Sum(Sum { data_points, aggregation_temporality, is_monotonic: true })
}

impl Series {
    /// Moves on by a step; the value as it is told.
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    fn step(&mut self, rng: &mut StdRng) -> f64 {
        match self {
            Self::Count { total, mean } => {
                *total += poisson(rng, *mean);
                *total as f64
            }
            Self::Seconds { hundredths, mean } => {
                *hundredths += poisson(rng, *mean);
                *hundredths as f64 / 100.0
            }
            Self::Gauge { tenths } => {
                *tenths = (*tenths + rng.random_range(-15..=15)).clamp(0, 10_000);
                *tenths as f64 / 10.0
            }
        }
    }
}

/// A Poisson number: by multiplied chances where few are expected, by the normal distribution
/// where many are.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative and far below 2^53"
)]
fn poisson(rng: &mut StdRng, mean: f64) -> u64 {
    if mean < 30.0 {
        let (limit, mut product, mut count) = ((-mean).exp(), rng.random::<f64>(), 0);
        while product > limit {
            product *= rng.random::<f64>();
            count += 1;
        }
        return count;
    }
    // Box and Muller.
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.random::<f64>()).cos();
    (mean + mean.sqrt() * normal).round().max(0.0) as u64
}
