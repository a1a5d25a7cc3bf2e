//! `siglake wal`: looks after the write-ahead log of a lake that is not open.

use std::io::Write as _;

use storage::SetAside;

use crate::cli::WalCommand;
use crate::error::Error;

/// Does what the command line asks for.
pub(crate) fn run(command: &WalCommand) -> Result<(), Error> {
    let WalCommand::SetAside { file } = command;
    let done = storage::set_aside(file).map_err(|source| Error::Store {
        what: format!("cannot set {} aside", file.display()),
        source,
    })?;
    std::io::stdout()
        .lock()
        .write_all(describe(&done).as_bytes())
        .map_err(|source| Error::io("cannot write to stdout", source))
}

fn describe(done: &SetAside) -> String {
    let Some(moved_to) = &done.moved_to else {
        return format!("nothing is damaged; all {} requests stay in the log\n", done.kept);
    };
    let places: Vec<String> = done.damaged_at.iter().map(u64::to_string).collect();
    let lost = match done.lost {
        // Behind the last readable group of the last file nothing tells how many there were.
        0 => "requests that cannot be counted are given up".to_owned(),
        lost => format!("{lost} requests are given up"),
    };
    format!(
        "damaged at byte {}: {} requests stay in the log, {lost}; the file is kept as {}\n",
        places.join(", "),
        done.kept,
        moved_to.display()
    )
}
