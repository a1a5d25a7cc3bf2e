//! Buckets fill at their rate and never beyond a burst.

use super::*;

fn tenants(limits: TenantLimits) -> Tenants {
    let own = TenantLimits { records_per_second: 1, ..limits };
    Tenants::new(limits, HashMap::from([("small".to_owned(), own)]))
}

fn load(records: u64, bytes: u64) -> Load {
    Load { records, bytes }
}

#[test]
fn a_burst_passes_and_then_the_rate() {
    let limits = TenantLimits {
        records_per_second: 10,
        burst: Duration::from_secs(2),
        ..TenantLimits::default()
    };
    let tenants = tenants(limits);
    let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
    let start = Instant::now();
    let admit = |tenant: &Arc<str>, records, after_ms| {
        let now = start + Duration::from_millis(after_ms);
        tenants.admit(tenant, Signal::Logs, load(records, 1_000_000), now).is_ok()
    };
    assert!(admit(&a, 20, 0));
    assert!(!admit(&a, 1, 0), "the burst is used up");
    assert!(admit(&b, 20, 0), "that of another tenant is not");
    assert!(admit(&a, 5, 500));
    assert!(!admit(&a, 6, 1_000), "what is refused takes nothing");
    assert!(admit(&a, 5, 1_000));
    assert!(!admit(&a, 21, 60_000), "never more than a burst");
    assert!(admit(&a, 20, 60_000));
    let small: Arc<str> = "small".into();
    assert!(!admit(&small, 3, 0));
    assert!(admit(&small, 2, 0));
    let metrics = tenants.admit(&a, Signal::Metrics, load(20, 0), start);
    assert!(metrics.is_ok(), "each signal has its own");
}

#[test]
fn refusals_are_worded_as_clients_know_them() {
    let limits = TenantLimits { bytes_per_second: 5, ..TenantLimits::default() };
    let tenants = tenants(limits);
    let refusal = |signal| {
        let refused = tenants.admit(&"t".into(), signal, load(3, 100), Instant::now());
        refused.unwrap_err().to_string()
    };
    assert_eq!(
        refusal(Signal::Logs),
        "Ingestion rate limit exceeded for user t (limit: 5 bytes/sec) while attempting to ingest \
         '3' lines totaling '100' bytes, reduce log volume or contact your Loki administrator to \
         see if the limit can be increased"
    );
    assert!(refusal(Signal::Traces).starts_with("RATE_LIMITED: ingestion rate limit (local: 5 "));
    let metrics = refusal(Signal::Metrics);
    assert!(metrics.contains("the tenant exceeded the ingestion rate limit, set to 5 "));
}
