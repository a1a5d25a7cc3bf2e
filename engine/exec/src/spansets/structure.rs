//! Who is whose parent within a trace, and what follows from it.

use ahash::{AHashMap, AHashSet};
use plan::node::SpansetRelation;

/// The id of a span.
pub(super) type SpanId = [u8; 8];

/// A span as far as its place in the trace goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Link {
    pub(super) id: SpanId,
    /// `None` for a root.
    pub(super) parent: Option<SpanId>,
}

/// The parents of the known spans of a trace. Ids may be missing, doubled, or lead in circles.
#[derive(Debug, Default)]
pub(super) struct Parents(AHashMap<SpanId, Option<SpanId>>);

impl Parents {
    /// The first of several spans with one id counts.
    pub(super) fn add(&mut self, link: Link) {
        self.0.entry(link.id).or_insert(link.parent);
    }

    /// The parent's id, also if no such span is known.
    fn of(&self, id: SpanId) -> Option<SpanId> {
        self.0.get(&id).copied().flatten()
    }

    /// The spans below any of `tops`.
    fn below(&self, tops: &[Link], asked: &[Link]) -> AHashSet<SpanId> {
        let tops: AHashSet<SpanId> = tops.iter().map(|top| top.id).collect();
        let mut below = AHashMap::<SpanId, bool>::new();
        for link in asked {
            let mut path = Vec::new();
            let mut at = link.id;
            let answer = loop {
                if let Some(known) = below.get(&at) {
                    break *known;
                }
                // Until the way up ends, a circle leads nowhere.
                below.insert(at, false);
                path.push(at);
                let parent = if at == link.id { link.parent } else { self.of(at) };
                match parent {
                    None => break false,
                    Some(parent) if tops.contains(&parent) => break true,
                    Some(parent) => at = parent,
                }
            };
            for id in path {
                below.insert(id, answer);
            }
        }
        below.into_iter().filter_map(|(id, is_below)| is_below.then_some(id)).collect()
    }

    /// The spans above any of `bottoms`, known or not.
    fn above(&self, bottoms: &[Link]) -> AHashSet<SpanId> {
        let mut above = AHashSet::new();
        for bottom in bottoms {
            let mut next = bottom.parent;
            while let Some(id) = next {
                if !above.insert(id) {
                    break;
                }
                next = self.of(id);
            }
        }
        above
    }

    /// For each right span whether some left span is so related to it.
    pub(super) fn related(
        &self,
        relation: SpansetRelation,
        left: &[Link],
        right: &[Link],
    ) -> Vec<bool> {
        let found: AHashSet<SpanId> = match relation {
            SpansetRelation::Child => {
                let parents: AHashSet<SpanId> = left.iter().map(|link| link.id).collect();
                let is_child = |link: &&Link| link.parent.is_some_and(|it| parents.contains(&it));
                right.iter().filter(is_child).map(|link| link.id).collect()
            }
            SpansetRelation::Parent => left.iter().filter_map(|link| link.parent).collect(),
            SpansetRelation::Descendant => self.below(left, right),
            SpansetRelation::Ancestor => self.above(left),
            SpansetRelation::Sibling => return self.siblings(left, right),
        };
        right.iter().map(|link| found.contains(&link.id)).collect()
    }

    /// Roots are siblings of each other; children of an unknown parent are not.
    fn siblings(&self, left: &[Link], right: &[Link]) -> Vec<bool> {
        let mut families = AHashMap::<Option<SpanId>, AHashSet<SpanId>>::new();
        for link in left {
            if link.parent.is_none_or(|parent| self.0.contains_key(&parent)) {
                families.entry(link.parent).or_default().insert(link.id);
            }
        }
        let has_sibling = |link: &Link| {
            let family = families.get(&link.parent);
            family.is_some_and(|ids| ids.len() > usize::from(ids.contains(&link.id)))
        };
        right.iter().map(has_sibling).collect()
    }
}

/// The relation seen from the other span.
pub(super) fn inverse(relation: SpansetRelation) -> SpansetRelation {
    match relation {
        SpansetRelation::Child => SpansetRelation::Parent,
        SpansetRelation::Parent => SpansetRelation::Child,
        SpansetRelation::Descendant => SpansetRelation::Ancestor,
        SpansetRelation::Ancestor => SpansetRelation::Descendant,
        SpansetRelation::Sibling => SpansetRelation::Sibling,
    }
}

/// A span's numbers in the nested-set model.
///
/// ```text
///  root 1..6          left and right count up on the way down and up again; the parent is its
///  ├ a  2..3          left number, -1 for a root, and all are 0 for what no root leads to
///  └ b  4..5
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct NestedSet {
    pub(super) left: i64,
    pub(super) right: i64,
    pub(super) parent: i64,
    /// Direct children.
    pub(super) children: i64,
}

/// The numbers of all spans that a root leads to; siblings in the order given.
pub(super) fn nested_sets(links: &[Link]) -> AHashMap<SpanId, NestedSet> {
    let mut children = AHashMap::<Option<SpanId>, Vec<SpanId>>::new();
    let mut known = AHashSet::new();
    for link in links {
        if known.insert(link.id) {
            children.entry(link.parent).or_default().push(link.id);
        }
    }
    let mut sets = AHashMap::<SpanId, NestedSet>::new();
    let mut next = 1;
    // Spans still to enter (with their parent's number) or to leave.
    let roots = children.get(&None).into_iter().flatten().rev();
    let mut open: Vec<(SpanId, Option<i64>)> = roots.map(|id| (*id, Some(-1))).collect();
    while let Some((id, parent)) = open.pop() {
        let Some(parent) = parent else {
            if let Some(set) = sets.get_mut(&id) {
                set.right = next;
            }
            next += 1;
            continue;
        };
        let below = children.get(&Some(id)).map(Vec::as_slice).unwrap_or_default();
        let count = below.len() as i64;
        sets.insert(id, NestedSet { left: next, right: 0, parent, children: count });
        open.push((id, None));
        open.extend(below.iter().rev().map(|child| (*child, Some(next))));
        next += 1;
    }
    sets
}
