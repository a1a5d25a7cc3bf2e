//! Limits from recorded files.

use super::*;

const LIMITS: &str = "\
Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max data size             1073741824           unlimited            bytes
Max address space         unlimited            unlimited            bytes
";

#[test]
fn the_least_limit_counts() {
    let root = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    assert_eq!(limit(root.path()), None);
    write("proc/meminfo", "MemTotal:       2097152 kB\nMemFree: 1 kB\n");
    assert_eq!(limit(root.path()), Some(2 << 30));
    write("proc/self/limits", LIMITS);
    assert_eq!(limit(root.path()), Some(1 << 30));
    write("proc/self/cgroup", "4:memory:/a/b\n0::/c/d\n");
    write("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "536870912\n");
    assert_eq!(limit(root.path()), Some(512 << 20));
    write("sys/fs/cgroup/memory/a/b/memory.limit_in_bytes", "9223372036854771712\n");
    assert_eq!(limit(root.path()), Some(512 << 20));
    write("sys/fs/cgroup/c/d/memory.max", "max\n");
    assert_eq!(limit(root.path()), Some(512 << 20));
    write("sys/fs/cgroup/c/memory.max", "268435456\n");
    assert_eq!(limit(root.path()), Some(256 << 20));
    write("sys/fs/cgroup/memory.max", "134217728\n");
    assert_eq!(limit(root.path()), Some(128 << 20));
}

#[test]
fn this_process_is_measured() {
    if !Path::new("/proc/self/statm").exists() {
        return;
    }
    let before = resident_bytes().unwrap();
    let held = vec![1_u8; 64 << 20];
    let after = resident_bytes().unwrap();
    assert!(after > before + (32 << 20), "{before} {after} {}", held.len());
    assert!(Machine::detect().bytes() > after);
}

#[test]
fn pages_of_files_are_not_held() {
    assert_eq!(held_bytes("400 100 30 20 0 50 0\n"), Some(70 * PAGE_BYTES));
    assert_eq!(held_bytes("400 100\n"), None);
    assert_eq!(held_bytes(""), None);
}
