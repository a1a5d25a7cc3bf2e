//! Tests of requests to a bucket that fails.

use super::super::fixtures::{Fault, Faulty};
use super::*;

const BODY: Bytes = Bytes::from_static(b"body");

#[tokio::test]
async fn trouble_that_passes_is_not_noticed() {
    for fault in [Fault::Refuse(503), Fault::Refuse(500), Fault::Refuse(409), Fault::Stall] {
        let remote = Faulty::new(&[fault, fault]).remote();
        assert_eq!(remote.create("a", BODY).await.unwrap(), Created::New, "{fault:?}");
        assert_eq!(remote.find("a").await.unwrap(), Some(BODY));
        let puts = remote.meter.read().of(RequestKind::Put);
        assert_eq!((puts.requests, puts.retries, puts.errors, puts.bytes), (3, 2, 0, 4));
    }
}

#[tokio::test]
async fn a_create_whose_answer_is_lost_is_ours() {
    let faulty = Faulty::new(&[Fault::LoseAnswer]);
    assert_eq!(faulty.remote().create("a", BODY).await.unwrap(), Created::New);
}

#[tokio::test]
async fn an_object_of_another_writer_is_not_ours_even_after_a_lost_answer() {
    let faulty = Faulty::new(&[]);
    let remote = faulty.remote();
    remote.create("a", Bytes::from_static(b"theirs")).await.unwrap();
    assert_eq!(remote.create("a", BODY).await.unwrap(), Created::Exists);
    faulty.script.lock().push_back(Fault::Refuse(500));
    assert_eq!(remote.create("a", BODY).await.unwrap(), Created::Exists);
}

#[tokio::test]
async fn what_does_not_pass_is_given_up_and_named() {
    let faults = [Fault::Refuse(503); 3];
    let remote = Faulty::new(&faults).remote().with_prefix("folder");
    let error = remote.create("a/b", BODY).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    let text = error.to_string();
    for part in ["put s3://test/folder/a/b", "3 attempts", "status 503: Code"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    assert_eq!(remote.meter.read().of(RequestKind::Put).errors, 1);

    let remote = Faulty::new(&[Fault::Stall; 3]).remote();
    let error = remote.find("a").await.unwrap_err();
    assert!(error.to_string().contains("no answer within"), "{error}");
}

#[tokio::test]
async fn refusals_for_good_are_asked_once() {
    let remote = Faulty::new(&[Fault::Refuse(400)]).remote();
    remote.create("a", BODY).await.unwrap_err();
    assert_eq!(remote.meter.read().of(RequestKind::Put).requests, 1);
}

#[tokio::test]
async fn the_deadline_ends_attempts() {
    let faulty = Faulty::new(&[Fault::Stall; 100]);
    let mut remote = faulty.remote();
    remote.limits.attempts_max = 100;
    remote.limits.deadline = Duration::from_millis(120);
    let began = Instant::now();
    remote.head("a").await.unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(remote.meter.read().of(RequestKind::Head).requests <= 3);
}

#[tokio::test]
async fn large_objects_are_read_in_pieces() {
    let faulty = Faulty::new(&[]);
    let remote = faulty.remote();
    let length = READ_BYTES_MAX as usize + 10;
    let body: Bytes = (0..length).map(|at| (at % 251) as u8).collect::<Vec<u8>>().into();
    remote.create("a", body.clone()).await.unwrap();
    assert_eq!(remote.find("a").await.unwrap(), Some(body));
    assert_eq!(faulty.gets.lock().len(), 2);
    assert_eq!(remote.find("b").await.unwrap(), None);
}

#[tokio::test]
async fn a_listing_that_breaks_off_goes_on() {
    let faulty = Faulty::new(&[]);
    let remote = faulty.remote().with_prefix("lake/");
    for name in ["t/a", "t/b", "t/c", "u/a"] {
        remote.create(name, BODY).await.unwrap();
    }
    faulty.script.lock().push_back(Fault::LoseAnswer);
    let paths = |listed: Vec<Listed>| listed.into_iter().map(|l| l.path).collect::<Vec<_>>();
    assert_eq!(paths(remote.list("t", None).await.unwrap()), ["t/a", "t/b", "t/c"]);
    assert_eq!(paths(remote.list("t", Some("t/a")).await.unwrap()), ["t/b", "t/c"]);
    faulty.script.lock().push_back(Fault::Stall);
    assert_eq!(remote.list("", None).await.unwrap().len(), 4);
}

#[tokio::test]
async fn a_store_that_creates_once_passes_and_nothing_is_left() {
    let remote = Faulty::new(&[]).remote();
    remote.check_create_once().await.unwrap();
    assert!(remote.list("", None).await.unwrap().is_empty());
}

#[tokio::test]
async fn deleting_twice_is_deleting() {
    let remote = Faulty::new(&[]).remote();
    remote.create("a", BODY).await.unwrap();
    assert_eq!(remote.head("a").await.unwrap().unwrap().bytes, 4);
    remote.delete("a").await.unwrap();
    remote.delete("a").await.unwrap();
    assert_eq!(remote.head("a").await.unwrap(), None);
}
