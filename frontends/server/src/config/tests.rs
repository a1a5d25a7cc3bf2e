//! Tests of the configuration: sources, their precedence, mistakes, and printing.

use std::time::Duration;

use super::keys;
use super::*;

fn settings(file: &str, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, Error> {
    let mut settings = Settings::defaults();
    settings.merge_file(Path::new("siglake.toml"), file)?;
    settings.merge_environment(env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())))?;
    settings.merge_flags(flags.iter().copied())?;
    Ok(settings)
}

fn message(result: Result<Settings, Error>) -> String {
    result.expect_err("must be refused").to_string()
}

#[test]
fn defaults_are_those_of_the_crates_they_configure() {
    let config = Config::new(&Settings::defaults());
    let store = storage::StoreOptions::new("./data");
    let limits = exec::Limits::default();
    assert_eq!(config.storage.data_dir, store.data_dir);
    assert_eq!(config.storage.durability, store.durability);
    assert_eq!(config.storage.memtable_bytes_max, store.memtable_bytes_max);
    assert_eq!(config.storage.flush_interval, store.flush_interval);
    assert_eq!(config.storage.flush_tenants_min, store.flush_tenants_min);
    assert_eq!(config.storage.flush_tenant_bytes_min, store.flush_tenant_bytes_min);
    assert_eq!(config.storage.flush_tenant_age_max, store.flush_tenant_age_max);
    assert_eq!(config.storage.buffered_bytes_max, store.buffered_bytes_max);
    assert_eq!(config.storage.replayed_bytes_max, store.replayed_bytes_max);
    assert_eq!(config.storage.wal_segment_bytes, store.wal_segment_bytes);
    assert_eq!(config.storage.row_group_rows, store.row_group_rows);
    assert_eq!(config.storage.compaction, store.compaction);
    assert_eq!(config.storage.promotion, store.promotion);
    assert_eq!(config.storage.lake_dir, store.lake_dir);
    assert_eq!(config.storage.catalog, store.catalog);
    assert_eq!(config.limits.memory_bytes_max, limits.memory_bytes_max);
    assert_eq!(config.limits.samples_max, limits.samples_max);
    assert_eq!(config.limits.samples_cache_bytes_max, limits.samples_cache_bytes_max);
    assert_eq!(config.limits.series_max, limits.series_max);
    assert_eq!(config.limits.steps_max, limits.steps_max);
    assert_eq!(config.limits.timeout, limits.timeout);
    assert_eq!(config.limits.concurrency_max, limits.concurrency_max);
    assert_eq!(config.limits.depth_max, limits.depth_max);
    assert_eq!(config.limits.spill_bytes_max, limits.spill_bytes_max);
    assert_eq!(config.limits.queue_max, limits.queue_max);
    assert_eq!(config.limits.queue_timeout, limits.queue_timeout);
    assert_eq!(config.storage.budget.stats(), store.budget.stats());
    assert!(config.s3.is_none());
    let api = api::ApiOptions::default();
    assert_eq!(format!("{:?}", config.api), format!("{api:?}"));
    assert_eq!(config.ingest.limits, ingest::Limits::default());
    assert!(!config.ingest.multi_tenancy && !config.multi_tenancy);
}

#[test]
fn a_later_source_wins() {
    let file = "listen = \"1.1.1.1:1\"\n[storage]\nflush_interval = 30\nmemtable_bytes = \"1MiB\"";
    let env = [("SIGLAKE_LISTEN", "2.2.2.2:2"), ("SIGLAKE_STORAGE__S3__BUCKET", "lake")];
    let config = Config::new(&settings(file, &env, &[("listen", "3.3.3.3:3")]).unwrap());
    assert_eq!(config.listen, "3.3.3.3:3");
    assert_eq!(config.storage.flush_interval, Duration::from_secs(30));
    assert_eq!(config.storage.memtable_bytes_max, 1 << 20);
    assert_eq!(config.s3.unwrap().bucket, "lake");

    let config = Config::new(&settings(file, &env, &[]).unwrap());
    assert_eq!(config.listen, "2.2.2.2:2");
    let config = Config::new(&settings(file, &[], &[]).unwrap());
    assert_eq!(config.listen, "1.1.1.1:1");
}

#[test]
fn unknown_keys_are_refused_with_a_suggestion() {
    let message = message(settings("[storage]\nflush_intervall = 1", &[], &[]));
    assert!(message.contains("`storage.flush_intervall`"), "{message}");
    assert!(message.contains("did you mean `storage.flush_interval`?"), "{message}");
}

#[test]
fn a_key_in_the_wrong_table_is_found() {
    let message = message(settings("flush_interval = 1", &[], &[]));
    assert!(message.contains("did you mean `storage.flush_interval`?"), "{message}");
}

#[test]
fn unknown_tables_are_refused() {
    let message = message(settings("[storag]\nflush_interval = 1", &[], &[]));
    assert!(message.contains("`storag`"), "{message}");
}

#[test]
fn unknown_variables_are_refused_and_others_are_left_alone() {
    let text = message(settings("", &[("SIGLAKE_LISTN", "x")], &[]));
    assert!(text.contains("did you mean SIGLAKE_LISTEN?"), "{text}");
    let others = [("SIGLAKE_CONFIG", "x"), ("PATH", "/bin"), ("SIGLAKE_SERVICE_HOST", "10.0.0.1")];
    assert!(settings("", &others, &[]).is_ok());
    assert!(settings("", &[("SIGLAKE_PORT_7400_TCP_PORT", "7400")], &[]).is_ok());
}

#[test]
fn wrong_values_name_the_key_and_the_source() {
    let text = message(settings("[storage]\nmemtable_bytes = \"big\"", &[], &[]));
    assert!(text.contains("`storage.memtable_bytes` (configuration file)"), "{text}");
    let text = message(settings("", &[("SIGLAKE_LOG__FORMAT", "xml")], &[]));
    assert!(text.contains("SIGLAKE_LOG__FORMAT") && text.contains("text, json"), "{text}");
    let text = message(settings("http = 3", &[], &[]));
    assert!(text.contains("`http`"), "{text}");
    let text = message(settings("[http]\nconnections_max = -1", &[], &[]));
    assert!(text.contains("`-1` is not a whole number"), "{text}");
}

#[test]
fn the_memory_budget_is_bytes_or_a_part_of_the_machine() {
    let file = "[memory]\nbudget = \"1GiB\"\nquery = \"10%\"";
    let config = Config::new(&settings(file, &[], &[]).unwrap());
    assert_eq!(config.storage.budget.bytes_max(), 1 << 30);
    assert_eq!(config.storage.budget.cap(Use::Query), (1 << 30) / 100 * 10);
    let config = Config::new(&settings("[memory]\nbudget = \"50%\"", &[], &[]).unwrap());
    assert_eq!(config.storage.budget.bytes_max(), Machine::detect().percent(50));
    for wrong in ["0%", "101%", "many", "3.5%"] {
        let text = message(settings(&format!("[memory]\nbudget = \"{wrong}\""), &[], &[]));
        assert!(text.contains("`memory.budget`"), "{text}");
    }
}

#[test]
fn what_is_printed_reads_back_as_the_same() {
    let env = [("SIGLAKE_QUERY__TIMEOUT", "90s")];
    let before = settings("data = 'C:\\lake'", &env, &[("log.format", "json")]).unwrap();
    let text = to_toml(&before);
    let after = settings(&text, &[], &[]).unwrap();
    for ((key, old, _), (_, new, _)) in before.iter().zip(after.iter()) {
        assert_eq!(old, new, "{}", key.path);
    }
    for key in keys::all() {
        let (_, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        assert!(text.contains(&format!("\n{name} = ")), "{}", key.path);
    }
    assert!(text.contains("set by environment variable SIGLAKE_QUERY__TIMEOUT"));
}

#[test]
fn secrets_are_not_printed() {
    let flags = [("storage.s3.bucket", "b"), ("storage.s3.access_key_id", "id")];
    let mut settings = settings("", &[], &flags).unwrap();
    settings.merge_flags([("storage.s3.secret_access_key", "hush")]).unwrap();
    assert!(!to_toml(&settings).contains("hush"));
    assert!(!format!("{:?}", Config::new(&settings)).contains("hush"));
}

#[test]
fn keys_of_a_table_stand_together() {
    let mut seen: Vec<&str> = Vec::new();
    for key in keys::all() {
        let table = key.path.rsplit_once('.').map_or("", |(table, _)| table);
        if seen.last() != Some(&table) {
            assert!(!seen.contains(&table), "{table} is split");
            seen.push(table);
        }
    }
}
