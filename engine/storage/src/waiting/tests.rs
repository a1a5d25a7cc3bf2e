//! Carried rows come back as they were; who waits is decided by size, age and company.

use std::collections::BTreeMap;

use schemas::tables::Table;

use super::*;
use crate::TableBatch;
use crate::fixtures::{logs, samples};
use crate::memtable::Since;

fn tenant(at: usize) -> Arc<str> {
    Arc::from(format!("tenant-{at:04}"))
}

fn memtable(rows: &[usize], at: Instant) -> Memtable {
    let mut memtable = Memtable::default();
    for (place, count) in rows.iter().enumerate() {
        let tenant = tenant(place);
        let of_samples: Vec<_> = (0..*count as i64).map(|time| (7, time, 0.5)).collect();
        let of_logs: Vec<_> = (0..*count as i64).map(|time| (8, time, "hello")).collect();
        memtable.note(&tenant, Since { sequence: 10 + place as u64, at });
        for (table, rows) in
            [(Table::MetricSamples, samples(&of_samples)), (Table::Logs, logs(&of_logs))]
        {
            memtable.add(&tenant, &TableBatch { table, rows }, place as u64).unwrap();
        }
    }
    memtable
}

fn waits(tenants_min: usize) -> Waits {
    Waits {
        tenants_min,
        bytes_min: 100_000,
        age_max: Duration::from_secs(60),
        bytes_max: 200_000,
        wal_bytes_max: u64::MAX,
    }
}

#[test]
fn small_and_young_tenants_wait_where_there_are_many() {
    let start = Instant::now();
    let held = memtable(&[1, 1, 5_000, 1], start);
    let (many, few) = (waits(4), waits(5));
    assert!(held.held()[&tenant(2)].bytes > 100_000);
    let names = |places: &[usize]| places.iter().map(|at| tenant(*at)).collect::<HashSet<_>>();
    assert_eq!(many.waiting(&held, start), names(&[0, 1, 3]));
    assert!(many.is_due(&held, start));
    assert!(few.waiting(&held, start).is_empty());
    let late = start + Duration::from_secs(60);
    assert!(many.waiting(&held, late).is_empty());
    let small = memtable(&[1, 1, 1, 1], start);
    assert!(!many.is_due(&small, start));
    assert!(many.is_due(&small, late));
    // Together they would be too many: the smallest wait.
    let bytes = small.held()[&tenant(0)].bytes;
    let tight = Waits { bytes_max: 2 * bytes + 1, ..many };
    assert_eq!(tight.waiting(&small, start).len(), 2);
}

#[test]
fn carried_rows_come_back_as_they_were() {
    let held = memtable(&[3, 1, 40, 0], Instant::now());
    let of: HashSet<_> = [tenant(0), tenant(2)].into();
    let runs = held.runs(&of);
    let since = |tenant: &Arc<str>| held.held()[tenant].since.sequence;
    let tenants: Vec<_> = of.iter().map(|tenant| (Arc::clone(tenant), since(tenant))).collect();
    let told = Summary { settled: 9, tenants };
    let body = encode(&told, &runs).unwrap();
    assert_eq!(summary(&body), Some(told));
    let carried = decode(&body).unwrap();
    assert_eq!(carried.runs.len(), runs.len());
    let mut bytes = BTreeMap::new();
    for ((run, since_of_run), expected) in carried.runs.iter().zip(&runs) {
        assert_eq!((&run.tenant, run.seen), (&expected.tenant, expected.seen));
        assert_eq!(run.batch.table, expected.batch.table);
        assert_eq!(run.batch.rows, expected.batch.rows);
        assert_eq!(*since_of_run, since(&run.tenant));
        *bytes.entry(Arc::clone(&run.tenant)).or_insert(0) +=
            run.batch.rows.get_array_memory_size();
    }
    // What a tenant's rows take does not hold those of others.
    assert!(bytes[&tenant(0)] < bytes[&tenant(2)], "{bytes:?}");
    for cut in 0..body.len() {
        assert!(decode(&body[..cut]).is_err() || cut >= body.len(), "cut at {cut}");
    }
    assert!(encode(&Summary::default(), &[]).is_ok());
}
