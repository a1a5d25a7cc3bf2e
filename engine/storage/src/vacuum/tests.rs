//! Only what is ours, old and named by nobody goes.

use super::*;

fn listed(path: &str, modified_ms: i64) -> Listed {
    Listed { path: path.to_owned(), bytes: 10, modified_ms }
}

#[test]
fn orphans_are_ours_old_and_unnamed() {
    let folder = "logs/tenant=a/date=2026-01-01";
    let path = |name: &str| format!("{folder}/{name}");
    let all = vec![
        listed(&path("0-000000000001-000000000002-abc.parquet"), 5),
        listed(&path("1-000000000003-named.parquet"), 5),
        listed(&path("2-000000000004-young.parquet"), 50),
        listed(&path("part-00000-of-spark.parquet"), 5),
        listed(&path("0-note.txt"), 5),
        listed("logs/_delta_log/00000000000000000000.json", 5),
        listed("logs/0-stray.parquet", 5),
    ];
    let named = HashSet::from([path("1-000000000003-named.parquet")]);
    let found = orphans(Table::Logs, all, &named, 10);
    let found: Vec<_> = found.into_iter().map(|it| it.path).collect();
    assert_eq!(found, [path("0-000000000001-000000000002-abc.parquet")]);
}
