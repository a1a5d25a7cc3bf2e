//! Scores worked out by hand, and what every score must be.

use proptest::prelude::*;

use super::*;

fn terms(terms: &[&str], algorithm: Algorithm, threshold: f64, is_case_sensitive: bool) -> Terms {
    let terms = terms.iter().map(|term| term.chars().collect()).collect();
    Terms { terms, algorithm, threshold, is_case_sensitive }
}

fn scored(term: &str, algorithm: Algorithm, threshold: f64, name: &str) -> Option<f64> {
    terms(&[term], algorithm, threshold, true).score(name)
}

#[track_caller]
fn check(found: Option<f64>, expected: f64) {
    let found = found.expect("it fits");
    assert!((found - expected).abs() < 1e-12, "{found} for {expected}");
}

#[test]
fn runs_count_and_gaps_cost() {
    use Algorithm::Subsequence;
    check(scored("up", Subsequence, 0.0, "up"), 1.0);
    check(scored("up", Subsequence, 1.0, "uptime"), 1.0);
    // One run of two behind one character, and three behind it: (4 - 1/6 - 3/12) / 4.
    check(scored("up", Subsequence, 0.0, "xupabc"), (4.0 - 1.0 / 6.0 - 0.25) / 4.0);
    // h, then two skipped, t, and two behind: (1 - 0 + 1 - 2/6 - 2/12) / 4.
    check(scored("ht", Subsequence, 0.0, "h__t__"), (2.0 - 2.0 / 6.0 - 1.0 / 6.0) / 4.0);
    // The later start is the better one: `ab` as one run.
    check(scored("ab", Subsequence, 0.0, "a_ab"), (4.0 - 2.0 / 4.0) / 4.0);
    assert_eq!(scored("ba", Subsequence, 0.0, "ab"), None);
    assert_eq!(scored("abc", Subsequence, 0.0, "ab"), None);
    assert_eq!(scored("ht", Subsequence, 0.9, "h__t__"), None);
}

#[test]
fn substrings_count_by_their_place_and_likeness_from_the_threshold_on() {
    use Algorithm::JaroWinkler;
    check(scored("time", JaroWinkler, 0.0, "uptime"), 0.1);
    check(scored("p", JaroWinkler, 0.0, "uptime"), 1.0 - 0.9 / 5.0);
    assert_eq!(scored("upt1me", JaroWinkler, 0.0, "uptime"), None);
    // The textbook's pairs.
    check(scored("MARTHA", JaroWinkler, 0.5, "MARHTA"), 0.961_111_111_111_111_1);
    check(scored("DIXON", JaroWinkler, 0.5, "DICKSONX"), 0.813_333_333_333_333_3);
    assert_eq!(scored("MARTHA", JaroWinkler, 0.97, "MARHTA"), None);
    assert_eq!(scored("xyz", JaroWinkler, 0.01, "abc"), None);
}

#[test]
fn the_best_of_the_terms_counts_and_case_may_be_ignored() {
    let both = terms(&["memory", "cpu"], Algorithm::Subsequence, 0.0, false);
    check(both.score("CPU_seconds"), 1.0);
    assert_eq!(both.score("disk"), None);
    let exact = terms(&["cpu"], Algorithm::Subsequence, 0.0, true);
    assert_eq!(exact.score("CPU_seconds"), None);
    check(terms(&[], Algorithm::Subsequence, 0.5, true).score("anything"), 1.0);
}

proptest! {
    #[test]
    fn scores_lie_between_none_and_all(term in "[abc_]{1,6}", name in "[abc_]{0,10}") {
        for algorithm in [Algorithm::Subsequence, Algorithm::JaroWinkler] {
            for threshold in [0.0, 0.3] {
                if let Some(score) = scored(&term, algorithm, threshold, &name) {
                    prop_assert!((0.0..=1.0).contains(&score), "{score}");
                    prop_assert_eq!(score == 1.0, name.starts_with(&term));
                }
            }
        }
        let mut rest = name.chars();
        let is_inside = term.chars().all(|wanted| rest.any(|found| found == wanted));
        let found = scored(&term, Algorithm::Subsequence, 0.0, &name);
        prop_assert_eq!(is_inside, found.is_some());
        let holds = scored(&term, Algorithm::JaroWinkler, 0.0, &name).is_some();
        prop_assert_eq!(name.contains(&term), holds);
    }
}
