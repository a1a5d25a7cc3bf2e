//! Statistics of histograms, with what is worth telling about them.

use plan::Remark;
use plan::annotation::ForcedMonotonicity;
use plan::node::Naming;
use schemas::model::{NANOS_PER_MILLI, StepGrid};

use super::{HistogramStatistic, Source};
use crate::annotations::Remarks;
use crate::functions::histogram::{Lifted, bucket_fraction, bucket_quantile};
use crate::histogram::NanPart;

/// Computes numbers of histograms and remarks on what was doubtful about them.
pub(super) struct Notes {
    statistic: HistogramStatistic,
    /// One for each argument, the vector's last; empty if none are wanted.
    remarks: Vec<Remarks>,
    grid: StepGrid,
    naming: Naming,
}

/// A step and the name of the metric.
type Place<'a> = (usize, &'a str);

impl Notes {
    /// `remarks` go to one place for each argument.
    pub(super) fn new(
        statistic: HistogramStatistic,
        remarks: Vec<Remarks>,
        grid: StepGrid,
        naming: Naming,
    ) -> Self {
        Self { statistic, remarks, grid, naming }
    }

    /// Tells of quantiles that are none, whether or not there is a histogram.
    pub(super) fn scalars(&self, scalars: &[Vec<f64>]) {
        if self.statistic == HistogramStatistic::Fraction {
            return;
        }
        for (phis, remarks) in scalars.iter().zip(&self.remarks) {
            let mut last = None;
            for phi in phis.iter().filter(|phi| !(0.0..=1.0).contains(*phi)) {
                if last != Some(phi.to_bits()) {
                    remarks.add(Remark::InvalidQuantile(*phi));
                }
                last = Some(phi.to_bits());
            }
        }
    }

    /// Tells of a bucket that was left out.
    pub(super) fn bad_bound(&self, bound: &str, metric: &str) {
        let (bound, metric) = (bound.to_owned(), metric.to_owned());
        self.of_vector(Remark::BadBucketLabel { bound, metric });
    }

    /// Tells of classic buckets beside a native histogram.
    pub(super) fn mixed(&self, metric: &str) {
        self.of_vector(Remark::MixedClassicNative(metric.to_owned()));
    }

    /// The φ-quantile.
    pub(super) fn quantile(&self, source: &mut Source<'_>, phi: f64, place: Place<'_>) -> f64 {
        match source {
            Source::Buckets(buckets) => {
                let (quantile, lifted) = bucket_quantile(phi, buckets);
                if let Some(lifted) = lifted {
                    self.lifted(lifted, place);
                }
                quantile
            }
            Source::Native(histogram) => {
                let (quantile, nan_part) = histogram.quantile(phi);
                match nan_part {
                    NanPart::None => {}
                    NanPart::Result => self.of_first(Remark::QuantileNanResult, place.1),
                    NanPart::Skew => self.of_first(Remark::QuantileNanSkew, place.1),
                }
                quantile
            }
        }
    }

    /// The share of observations between two bounds.
    pub(super) fn fraction(
        &self,
        source: &mut Source<'_>,
        (lower, upper): (f64, f64),
        place: Place<'_>,
    ) -> f64 {
        match source {
            Source::Buckets(buckets) => bucket_fraction(lower, upper, buckets),
            Source::Native(histogram) => {
                let fraction = histogram.fraction(lower, upper);
                if !fraction.is_nan() && histogram.has_nan() {
                    self.of_first(Remark::FractionNan, place.1);
                }
                fraction
            }
        }
    }

    fn lifted(&self, lifted: Lifted, (step, metric): Place<'_>) {
        let step = u32::try_from(step).unwrap_or(u32::MAX);
        let time_ms = self.grid.at(step).div_euclid(NANOS_PER_MILLI);
        self.of_vector(Remark::ForcedMonotonicity(ForcedMonotonicity {
            metric: self.still_named(metric),
            bound_min: lifted.bound_min,
            bound_max: lifted.bound_max,
            difference_max: lifted.difference_max,
            samples: 1,
            first_ms: time_ms,
            last_ms: time_ms,
        }));
    }

    fn of_vector(&self, remark: Remark) {
        if let Some(remarks) = self.remarks.last() {
            remarks.add(remark);
        }
    }

    /// A remark about the first argument as the user wrote them: several quantiles follow the
    /// vector, one stands before it.
    fn of_first(&self, remark: fn(String) -> Remark, metric: &str) {
        let remarks = match self.statistic {
            HistogramStatistic::Quantiles(_) => self.remarks.last(),
            _ => self.remarks.first(),
        };
        if let Some(remarks) = remarks {
            remarks.add(remark(self.still_named(metric)));
        }
    }

    /// The name of a metric, which is no longer there where names are dropped at once.
    fn still_named(&self, metric: &str) -> String {
        if self.naming == Naming::Delayed { metric.to_owned() } else { String::new() }
    }
}
