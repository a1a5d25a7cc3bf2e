//! Columns read from pages are those that Parquet's own writer wrote, in whatever way.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch};
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{WriterProperties, WriterVersion};
use proptest::prelude::*;

use super::packed::{differences, hybrid};
use super::{ABSENT, Column, Fetched, PageBuffers, Run};

/// How a file is written.
#[derive(Clone, Copy, Debug)]
struct Way {
    encoding: Encoding,
    has_dictionary: bool,
    version: WriterVersion,
    page_rows: usize,
}

fn way() -> impl Strategy<Value = Way> {
    let encoding = prop_oneof![Just(Encoding::PLAIN), Just(Encoding::DELTA_BINARY_PACKED)];
    let version = prop_oneof![Just(WriterVersion::PARQUET_1_0), Just(WriterVersion::PARQUET_2_0)];
    (encoding, any::<bool>(), version, 1..600_usize).prop_map(
        |(encoding, has_dictionary, version, page_rows)| Way {
            encoding,
            has_dictionary,
            version,
            page_rows,
        },
    )
}

fn write(column: ArrayRef, way: Way) -> (Bytes, ParquetMetaData) {
    let batch = RecordBatch::try_from_iter_with_nullable([("c", column, true)]).unwrap();
    let mut properties = WriterProperties::builder()
        .set_writer_version(way.version)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).unwrap()))
        .set_dictionary_enabled(way.has_dictionary)
        .set_write_batch_size(64)
        .set_data_page_row_count_limit(way.page_rows);
    if !way.has_dictionary {
        properties = properties.set_encoding(way.encoding);
    }
    let mut writer =
        ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    let bytes = Bytes::from(writer.into_inner().unwrap());
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Required);
    reader.try_parse(&bytes).unwrap();
    (bytes, reader.finish().unwrap())
}

fn column((bytes, metadata): &(Bytes, ParquetMetaData)) -> Column {
    let length = bytes.len() as u64;
    let fetched = Arc::new(Fetched { parts: vec![(0, bytes.clone())], length });
    let pages = metadata.offset_index().unwrap()[0][0].page_locations();
    let group = metadata.row_group(0);
    let rows = u32::try_from(group.num_rows()).unwrap();
    Column::new(&fetched, group.column(0), pages, rows).unwrap()
}

/// Integers with long and short runs, of any size, some of them absent.
fn integers() -> impl Strategy<Value = Vec<Option<i64>>> {
    let value = prop_oneof![
        4 => (0_i64..4).prop_map(Some),
        2 => (-1_000_000_i64..1_000_000).prop_map(Some),
        1 => (i64::MIN + 1..i64::MAX).prop_map(Some),
        1 => Just(None),
    ];
    let run = (value, prop_oneof![1..3_usize, 1..400_usize]);
    prop::collection::vec(run, 1..40).prop_map(|runs| {
        runs.into_iter().flat_map(|(value, times)| std::iter::repeat_n(value, times)).collect()
    })
}

/// Some ranges of rows, in order.
fn ranges(rows: usize, cuts: &[u32]) -> Vec<std::ops::Range<u32>> {
    let mut cuts: Vec<u32> = cuts.iter().map(|cut| cut % (rows as u32 + 1)).collect();
    cuts.sort_unstable();
    cuts.chunks_exact(2).map(|pair| pair[0]..pair[1]).collect()
}

fn expected_runs(values: &[Option<i64>], rows: &std::ops::Range<u32>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for row in rows.clone() {
        super::column::extend(&mut runs, row + 1, values[row as usize].unwrap_or(ABSENT));
    }
    runs
}

proptest! {
    #[test]
    fn columns_are_read_as_they_were_written(
        values in integers(),
        way in way(),
        cuts in prop::collection::vec(any::<u32>(), 2..8),
    ) {
        let file = write(Arc::new(Int64Array::from(values.clone())), way);
        let all = std::iter::once(0..values.len() as u32).collect();
        for rows in [all, ranges(values.len(), &cuts)] {
            let (mut numbers, mut runs) = (column(&file), column(&file));
            let (mut of_numbers, mut of_runs) = <(PageBuffers, PageBuffers)>::default();
            for rows in rows {
                let (mut got, mut got_runs) = (Vec::new(), Vec::new());
                let got = numbers.numbers(rows.clone(), &mut of_numbers, &mut got).unwrap();
                let of_rows = &values[rows.start as usize..rows.end as usize];
                let expected: Vec<i64> = of_rows.iter().map(|value| value.unwrap_or(0)).collect();
                prop_assert_eq!(got, expected);
                runs.runs(rows.clone(), &mut of_runs, &mut got_runs).unwrap();
                prop_assert_eq!(got_runs, expected_runs(&values, &rows));
            }
        }
    }

    #[test]
    fn no_bytes_lead_to_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        count in 0..500_usize,
        width in 0..40_u32,
    ) {
        let mut values = Vec::new();
        if differences(&bytes, count, &mut values).is_some() {
            prop_assert_eq!(values.len(), count);
        }
        let mut seen = 0;
        let read = hybrid(&bytes, width, count, |_, times| {
            seen += times;
            Some(())
        });
        prop_assert!(seen <= count && (read.is_none() || seen == count));
    }
}

#[test]
fn narrow_integers_and_bits_of_numbers() {
    let way = Way {
        encoding: Encoding::PLAIN,
        has_dictionary: false,
        version: WriterVersion::PARQUET_1_0,
        page_rows: 3,
    };
    let (mut got, mut pages) = (Vec::new(), PageBuffers::default());
    let numbers = [f64::NAN, -0.0, 1.5, f64::INFINITY, 7.0];
    let file = write(Arc::new(Float64Array::from(numbers.to_vec())), way);
    let mut column_of_numbers = column(&file);
    let got = column_of_numbers.numbers(0..5, &mut pages, &mut got).unwrap();
    let bits: Vec<i64> = numbers.iter().map(|number| number.to_bits() as i64).collect();
    assert_eq!(got, bits);
    for has_dictionary in [false, true] {
        let values = Int32Array::from(vec![Some(-3), Some(-3), None, Some(4), None]);
        let file = write(Arc::new(values), Way { has_dictionary, ..way });
        let mut got = Vec::new();
        column(&file).runs(0..5, &mut PageBuffers::default(), &mut got).unwrap();
        assert_eq!(got, [(2, -3), (3, ABSENT), (4, 4), (5, ABSENT)]);
    }
}
