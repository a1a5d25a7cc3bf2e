//! Tests of inflating.

use std::io::Write;

use super::*;

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap().into()
}

fn free(_: usize) -> Result<(), Error> {
    Ok(())
}

#[test]
fn what_was_compressed_comes_back() {
    let text = b"otlp ".repeat(50_000);
    let zstd = Bytes::from(zstd::encode_all(text.as_slice(), 1).unwrap());
    for (body, compression) in [(gzip(&text), Compression::Gzip), (zstd, Compression::Zstd)] {
        let inflated = inflate(&body, compression, text.len(), free).unwrap();
        assert_eq!(inflated, text);
        let refused = inflate(&body, compression, text.len() - 1, free).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::TooLarge);
    }
}

#[test]
fn several_gzip_members_are_one_body() {
    let body = [gzip(b"a").as_ref(), gzip(b"b").as_ref()].concat().into();
    assert_eq!(inflate(&body, Compression::Gzip, 10, free).unwrap(), b"ab".as_slice());
}

#[test]
fn damaged_bodies_are_invalid() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let error = inflate(&Bytes::from_static(b"nonsense"), compression, 10, free).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
}

#[test]
fn a_refused_step_ends_inflating() {
    let full = |_: usize| Err(Error::new(ErrorKind::Limit, "full"));
    let error = inflate(&gzip(b"a"), Compression::Gzip, 10, full).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}

#[test]
fn snappy_blocks_are_inflated_within_the_limit() {
    let text = vec![7_u8; 1_000];
    let block = Bytes::from(snap::raw::Encoder::new().compress_vec(&text).unwrap());
    let inflated = |max| inflate(&block, Compression::Snappy, max, |_| Ok(()));
    assert_eq!(inflated(1_000).unwrap(), text);
    assert_eq!(inflated(999).unwrap_err().kind(), ErrorKind::TooLarge);
    let broken = inflate(&block.slice(..block.len() - 1), Compression::Snappy, 1_000, |_| Ok(()));
    assert_eq!(broken.unwrap_err().kind(), ErrorKind::Invalid);
}
