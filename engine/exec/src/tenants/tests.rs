//! So many at once, so many that wait, and no longer ranges than allowed.

use schemas::model::StepGrid;

use super::*;

fn tenants(of_a: TenantLimits) -> Tenants {
    let tenants = Tenants::default();
    let overrides = [("a".to_owned(), of_a)].into();
    tenants.set(LimitsOfTenants { overrides, ..LimitsOfTenants::default() });
    tenants
}

fn soon() -> Instant {
    Instant::now() + Duration::from_millis(20)
}

#[tokio::test]
async fn a_tenant_runs_so_many_queries_at_once() {
    let tenants = tenants(TenantLimits { queries_max: 2, queue_max: 1, ..Default::default() });
    let first = tenants.enter("a", soon()).await.unwrap();
    let _second = tenants.enter("a", soon()).await.unwrap();
    let error = tenants.enter("a", soon()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooMany);
    assert!(error.to_string().contains("too many outstanding requests"), "{error}");
    assert!(tenants.enter("b", soon()).await.unwrap().is_none());
    // One may wait; the next is refused at once.
    let later = Instant::now() + Duration::from_secs(60);
    let waits = tenants.enter("a", later);
    tokio::pin!(waits);
    assert!(futures::poll!(&mut waits).is_pending());
    assert_eq!(tenants.enter("a", later).await.unwrap_err().kind(), ErrorKind::TooMany);
    drop(first);
    let third = waits.await.unwrap();
    assert!(third.is_some());
    tenants.set(LimitsOfTenants::default());
    assert!(tenants.enter("a", soon()).await.unwrap().is_none());
}

#[test]
fn long_ranges_are_refused_in_the_words_of_each() {
    let tenants =
        tenants(TenantLimits { range_max: Duration::from_secs(3_600), ..TenantLimits::default() });
    let query = |seconds: i64| {
        let grid = StepGrid::new(0, seconds * 1_000_000_000, 1_000_000_000);
        Query::new(Node::Time, Some(grid))
    };
    assert!(tenants.check("a", &query(3_600)).is_ok());
    assert!(tenants.check("b", &query(90_000)).is_ok());
    assert_eq!(
        tenants.check("a", &query(90_000)).unwrap_err().to_string(),
        "the query time range exceeds the limit (query length: 1d1h, limit: 1h)"
    );
    assert_eq!(in_words(Duration::from_secs(168 * 3_600), true), "168h0m0s");
    assert_eq!(in_words(Duration::from_secs(61), true), "1m1s");
}

#[test]
fn own_limits_only_tighten_those_of_all() {
    let own = TenantLimits {
        samples_max: 5,
        series_max: usize::MAX,
        timeout: Duration::from_secs(1),
        ..TenantLimits::default()
    };
    let tenants = tenants(own);
    let all = Limits::default();
    let (of_a, of_b) = (tenants.within("a", &all), tenants.within("b", &all));
    assert_eq!((of_a.samples_max, of_a.series_max), (5, all.series_max));
    assert_eq!(of_a.timeout, Duration::from_secs(1));
    assert_eq!((of_b.samples_max, of_b.timeout), (all.samples_max, all.timeout));
}
