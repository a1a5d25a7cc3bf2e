//! Remarks of one text are one, and their number is bounded.

use std::sync::Arc;

use plan::annotation::HistogramOperation;
use plan::{Position, Remark};

use super::{Annotations, REMARKS_MAX, Remarks};

fn at(column: u32) -> Option<Position> {
    Some(Position { line: 1, column })
}

#[test]
fn one_text_is_told_once_at_its_last_place() {
    let annotations = Arc::new(Annotations::default());
    for column in [7, 30, 7] {
        Remarks::new(&annotations, at(column)).add(Remark::NotGauge("a".to_owned()));
    }
    Remarks::new(&annotations, at(9)).add(Remark::NotGauge("b".to_owned()));
    let info = Remark::ReconciledCustomBuckets(HistogramOperation::Addition);
    Remarks::new(&annotations, at(1)).add(info);
    assert_eq!(
        annotations.warnings(),
        [
            "PromQL warning: this native histogram metric is not a gauge: \"b\" (1:9)",
            "PromQL warning: this native histogram metric is not a gauge: \"a\" (1:30)",
        ]
    );
    assert_eq!(
        annotations.infos(),
        ["PromQL info: mismatched custom buckets were reconciled during addition (1:1)"]
    );
}

#[test]
fn nothing_is_told_without_a_place() {
    let annotations = Arc::new(Annotations::default());
    let remarks = Remarks::new(&annotations, None);
    assert!(!remarks.are_wanted());
    remarks.add(Remark::SortInRangeQuery);
    remarks.add_if(true, || Remark::SortInRangeQuery);
    assert!(annotations.warnings().is_empty());
}

#[test]
fn remarks_are_bounded() {
    let annotations = Arc::new(Annotations::default());
    let remarks = Remarks::new(&annotations, at(1));
    for metric in 0..2 * REMARKS_MAX {
        remarks.add(Remark::NotCounter(metric.to_string()));
    }
    assert_eq!(annotations.warnings().len(), REMARKS_MAX);
}
