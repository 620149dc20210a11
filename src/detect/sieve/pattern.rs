//! Patterns of anchors: the classes of a literal and of what its regular expression has behind it.
//!
//! The expression is taken as the automaton of its positions (Glushkov): each byte class in it is
//! a position, and positions follow each other. Going along the literal leaves the positions that
//! may stand behind it. Counts are widened, which keeps the automaton small and only lets more
//! follow than really does.

use crate::detect::class::ByteSet;
use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// Classes a pattern has on either side of its literal. They decide about short literals; more of
/// them would only repeat what verification does.
const BESIDE: usize = 4;

/// How often what is repeated stands in the automaton: often enough that the neighbours are known.
const COPIES: u32 = 4;

/// Positions of an automaton. What has more is searched by its literal alone.
const POSITIONS: usize = 4096;

/// The classes that every match of an expression has where it holds a literal, and beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::detect) struct Surrounded {
    pub(in crate::detect) classes: Vec<ByteSet>,
    /// How many of them stand before the literal.
    pub(in crate::detect) before: usize,
}

/// The surroundings of each of `literals` in the matches of `expression`, of which every one holds
/// one of them. `leads` says that it stands at the match's beginning. An expression that cannot
/// hold a literal leaves that as it is.
///
/// Where a literal is spelled out in the expression, only that place counts, and not the random
/// part that could hold the same bytes by chance; as long as no match gets around such places.
pub(in crate::detect) fn surrounded(
    expression: &Hir,
    literals: &[Vec<ByteSet>],
    leads: bool,
) -> Vec<Surrounded> {
    let bare = |literal: &Vec<ByteSet>| Surrounded { classes: literal.clone(), before: 0 };
    let mut automaton = Automaton::with_copies(COPIES);
    let Some(whole) = automaton.part(expression) else {
        return literals.iter().map(bare).collect();
    };
    let along = |literal: &Vec<ByteSet>, spelled: bool| {
        let all = 0..automaton.sets.len();
        let start = if leads { whole.first.clone() } else { all.collect() };
        automaton.along(literal, start, spelled)
    };
    let mut found: Vec<_> = literals.iter().map(|literal| along(literal, !leads)).collect();
    let heads = found.iter().flatten().filter_map(|places| places.first()).flatten();
    if !leads && automaton.goes_around(&heads.copied().collect::<Vec<_>>(), &whole) {
        found = literals.iter().map(|literal| along(literal, false)).collect();
    }
    let surround = |(literal, along): (&Vec<ByteSet>, Option<Vec<Vec<usize>>>)| {
        let along = along?;
        let before = if leads { Vec::new() } else { automaton.before(along.first()?, &whole) };
        let inside = along.iter().zip(literal);
        let inside = inside.map(|(at, class)| automaton.union(at).intersection(*class));
        let after = automaton.behind(along.last()?, &whole);
        let classes = before.iter().copied().chain(inside).chain(after).collect();
        Some(Surrounded { classes, before: before.len() })
    };
    let surrounded = literals.iter().zip(found).map(surround);
    surrounded
        .zip(literals)
        .map(|(known, literal)| known.unwrap_or_else(|| bare(literal)))
        .collect()
}

/// The automaton of an expression's positions.
pub(in crate::detect) struct Automaton {
    sets: Vec<ByteSet>,
    follow: Vec<Vec<usize>>,
    copies: u32,
}

/// What a part of the expression looks like from outside.
pub(in crate::detect) struct Part {
    pub(in crate::detect) first: Vec<usize>,
    pub(in crate::detect) last: Vec<usize>,
    pub(in crate::detect) nullable: bool,
}

impl Part {
    const EMPTY: Part = Part { first: Vec::new(), last: Vec::new(), nullable: true };
}

impl Automaton {
    /// An automaton in which what is repeated stands so often.
    pub(in crate::detect) fn with_copies(copies: u32) -> Automaton {
        Automaton { sets: Vec::new(), follow: Vec::new(), copies }
    }

    /// The class of each position.
    pub(in crate::detect) fn sets(&self) -> &[ByteSet] {
        &self.sets
    }

    /// Every position.
    pub(in crate::detect) fn all(&self) -> Vec<usize> {
        (0..self.sets.len()).collect()
    }

    /// Let no position have bytes but these.
    pub(in crate::detect) fn narrow(&mut self, to: ByteSet) {
        self.sets.iter_mut().for_each(|set| *set = set.intersection(to));
    }

    /// Add a part of the expression. Expressions nest no deeper than their parser lets them.
    pub(in crate::detect) fn part(&mut self, hir: &Hir) -> Option<Part> {
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
        let copies = repetition.min.clamp(1, self.copies);
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

    /// The positions that may follow these.
    pub(in crate::detect) fn after(&self, positions: &[usize]) -> Vec<usize> {
        let follow = positions.iter().filter_map(|at| self.follow.get(*at));
        let mut after: Vec<usize> = follow.flatten().copied().collect();
        after.sort_unstable();
        after.dedup();
        after
    }

    fn ahead(&self, positions: &[usize]) -> Vec<usize> {
        let ahead = (0..).zip(&self.follow);
        let ahead = ahead.filter(|(_, follow)| follow.iter().any(|at| positions.contains(at)));
        ahead.map(|(at, _)| at).collect()
    }

    /// The positions for each byte of the literal; with `spelled`, and where any way has most of its
    /// bytes as they are, only those of the ways that have the most. `None` where the expression cannot hold it.
    pub(in crate::detect) fn along(
        &self,
        literal: &[ByteSet],
        start: Vec<usize>,
        spelled: bool,
    ) -> Option<Vec<Vec<usize>>> {
        let mut all: Vec<Vec<usize>> = Vec::with_capacity(literal.len());
        let mut positions = start;
        for byte in literal {
            positions.retain(|at| self.sets.get(*at).is_some_and(|set| !set.is_disjoint(*byte)));
            if positions.is_empty() {
                return None;
            }
            let next = self.after(&positions);
            all.push(std::mem::replace(&mut positions, next));
        }
        // Backwards: how many bytes are spelled out from each position on, where it goes on at all.
        let narrow = |at: usize| usize::from(self.sets.get(at).is_some_and(|set| set.len() <= 2));
        let mut counts: Vec<Vec<(usize, usize)>> = Vec::with_capacity(all.len());
        for positions in all.iter().rev() {
            let best = |at: &usize| match counts.last() {
                None => Some((*at, narrow(*at))),
                Some(next) => {
                    let follow = self.follow.get(*at)?;
                    let counts = next.iter().filter(|(to, _)| follow.contains(to));
                    Some((*at, narrow(*at) + counts.map(|(_, count)| *count).max()?))
                }
            };
            let here = positions.iter().filter_map(best).collect();
            counts.push(here);
        }
        // A literal of which no way has the greater part may stand anywhere.
        let most = counts.last().into_iter().flatten().map(|(_, count)| *count).max()?;
        let spelled = spelled && literal.len() < 2 * most;
        // Forwards again, along the ways that are left.
        let mut left: Vec<Vec<usize>> = Vec::with_capacity(all.len());
        for counts in counts.iter().rev() {
            let after = left.last().map(|before| self.after(before));
            let reached = |at: &usize| after.as_ref().is_none_or(|after| after.contains(at));
            let here = || counts.iter().filter(|(at, _)| reached(at));
            let most = here().map(|(_, count)| *count).max()?;
            let kept = here().filter(|(_, count)| !spelled || *count == most);
            left.push(kept.map(|(at, _)| *at).collect());
        }
        Some(left)
    }

    /// Whether a match can do without these positions.
    fn goes_around(&self, without: &[usize], whole: &Part) -> bool {
        let mut seen = vec![false; self.sets.len()];
        let mut pending = whole.first.clone();
        while let Some(at) = pending.pop() {
            if without.contains(&at) || seen.get(at).is_none_or(|seen| *seen) {
                continue;
            }
            if whole.last.contains(&at) {
                return true;
            }
            seen.iter_mut().skip(at).take(1).for_each(|seen| *seen = true);
            pending.extend(self.follow.get(at).into_iter().flatten());
        }
        false
    }

    /// The classes behind these positions, as far as every match has them.
    fn behind(&self, positions: &[usize], whole: &Part) -> Vec<ByteSet> {
        let mut positions = positions.to_vec();
        let mut classes = Vec::with_capacity(BESIDE);
        while classes.len() < BESIDE && !positions.iter().any(|at| whole.last.contains(at)) {
            positions = self.after(&positions);
            classes.push(self.union(&positions));
        }
        classes
    }

    /// The classes before these positions, as far as every match has them.
    fn before(&self, positions: &[usize], whole: &Part) -> Vec<ByteSet> {
        let mut positions = positions.to_vec();
        let mut classes = Vec::with_capacity(BESIDE);
        while classes.len() < BESIDE && !positions.iter().any(|at| whole.first.contains(at)) {
            positions = self.ahead(&positions);
            classes.push(self.union(&positions));
        }
        classes.reverse();
        classes
    }
}

/// The bytes of a class; `None` when it has more than ASCII characters.
pub(in crate::detect) fn byte_set(class: &Class) -> Option<ByteSet> {
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
        let len = literal.len();
        let surrounded = surrounded(&parse(expression), &[literal], leads).pop().unwrap();
        let Surrounded { classes, before } = surrounded;
        assert!(before <= BESIDE && classes.len() >= before + len, "{expression}");
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
        check("[0-9]{8,10}:AA[a-z]{2}[0-9]", ":AA", false, "<10><10><10><10>:AA<26><26><10>");
        check("[0-9]{2}-us[0-9]{1,2}", "-us", false, "<10><10>-us<10>");
        check("x:a{0,3}b", ":", false, "x:<2>");
        check("key(?:-[0-9]|=[a-f])", "key", true, "key<2><16>");
        check("abc[0-9]?", "abc", true, "abc");
        check("abc(?:[0-9]|$)", "abc", true, "abc");
        check("abc[0-9]{1,2}", "abc", true, "abc<10>");
        check("(?:ab|cd){2,9}e", "ab", false, "ab<3>");
        check("abd", "abc", true, "abc");
        check("(?:aws|azu)_secret[=]{40}", "_secret", false, "a<2><2>_secret====");
        check("[0-9a-z~]{3}[0-9]q~[0-9a-z~]{9}", "8q~", false, "<37><37><37>8q~<37><37><37><37>");
        check("(?:[a-z]{3}x?[a-z]{3})", "xyz", false, "xyz");
    }
}
