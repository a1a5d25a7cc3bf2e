//! Selection: from matchers to ordinals, without looking at every entry where it can be helped.
//!
//! ```text
//!  matchers, the narrow ones first ─▶ values that can match ─▶ postings ─▶ bits ∧ days
//! ```
//!
//! Values are looked up where a pattern is a list of texts, bisected where it begins with one,
//! and compared one by one only where nothing is known of it. If fewer candidates are left than
//! values would have to be compared, the candidates are asked instead.

use std::sync::Arc;

use ahash::HashMap;
use parking_lot::{RwLock, RwLockReadGuard};
use schemas::model::{CompiledMatcher, Reach, TimeRange};

use super::bits::Bits;
use super::days_of;
use super::entries::Entries;

/// Values or entries that are looked at before a waiting writer gets its turn.
const STEP: usize = 1024;

/// A look at the index that makes way for writers again and again. What was read stays true:
/// entries are only added meanwhile.
pub(super) struct Reader<'a> {
    guard: RwLockReadGuard<'a, Entries>,
    /// Ordinals when the look began.
    len: usize,
    taken: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(entries: &'a RwLock<Entries>) -> Self {
        let guard = entries.read();
        let len = guard.ordinals();
        Self { guard, len, taken: 0 }
    }

    /// The entries, for a short look.
    pub(super) fn entries(&self) -> &Entries {
        &self.guard
    }

    /// The entries for one more step of a long look.
    pub(super) fn step(&mut self) -> &Entries {
        self.taken += 1;
        if self.taken.is_multiple_of(STEP) {
            RwLockReadGuard::bump(&mut self.guard);
        }
        &self.guard
    }

    /// The entries that every matcher accepts and that were seen in `range`.
    pub(super) fn select(&mut self, matchers: &[CompiledMatcher], range: &TimeRange) -> Bits {
        let Some(days) = days_of(range) else { return Bits::empty(self.len) };
        let candidates = self.entries().days.seen_in(days, self.len);
        self.select_of(candidates, matchers)
    }

    /// The entries that every matcher accepts, whether or not they were seen; places that hold no
    /// entry may be among them.
    pub(super) fn select_ever(&mut self, matchers: &[CompiledMatcher]) -> Bits {
        let candidates = Bits::full(self.len);
        self.select_of(candidates, matchers)
    }

    fn select_of(&mut self, mut candidates: Bits, matchers: &[CompiledMatcher]) -> Bits {
        let mut matchers: Vec<&CompiledMatcher> = matchers.iter().collect();
        matchers.sort_by_cached_key(|matcher| self.cost(matcher));
        for matcher in matchers {
            if candidates.is_empty() {
                break;
            }
            self.narrow(&mut candidates, matcher);
        }
        candidates
    }

    /// What to do first: what selects few entries and is found at once.
    fn cost(&self, matcher: &CompiledMatcher) -> (u8, usize) {
        let entries = self.entries();
        match matcher.reach() {
            Reach::OneOf(texts) if !matcher.is_negated() => {
                let name = entries.names.find(matcher.label());
                let found = texts.iter().filter_map(|text| entries.names.find_pair(name?.0, text));
                (0, found.map(|pair| entries.names.pair(pair).posting.len()).sum())
            }
            Reach::OneOf(_) | Reach::All | Reach::NotEmpty => (1, 0),
            Reach::Prefix(prefix) if !prefix.is_empty() => (2, 0),
            Reach::Prefix(_) => (3, 0),
        }
    }

    /// Keeps the candidates that a matcher accepts.
    fn narrow(&mut self, candidates: &mut Bits, matcher: &CompiledMatcher) {
        let accepts_absent = matcher.matches("");
        let Some((name, _)) = self.entries().names.find(matcher.label()) else {
            if !accepts_absent {
                *candidates = Bits::empty(self.len);
            }
            return;
        };
        let values = match matcher.reach() {
            Reach::All | Reach::NotEmpty => {
                // Everybody who has the label hits.
                return self.combine(candidates, name, None, matcher);
            }
            Reach::OneOf(texts) => self.find_all(name, texts),
            Reach::Prefix(prefix) => {
                let candidates_few = |values: usize| candidates.count() < values;
                let count = self.entries().names.name(name).values.len();
                if prefix.is_empty() && candidates_few(count) {
                    return self.ask_candidates(candidates, name, matcher);
                }
                let within = self.entries().names.with_prefix(name, prefix).collect::<Vec<_>>();
                if candidates_few(within.len()) {
                    return self.ask_candidates(candidates, name, matcher);
                }
                self.compare(within, matcher)
            }
        };
        let mut hits = Bits::empty(self.len);
        for pair in values {
            self.step().names.pair(pair).posting.add_to(&mut hits);
        }
        self.combine(candidates, name, Some(hits), matcher);
    }

    /// Keeps the candidates that are accepted, given those who have a value that hits; `None`:
    /// every value does.
    fn combine(
        &self,
        candidates: &mut Bits,
        name: u32,
        hits: Option<Bits>,
        matcher: &CompiledMatcher,
    ) {
        let present = || {
            let mut bits = Bits::empty(self.len);
            self.entries().names.name(name).present.add_to(&mut bits);
            bits
        };
        match (hits, matcher.is_negated(), matcher.matches("")) {
            (Some(hits), false, false) => candidates.keep(&hits),
            (Some(hits), false, true) => candidates.keep_or_not(&hits, &present()),
            (Some(hits), true, true) => candidates.take(&hits),
            (Some(hits), true, false) => {
                candidates.keep(&present());
                candidates.take(&hits);
            }
            (None, false, false) => candidates.keep(&present()),
            (None, false, true) => {}
            (None, true, true) => candidates.take(&present()),
            (None, true, false) => *candidates = Bits::empty(self.len),
        }
    }

    fn find_all(&self, name: u32, texts: &[String]) -> Vec<u32> {
        let names = &self.entries().names;
        texts.iter().filter_map(|text| names.find_pair(name, text)).collect()
    }

    /// The pairs whose values hit.
    fn compare(&mut self, mut pairs: Vec<u32>, matcher: &CompiledMatcher) -> Vec<u32> {
        pairs.retain(|pair| matcher.hits(self.step().names.pair(*pair).value()));
        pairs
    }

    /// Keeps the candidates whose own value is accepted; each value is compared once.
    fn ask_candidates(&mut self, candidates: &mut Bits, name: u32, matcher: &CompiledMatcher) {
        let accepts_absent = matcher.matches("");
        let mut known: HashMap<u32, bool> = HashMap::default();
        let mut refused = Vec::new();
        for ordinal in candidates.iter() {
            let entries = self.step();
            let is_accepted = match entries.pair_of(ordinal, name) {
                None => accepts_absent,
                Some(pair) => *known
                    .entry(pair)
                    .or_insert_with(|| matcher.matches(entries.names.pair(pair).value())),
            };
            if !is_accepted {
                refused.push(ordinal);
            }
        }
        for ordinal in refused {
            candidates.remove(ordinal);
        }
    }

    /// The pairs of a label, in the order of their values.
    pub(super) fn pairs_of(&self, name: &str) -> Vec<u32> {
        let name = self.entries().names.find(name);
        name.map_or_else(Vec::new, |(_, name)| name.values.iter().collect())
    }

    /// The first `limit` values of a label that some of the entries have, sorted.
    pub(super) fn values(&mut self, name: &str, of: &Bits, limit: usize) -> Vec<Arc<str>> {
        let Some((number, _)) = self.entries().names.find(name) else { return Vec::new() };
        let pairs = self.pairs_of(name);
        if of.count() < pairs.len() {
            let mut values = self.values_of_few(number, of);
            values.truncate(limit);
            return values;
        }
        let mut values = Vec::new();
        for pair in pairs {
            if values.len() >= limit {
                break;
            }
            let pair = self.step().names.pair(pair);
            if pair.posting.meets(of) {
                values.push(Arc::clone(pair.value()));
            }
        }
        values
    }

    fn values_of_few(&mut self, name: u32, of: &Bits) -> Vec<Arc<str>> {
        let mut pairs = Vec::with_capacity(of.count());
        for ordinal in of.iter() {
            pairs.extend(self.step().pair_of(ordinal, name));
        }
        pairs.sort_unstable();
        pairs.dedup();
        let names = &self.entries().names;
        let mut values: Vec<_> =
            pairs.into_iter().map(|pair| Arc::clone(names.pair(pair).value())).collect();
        values.sort_unstable();
        values
    }

    /// The names of labels that some of the entries have, sorted.
    pub(super) fn names(&self, of: &Bits) -> Vec<Arc<str>> {
        let has = self.entries().names.iter().filter(|(_, name)| name.present.meets(of));
        let mut names: Vec<_> = has.map(|(_, name)| Arc::clone(&name.text)).collect();
        names.sort_unstable();
        names
    }
}
