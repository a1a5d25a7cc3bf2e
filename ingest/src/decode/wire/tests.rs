//! Tests of the wire format.

use super::*;

fn all(message: &[u8]) -> Result<Vec<(u32, Value<'_>)>, Malformed> {
    let mut fields = Fields::new(message);
    let mut read = Vec::new();
    while let Some(field) = fields.next()? {
        read.push(field);
    }
    Ok(read)
}

#[test]
fn every_wire_type_is_read() {
    let message = [
        0x08, 0x96, 0x01, // 1: varint 150
        0x11, 1, 0, 0, 0, 0, 0, 0, 0, // 2: fixed64 1
        0x1A, 2, b'h', b'i', // 3: "hi"
        0x25, 7, 0, 0, 0, // 4: fixed32 7
        0x2B, 0x08, 0x01, 0x2C, // 5: group { 1: 1 }
        0x08, 0x00,
    ];
    let expected = vec![
        (1, Value::Varint(150)),
        (2, Value::Fixed64(1)),
        (3, Value::Bytes(b"hi")),
        (4, Value::Fixed32(7)),
        (1, Value::Varint(0)),
    ];
    assert_eq!(all(&message), Ok(expected));
}

#[test]
fn damage_is_told() {
    let truncated: [&[u8]; 5] = [&[0x08], &[0x08, 0x80], &[0x11, 1], &[0x1A, 3, 1], &[0x25, 1]];
    for message in truncated {
        assert_eq!(all(message), Err(TRUNCATED), "{message:?}");
    }
    let invalid: [&[u8]; 6] = [
        &[0x00, 0x00],
        &[0x0E],
        &[0x0F],
        &[0x0C],
        &[0x0B, 0x14],
        &[0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02],
    ];
    for message in invalid {
        assert!(all(message).is_err(), "{message:?}");
    }
    assert!(all(&[0x0B; 100]).is_err());
}

#[test]
fn the_largest_varint_is_read() {
    let message = [0x08, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
    assert_eq!(all(&message), Ok(vec![(1, Value::Varint(u64::MAX))]));
}

#[test]
fn zigzag_is_undone() {
    for (wire, value) in [(0, 0), (1, -1), (2, 1), (0xFFFF_FFFF, i32::MIN), (0xFFFF_FFFE, i32::MAX)]
    {
        assert_eq!(Value::Varint(wire).sint32(), Ok(value));
    }
}

#[test]
fn packed_and_single_values_are_the_same() {
    let mut seen = Vec::new();
    Value::Bytes(&[1, 0x96, 0x01]).each_varint(|v| seen.push(v)).unwrap();
    Value::Varint(7).each_varint(|v| seen.push(v)).unwrap();
    Value::Bytes(&[2, 0, 0, 0, 0, 0, 0, 0]).each_fixed64(|v| seen.push(v)).unwrap();
    Value::Fixed64(3).each_fixed64(|v| seen.push(v)).unwrap();
    assert_eq!(seen, [1, 150, 7, 2, 3]);
    assert!(Value::Bytes(&[0; 9]).each_fixed64(|_| ()).is_err());
    assert!(Value::Bytes(&[0x80]).each_varint(|_| ()).is_err());
}
