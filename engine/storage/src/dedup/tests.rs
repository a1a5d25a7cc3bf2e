//! What is known, for how long, and after a restart.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::disk::OsDisk;

const HOUR: Duration = Duration::from_secs(3600);

fn identity(hash: u128) -> Identity {
    Identity { hash, records: 7, rejected: 2 }
}

fn known(window: &Window, hashes: std::ops::Range<u128>) -> Vec<u128> {
    hashes.filter(|hash| window.get(*hash).is_some()).collect()
}

fn log(dir: &Path) -> DedupLog {
    DedupLog::open(Arc::new(OsDisk), dir.join("dedup")).unwrap()
}

#[test]
fn a_request_is_known_with_what_became_of_it() {
    let window = Window::new(HOUR, 100, 1);
    assert_eq!(window.get(5 << 64), None);
    assert_eq!(window.insert(identity(5 << 64)), Some(1));
    assert_eq!(window.get(5 << 64), Some(identity(5 << 64)));
    assert_eq!(window.get(5), None);
    assert_eq!(window.len(), 1);
}

#[test]
fn a_closed_window_knows_nothing() {
    for window in [Window::new(Duration::ZERO, 100, 1), Window::new(HOUR, 0, 1), Window::default()]
    {
        assert_eq!(window.insert(identity(1)), None);
        assert_eq!(window.get(1), None);
    }
}

#[test]
fn the_youngest_are_known_up_to_their_number() {
    let window = Window::new(HOUR, 50, 1);
    for hash in 0..1_000 {
        window.insert(identity(hash));
        assert!(window.len() <= 50, "{} known", window.len());
    }
    // A generation of ten goes at once.
    assert_eq!(known(&window, 0..1_000), (950..1_000).collect::<Vec<_>>());
    assert_eq!(window.oldest(), 96);
}

#[test]
fn requests_are_forgotten_when_they_are_old() {
    let window = Window::new(Duration::from_millis(80), 1_000, 1);
    window.insert(identity(0));
    let since = Instant::now();
    let mut hash = 1;
    while window.get(0).is_some() {
        assert!(since.elapsed() < Duration::from_secs(20), "known for ever");
        std::thread::sleep(Duration::from_millis(5));
        window.insert(identity(hash));
        hash += 1;
    }
    assert!(since.elapsed() >= Duration::from_millis(80), "forgotten too early");
}

#[test]
fn what_was_flushed_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let window = Window::new(HOUR, 50, 1);
    let log = self::log(dir.path());
    let mut flushed = Vec::new();
    for hash in 0..37 {
        flushed.push((window.insert(identity(hash)).unwrap(), identity(hash)));
        if hash % 8 == 7 {
            log.append(&std::mem::take(&mut flushed), window.oldest()).unwrap();
        }
    }
    let again = Window::new(HOUR, 50, 1);
    self::log(dir.path()).load(&again).unwrap();
    assert_eq!(known(&again, 0..100), (0..32).collect::<Vec<_>>());
    assert_eq!(again.get(3), Some(identity(3)));
    // It goes on where it was: the youngest generation has room for eight.
    let next = again.insert(identity(50)).unwrap();
    assert_eq!((next, again.len()), (4, 33));
    self::log(dir.path()).append(&[(next, identity(50))], again.oldest()).unwrap();
    let again = Window::new(HOUR, 50, 1);
    self::log(dir.path()).load(&again).unwrap();
    assert_eq!(again.len(), 33);
}

#[test]
fn files_of_forgotten_generations_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let window = Window::new(HOUR, 50, 1);
    let log = self::log(dir.path());
    for hash in 0..200 {
        let generation = window.insert(identity(hash)).unwrap();
        log.append(&[(generation, identity(hash))], window.oldest()).unwrap();
    }
    assert_eq!(fs::read_dir(dir.path().join("dedup")).unwrap().count(), 5);
    // What was forgotten before it could be written is not written.
    log.append(&[(1, identity(1))], window.oldest()).unwrap();
    assert_eq!(fs::read_dir(dir.path().join("dedup")).unwrap().count(), 5);
}

#[test]
fn damage_costs_the_requests_it_hits() {
    let dir = tempfile::tempdir().unwrap();
    let log = self::log(dir.path());
    let written: Vec<_> = (0..10).map(|hash| (1, identity(hash))).collect();
    log.append(&written, 1).unwrap();
    let path = dir.path().join("dedup").join("00000000000000000001.dedup");
    let whole = fs::read(&path).unwrap();
    assert_eq!(whole.len(), 320);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 4;
        fs::write(&path, &flipped).unwrap();
        let window = Window::new(HOUR, 50, 1);
        log.load(&window).unwrap();
        let hit = (at / 32) as u128;
        let expected: Vec<u128> = (0..10).filter(|hash| *hash != hit).collect();
        assert_eq!(known(&window, 0..10), expected, "byte {at}");
    }
    // A torn tail is written over.
    fs::write(&path, &whole[..300]).unwrap();
    log.append(&[(1, identity(77))], 1).unwrap();
    let window = Window::new(HOUR, 50, 1);
    log.load(&window).unwrap();
    assert_eq!(known(&window, 0..100), [0, 1, 2, 3, 4, 5, 6, 7, 8, 77]);
}
