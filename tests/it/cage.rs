//! A cage: a control group whose memory the kernel bounds, for programs that are started in it.
//!
//! It needs the right to make control groups, which root has on most machines and a container
//! mostly has not; where there is none, tests go on without and say so.

use std::fs;
use std::path::{Path, PathBuf};

/// A control group of its own. Dropping it removes it, so its programs must have ended.
#[derive(Debug)]
pub(crate) struct Cage {
    folder: PathBuf,
}

impl Cage {
    /// A group that may hold so many bytes; `None` where the system grants none.
    pub(crate) fn new(bytes: u64) -> Option<Self> {
        let name = format!("siglake-test-{}", std::process::id());
        let root = Path::new("/sys/fs/cgroup");
        // Version 1 has a tree for memory; version 2 one for everything.
        let places =
            [(root.join("memory"), "memory.limit_in_bytes"), (root.to_owned(), "memory.max")];
        places.into_iter().find_map(|(tree, limit)| {
            let cage = Self { folder: tree.join(&name) };
            fs::create_dir(&cage.folder).ok()?;
            fs::write(cage.folder.join(limit), bytes.to_string()).ok()?;
            Some(cage)
        })
    }

    /// The file to which a process writes its number to be in.
    pub(crate) fn entrance(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// How often the kernel has killed in it, as far as it tells.
    pub(crate) fn kills(&self) -> u64 {
        let files = ["memory.oom_control", "memory.events"].into_iter();
        let texts = files.filter_map(|file| fs::read_to_string(self.folder.join(file)).ok());
        let kills = texts.flat_map(|text| {
            text.lines()
                .filter_map(|line| line.strip_prefix("oom_kill ")?.parse().ok())
                .collect::<Vec<u64>>()
        });
        kills.sum()
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        // An empty folder is left behind at worst.
        let _ = fs::remove_dir(&self.folder);
    }
}
