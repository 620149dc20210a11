//! Patterns of anchors: the classes of a literal and of what its regular expression has behind it.
//!
//! The expression is taken as the automaton of its positions (Glushkov): each byte class in it is
//! a position, and positions follow each other. Going along the literal leaves the positions that
//! may stand behind it. Counts are widened, which keeps the automaton small and only lets more
//! follow than really does.

use crate::detect::class::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Classes a pattern has besides its literal. They decide about short literals; more of them would
/// only repeat what verification does.
const TAIL: usize = 4;

/// How often what is repeated stands in the automaton: often enough that the tail is known.
const COPIES: u32 = 4;

/// Positions of an automaton. What has more is searched by its literal alone.
const POSITIONS: usize = 4096;

/// The classes that every match of `expression` has where it holds `literal`, and behind it.
/// `leads` says that the literal stands at the match's beginning. An expression that cannot hold
/// the literal leaves the literal as it is.
pub(in crate::detect) fn classes(
    expression: &Hir,
    literal: &[ByteSet],
    leads: bool,
) -> Vec<ByteSet> {
    let mut automaton = Automaton::default();
    let known = automaton.part(expression).and_then(|whole| {
        let all = 0..automaton.sets.len();
        let start = if leads { whole.first } else { all.collect() };
        automaton.along(literal, start, &whole.last)
    });
    known.unwrap_or_else(|| literal.to_vec())
}

#[derive(Default)]
struct Automaton {
    sets: Vec<ByteSet>,
    follow: Vec<Vec<usize>>,
}

/// What a part of the expression looks like from outside.
struct Part {
    first: Vec<usize>,
    last: Vec<usize>,
    nullable: bool,
}

impl Part {
    const EMPTY: Part = Part { first: Vec::new(), last: Vec::new(), nullable: true };
}

impl Automaton {
    /// Add a part of the expression. Expressions nest no deeper than their parser lets them.
    fn part(&mut self, hir: &Hir) -> Option<Part> {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => Some(Part::EMPTY),
            HirKind::Literal(literal) => literal.0.iter().try_fold(Part::EMPTY, |before, byte| {
                let next = self.position(ByteSet::of(*byte))?;
                Some(self.chain(before, next))
            }),
            HirKind::Class(class) => self.position(byte_set(class)?),
            HirKind::Capture(capture) => self.part(&capture.sub),
            HirKind::Repetition(repetition) => self.repeated(repetition),
            HirKind::Concat(parts) => parts.iter().try_fold(Part::EMPTY, |before, part| {
                let next = self.part(part)?;
                Some(self.chain(before, next))
            }),
            HirKind::Alternation(branches) => {
                let mut all = Part { nullable: false, ..Part::EMPTY };
                for branch in branches {
                    let branch = self.part(branch)?;
                    all.first.extend(branch.first);
                    all.last.extend(branch.last);
                    all.nullable |= branch.nullable;
                }
                Some(all)
            }
        }
    }

    fn position(&mut self, set: ByteSet) -> Option<Part> {
        let number = self.sets.len();
        self.sets.push(set);
        self.follow.push(Vec::new());
        let ends = vec![number];
        (number < POSITIONS).then(|| Part { first: ends.clone(), last: ends, nullable: false })
    }

    fn link(&mut self, last: &[usize], first: &[usize]) {
        for from in last {
            if let Some(follow) = self.follow.get_mut(*from) {
                follow.extend(first);
            }
        }
    }

    fn chain(&mut self, mut before: Part, mut next: Part) -> Part {
        self.link(&before.last, &next.first);
        if before.nullable {
            before.first.extend(&next.first);
        }
        if next.nullable {
            next.last.append(&mut before.last);
        }
        Part { first: before.first, last: next.last, nullable: before.nullable && next.nullable }
    }

    fn repeated(&mut self, repetition: &Repetition) -> Option<Part> {
        if repetition.max == Some(0) {
            return Some(Part::EMPTY);
        }
        let copies = repetition.min.clamp(1, COPIES);
        let exact = repetition.max == Some(copies);
        let mut whole = Part::EMPTY;
        for copy in 1..=copies {
            let next = self.part(&repetition.sub)?;
            if copy == copies && !exact {
                self.link(&next.last, &next.first);
            }
            whole = self.chain(whole, next);
        }
        whole.nullable |= repetition.min == 0;
        Some(whole)
    }

    fn union(&self, positions: &[usize]) -> ByteSet {
        let sets = positions.iter().filter_map(|at| self.sets.get(*at));
        sets.fold(ByteSet::EMPTY, |all, set| all.union(*set))
    }

    fn after(&self, positions: &[usize]) -> Vec<usize> {
        let follow = positions.iter().filter_map(|at| self.follow.get(*at));
        let mut after: Vec<usize> = follow.flatten().copied().collect();
        after.sort_unstable();
        after.dedup();
        after
    }

    /// The classes from the literal on. A match may end at the positions `last`, and nothing is
    /// known of what follows it.
    fn along(
        &self,
        literal: &[ByteSet],
        start: Vec<usize>,
        last: &[usize],
    ) -> Option<Vec<ByteSet>> {
        let mut classes = Vec::with_capacity(literal.len() + TAIL);
        let mut positions = start;
        for byte in literal {
            let fits = |at: &usize| self.sets.get(*at).is_some_and(|set| !set.is_disjoint(*byte));
            positions.retain(fits);
            if positions.is_empty() {
                return None;
            }
            classes.push(self.union(&positions).intersection(*byte));
            let ends = positions.iter().any(|at| last.contains(at));
            positions = self.after(&positions);
            if ends && classes.len() < literal.len() {
                // The match may end within the literal, whatever comes then.
                return Some(literal.to_vec());
            }
            if ends {
                return Some(classes);
            }
        }
        while classes.len() < literal.len() + TAIL {
            classes.push(self.union(&positions));
            if positions.iter().any(|at| last.contains(at)) {
                break;
            }
            positions = self.after(&positions);
        }
        Some(classes)
    }
}

/// The bytes of a class; `None` when it has more than ASCII characters.
fn byte_set(class: &Class) -> Option<ByteSet> {
    let ranges: Vec<(u8, u8)> = match class {
        Class::Bytes(class) => class.ranges().iter().map(|r| (r.start(), r.end())).collect(),
        Class::Unicode(class) => {
            let byte = |c: char| u8::try_from(c).ok().filter(u8::is_ascii);
            let ends = class.ranges().iter().map(|r| Some((byte(r.start())?, byte(r.end())?)));
            ends.collect::<Option<_>>()?
        }
    };
    let sets = ranges.into_iter().map(|(first, last)| ByteSet::range(first, last));
    Some(sets.fold(ByteSet::EMPTY, ByteSet::union))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(expression: &str) -> Hir {
        let mut parser = regex_syntax::ParserBuilder::new().unicode(false).utf8(false).build();
        parser.parse(expression).unwrap()
    }

    /// The classes as text: a byte, or the size of its class.
    fn check(expression: &str, literal: &str, leads: bool, expected: &str) {
        let literal: Vec<ByteSet> = literal.bytes().map(ByteSet::of).collect();
        let classes = classes(&parse(expression), &literal, leads);
        let text: Vec<String> = classes
            .into_iter()
            .map(|class| match class.bytes().next() {
                Some(byte) if class.len() == 1 => char::from(byte).to_string(),
                _ => format!("<{}>", class.len()),
            })
            .collect();
        assert_eq!(text.concat(), expected, "{expression}");
    }

    #[test]
    fn classes_follow_the_literal() {
        check("(?P<secret>gh[pous]_[A-Za-z0-9]{36})", "ghp_", true, "ghp_<62><62><62><62>");
        check("A[KS]IA[A-Z2-7]{16}", "AKIA", true, "AKIA<32><32><32><32>");
        check("[0-9]{8,10}:AA[a-z]{2}[0-9]", ":AA", false, ":AA<26><26><10>");
        check("x:a{0,3}b", ":", false, ":<2>");
        check("key(?:-[0-9]|=[a-f])", "key", true, "key<2><16>");
        check("abc[0-9]?", "abc", true, "abc");
        check("abc(?:[0-9]|$)", "abc", true, "abc");
        check("abc[0-9]{1,2}", "abc", true, "abc<10>");
        check("(?:ab|cd){2,9}e", "ab", false, "ab<3>");
        check("abd", "abc", true, "abc");
        check("(?:aws|azu)_secret[=]{40}", "_secret", false, "_secret====");
    }
}
