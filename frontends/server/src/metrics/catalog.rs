//! What the logs of the tables say and cost.

use schemas::tables::Table;
use storage::CatalogStats;

use super::text::{Kind, Writer};

pub(super) fn catalog(out: &mut Writer, stats: &CatalogStats) {
    let name = "siglake_catalog_version";
    out.family(name, Kind::Gauge, "Number of the newest commit of each table known here.");
    for (table, version) in Table::ALL.iter().zip(stats.versions) {
        out.sample(name, &[("table", table.name())], version as f64);
    }
    let name = "siglake_catalog_commit_seconds";
    out.family(name, Kind::Histogram, "Time that commits to the tables' logs take.");
    let mut sum = 0;
    for (bound_ms, commits) in stats.commit_times {
        sum += commits;
        let bound = match bound_ms {
            u64::MAX => "+Inf".to_owned(),
            bound_ms => (bound_ms as f64 / 1e3).to_string(),
        };
        out.sample(&format!("{name}_bucket"), &[("le", &bound)], sum as f64);
    }
    out.sample(&format!("{name}_sum"), &[], stats.commit_ns as f64 / 1e9);
    out.sample(&format!("{name}_count"), &[], stats.commits as f64);
    let help = "Changes refused because what they replace was gone.";
    out.counter("siglake_catalog_conflicts_total", help, stats.conflicts as f64);
    let help = "Commits of other processes taken in.";
    out.counter("siglake_catalog_foreign_commits_total", help, stats.others as f64);
    let help = "Checkpoints written.";
    out.counter("siglake_catalog_checkpoints_total", help, stats.checkpoints as f64);
    let help = "Time spent in writing checkpoints.";
    let seconds = stats.checkpoint_ns as f64 / 1e9;
    out.counter("siglake_catalog_checkpoint_seconds_total", help, seconds);
    let help = "Attempts to follow the logs or to keep them short that failed.";
    out.counter("siglake_catalog_errors_total", help, stats.errors as f64);
}
