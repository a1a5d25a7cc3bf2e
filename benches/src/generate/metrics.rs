//! Samples as of node exporters: few metrics with many series each, most of them counters.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::otlp::{scope, text};
use super::{Load, RANGE_NS, SECOND_NS};

/// Machines; each is scraped as a whole.
pub(super) const HOSTS: u64 = 20;

/// Series of a machine.
pub(super) const HOST_SERIES: u64 = 500;

/// Nanoseconds between two scrapes.
pub(super) const STEP_NS: u64 = 15 * SECOND_NS;

/// How the values of a metric move.
#[derive(Clone, Copy, Debug)]
enum Motion {
    /// A counter of seconds, in hundredths.
    Seconds,
    /// A counter of whole things, up to this many a step.
    Count(u32),
    /// A gauge of bytes in pages, walking about.
    Bytes,
    /// A gauge between 0 and some, in hundredths.
    Share,
    /// A gauge that never moves.
    Fixed,
}

/// A metric of one machine: its series and their last values.
#[derive(Clone, Debug)]
struct Family {
    name: String,
    motion: Motion,
    series: Vec<(Vec<KeyValue>, f64)>,
}

/// About `rows` samples, every 15 s up to `end_ns`.
pub(super) fn generate(rows: u64, seed: u64, end_ns: u64) -> Vec<Load> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut hosts: Vec<Vec<Family>> = (0..HOSTS).map(|_| families(&mut rng)).collect();
    let steps = rows.div_ceil(HOSTS * HOST_SERIES).min(RANGE_NS / STEP_NS);
    let mut loads = Vec::new();
    for step in 0..steps {
        let time_ns = end_ns - (steps - 1 - step) * STEP_NS;
        for (number, host) in (0..).zip(&mut hosts) {
            let metrics: Vec<Metric> =
                host.iter_mut().map(|family| family.scrape(&mut rng, time_ns)).collect();
            let body = request(number, metrics).encode_to_vec().into();
            loads.push(Load { time_ns, rows: HOST_SERIES, body });
        }
    }
    loads
}

/// What a collector sends of one machine.
pub(super) fn request(host: u32, metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let attributes = vec![
        text("service.name", "node-exporter"),
        text("service.instance.id", format!("host-{host:02}:9100")),
        text("host.name", format!("host-{host:02}")),
    ];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope = Some(scope("prometheusreceiver"));
    let scope_metrics = vec![ScopeMetrics { scope, metrics, ..ScopeMetrics::default() }];
    let resource_metrics =
        vec![ResourceMetrics { resource, scope_metrics, ..ResourceMetrics::default() }];
    ExportMetricsServiceRequest { resource_metrics }
}

/// The 500 series of a machine.
fn families(rng: &mut StdRng) -> Vec<Family> {
    let mut families = Vec::new();
    let cpus: Vec<String> = (0..16).map(|cpu| cpu.to_string()).collect();
    let modes = ["idle", "iowait", "irq", "nice", "softirq", "steal", "system", "user"];
    let cpu_modes = cpus
        .iter()
        .flat_map(|cpu| modes.map(|mode| vec![text("cpu", cpu.as_str()), text("mode", mode)]));
    families.push(family(rng, "node_cpu_seconds_total", Motion::Seconds, cpu_modes));
    for direction in ["receive", "transmit"] {
        for (what, step_max) in [("bytes", 9_000_000), ("packets", 9_000), ("errs", 2), ("drop", 2)]
        {
            let devices = (0..8).map(|device| vec![text("device", format!("eth{device}"))]);
            let name = format!("node_network_{direction}_{what}_total");
            families.push(family(rng, &name, Motion::Count(step_max), devices));
        }
    }
    let disk = ["reads_completed", "writes_completed", "reads_merged", "writes_merged", "discards"];
    for what in disk {
        families.push(family(rng, &format!("node_disk_{what}_total"), Motion::Count(900), disks()));
    }
    for what in ["read", "write", "io", "io_weighted", "discard"] {
        let name = format!("node_disk_{what}_time_seconds_total");
        families.push(family(rng, &name, Motion::Seconds, disks()));
    }
    let filesystem = ["avail_bytes", "free_bytes", "size_bytes", "files", "files_free", "readonly"];
    for what in filesystem {
        let motion = match what {
            "size_bytes" | "files" | "readonly" => Motion::Fixed,
            _ => Motion::Bytes,
        };
        let mounts = (0..8).map(|mount| {
            let mountpoint = text("mountpoint", format!("/var/lib/volume-{mount}"));
            vec![
                text("device", format!("/dev/nvme{mount}n1p1")),
                text("fstype", "ext4"),
                mountpoint,
            ]
        });
        families.push(family(rng, &format!("node_filesystem_{what}"), motion, mounts));
    }
    for number in 0..50 {
        let name = format!("node_memory_area{number}_bytes");
        families.push(family(rng, &name, Motion::Bytes, [Vec::new()]));
    }
    for number in 0..100 {
        let name = format!("node_vmstat_event{number}_total");
        families.push(family(rng, &name, Motion::Count(5_000), [Vec::new()]));
    }
    for name in ["node_load1", "node_load5", "node_load15"] {
        families.push(family(rng, name, Motion::Share, [Vec::new()]));
    }
    for number in 0..47 {
        let name = format!("node_setting{number}_info");
        families.push(family(rng, &name, Motion::Fixed, [Vec::new()]));
    }
    families
}

fn disks() -> impl Iterator<Item = Vec<KeyValue>> {
    (0..6).map(|disk| vec![text("device", format!("nvme{disk}n1"))])
}

fn family(
    rng: &mut StdRng,
    name: &str,
    motion: Motion,
    series: impl IntoIterator<Item = Vec<KeyValue>>,
) -> Family {
    let first = |rng: &mut StdRng| match motion {
        Motion::Seconds => hundredths(rng.random_range(0..900_000_000)),
        Motion::Count(step_max) => f64::from(rng.random_range(0..step_max * 100)),
        Motion::Bytes => f64::from(rng.random_range(1_000_u32..1_000_000)) * 4096.0,
        Motion::Share => hundredths(rng.random_range(0..1_600)),
        Motion::Fixed => f64::from(rng.random_range(0_u8..3)),
    };
    let series = series.into_iter().map(|attributes| (attributes, first(rng))).collect();
    Family { name: name.to_owned(), motion, series }
}

impl Family {
    fn scrape(&mut self, rng: &mut StdRng, time_ns: u64) -> Metric {
        let mut data_points = Vec::with_capacity(self.series.len());
        for (attributes, value) in &mut self.series {
            *value = moved(rng, self.motion, *value);
            data_points.push(NumberDataPoint {
                attributes: attributes.clone(),
                time_unix_nano: time_ns,
                value: Some(number_data_point::Value::AsDouble(*value)),
                ..NumberDataPoint::default()
            });
        }
        let data = match self.motion {
            Motion::Seconds | Motion::Count(_) => metric::Data::Sum(Sum {
                data_points,
                aggregation_temporality: 2,
                is_monotonic: true,
            }),
            Motion::Bytes | Motion::Share | Motion::Fixed => {
                metric::Data::Gauge(Gauge { data_points })
            }
        };
        Metric { name: self.name.clone(), data: Some(data), ..Metric::default() }
    }
}

fn moved(rng: &mut StdRng, motion: Motion, value: f64) -> f64 {
    match motion {
        Motion::Seconds => {
            ((value * 100.0).round() + f64::from(rng.random_range(0_u32..1_500))) / 100.0
        }
        // Many counters stand still most of the time.
        Motion::Count(_) if rng.random_bool(0.3) => value,
        Motion::Count(step_max) => value + f64::from(rng.random_range(0..step_max)),
        Motion::Bytes => (value + f64::from(rng.random_range(-200_i32..200)) * 4096.0).max(0.0),
        Motion::Share => hundredths(rng.random_range(0..1_600)),
        Motion::Fixed => value,
    }
}

fn hundredths(number: u32) -> f64 {
    f64::from(number) / 100.0
}
