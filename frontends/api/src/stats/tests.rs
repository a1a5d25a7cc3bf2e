//! Counting queries.

use std::sync::Arc;

use exec::QueryStats;

use super::{Counters, Language, Outcome, QueryTimer};

#[test]
fn a_query_is_counted_once_under_its_outcome() {
    let counters = Arc::new(Counters::default());
    QueryTimer::start(&counters, Language::LogQl).end(Outcome::Answered);
    QueryTimer::start(&counters, Language::LogQl).end(Outcome::Refused);
    drop(QueryTimer::start(&counters, Language::LogQl));
    let stats = counters.snapshot();
    let logql = &stats.languages[1];
    assert_eq!(logql.language, Language::LogQl);
    assert_eq!((logql.answered, logql.refused, logql.failed, logql.cancelled), (1, 1, 0, 1));
    assert_eq!(stats.running, 0);
}

#[test]
fn what_a_query_read_is_added_when_it_ends() {
    let counters = Arc::new(Counters::default());
    let read = Arc::new(QueryStats::default());
    let mut timer = QueryTimer::start(&counters, Language::Sql);
    timer.reads(&read);
    read.rows_read.store(7, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(counters.snapshot().running, 1);
    timer.end(Outcome::Failed);
    let sql = &counters.snapshot().languages[3];
    assert_eq!((sql.failed, sql.rows_read), (1, 7));
}
