//! What the figures were measured on.

use std::fs;

/// Processor, cores, memory, kernel.
pub(crate) fn describe() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = value(&cpus, "model name").unwrap_or("unknown processor");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory_kib: u64 = value(&memory, "MemTotal").and_then(kib).unwrap_or(0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{model}, {cores} cores, {} GiB, Linux {}", memory_kib >> 20, kernel.trim())
}

/// Peak resident memory of a process in bytes; `None` once it has gone.
pub(crate) fn peak_memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    value(&status, "VmHWM").and_then(kib).map(|kib| kib << 10)
}

/// Resident memory of a process in bytes; `None` once it has gone.
pub(crate) fn memory_bytes(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    value(&status, "VmRSS").and_then(kib).map(|kib| kib << 10)
}

/// CPU seconds of all children that have ended, user and system.
pub(crate) fn children_cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field is a name in parentheses that may hold spaces; cutime and cstime are the
    // 14th and 15th after it. Linux counts them in hundredths on every architecture.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let ticks =
        after.split_whitespace().skip(13).take(2).filter_map(|text| text.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}

/// CPU seconds of a process until now, user and system; `None` once it has gone.
pub(crate) fn cpu_seconds(pid: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // As above; utime and stime are the 12th and 13th.
    let after = stat.rsplit(')').next()?;
    let ticks = after.split_whitespace().skip(11).take(2).map(|text| text.parse::<f64>());
    Some(ticks.sum::<Result<f64, _>>().ok()? / 100.0)
}

/// CPU milliseconds of the threads that a process has now, to the nanosecond where the kernel
/// tells it; `None` if it does not, or the process has gone.
pub(crate) fn threads_cpu_ms(pid: u32) -> Option<f64> {
    let mut sum_ns = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        // A thread may end meanwhile.
        let Ok(text) = fs::read_to_string(thread.path().join("schedstat")) else { continue };
        sum_ns += text.split_whitespace().next()?.parse::<f64>().ok()?;
    }
    (sum_ns > 0.0).then_some(sum_ns / 1e6)
}

fn value<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(key))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

fn kib(text: &str) -> Option<u64> {
    text.split_whitespace().next()?.parse().ok()
}
