//! Tests of labels: ids without labels are ids of labels.

use proptest::prelude::*;
use prost::Message;
use schemas::model::{Label, Labels};

use super::*;
use crate::decode::tests::string;

proptest! {
    #[test]
    fn ids_are_those_of_the_labels(
        points in prop::collection::vec(
            prop::collection::vec(("[a-c.]{1,3}|job|le|Z", "[x-z]{0,2}"), 0..5),
            1..5,
        ),
    ) {
        let encoded: Vec<Vec<Vec<u8>>> = points
            .iter()
            .map(|point| point.iter().map(|(k, v)| string(k, v).encode_to_vec()).collect())
            .collect();
        let limits = Limits::default();
        let mut labels = PointLabels::new();
        labels.set_base(vec![
            BaseLabel { name: "job".into(), value: "j".into(), wins: true },
            BaseLabel { name: "a".into(), value: "base".into(), wins: false },
        ]);
        labels.set_extra(Some("le"));
        for point in &encoded {
            let mut list = Vec::new();
            for message in point {
                attributes::push(&mut list, message, &limits).unwrap();
            }
            attributes::dedup(&mut list);
            labels.read(&list, &limits).unwrap();
            // A set read anew has no memory of the points before.
            let mut fresh = PointLabels::new();
            fresh.set_base(labels.base.clone());
            fresh.set_extra(Some("le"));
            fresh.read(&list, &limits).unwrap();
            for extra in ["", "0.5"] {
                let pairs: Vec<_> = labels.iter("m", extra).collect();
                let slow: Labels = pairs.iter().map(|(n, v)| Label::new(*n, *v)).collect();
                prop_assert_eq!(slow.len(), pairs.len());
                prop_assert_eq!(slow.value("job"), "j");
                prop_assert_eq!(labels.id("m", extra), slow.id());
                prop_assert_eq!(fresh.id("m", extra), slow.id());
            }
        }
    }
}
