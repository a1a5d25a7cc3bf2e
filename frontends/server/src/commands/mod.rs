//! The commands, each in its file.

mod backup;
mod compact;
mod config;
mod deletes;
mod demo;
mod query;
mod serve;
mod verify;
mod wal;

use tokio::runtime::Runtime;

use crate::cli::Command;
use crate::error::Error;

/// Does what the command line asks for.
pub(crate) fn run(command: Command) -> Result<(), Error> {
    match command {
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Query(args) => query::run(&args),
        Command::Config(args) => config::run(&args),
        Command::Compact(args) => compact::run(&args),
        Command::Wal { command } => wal::run(&command),
        Command::Deletes(args) => deletes::run(&args),
        Command::Retention(args) => deletes::retention(&args),
        Command::Verify(args) => verify::run(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
    }
}

/// A runtime with a worker per processor.
fn runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| Error::io("cannot start worker threads", source))
}
