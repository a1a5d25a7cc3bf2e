//! What operations between values find that is worth telling.

use plan::Remark;
use plan::annotation::{HistogramOperation, SampleType};
use plan::expr::ArithmeticOp;
use plan::node::BinaryOp;

use super::Operation;

/// What is worth telling about an operation, gathered over its values.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// A number on the left and a histogram on the right.
    pub(super) number_histogram: bool,
    /// A histogram on the left and a number on the right.
    pub(super) histogram_number: bool,
    /// Histograms on both sides.
    pub(super) histograms: bool,
    /// Histograms whose buckets cannot be brought together.
    pub(super) layout: bool,
    /// Histograms that contradict each other about a reset.
    pub(super) conflicting: bool,
    /// Custom bounds that differed.
    pub(super) reconciled: bool,
}

impl Told {
    /// Makes the remarks.
    pub(super) fn tell(self, operation: &Operation) {
        use SampleType::{Float, Histogram};
        let (remarks, operator) = (&operation.remarks, operation.op.symbol());
        let types = |left, right| move || Remark::IncompatibleTypes { left, operator, right };
        remarks.add_if(self.number_histogram, types(Float, Histogram));
        remarks.add_if(self.histogram_number, types(Histogram, Float));
        remarks.add_if(self.histograms, types(Histogram, Histogram));
        remarks.add_if(self.layout, || Remark::IncompatibleBucketLayout(operator));
        let is_sum = operation.op == BinaryOp::Arithmetic(ArithmeticOp::Add);
        let joined =
            if is_sum { HistogramOperation::Addition } else { HistogramOperation::Subtraction };
        remarks.add_if(self.conflicting, || Remark::ConflictingCounterResets(joined));
        remarks.add_if(self.reconciled, || Remark::ReconciledCustomBuckets(joined));
    }
}
