//! Work: dropping and rewriting what is beyond its retention.

use std::collections::HashSet;
use std::sync::Arc;

use schemas::model::Signal;
use schemas::tables::{Table, day_of_ns};

use super::Cuts;
use crate::catalog::Change;
use crate::clock::now_ns;
use crate::{Error, ErrorKind, Operation, Segment, Store};

/// Segments that one commit drops, at most.
const DROPPED_AT_ONCE: usize = 10_000;

/// What was taken away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retained {
    /// Segments that were dropped whole.
    pub dropped_segments: u64,
    /// Their bytes.
    pub dropped_bytes: u64,
    /// Their rows.
    pub dropped_rows: u64,
    /// Segments that were rewritten.
    pub rewritten_segments: u64,
    /// Rows that they lost.
    pub rewritten_rows: u64,
}

/// What would be taken away now.
#[derive(Clone, Debug, Default)]
pub struct RetentionPlan {
    /// Segments all of whose rows are beyond their period.
    pub dropped: Vec<(Table, Arc<Segment>)>,
    /// Segments all of whose rows of some class may be, but not those of others.
    pub rewritten: Vec<(Table, Arc<Segment>)>,
}

impl Store {
    /// What retention would take away now.
    pub fn retention_plan(&self) -> RetentionPlan {
        let now_ns = now_ns();
        let mut plan = RetentionPlan::default();
        for table in Table::ALL {
            for (tenant, live) in self.live(table) {
                let cuts = self.shared.policy.cuts(&tenant, table.signal(), now_ns);
                let Some(cuts) = cuts else { continue };
                let (dropped, rewritten) = plan_tenant(table, live.iter(), &cuts);
                plan.dropped.extend(dropped.into_iter().map(|it| (table, it)));
                plan.rewritten.extend(rewritten.into_iter().map(|it| (table, it)));
            }
        }
        plan
    }

    /// Takes away what is beyond its retention now.
    pub async fn retain_once(&self) -> Result<Retained, Error> {
        let plan = self.retention_plan();
        let mut retained = Retained::default();
        for table in Table::ALL {
            let of_table = plan.dropped.iter().filter(|(of, _)| *of == table);
            let dropped: Vec<_> = of_table.map(|(_, segment)| Arc::clone(segment)).collect();
            for removes in dropped.chunks(DROPPED_AT_ONCE) {
                self.drop_segments(table, removes, &mut retained).await?;
            }
        }
        for (table, segment) in &plan.rewritten {
            self.retain_rows(*table, segment, &mut retained).await?;
        }
        let planned: HashSet<&str> =
            plan.rewritten.iter().map(|(_, segment)| segment.path.as_str()).collect();
        self.shared.retained.lock().retain(|(path, _)| planned.contains(path.as_str()));
        self.forget_days();
        if retained != Retained::default() {
            tracing::info!(?retained, "took away what is beyond its retention");
        }
        Ok(retained)
    }

    async fn drop_segments(
        &self,
        table: Table,
        removes: &[Arc<Segment>],
        retained: &mut Retained,
    ) -> Result<(), Error> {
        let change = Change {
            operation: Operation::Retain,
            adds: Vec::new(),
            removes: removes.to_vec(),
            applied: None,
        };
        match self.publish(table, &change).await {
            Ok(_) => {}
            // Merged meanwhile: what came of them is looked at next time.
            Err(error) if error.kind() == ErrorKind::Conflict => return Ok(()),
            Err(error) => return Err(error),
        }
        retained.dropped_segments += removes.len() as u64;
        retained.dropped_bytes += removes.iter().map(|it| it.bytes).sum::<u64>();
        retained.dropped_rows += removes.iter().map(|it| it.rows).sum::<u64>();
        Ok(())
    }

    async fn retain_rows(
        &self,
        table: Table,
        segment: &Arc<Segment>,
        retained: &mut Retained,
    ) -> Result<(), Error> {
        let cuts = self.shared.policy.cuts(&segment.tenant, table.signal(), now_ns());
        let passed = cuts.map_or(0, |cuts| cuts.passed(table, segment));
        let looked_at = (segment.path.clone(), passed);
        let deletes = self.deletes_of(&segment.tenant);
        let may = deletes.may_apply(table, segment, crate::clock::now_ms());
        if !may || self.shared.retained.lock().contains(&looked_at) {
            return Ok(());
        }
        if self.hidden_rows(table, segment, &deletes).await? > 0 {
            let rows = self.rewrite(table, segment, &deletes, Operation::Retain).await?;
            retained.rewritten_segments += u64::from(rows.is_some());
            retained.rewritten_rows += rows.unwrap_or(0);
        } else {
            self.shared.retained.lock().insert(looked_at);
        }
        Ok(())
    }

    /// Lets the indexes forget the days of which nothing is kept.
    fn forget_days(&self) {
        let tenants: HashSet<Arc<str>> =
            Table::ALL.into_iter().flat_map(|it| self.live(it)).map(|(tenant, _)| tenant).collect();
        for tenant in tenants {
            for (signal, index) in
                [(Signal::Metrics, self.series(&tenant)), (Signal::Logs, self.streams(&tenant))]
            {
                let cuts = self.shared.policy.cuts(&tenant, signal, now_ns());
                let first_ns = cuts.map_or(i64::MIN, |cuts| cuts.first_ns);
                if first_ns > i64::MIN {
                    index.forget_before(day_of_ns(first_ns));
                }
            }
        }
    }
}

/// The segments of a tenant that go, and those that lose the rows of a class.
pub(super) fn plan_tenant<'a>(
    table: Table,
    live: impl Iterator<Item = &'a Arc<Segment>>,
    cuts: &Cuts,
) -> (Vec<Arc<Segment>>, Vec<Arc<Segment>>) {
    let (mut dropped, mut rewritten) = (Vec::new(), Vec::new());
    for segment in live {
        if cuts.hides(table, segment) {
            dropped.push(Arc::clone(segment));
        } else if cuts.passed(table, segment) != 0 {
            rewritten.push(Arc::clone(segment));
        }
    }
    (dropped, rewritten)
}
