//! Checkpoints: what is written is read again, and what is damaged is not believed.

use serde_json::json;

use super::super::actions::Action;
use super::super::tests::segment;
use super::*;
use crate::ErrorKind;

fn state(segments: usize) -> State {
    let path = |at: usize| format!("tenant=a/date=2026-11-21/{at:06}.parquet");
    let mut live: Vec<_> = (0..segments).map(|at| segment(&path(at))).collect();
    for (at, segment) in live.iter_mut().enumerate() {
        segment.tenant = if at % 2 == 0 { "a".into() } else { "b/c".into() };
        segment.rows = at as u64 + 1;
        segment.min_time_ns = i64::MIN + at as i64;
    }
    State {
        table: Table::MetricSamples,
        version: 7,
        protocol: json!({"minReaderVersion": 1, "minWriterVersion": 2}),
        metadata: json!({
            "id": "an-id", "name": "metric_samples", "createdTime": 0,
            "format": {"provider": "parquet", "options": {}},
            "schemaString": "{\"type\":\"struct\",\"fields\":[]}",
            "partitionColumns": ["tenant", "date"],
            "configuration": {"delta.appendOnly": "false"},
        }),
        applied: vec![
            ("siglake-wal-1".into(), Applied { version: 3, updated_ms: 5 }),
            ("siglake-wal-2".into(), Applied { version: 9, updated_ms: 0 }),
        ],
        removed: vec![Removed {
            path: "metric_samples/gone.parquet".into(),
            removed_ms: 99,
            bytes: 1,
        }],
        live: live.into_iter().map(Arc::new).collect(),
    }
}

const PATH: &str = "metric_samples/_delta_log/00000000000000000007.checkpoint.parquet";

#[test]
fn what_is_written_is_read_again() {
    for segments in [0, 1, 20_000] {
        let state = state(segments);
        let bytes = state.encode().unwrap();
        let actions = read(PATH, bytes).unwrap();
        assert_eq!(actions.len(), state.rows());
        let (mut live, mut removed, mut applied) = (Vec::new(), Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Add(segment, false) => live.push(Arc::new(segment)),
                Action::Remove(of) => removed.push(of),
                Action::Applied(name, of) => applied.push((name, of)),
                Action::Protocol(of) => assert_eq!(of, state.protocol),
                Action::Metadata(of) => assert_eq!(of, state.metadata),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(live, state.live);
        assert_eq!((removed, applied), (state.removed, state.applied));
    }
}

#[test]
fn it_takes_few_bytes_a_segment() {
    let bytes = state(20_000).encode().unwrap().len();
    assert!(bytes < 20_000 * 60, "{bytes} bytes");
}

#[test]
fn a_changed_byte_is_noticed() {
    let bytes = state(300).encode().unwrap();
    let whole = read(PATH, bytes.clone()).unwrap().len();
    for at in (0..bytes.len()).step_by(97) {
        let mut changed = bytes.to_vec();
        changed[at] ^= 0x10;
        match read(PATH, changed.into()) {
            Err(error) => assert_eq!(error.kind(), ErrorKind::Damaged, "{error}"),
            // A few bytes of the footer mean nothing.
            Ok(actions) => assert_eq!(actions.len(), whole, "byte {at}"),
        }
    }
    for length in [0, 3, 100, bytes.len() / 2, bytes.len() - 1] {
        let error = read(PATH, bytes.slice(..length)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
    }
}

#[test]
fn a_table_that_asks_for_more_is_refused() {
    let mut state = state(1);
    state.protocol = json!({"minReaderVersion": 3, "minWriterVersion": 7});
    let error = read(PATH, state.encode().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert!(error.to_string().contains("reader version 3"), "{error}");
}
