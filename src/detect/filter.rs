//! Filters: whether a match can stand at an anchor at all, told by the first bytes of it.
//!
//! Most anchors are words that text is full of, and most candidates fail within a few bytes: no
//! sign of assignment behind a keyword, a value that is too short. A filter is the automaton of
//! positions of a signature's expression, made deterministic as far as a small table goes. Beyond
//! that, and where a match may be complete, it says yes. It never says no to what the expression
//! matches, costs one look-up for each byte, and spares the expression nearly all of its work.

use super::class::ByteSet;
use super::sieve::pattern::{Automaton, Part};
use super::signature::{Anchor, Signature};
use std::collections::BTreeMap;

/// How often what is repeated stands in the automaton: more than the least length of most values.
const COPIES: u32 = 16;

/// States of the table. Those near the beginning come first, and they decide about most candidates.
const STATES: usize = 128;

/// Positions that all states together may have; more is a pattern of many large parts.
const PLACES: usize = 1 << 14;

/// Bytes that are looked at before the expression is asked, and before a program is, which is
/// nearly as quick itself and remembers what it has gone through.
const LOOK: usize = 64;
const LOOK_BEFORE_PROGRAM: usize = 24;

/// No match can come of it.
const DEAD: u8 = 0;

/// What the filter cannot tell.
const OPEN: u8 = 1;

/// Where it begins.
const START: u8 = 2;

/// A table of states and classes of bytes.
pub(super) struct Filter {
    class_of: [u8; 256],
    classes: usize,
    next: Vec<u8>,
    look: usize,
}

impl Filter {
    /// The filter of a signature's pattern. `None` when it would let everything pass.
    pub(super) fn new(signature: &Signature) -> Option<Filter> {
        let mut automaton = Automaton::with_copies(COPIES);
        let whole = automaton.part(&signature.parse().ok()?)?;
        if whole.nullable {
            return None;
        }
        if !signature.multiline {
            automaton.narrow(super::program::TEXT);
        }
        let start = if signature.back == 0 {
            whole.first.clone()
        } else {
            anchored(&automaton, &signature.anchors)
        };
        let mut maker = Maker::new(&automaton, &whole);
        let first = maker.state(start);
        let look = if signature.program().is_some() { LOOK_BEFORE_PROGRAM } else { LOOK };
        (first == START).then(|| maker.table(look))
    }

    /// Whether the expression may match where its anchor stands at `at`. `steps` grows by the bytes
    /// looked at.
    #[inline]
    pub(super) fn lets_pass(&self, bytes: &[u8], at: usize, steps: &mut usize) -> bool {
        let shown = bytes.get(at..).unwrap_or_default();
        let mut state = START;
        for (number, byte) in shown.iter().take(self.look).enumerate() {
            let class = self.class_of[usize::from(*byte)];
            let place = usize::from(state) * self.classes + usize::from(class);
            state = self.next.get(place).copied().unwrap_or(OPEN);
            if state <= OPEN {
                *steps = steps.saturating_add(number);
                return state == OPEN;
            }
        }
        *steps = steps.saturating_add(self.look);
        // Where a match may end the filter is open, so that none ends with the bytes.
        self.look <= shown.len()
    }
}

/// The positions where an anchor may begin.
fn anchored(automaton: &Automaton, anchors: &[Anchor]) -> Vec<usize> {
    let mut start: Vec<usize> = Vec::new();
    for anchor in anchors {
        let places = automaton.along(&anchor.classes(), automaton.all(), false);
        start.extend(places.iter().filter_map(|places| places.first()).flatten());
    }
    start.sort_unstable();
    start.dedup();
    start
}

/// What makes an automaton deterministic.
struct Maker<'a> {
    automaton: &'a Automaton,
    whole: &'a Part,
    class_of: [u8; 256],
    /// One byte of each class.
    samples: Vec<u8>,
    /// The positions that may come next, for each state.
    states: Vec<Vec<usize>>,
    known: BTreeMap<Vec<usize>, u8>,
    places: usize,
}

impl<'a> Maker<'a> {
    fn new(automaton: &'a Automaton, whole: &'a Part) -> Maker<'a> {
        let (class_of, samples) = classes(automaton.sets());
        let states = vec![Vec::new(); usize::from(START)];
        let known = BTreeMap::from([(Vec::new(), DEAD)]);
        Maker { automaton, whole, class_of, samples, states, known, places: 0 }
    }

    /// The state in which these positions may come next.
    fn state(&mut self, positions: Vec<usize>) -> u8 {
        if let Some(known) = self.known.get(&positions) {
            return *known;
        }
        self.places = self.places.saturating_add(positions.len());
        let number = u8::try_from(self.states.len()).unwrap_or(OPEN);
        if self.states.len() >= STATES || self.places > PLACES || number <= OPEN {
            return OPEN;
        }
        self.known.insert(positions.clone(), number);
        self.states.push(positions);
        number
    }

    fn table(mut self, look: usize) -> Filter {
        let mut next = Vec::new();
        let mut number = 0;
        while let Some(positions) = self.states.get(number).cloned() {
            for class in 0..self.samples.len() {
                let byte = self.samples.get(class).copied().unwrap_or(0);
                next.push(if number == usize::from(OPEN) {
                    OPEN
                } else {
                    self.step(&positions, byte)
                });
            }
            number += 1;
        }
        Filter { class_of: self.class_of, classes: self.samples.len(), next, look }
    }

    /// The state behind a byte.
    fn step(&mut self, positions: &[usize], byte: u8) -> u8 {
        let sets = self.automaton.sets();
        let taken = positions.iter().filter(|at| sets.get(**at).is_some_and(|set| set.has(byte)));
        let taken: Vec<usize> = taken.copied().collect();
        if taken.iter().any(|at| self.whole.last.contains(at)) {
            return OPEN;
        }
        self.state(self.automaton.after(&taken))
    }
}

/// The classes of bytes that no set tells apart, and one byte of each.
fn classes(sets: &[ByteSet]) -> ([u8; 256], Vec<u8>) {
    let mut distinct = sets.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let mut class_of = [0_u8; 256];
    let mut samples = vec![0];
    for set in distinct {
        // The number of each class's half that is in the set.
        let mut halves: BTreeMap<u8, Option<u8>> = BTreeMap::new();
        for byte in 0..=u8::MAX {
            let class = class_of[usize::from(byte)];
            let outside = samples.get(usize::from(class)).is_some_and(|first| !set.has(*first));
            if set.has(byte) != outside {
                continue;
            }
            let next = u8::try_from(samples.len()).ok();
            let half = halves.entry(class).or_insert_with(|| {
                samples.push(byte);
                next
            });
            class_of[usize::from(byte)] = half.unwrap_or(class);
        }
    }
    (class_of, samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_tell_apart_what_the_sets_do() {
        let hex = ByteSet::range(b'0', b'9').union(ByteSet::range(b'a', b'f'));
        let sets = [hex, ByteSet::range(b'a', b'z'), ByteSet::of(b'='), ByteSet::ALL];
        let (class_of, samples) = classes(&sets);
        let class = |byte: u8| class_of[usize::from(byte)];
        assert_eq!(samples.len(), 5);
        assert_eq!(
            (class(b'0'), class(b'a'), class(b'g')),
            (class(b'9'), class(b'f'), class(b'z'))
        );
        assert_eq!(class(0), class(255));
        let mut all: Vec<u8> = b"0ag= ".iter().map(|byte| class(*byte)).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 5);
    }
}
