//! The cause of an error decides what the caller can do.

use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::error::DataFusionError as D;
use parquet::errors::ParquetError;

use super::*;

#[test]
fn a_cause_is_found_however_deep_it_is_wrapped() {
    let wraps: [fn(D) -> D; 5] = [
        |error| D::ParquetError(Box::new(ParquetError::External(Box::new(error)))),
        |error| D::ArrowError(Box::new(ArrowError::ExternalError(Box::new(error))), None),
        |error| D::Shared(Arc::new(error)),
        |error| D::Context("while reading".into(), Box::new(error)),
        |error| D::External(Box::new(error)),
    ];
    type Cause = (fn() -> D, ErrorKind, &'static str);
    let causes: [Cause; 3] = [
        (
            || D::ResourcesExhausted("no more".into()),
            ErrorKind::Limit,
            "the query needs too much memory: no more",
        ),
        (|| Error::new(ErrorKind::Timeout, "too long").into(), ErrorKind::Timeout, "too long"),
        (
            || D::External(Box::new(storage::Error::new(storage::ErrorKind::Unavailable, "gone"))),
            ErrorKind::Unavailable,
            "the lake cannot be read: gone",
        ),
    ];
    for (cause, kind, message) in causes {
        for outer in wraps {
            for inner in wraps {
                let error = from_datafusion(outer(inner(cause())));
                assert_eq!((error.kind(), error.to_string()), (kind, message.to_owned()));
            }
        }
    }
}

#[test]
fn what_nobody_explains_is_our_bug() {
    assert_eq!(from_datafusion(D::Internal("odd".into())).kind(), ErrorKind::Internal);
}
