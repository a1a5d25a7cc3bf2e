//! Damage and shortage on the real program: a torn or flipped WAL, a disk that is full for a while.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use prost::Message;
use reqwest::StatusCode;

use crate::program::Program;
use crate::telemetry::{self, now_ns};

/// Groups of the WAL begin at multiples of this many bytes.
const BLOCK_BYTES: u64 = 4096;

fn numbered(number: u64, padding: usize) -> ExportLogsServiceRequest {
    let mut record = telemetry::log(now_ns(), &number.to_string());
    record.attributes.push(telemetry::text("padding", &noise(number, padding)));
    telemetry::logs("faults", vec![record])
}

/// Text that does not compress.
fn noise(seed: u64, bytes: usize) -> String {
    let mut state = seed | 1;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((state >> 33) % 26).unwrap())
    };
    (0..bytes).map(|_| next()).collect()
}

/// The numbers that are stored, sorted.
async fn stored(program: &Program) -> Vec<u64> {
    let rows = program.sql("SELECT body FROM logs").await;
    let mut numbers: Vec<u64> =
        rows.iter().map(|row| row["body"].as_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn wal_files(program: &Program) -> Vec<PathBuf> {
    let entries = fs::read_dir(program.data().join("wal")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "wal"));
    files.sort_unstable();
    files
}

fn flip(path: &Path, offset: u64) {
    let file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_wal_loses_nothing_that_was_acknowledged() {
    let mut program = Program::start(&[]).await;
    for number in 0..5 {
        program.send("logs", &numbered(number, 10)).await;
    }
    program.kill();
    // A group that was being written: a part of one, where the last ended.
    let path = wal_files(&program).remove(0);
    let bytes = fs::read(&path).unwrap();
    let torn = &bytes[..150];
    let end = 5 * BLOCK_BYTES;
    fs::File::options().write(true).open(&path).unwrap().write_all_at(torn, end).unwrap();
    for _ in 0..2 {
        program.start_again().await;
        assert_eq!(stored(&program).await, [0, 1, 2, 3, 4]);
        program.kill();
    }
    program.start_again().await;
    program.send("logs", &numbered(5, 10)).await;
    program.kill();
    program.start_again().await;
    assert_eq!(stored(&program).await, [0, 1, 2, 3, 4, 5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_wal_refuses_and_is_set_aside_by_command() {
    let mut program = Program::start(&[]).await;
    for number in 0..5 {
        program.send("logs", &numbered(number, 10)).await;
    }
    program.kill();
    let path = wal_files(&program).remove(0);
    flip(&path, 2 * BLOCK_BYTES + 100);
    let log = program.refuses_to_start().await;
    let (name, command) = (path.display(), format!("siglake wal set-aside {}", path.display()));
    assert!(log.contains(&format!("{name}: damaged at byte {}", 2 * BLOCK_BYTES)), "{log}");
    assert!(log.contains(&command), "{log}");
    // It is as it was: refusing changes nothing.
    program.refuses_to_start().await;
    let told = program.command(&["wal", "set-aside", path.to_str().unwrap()]);
    assert!(told.contains("1 requests are given up") && told.contains("4 requests stay"), "{told}");
    program.start_again().await;
    assert_eq!(stored(&program).await, [0, 1, 3, 4]);
    assert!(program.log().contains("given up"), "{}", program.log());
    assert!(path.with_extension("wal.damaged").exists());
    program.send("logs", &numbered(5, 10)).await;
    assert!(program.stop().await.success());
    program.start_again().await;
    assert_eq!(stored(&program).await, [0, 1, 3, 4, 5]);
    // An open lake is left alone.
    program.send("logs", &numbered(6, 10)).await;
    let file = wal_files(&program).remove(0);
    let told = program.command(&["wal", "set-aside", file.to_str().unwrap()]);
    assert!(told.contains("another process has the folder open"), "{told}");
}

/// A file system of its own in memory; `None`, told plainly, where none can be mounted.
struct Small(PathBuf);

impl Small {
    fn mount(folder: &Path, size: &str) -> Option<Self> {
        let size = format!("size={size}");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "siglake-test"])
            .arg(folder)
            .output();
        let missing = match mounted {
            Ok(output) if output.status.success() => return Some(Self(folder.to_owned())),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        eprintln!("skipped, because no small file system can be mounted: {missing}");
        None
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        // A process that ends late would hold it otherwise.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_comes_back_by_itself() {
    let mut program = Program::prepare(&["storage.flush_interval=1s"]);
    fs::create_dir_all(program.data()).unwrap();
    let Some(_small) = Small::mount(&program.data(), "24m") else { return };
    program.start_again().await;
    let filler = program.data().join("filler");
    let mut acknowledged = Vec::new();
    let mut number = 0;
    for is_full in [false, true, false] {
        if is_full {
            fs::write(&filler, vec![1; 30 << 20]).unwrap_err();
        } else {
            // It is not there the first time.
            let _ = fs::remove_file(&filler);
        }
        let mut refused = 0;
        let started = Instant::now();
        // Until it is refused, or taken again: other requests have room for a while.
        loop {
            number += 1;
            let body = numbered(number, 20_000).encode_to_vec();
            let answer = program.post_otlp("logs", body, &[]).await;
            match answer.status() {
                StatusCode::OK => acknowledged.push(number),
                StatusCode::SERVICE_UNAVAILABLE => {
                    assert_eq!(answer.headers()["retry-after"], "5");
                    refused += 1;
                }
                other => panic!("{other}: {}", answer.text().await.unwrap()),
            }
            let taken = acknowledged.last() == Some(&number);
            if (is_full && refused >= 5) || (!is_full && taken && number > 20) {
                break;
            }
            let patience = Duration::from_secs(40);
            assert!(started.elapsed() < patience, "full: {is_full}\n{}", program.log());
            if !taken {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        assert_eq!(stored(&program).await, acknowledged, "full: {is_full}");
    }
    assert!(program.lives());
    program.kill();
    program.start_again().await;
    assert_eq!(stored(&program).await, acknowledged);
    assert!(program.stop().await.success(), "{}", program.log());
    program.start_again().await;
    assert_eq!(stored(&program).await, acknowledged);
    program.kill();
}

/// Segments of a table.
fn segments(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(segments(&path));
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            found.push(path);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_segment_fails_its_queries_by_name_and_no_others() {
    let mut program = Program::start(&[]).await;
    program.send("logs", &numbered(1, 10)).await;
    let span = telemetry::span(7, 7, 0, "whole", now_ns());
    program.send("traces", &telemetry::spans("faults", vec![span])).await;
    assert!(program.stop().await.success());
    let logs = program.data().join("lake").join("logs");
    let segment = segments(&logs).remove(0);
    let whole = fs::read(&segment).unwrap();
    let name = segment.file_name().unwrap().to_str().unwrap();
    let truncated = whole[..whole.len() / 2].to_vec();
    let mut flipped = whole.clone();
    let at = flipped.len() - 20;
    flipped[at] ^= 0xFF;
    for (what, bytes) in [("truncated", truncated), ("flipped", flipped)] {
        fs::write(&segment, bytes).unwrap();
        program.start_again().await;
        let url = program.url("/sql?query=SELECT+body+FROM+logs&format=json");
        let answer = program.http.get(url).send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert!(!status.is_success(), "{what}: {text}");
        assert!(text.contains(name), "{what}: {text}");
        // What does not read it goes on, and so does ingest.
        let spans = program.sql("SELECT count(*) AS n FROM spans").await;
        assert_eq!(spans[0]["n"], 1, "{what}");
        program.send("metrics", &telemetry::metrics("faults", Vec::new())).await;
        assert!(program.lives());
        program.kill();
    }
    fs::write(&segment, whole).unwrap();
    program.start_again().await;
    assert_eq!(stored(&program).await, [1]);
}
