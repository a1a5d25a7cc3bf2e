//! Tests of objects that are written piece by piece.

use super::super::fixtures::{Fault, Faulty};
use super::*;

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

async fn write(
    objects: &Objects,
    path: &str,
    body: &[u8],
    piece: usize,
) -> Result<Uploaded, Error> {
    let mut upload = objects.upload(path);
    for piece in body.chunks(piece) {
        upload.write(piece).await?;
    }
    upload.finish().await
}

fn places() -> (tempfile::TempDir, Vec<Objects>) {
    let folder = tempfile::tempdir().unwrap();
    let local = Objects::local(folder.path()).unwrap();
    (folder, vec![local, Objects::remote(Faulty::new(&[]).remote())])
}

#[tokio::test]
async fn objects_of_any_length_arrive_whole() {
    let (_folder, places) = places();
    for objects in places {
        for length in [1, 999, 1000, 1001, 5000, 12_345] {
            for piece in [7, 1000, 20_000] {
                let (path, body) = (format!("{length}/{piece}"), body(length));
                let uploaded = write(&objects, &path, &body, piece).await.unwrap();
                let expected = Uploaded {
                    created: Created::New,
                    bytes: length as u64,
                    crc32c: crc32c::crc32c(&body),
                };
                assert_eq!(uploaded, expected);
                assert_eq!(objects.read(&path).await.unwrap(), body);
            }
        }
    }
}

#[tokio::test]
async fn what_exists_stays() {
    let (_folder, places) = places();
    for objects in places {
        for length in [100, 5000] {
            let path = length.to_string();
            objects.create(&path, Bytes::from_static(b"first")).await.unwrap();
            let uploaded = write(&objects, &path, &body(length), 100).await.unwrap();
            assert_eq!(uploaded.created, Created::Exists);
            assert_eq!(objects.read(&path).await.unwrap(), "first");
        }
    }
}

#[tokio::test]
async fn an_upload_that_is_dropped_leaves_nothing() {
    let (_folder, places) = places();
    for objects in places {
        let mut upload = objects.upload("a");
        upload.write(&body(5000)).await.unwrap();
        drop(upload);
        assert!(objects.list_with_sizes("").await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn every_request_of_an_upload_may_fail_once_in_any_way() {
    // Begin, five parts, head, complete.
    for at in 0..8 {
        for fault in [Fault::Refuse(500), Fault::Refuse(503), Fault::Stall, Fault::LoseAnswer] {
            let mut script = vec![Fault::Pass; at];
            script.push(fault);
            let objects = Objects::remote(Faulty::new(&script).remote());
            let body = body(4500);
            let uploaded = write(&objects, "a", &body, 300).await;
            let uploaded = uploaded.unwrap_or_else(|error| panic!("{at} {fault:?}: {error}"));
            assert_eq!(uploaded.created, Created::New);
            assert_eq!(objects.read("a").await.unwrap(), body);
        }
    }
}
