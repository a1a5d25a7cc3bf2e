//! Batches, wherever they are computed.

use arrow::array::{AsArray, UInt32Array};
use arrow::datatypes::{DataType, Field, Schema, UInt32Type};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::placeholder_row::PlaceholderRowExec;

use super::*;
use crate::tiles;

fn numbers(place: Place, count: u32, failure: Option<&'static str>) -> SendableRecordBatchStream {
    let schema = Arc::new(Schema::new(vec![Field::new("number", DataType::UInt32, false)]));
    let made = Arc::clone(&schema);
    stream(schema, place, |sender| async move {
        for number in 0..count {
            let column = Arc::new(UInt32Array::from(vec![number]));
            let batch = RecordBatch::try_new(Arc::clone(&made), vec![column])?;
            if sender.send(Ok(batch)).await.is_err() {
                return Ok(());
            }
            if number % 7 == 0 {
                tokio::task::yield_now().await;
            }
        }
        match failure {
            Some(text) => Err(DataFusionError::Execution(text.to_owned())),
            None => Ok(()),
        }
    })
}

#[tokio::test]
async fn batches_come_in_order_and_an_error_last() {
    // A task's error may overtake its batches.
    let ways = [(Place::Here, None), (Place::Here, Some("at last")), (Place::Task, None)];
    for (place, failure) in ways {
        let mut stream = numbers(place, 500, failure);
        for expected in 0..500 {
            let batch = stream.next().await.expect("there are more").expect("it is a batch");
            assert_eq!(batch.column(0).as_primitive::<UInt32Type>().value(0), expected);
        }
        let last = stream.next().await.map(|last| last.err().map(|error| error.to_string()));
        let told = last.flatten().is_some_and(|text| text.contains("at last"));
        assert_eq!(told, failure.is_some(), "{place:?}");
    }
}

#[tokio::test]
async fn a_consumer_may_leave() {
    let mut stream = numbers(Place::Here, u32::MAX, None);
    assert!(stream.next().await.is_some());
    drop(stream);
}

#[test]
fn what_stands_on_many_has_a_task() {
    let mut input: Arc<dyn ExecutionPlan> = Arc::new(PlaceholderRowExec::new(tiles::schema(1)));
    for height in 0..2 * DEPTH_IN_PLACE {
        let expected = if height < DEPTH_IN_PLACE { Place::Here } else { Place::Task };
        assert_eq!(place(&[&input]), expected, "{height}");
        input = Arc::new(
            datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec::new(input),
        );
    }
}
