//! Backups to a bucket: the second copies what is new, and each place is a point to go back to.

use std::process::{Command, Output};

use crate::ask::lines;
use crate::program::{Program, binary};
use crate::s3::Server;
use crate::telemetry::{self, SECOND_NS, now_ns};

/// Runs a command on the S3 server with these settings.
fn siglake(args: &[&str], settings: &[String]) -> Output {
    let mut command = Command::new(binary());
    command.args(args);
    for setting in settings {
        command.args(["--set", setting]);
    }
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], &output.stderr[..]].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// Objects of a backup, and how many of them were copied: `12 objects of 9KiB; 3 of 1KiB copied`.
fn counts(told: &str) -> (u64, u64) {
    let number = |text: &str| text.trim().split(' ').next().unwrap().parse::<u64>().unwrap();
    let (objects, copied) = told.split_once(';').unwrap_or_else(|| panic!("{told}"));
    (number(objects), number(copied))
}

async fn found(program: &Program, from_ns: u64) -> Vec<String> {
    let query = r#"{service_name=~".+"}"#;
    lines(&program.logql(query, from_ns - SECOND_NS, now_ns()).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_keeps_the_points_to_go_back_to() {
    let server = Server::start().await;
    let is_server = |setting: &String| !setting.starts_with("storage.s3.bucket=");
    let settings: Vec<String> = server.settings().into_iter().filter(is_server).collect();
    let program = Program::start(&["api.admin=true", "storage.compaction.enabled=false"]).await;
    let from_ns = now_ns() - 600 * SECOND_NS;
    let store = async |at: u64, line: &str| {
        let log = telemetry::log(from_ns + at * SECOND_NS, line);
        program.send("logs", &telemetry::logs("shop", vec![log])).await;
        let flushed = program.http.post(program.url("/api/v1/flush")).send().await.unwrap();
        assert_eq!(flushed.status(), 204);
    };
    let data = program.data().to_str().unwrap().to_owned();
    let back_up = |place: &str| {
        let args = ["backup", "--data", &data, "--to", place];
        let done = tokio::task::block_in_place(|| siglake(&args, &settings));
        assert!(done.status.success(), "{}", text(&done));
        counts(&text(&done))
    };
    for at in 0..4 {
        store(at, "first").await;
    }
    let (objects, copied) = back_up("s3://backups/monday");
    assert_eq!(objects, copied);
    assert_eq!(back_up("s3://backups/latest"), (objects, objects));
    store(10, "second").await;
    let (more, copied) = back_up("s3://backups/latest");
    // A segment and a commit of each of the logs that have grown, at most.
    assert!(more > objects && (1..=4).contains(&copied), "{copied} of {more} after {objects}");

    let folder = tempfile::tempdir().unwrap();
    for (place, expected) in [("monday", 4), ("latest", 5)] {
        let from = format!("s3://backups/{place}");
        let verified = ["verify", "--backup", &from];
        let verified = tokio::task::block_in_place(|| siglake(&verified, &settings));
        assert!(verified.status.success(), "{}", text(&verified));
        let to = folder.path().join(place).to_str().unwrap().to_owned();
        let restored = ["restore", "--from", &from, "--data", &to];
        let restored = tokio::task::block_in_place(|| siglake(&restored, &settings));
        assert!(restored.status.success(), "{}", text(&restored));
        let mut other = Program::prepare(&[]);
        std::fs::create_dir_all(other.data()).unwrap();
        std::fs::rename(format!("{to}/lake"), other.data().join("lake")).unwrap();
        other.start_again().await;
        let found = found(&other, from_ns).await;
        assert_eq!(found.len(), expected, "{found:?}");
        assert_eq!(found.contains(&"second".to_owned()), place == "latest");
        other.stop().await;
    }
}
