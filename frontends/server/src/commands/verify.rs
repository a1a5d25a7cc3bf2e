//! `siglake verify`: reads everything that is stored and names what is damaged.

use std::io::{IsTerminal as _, Write as _};

use serde_json::json;
use storage::{Damage, Verified};

use super::backup;
use crate::cli::VerifyArgs;
use crate::config::{self, Config, format_size};
use crate::error::Error;

/// Segments between two lines of progress.
const PROGRESS_SEGMENTS: u64 = 100;

/// Verifies a lake or a backup; one line of stdout a damage.
pub(crate) fn run(args: &VerifyArgs) -> Result<(), Error> {
    let verified = verify(args).map_err(|error| Error::Unverified(Box::new(error)))?;
    print(&summary(args, &verified))?;
    match verified.damages {
        0 => Ok(()),
        damages => Err(Error::Damaged(damages)),
    }
}

fn verify(args: &VerifyArgs) -> Result<Verified, Error> {
    let config = Config::new(&config::load(&args.config, config::environment())?);
    super::runtime()?.block_on(async {
        let (place, wal) = match &args.backup {
            Some(place) => (backup::existing(&config, place).await?, None),
            None => (backup::lake(&config, true).await?, Some(config.data.join("wal"))),
        };
        let mut printed = Ok(());
        let damaged = |damage: Damage| {
            let line = match args.json {
                true => format!("{}\n", json!({"file": damage.file, "damage": damage.what})),
                false => format!("{}: {}\n", damage.file, damage.what),
            };
            if let (true, Err(error)) = (printed.is_ok(), print(&line)) {
                printed = Err(error);
            }
        };
        let verified = storage::verify(&place, wal.as_deref(), damaged, progress).await;
        printed?;
        let what = || "cannot read the lake".to_owned();
        verified.map_err(|source| Error::Store { what: what(), source })
    })
}

/// Tells on a terminal how far it has come.
fn progress(verified: &Verified) {
    if verified.segments.is_multiple_of(PROGRESS_SEGMENTS) && std::io::stderr().is_terminal() {
        let bytes = format_size(verified.bytes);
        // Progress is not worth failing for.
        let _ = writeln!(std::io::stderr(), "{} segments, {bytes}", verified.segments);
    }
}

fn summary(args: &VerifyArgs, verified: &Verified) -> String {
    let Verified { segments, rows, bytes, deletes, wal_files, wal_requests, damages } = *verified;
    if args.json {
        let sums = json!({
            "segments": segments, "rows": rows, "bytes": bytes, "deletes": deletes,
            "wal_files": wal_files, "wal_requests": wal_requests, "damages": damages,
        });
        return format!("{sums}\n");
    }
    format!(
        "{segments} segments of {rows} rows and {bytes} bytes, {deletes} delete requests, \
         {wal_files} WAL files of {wal_requests} requests: {damages} damages\n"
    )
}

fn print(text: &str) -> Result<(), Error> {
    std::io::stdout()
        .lock()
        .write_all(text.as_bytes())
        .map_err(|source| Error::io("cannot write to stdout", source))
}
