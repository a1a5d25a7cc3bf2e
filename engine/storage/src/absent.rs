//! Columns without a single value, which take no memory of their own.
//!
//! Half the columns of a fresh sample are null: its mantissa and exponent are found when a segment
//! is written, and remote write tells no start time. Arrow wants zeros behind nulls all the same;
//! here all such columns share the same ones.
//!
//! ```text
//!  zeros: 4 KiB, 8 KiB … 1 MiB     a column takes the smallest that is long enough, so that what
//!                                  Arrow reckons of a batch is at most twice what it would be
//! ```

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, new_null_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

/// Bytes of the shortest shared zeros, as a power of two.
const SHORTEST_LOG: u32 = 12;

/// Bytes of the longest shared zeros, as a power of two; longer columns have their own.
const LONGEST_LOG: u32 = 20;

/// Columns of fewer rows have zeros of their own: what is reckoned of shared ones would be more.
const SHARED_ROWS_MIN: usize = 256;

/// Shared zeros by their length.
static ZEROS: LazyLock<Vec<Buffer>> = LazyLock::new(|| {
    let zeros = |log: u32| Buffer::from(MutableBuffer::from_len_zeroed(1_usize << log));
    (SHORTEST_LOG..=LONGEST_LOG).map(zeros).collect()
});

/// A column of `rows` nulls; if it is one of numbers, and neither short nor very long, it takes no
/// memory.
pub fn absent(data_type: &DataType, rows: usize) -> ArrayRef {
    let bytes = data_type.primitive_width().and_then(|width| rows.checked_mul(width));
    let zeros = bytes.filter(|_| rows >= SHARED_ROWS_MIN).and_then(shared);
    let Some(zeros) = zeros else { return new_null_array(data_type, rows) };
    let flags = shared(rows.div_ceil(8)).unwrap_or_else(|| zeros.clone());
    let nulls = Some(NullBuffer::new(BooleanBuffer::new(flags, 0, rows)));
    match data_type {
        DataType::Int64 => Arc::new(Int64Array::new(ScalarBuffer::new(zeros, 0, rows), nulls)),
        DataType::Int32 => Arc::new(Int32Array::new(ScalarBuffer::new(zeros, 0, rows), nulls)),
        DataType::Float64 => Arc::new(Float64Array::new(ScalarBuffer::new(zeros, 0, rows), nulls)),
        _ => new_null_array(data_type, rows),
    }
}

/// Whether a column has no value.
pub(crate) fn is_absent(column: &dyn Array) -> bool {
    column.null_count() == column.len()
}

/// Memory of the columns of a batch that only it has, in bytes, as Arrow counts it.
pub(crate) fn held_bytes(rows: &RecordBatch) -> usize {
    let held = |column: &&ArrayRef| !is_shared(column.as_ref());
    rows.columns().iter().filter(held).map(|column| column.get_array_memory_size()).sum()
}

fn is_shared(column: &dyn Array) -> bool {
    if !column.data_type().is_primitive() || !is_absent(column) || column.is_empty() {
        return false;
    }
    let data = column.to_data();
    data.buffers().first().is_some_and(|buffer| {
        let of_its_length = shared(buffer.capacity());
        of_its_length.is_some_and(|zeros| zeros.data_ptr() == buffer.data_ptr())
    })
}

/// Zeros of at least so many bytes; `None` if there are not as many.
fn shared(bytes: usize) -> Option<Buffer> {
    let log = bytes.checked_next_power_of_two()?.trailing_zeros().max(SHORTEST_LOG);
    ZEROS.get(usize::try_from(log - SHORTEST_LOG).ok()?).cloned()
}

#[cfg(test)]
mod tests;
