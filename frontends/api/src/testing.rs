//! Hand-made batches and answers, for the unit tests of the encoders.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, FixedSizeListBuilder, Float64Builder, MapBuilder, MapFieldNames, StringBuilder,
};
use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use tokio::time::Instant;

use crate::respond::{Encode, End};

/// A column of label sets.
pub(crate) fn labels(sets: &[&[(&str, &str)]]) -> ArrayRef {
    let names = MapFieldNames {
        entry: "entries".to_owned(),
        key: "keys".to_owned(),
        value: "values".to_owned(),
    };
    let mut builder = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for set in sets {
        for (name, value) in *set {
            builder.keys().append_value(name);
            builder.values().append_value(value);
        }
        builder.append(true).unwrap();
    }
    Arc::new(builder.finish())
}

/// A column of values at every step; at least one row.
pub(crate) fn tiles(rows: &[&[Option<f64>]]) -> ArrayRef {
    let steps = i32::try_from(rows[0].len()).unwrap();
    let mut builder = FixedSizeListBuilder::new(Float64Builder::new(), steps);
    for row in rows {
        for value in *row {
            builder.values().append_option(*value);
        }
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// All that an encoder writes about some batches.
pub(crate) fn text_of(
    encoder: &mut impl Encode,
    batches: &[RecordBatch],
    warnings: &[&str],
) -> String {
    text_with(encoder, batches, warnings, &[])
}

/// The same, with infos.
pub(crate) fn text_with<E: Encode>(
    encoder: &mut E,
    batches: &[RecordBatch],
    warnings: &[&str],
    infos: &[&str],
) -> String {
    let mut text = String::new();
    let mut add = |part: E::Buffer| {
        let part: Bytes = part.into();
        text.push_str(std::str::from_utf8(&part).unwrap());
    };
    let mut part = E::Buffer::default();
    encoder.open(&mut part);
    add(part);
    for batch in batches {
        // As in an answer, each part is written to a text of its own.
        let mut part = E::Buffer::default();
        encoder.rows(batch, &mut part).unwrap();
        add(part);
    }
    let warnings = warnings.iter().map(|text| (*text).to_owned()).collect();
    let infos = infos.iter().map(|text| (*text).to_owned()).collect();
    let end = End { stats: Arc::default(), warnings, infos, started: Instant::now() };
    let mut part = E::Buffer::default();
    encoder.close(&end, &mut part);
    add(part);
    text
}
