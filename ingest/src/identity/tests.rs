//! Hashes tell requests apart, notes come back.

use proptest::prelude::*;

use super::*;

#[test]
fn a_hash_tells_tenant_signal_and_message_apart() {
    let of = |tenant, signal, format| hash(tenant, signal, format, b"body");
    let first = of("a", Signal::Logs, Format::Protobuf);
    assert_eq!(first, of("a", Signal::Logs, Format::Json), "both are hashed as protobuf");
    for other in [
        of("b", Signal::Logs, Format::Protobuf),
        of("a", Signal::Traces, Format::Protobuf),
        of("a", Signal::Logs, Format::RemoteWrite1),
        of("a", Signal::Logs, Format::RemoteWrite2),
        hash("ab", Signal::Logs, Format::Protobuf, b"ody"),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn notes_that_are_not_ours_are_refused() {
    let mut limits = Limits::default();
    assert_eq!(read_notes(b"", &mut limits).unwrap(), []);
    assert_eq!(limits, Limits::default());
    let notes = Runs::default().into_notes(&limits);
    for cut in 1..notes.len() {
        assert!(read_notes(&notes[..cut], &mut limits).is_err(), "cut at {cut}");
    }
    assert!(read_notes(&[9], &mut limits).is_err());
    assert!(read_notes(&[0xFF; 200], &mut limits).is_err());
}

proptest! {
    #[test]
    fn notes_come_back(rejected in prop::collection::vec(any::<bool>(), 0..200), labels in 0_usize..9) {
        let mut runs = Runs::default();
        for (at, rejected) in rejected.iter().enumerate() {
            if *rejected {
                runs.push(at as u64..at as u64 + 1);
            }
        }
        let then = Limits {
            labels_max: labels,
            past_max: Duration::from_secs(3),
            ..Limits::default()
        };
        let mut limits = Limits { body_bytes_max: 5, ..Limits::default() };
        let read = read_notes(&runs.into_notes(&then), &mut limits).unwrap();
        prop_assert_eq!(limits, Limits { body_bytes_max: 5, ..then });
        let is_in = |at: usize| read.iter().any(|run| run.contains(&(at as u64)));
        for (at, rejected) in rejected.iter().enumerate() {
            prop_assert_eq!(is_in(at), *rejected);
        }
    }
}
