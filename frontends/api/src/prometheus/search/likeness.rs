//! How well a name fits what was typed, as Prometheus scores it: from 0 to 1, and 1 for a name
//! that begins with it.
//!
//! ```text
//!  subsequence   all characters in order     squares of the lengths of runs, less what is skipped
//!  jarowinkler   it occurs anywhere          1 at the start, down to 0.1 at the end
//!                or, above the threshold,    by the characters and the first four they share
//! ```

/// What finds characters that do not follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Subsequence,
    JaroWinkler,
}

/// What was typed.
#[derive(Debug)]
pub(super) struct Terms {
    /// Any of them must fit; without any, everything does.
    pub(super) terms: Vec<Vec<char>>,
    pub(super) algorithm: Algorithm,
    /// The least score that is found by characters apart; 0: any.
    pub(super) threshold: f64,
    /// Whether upper and lower case differ. If not, the terms are in lower case.
    pub(super) is_case_sensitive: bool,
}

impl Terms {
    /// The best score of the terms; `None` if none fits.
    pub(super) fn score(&self, name: &str) -> Option<f64> {
        if self.terms.is_empty() {
            return Some(1.0);
        }
        let name: Vec<char> = match self.is_case_sensitive {
            true => name.chars().collect(),
            false => name.to_lowercase().chars().collect(),
        };
        let scores = self.terms.iter().filter_map(|term| self.score_of(term, &name));
        scores.max_by(f64::total_cmp)
    }

    fn score_of(&self, term: &[char], name: &[char]) -> Option<f64> {
        if name.starts_with(term) {
            return Some(1.0);
        }
        match self.algorithm {
            Algorithm::Subsequence => {
                let score = subsequence(term, name);
                (score > 0.0 && score >= self.threshold).then_some(score)
            }
            Algorithm::JaroWinkler => substring(term, name).or_else(|| {
                let score = if self.threshold > 0.0 { jaro_winkler(term, name) } else { 0.0 };
                (self.threshold > 0.0 && score >= self.threshold).then_some(score)
            }),
        }
    }
}

/// 0 if the characters are not all there in order.
fn subsequence(term: &[char], name: &[char]) -> f64 {
    let (Some(first), Some(last_start)) = (term.first(), name.len().checked_sub(term.len())) else {
        return 0.0;
    };
    let starts = (0..=last_start).filter(|at| name[*at] == *first);
    // What does not fit from one character on fits from no later one.
    let best = starts.map_while(|start| runs(term, name, start)).max_by(f64::total_cmp);
    best.filter(|best| *best >= 0.0).map_or(0.0, |best| best / (term.len() * term.len()) as f64)
}

/// Greedily from `start` on, where the first character is: each run counts its length squared,
/// each character that is skipped a part of the name, half as much behind the last run.
fn runs(term: &[char], name: &[char], start: usize) -> Option<f64> {
    let part = 1.0 / name.len() as f64;
    let (mut score, mut left, mut at, mut end) = (0.0, term, start, 0);
    while let Some(next) = left.first() {
        let from = at + name[at..].iter().position(|found| found == next)?;
        let same = name[from..].iter().zip(left).take_while(|(found, wanted)| found == wanted);
        let length = same.count();
        score -= (from - end) as f64 * part;
        score += (length * length) as f64;
        left = &left[length..];
        at = from + length;
        end = at;
    }
    Some(score - (name.len() - end) as f64 * part * 0.5)
}

/// Where the term stands as a whole; `None` if it does not.
fn substring(term: &[char], name: &[char]) -> Option<f64> {
    let at = name.windows(term.len()).position(|window| window == term)?;
    let last = name.len() - term.len();
    Some(if last == 0 { 1.0 } else { 1.0 - 0.9 * at as f64 / last as f64 })
}

/// The similarity of Jaro, raised by what both begin with as Winkler did.
fn jaro_winkler(a: &[char], b: &[char]) -> f64 {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let reach = (long.len() / 2).saturating_sub(1);
    let mut taken = vec![false; long.len()];
    let mut matched = Vec::new();
    for (at, wanted) in short.iter().enumerate() {
        let mut near = at.saturating_sub(reach)..(at + reach + 1).min(long.len());
        if let Some(found) = near.find(|found| !taken[*found] && long[*found] == *wanted) {
            taken[found] = true;
            matched.push(*wanted);
        }
    }
    if matched.is_empty() {
        return 0.0;
    }
    let in_order = long.iter().zip(&taken).filter(|(_, is_taken)| **is_taken);
    let out_of_order = in_order.zip(&matched).filter(|((found, _), wanted)| found != wanted);
    let (count, moved) = (matched.len() as f64, out_of_order.count() as f64);
    let shares = count / short.len() as f64 + count / long.len() as f64;
    let jaro = (shares + (count - moved * 0.5) / count) / 3.0;
    let prefix = short.iter().zip(long).take(4).take_while(|(a, b)| a == b).count();
    jaro + prefix as f64 * 0.1 * (1.0 - jaro)
}

#[cfg(test)]
mod tests;
