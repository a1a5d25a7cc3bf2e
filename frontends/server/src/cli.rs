//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Siglake keeps metrics, logs and traces in one lake of open files and answers PromQL, LogQL,
/// TraceQL and SQL over them.
#[derive(Debug, Parser)]
#[command(name = "siglake", version, about)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take in telemetry and answer queries; needs no configuration.
    Serve(ConfigArgs),
    /// Serve, and send itself realistic telemetry of a small shop; or send it elsewhere.
    Demo(DemoArgs),
    /// Ask a running server.
    Query(QueryArgs),
    /// Print the effective configuration with its documentation.
    Config(ConfigArgs),
    /// Merge small segments into large ones until nothing is worth it; the lake must not be open.
    Compact(ConfigArgs),
    /// Look after the write-ahead log of a lake that no process has open.
    Wal {
        /// What to do.
        #[command(subcommand)]
        command: WalCommand,
    },
    /// Show the delete requests of a running server.
    Deletes(DeletesArgs),
    /// Tell what retention would take away now, of a running server.
    Retention(ServerArgs),
    /// Check every segment, log and WAL file. Exits with 1 if something is damaged, with 2 if
    /// that cannot be told.
    Verify(VerifyArgs),
    /// Copy the lake to a folder or a bucket, also while a server uses it; what an earlier backup
    /// has put there is not copied again. What is in memory only is not in it: POST /api/v1/flush
    /// first.
    Backup(BackupArgs),
    /// Copy a backup into an empty lake.
    Restore(RestoreArgs),
}

/// What `wal` does.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum WalCommand {
    /// Take a damaged file out of the log: what can be read of it stays, the rest is given up, and
    /// the file itself is kept beside it.
    SetAside {
        /// The file, as the refusal to start names it.
        file: PathBuf,
    },
}

/// Which server is asked.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServerArgs {
    /// The server.
    #[arg(long, env = "SIGLAKE_URL", default_value = "http://127.0.0.1:7400")]
    pub(crate) url: String,
    /// Tenant to ask for.
    #[arg(long, env = "SIGLAKE_TENANT")]
    pub(crate) tenant: Option<String>,
}

/// Flags of `deletes`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeletesArgs {
    /// What to show.
    #[command(subcommand)]
    pub(crate) what: DeletesWhat,
}

/// What is shown of delete requests.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum DeletesWhat {
    /// All requests of the tenant.
    List(ServerArgs),
    /// One request, with what was done for it.
    Show {
        /// Its number.
        number: u64,
        /// The server.
        #[command(flatten)]
        server: ServerArgs,
    },
}

/// Flags of `verify`.
#[derive(Clone, Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The lake's configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Verify a backup in this folder or bucket (s3://bucket/prefix) instead.
    #[arg(long, value_name = "PLACE")]
    pub(crate) backup: Option<String>,
    /// Print one JSON object a damage, and one with the sums at the end.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Flags of `backup`.
#[derive(Clone, Debug, Args)]
pub(crate) struct BackupArgs {
    /// The lake's configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Folder or bucket (s3://bucket/prefix) of the backup.
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: String,
    /// Back up the backup in this folder or bucket instead of the lake.
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: Option<String>,
}

/// Flags of `restore`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RestoreArgs {
    /// The configuration of the lake that is to be: its folder or bucket must be empty.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Folder or bucket (s3://bucket/prefix) of the backup.
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: String,
}

/// Flags of every command that reads the configuration.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "SIGLAKE_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of the data [default: ./data].
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<String>,
    /// Address of the main port [default: 127.0.0.1:7400].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Any configuration key, such as storage.flush_interval=1m; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    pub(crate) set: Vec<(String, String)>,
}

/// Flags of `demo`.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// The server's configuration.
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// Send to this server (http://host:7400) instead of serving.
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// What the telemetry is made from: the same seed makes the same telemetry.
    #[arg(long, value_name = "N", default_value_t = 7)]
    pub(crate) seed: u64,
    /// Requests per second to the shop at noon, 0.1 to 200.
    #[arg(long, value_name = "RATE", default_value_t = 4.0, value_parser = rate)]
    pub(crate) rate: f64,
    /// How much of the past to fill before it goes on live, at most 6h.
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = backfill)]
    pub(crate) backfill: std::time::Duration,
}

/// Flags of `query`.
#[derive(Clone, Debug, Args)]
pub(crate) struct QueryArgs {
    /// The query's language.
    pub(crate) language: Language,
    /// The query.
    pub(crate) query: String,
    /// The server.
    #[arg(long, env = "SIGLAKE_URL", default_value = "http://127.0.0.1:7400")]
    pub(crate) url: String,
    /// Tenant to ask for.
    #[arg(long, env = "SIGLAKE_TENANT")]
    pub(crate) tenant: Option<String>,
    /// Beginning: -1h, 2026-01-31T12:00:00Z, or seconds since 1970. Without it, PromQL is
    /// evaluated at the end only, and the other languages look at the last hour.
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) start: Option<String>,
    /// End, in the same forms, or `now`.
    #[arg(long, default_value = "now", allow_hyphen_values = true)]
    pub(crate) end: String,
    /// Distance of two points of a metric query, such as 15s; by default a 60th of the range.
    #[arg(long)]
    pub(crate) step: Option<String>,
    /// Records or traces to return at most.
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
    /// Print the server's JSON instead of a table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// A query language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Language {
    /// Metrics.
    Promql,
    /// Logs.
    Logql,
    /// Traces.
    Traceql,
    /// All tables.
    Sql,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    if (0.1..=200.0).contains(&rate) { Ok(rate) } else { Err("must be 0.1 to 200".to_owned()) }
}

fn backfill(text: &str) -> Result<std::time::Duration, String> {
    let duration = crate::config::parse_duration(text)?;
    if duration > std::time::Duration::from_secs(6 * 3600) {
        return Err("must be at most 6h".to_owned());
    }
    Ok(duration)
}

#[cfg(test)]
mod tests;
