//! What memory the machine leaves to this process.
//!
//! The least of: the machine's memory, the limits of the process's control group and of those
//! above it (versions 1 and 2), and the resource limits of its data and its address space. All
//! of it is read from files of Linux; elsewhere nothing is known and a fixed size is assumed.

use std::fs;
use std::path::{Path, PathBuf};

/// Assumed where the operating system does not tell.
const UNKNOWN_BYTES: usize = 4 << 30;

/// From this value on a limit means "none".
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// Length of a memory page of the counts in `/proc/self/statm`. Where pages are longer, the
/// process is taken for smaller than it is, and only the last safety is weaker.
const PAGE_BYTES: usize = 4096;

/// What memory the machine leaves to this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    pub(super) bytes: usize,
    is_known: bool,
}

impl Machine {
    /// Reads what the operating system tells.
    pub fn detect() -> Self {
        match limit(Path::new("/")) {
            Some(bytes) => {
                Self { bytes: usize::try_from(bytes).unwrap_or(usize::MAX), is_known: true }
            }
            None => Self { bytes: UNKNOWN_BYTES, is_known: false },
        }
    }

    /// A machine that leaves so many bytes to this process, whatever the operating system tells.
    pub fn of(bytes: usize) -> Self {
        Self { bytes, is_known: true }
    }

    /// A machine of which nothing is known: its limit is not watched.
    pub fn unlimited() -> Self {
        Self { bytes: usize::MAX, is_known: false }
    }

    /// Memory that is left to this process, in bytes; assumed if it is not known.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// A part of it, in bytes; `percent` is 100 at most.
    pub fn percent(&self, percent: u8) -> usize {
        self.bytes / 100 * usize::from(percent.min(100))
    }

    pub(super) fn known(&self) -> Option<usize> {
        self.is_known.then_some(self.bytes)
    }
}

/// Memory that this process holds and only it can give back, in bytes; `None` where the system
/// does not tell. Pages of the program's file are not among it: the kernel drops and reads them
/// again as it likes.
pub fn resident_bytes() -> Option<usize> {
    held_bytes(&fs::read_to_string("/proc/self/statm").ok()?)
}

/// Resident pages of a `statm` file without those of files, in bytes.
fn held_bytes(statm: &str) -> Option<usize> {
    let mut pages = statm.split_whitespace().skip(1).map(str::parse::<usize>);
    let (resident, of_files) = (pages.next()?.ok()?, pages.next()?.ok()?);
    Some(resident.saturating_sub(of_files) * PAGE_BYTES)
}

/// The least limit that files below `root` tell.
fn limit(root: &Path) -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let machine = read(&root.join("proc/meminfo")).and_then(|text| mem_total(&text));
    let resources = read(&root.join("proc/self/limits")).and_then(|text| resource_limit(&text));
    let groups = read(&root.join("proc/self/cgroup")).unwrap_or_default();
    let groups = group_files(&groups).into_iter().filter_map(|file| {
        let text = read(&root.join("sys/fs/cgroup").join(file))?;
        text.trim().parse::<u64>().ok()
    });
    let limits = machine.into_iter().chain(resources).chain(groups);
    limits.filter(|bytes| (1..NO_LIMIT_BYTES).contains(bytes)).min()
}

/// `MemTotal` of `/proc/meminfo`, which is in KiB.
fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// The lesser soft limit of data and address space in `/proc/self/limits`; `None` if unlimited.
fn resource_limit(limits: &str) -> Option<u64> {
    let names = ["Max data size", "Max address space"];
    let soft = |line: &str| {
        let rest = names.iter().find_map(|name| line.strip_prefix(name))?;
        rest.split_whitespace().next()?.parse::<u64>().ok()
    };
    limits.lines().filter_map(soft).min()
}

/// The files below `/sys/fs/cgroup` that may hold a limit, of a `/proc/self/cgroup`.
///
/// ```text
///  0::/a/b          version 2    a/b/memory.max, a/memory.max, memory.max
///  4:memory:/a/b    version 1    memory/a/b/memory.limit_in_bytes, …
/// ```
///
/// A container sees its own group as the root, therefore the roots are always among them.
fn group_files(groups: &str) -> Vec<PathBuf> {
    let mut files = vec![
        PathBuf::from("memory.max"),
        PathBuf::from("memory/memory.limit_in_bytes"),
        PathBuf::from("unified/memory.max"),
    ];
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) =
            (fields.next(), fields.next(), fields.next())
        else {
            continue;
        };
        let (folder, file) = match controllers {
            "" => ("", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let path = Path::new(path.trim_start_matches('/'));
        let above = path.ancestors().filter(|path| !path.as_os_str().is_empty());
        files.extend(above.map(|path| Path::new(folder).join(path).join(file)));
    }
    files
}

#[cfg(test)]
mod tests;
