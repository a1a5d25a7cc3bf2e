//! What the operating system knows of this process.

/// Ticks of a second in `/proc`; fixed for user space on every Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// What the operating system knows of this process; `None` where it does not tell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct ProcessStats {
    /// Resident memory.
    pub(super) resident_bytes: Option<u64>,
    /// Processor time, user and system.
    pub(super) cpu_seconds: Option<f64>,
    /// Open file descriptors.
    pub(super) open_files: Option<u64>,
}

/// Reads `/proc/self`.
pub(super) fn read() -> ProcessStats {
    let file = |name: &str| std::fs::read_to_string(format!("/proc/self/{name}")).ok();
    ProcessStats {
        resident_bytes: file("status").as_deref().and_then(resident_bytes),
        cpu_seconds: file("stat").as_deref().and_then(cpu_seconds),
        open_files: std::fs::read_dir("/proc/self/fd").ok().map(|files| files.count() as u64),
    }
}

/// `VmRSS` of a status file, which is in KiB.
pub(super) fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// `utime` and `stime` of a stat file: fields 14 and 15.
pub(super) fn cpu_seconds(stat: &str) -> Option<f64> {
    // The second field is the program's name, which may hold blanks and brackets.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some((user + system) / TICKS_PER_SECOND)
}
