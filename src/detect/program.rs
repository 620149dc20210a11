//! Programs: verification that looks at each byte once.
//!
//! A pattern becomes a program when at each of its choices the next byte decides: a run of a class
//! ends where nothing of the class follows, an alternative is known by its first byte. Such a
//! program never goes back, and finds exactly what the regular expression finds that it was made
//! from. What has no program is left to the regular expression.

use super::class::ByteSet;
use super::sieve::pattern::byte_set;
use super::signature::{Anchor, Signature};
use regex_syntax::hir::{Hir, HirKind, Look};
use std::ops::Range;

/// Instructions of a program; what needs more has repeated parts that are large themselves.
const OPS: usize = 1024;

/// How often a repeated part that is more than a class is written out.
const UNROLLED: u32 = 16;

/// How deep alternatives with a common beginning nest: the length of a literal.
const DEPTH: usize = 100;

/// Ends of groups that are kept.
pub(super) const SLOTS: usize = 32;

/// Runs that are worth remembering: what begins inside one again need not go through it.
const LONG_RUN: u32 = 64;

/// The bytes of a text signature.
pub(super) const TEXT: ByteSet = ByteSet::range(b' ', b'~').with(b'\t');

/// A pattern as instructions.
pub(super) struct Program {
    ops: Vec<Op>,
    /// What a match begins with.
    first: ByteSet,
    /// Whether a match may hold anything but text.
    binary: bool,
    /// The slots of the secret, and of the signature's groups in its order.
    secret: usize,
    groups: Vec<usize>,
    /// How many slots it has.
    slots: usize,
}

#[derive(Clone, Copy, Debug)]
enum Op {
    /// As many bytes of the class as there are.
    Run {
        set: ByteSet,
        min: u32,
        max: u32,
    },
    /// Go on elsewhere unless the next byte is in the class.
    Unless {
        set: ByteSet,
        target: usize,
    },
    /// The same, and go on there as well when what comes fails.
    Try {
        set: ByteSet,
        target: usize,
    },
    Jump(usize),
    Save(usize),
    /// Nothing but the end may follow.
    End,
}

/// The ends of the groups of a match.
pub(super) type Slots = [usize; SLOTS];

/// What a program keeps from one run to the next in the same bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Memo {
    /// The last long run: the instruction, and where every byte is of its class.
    op: usize,
    known: Range<usize>,
    /// The groups as they were where the program may have to go on.
    slots: Slots,
}

/// Where a program may look.
pub(super) struct Place<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: usize,
    /// Where the bytes are taken to end.
    pub(super) end: usize,
}

impl Program {
    /// The program of a signature's pattern, if it has one.
    pub(super) fn new(signature: &Signature) -> Option<Program> {
        let hir = signature.parse().ok()?;
        let mut compiler = Compiler {
            text: if signature.multiline { ByteSet::ALL } else { TEXT },
            ops: Vec::new(),
            names: Vec::new(),
        };
        let node = compiler.node(&hir, DEPTH)?;
        let first = node.first();
        let open = First { open: true, ..First::default() };
        compiler.emit(&node, &open)?;
        let slot = |name: &str| {
            let named = compiler.names.iter().find(|(_, known)| known.as_deref() == Some(name));
            named.map(|(slot, _)| *slot)
        };
        let groups: Option<Vec<usize>> = signature.groups.iter().map(|name| slot(name)).collect();
        (!first.nullable).then_some(Program {
            first: first.bytes,
            binary: signature.multiline,
            secret: slot("secret")?,
            groups: groups?,
            slots: compiler.names.len() * 2,
            ops: compiler.ops,
        })
    }

    /// As much as has a program of what every match has behind its anchor. `None` when the anchor
    /// has no one place in the pattern, or stands at its beginning.
    pub(super) fn behind_anchor(signature: &Signature) -> Option<Program> {
        let hir = signature.parse().ok()?;
        let text = if signature.multiline { ByteSet::ALL } else { TEXT };
        let mut compiler = Compiler { text, ops: Vec::new(), names: Vec::new() };
        let parts = flat(compiler.node(&hir, DEPTH)?);
        let mut places = (0..parts.len()).filter(|at| {
            let rest = parts.get(*at..).unwrap_or_default();
            signature.anchors.iter().any(|anchor| spells(rest, anchor))
        });
        let place = places.next().filter(|place| *place > 0 && places.next().is_none())?;
        let len = signature.anchors.first()?.text.len();
        let rest = parts.get(place..)?;
        if !signature.anchors.iter().all(|anchor| anchor.text.len() == len && spells(rest, anchor))
        {
            return None;
        }
        let rest = rest.get(len..)?;
        let open = First { open: true, ..First::default() };
        (1..=rest.len()).rev().find_map(|count| {
            let mut compiler = Compiler { text, ops: Vec::new(), names: Vec::new() };
            compiler.emit(&Node::Seq(rest.get(..count)?.to_vec()), &open)?;
            let program = Program {
                ops: compiler.ops,
                first: ByteSet::ALL,
                binary: signature.multiline,
                secret: 0,
                groups: Vec::new(),
                slots: 0,
            };
            Some(program)
        })
    }

    /// Whether a match may begin with the byte.
    pub(super) fn begins_with(&self, byte: u8) -> bool {
        self.first.has(byte)
    }

    /// Where the match that begins at the place's start ends. `steps` grows by the bytes gone
    /// through.
    pub(super) fn run(
        &self,
        place: &Place<'_>,
        slots: &mut Slots,
        memo: &mut Memo,
        steps: &mut usize,
    ) -> Option<usize> {
        let bytes = place.bytes.get(..place.end)?;
        slots.iter_mut().take(self.slots).for_each(|slot| *slot = usize::MAX);
        let mut state = State { at: place.start, next: 0, other: None };
        while let Some(op) = self.ops.get(state.next) {
            state.next += 1;
            let next = bytes.get(state.at);
            let goes_on = match op {
                Op::Run { set, min, max } if *max <= LONG_RUN => {
                    state.run(bytes, (set, *min, *max), 0, steps)
                }
                Op::Run { set, min, max } => {
                    let (from, op) = (state.at, state.next);
                    let goes_on = state.run(bytes, (set, *min, *max), memo.skip(op, from), steps);
                    memo.keep(op, from..state.at);
                    goes_on
                }
                Op::Unless { set, target } | Op::Try { set, target } => {
                    if !next.is_some_and(|byte| set.has(*byte)) {
                        state.next = *target;
                    } else if matches!(op, Op::Try { .. }) {
                        state.other = Some((state.at, *target));
                        memo.slots = *slots;
                    }
                    true
                }
                Op::Jump(target) => {
                    state.next = *target;
                    true
                }
                Op::Save(slot) => {
                    slots.iter_mut().skip(*slot).take(1).for_each(|slot| *slot = state.at);
                    true
                }
                Op::End => next.is_none_or(|byte| !self.binary && !TEXT.has(*byte)),
            };
            if !goes_on {
                (state.at, state.next) = state.other.take()?;
                *slots = memo.slots;
            }
        }
        Some(state.at)
    }

    /// The secret of a match.
    pub(super) fn secret(&self, slots: &Slots) -> Option<Range<usize>> {
        range(slots, self.secret)
    }

    /// The group of a match that stands at `number` among the signature's groups.
    pub(super) fn group(&self, slots: &Slots, number: usize) -> Option<Range<usize>> {
        range(slots, *self.groups.get(number)?)
    }
}

fn range(slots: &Slots, slot: usize) -> Option<Range<usize>> {
    let [start, end] = slots.get(slot..slot + 2)? else { return None };
    (*end != usize::MAX).then_some(*start..*end)
}

/// Where a program is, and what it does when it fails.
struct State {
    at: usize,
    next: usize,
    other: Option<(usize, usize)>,
}

impl State {
    /// Go through a run of which the first `known` bytes are known to belong to it. Says whether
    /// it is long enough.
    #[inline]
    fn run(
        &mut self,
        bytes: &[u8],
        (set, min, max): (&ByteSet, u32, u32),
        known: usize,
        steps: &mut usize,
    ) -> bool {
        let end = self.at.saturating_add(max as usize).min(bytes.len());
        let from = self.at.saturating_add(known).min(end);
        let rest = bytes.get(from..end).unwrap_or_default();
        let len = rest.iter().position(|byte| !set.has(*byte)).unwrap_or(rest.len());
        *steps = steps.saturating_add(len + 1);
        let run = from + len - self.at;
        self.at += run;
        run >= min as usize
    }
}

impl Memo {
    /// How many bytes from `at` on are known to belong to the run of the instruction.
    fn skip(&self, op: usize, at: usize) -> usize {
        if self.op == op && self.known.contains(&at) { self.known.end - at } else { 0 }
    }

    fn keep(&mut self, op: usize, run: Range<usize>) {
        let goes_on = self.op == op && self.known.contains(&run.start);
        let start = if goes_on { self.known.start } else { run.start };
        let end = run.end.max(if goes_on { self.known.end } else { 0 });
        (self.op, self.known) = (op, start..end);
    }
}

/// A pattern taken apart, its literals as classes.
#[derive(Clone)]
enum Node {
    Set(ByteSet),
    Repeat { node: Box<Node>, min: u32, max: Option<u32>, greedy: bool },
    Group(usize, Box<Node>),
    Seq(Vec<Node>),
    Alt(Vec<Node>),
    End,
}

/// What a part may begin with.
#[derive(Clone, Copy, Default)]
struct First {
    bytes: ByteSet,
    /// It may be nothing but the end.
    end: bool,
    /// It may be empty.
    nullable: bool,
    /// After it the match may be complete, whatever comes.
    open: bool,
}

impl First {
    /// What this begins with when `follow` comes behind it.
    fn then(self, follow: &First) -> First {
        if !self.nullable {
            return self;
        }
        First {
            bytes: self.bytes.union(follow.bytes),
            end: self.end || follow.end,
            nullable: follow.nullable,
            open: follow.open,
        }
    }

    fn overlaps(&self, other: &First) -> bool {
        !self.bytes.is_disjoint(other.bytes) || self.end && other.end
    }
}

impl Node {
    fn first(&self) -> First {
        match self {
            Node::Set(set) => First { bytes: *set, ..First::default() },
            Node::End => First { end: true, ..First::default() },
            Node::Group(_, node) => node.first(),
            Node::Repeat { node, min, .. } => {
                let first = node.first();
                First { nullable: first.nullable || *min == 0, ..first }
            }
            Node::Seq(parts) => {
                let empty = First { nullable: true, ..First::default() };
                parts.iter().rev().fold(empty, |follow, part| part.first().then(&follow))
            }
            Node::Alt(branches) => {
                branches.iter().map(Node::first).fold(First::default(), |all, first| First {
                    bytes: all.bytes.union(first.bytes),
                    end: all.end || first.end,
                    nullable: all.nullable || first.nullable,
                    open: false,
                })
            }
        }
    }

    fn into_parts(self) -> Vec<Node> {
        match self {
            Node::Seq(parts) => parts,
            other => vec![other],
        }
    }
}

struct Compiler {
    /// The bytes that any match may hold.
    text: ByteSet,
    ops: Vec<Op>,
    names: Vec<(usize, Option<Box<str>>)>,
}

impl Compiler {
    fn node(&mut self, hir: &Hir, depth: usize) -> Option<Node> {
        Some(match hir.kind() {
            HirKind::Empty => Node::Seq(Vec::new()),
            HirKind::Literal(literal) => {
                let set = |byte: &u8| Node::Set(ByteSet::of(*byte).intersection(self.text));
                Node::Seq(literal.0.iter().map(set).collect())
            }
            HirKind::Class(class) => Node::Set(byte_set(class)?.intersection(self.text)),
            HirKind::Look(Look::End) => Node::End,
            HirKind::Look(_) => return None,
            HirKind::Repetition(repetition) => Node::Repeat {
                node: Box::new(unwrap(self.node(&repetition.sub, depth)?)),
                min: repetition.min,
                max: repetition.max,
                greedy: repetition.greedy,
            },
            HirKind::Capture(capture) => {
                let slot = self.names.len() * 2;
                self.names.push((slot, capture.name.clone()));
                let inner = self.node(&capture.sub, depth)?;
                (slot + 2 <= SLOTS).then_some(Node::Group(slot, Box::new(inner)))?
            }
            HirKind::Concat(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.extend(self.node(part, depth)?.into_parts());
                }
                Node::Seq(all)
            }
            HirKind::Alternation(branches) => {
                let branches: Option<Vec<Node>> =
                    branches.iter().map(|branch| self.node(branch, depth)).collect();
                factor(branches?, depth)?
            }
        })
    }

    fn push(&mut self, op: Op) -> Option<usize> {
        self.ops.push(op);
        (self.ops.len() <= OPS).then_some(self.ops.len() - 1)
    }

    /// Let the instruction at `at` go on behind the last one.
    fn land(&mut self, at: usize) {
        let here = self.ops.len();
        if let Some(Op::Unless { target, .. } | Op::Try { target, .. } | Op::Jump(target)) =
            self.ops.get_mut(at)
        {
            *target = here;
        }
    }

    /// The instructions of a part that `follow` comes behind; `None` when the next byte does not
    /// decide everywhere.
    fn emit(&mut self, node: &Node, follow: &First) -> Option<()> {
        match node {
            Node::Set(set) => {
                self.push(Op::Run { set: *set, min: 1, max: 1 })?;
            }
            Node::End => {
                self.push(Op::End)?;
            }
            Node::Group(slot, node) => {
                self.push(Op::Save(*slot))?;
                self.emit(node, follow)?;
                self.push(Op::Save(slot + 1))?;
            }
            Node::Seq(parts) => {
                for (at, part) in parts.iter().enumerate() {
                    let rest = parts.get(at + 1..).unwrap_or_default();
                    let behind =
                        rest.iter().rev().fold(*follow, |follow, part| part.first().then(&follow));
                    self.emit(part, &behind)?;
                }
            }
            Node::Alt(branches) => self.alternatives(branches, follow)?,
            Node::Repeat { node, min, max, greedy } => {
                let deterministic = min == &max.unwrap_or(u32::MAX)
                    || !node.first().overlaps(follow) && (*greedy || !follow.open);
                match &**node {
                    _ if !deterministic => return None,
                    Node::Set(set) => {
                        let max = max.unwrap_or(u32::MAX);
                        self.push(Op::Run { set: *set, min: *min, max })?;
                    }
                    node => self.repeat(node, *min, *max, follow)?,
                }
            }
        }
        Some(())
    }

    fn alternatives(&mut self, branches: &[Node], follow: &First) -> Option<()> {
        let firsts: Vec<First> =
            branches.iter().map(|branch| branch.first().then(follow)).collect();
        for (number, first) in firsts.iter().enumerate() {
            let others = firsts.get(number + 1..).unwrap_or_default();
            // Where anything may come behind an empty branch, the byte decides nothing.
            if first.open || others.iter().any(|other| other.open || first.overlaps(other)) {
                return None;
            }
        }
        let mut ends = Vec::new();
        // What may be the end alone comes last: no byte leads there.
        let mut order: Vec<(&Node, &First)> = branches.iter().zip(&firsts).collect();
        order.sort_by_key(|(_, first)| first.end);
        let last = order.len().checked_sub(1)?;
        for (number, (branch, first)) in order.into_iter().enumerate() {
            if number == last {
                self.emit(branch, follow)?;
                break;
            }
            let skip = self.push(Op::Unless { set: first.bytes, target: 0 })?;
            self.emit(branch, follow)?;
            ends.push(self.push(Op::Jump(0))?);
            self.land(skip);
        }
        for end in ends {
            self.land(end);
        }
        Some(())
    }

    /// A repeated part that is more than a class, written out.
    fn repeat(&mut self, node: &Node, min: u32, max: Option<u32>, follow: &First) -> Option<()> {
        let first = node.first();
        let optional = max != Some(min);
        if first.nullable || first.end || min > UNROLLED {
            return None;
        }
        if (min, max) == (0, Some(1)) && follow.open {
            // What comes behind can be left out, so that the match is complete without this.
            let skip = self.push(Op::Try { set: first.bytes, target: 0 })?;
            self.emit(node, follow)?;
            self.land(skip);
            return Some(());
        }
        if optional && follow.open {
            return None;
        }
        let behind = First { bytes: first.bytes.union(follow.bytes), ..*follow };
        for copy in 1..=min {
            let last = copy == min && !optional;
            self.emit(node, if last { follow } else { &behind })?;
        }
        let more = max.map(|max| max - min);
        if more.is_some_and(|more| more > UNROLLED) {
            return None;
        }
        let mut skips = Vec::new();
        let copies = more.unwrap_or(1);
        for copy in 1..=copies {
            let last = copy == copies && more.is_some();
            skips.push(self.push(Op::Unless { set: first.bytes, target: 0 })?);
            self.emit(node, if last { follow } else { &behind })?;
        }
        if more.is_none() {
            self.push(Op::Jump(*skips.first()?))?;
        }
        for skip in skips {
            self.land(skip);
        }
        Some(())
    }
}

/// The parts of a pattern in a row, without its groups.
fn flat(node: Node) -> Vec<Node> {
    let mut parts = Vec::new();
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        match node {
            Node::Seq(inside) => pending.extend(inside.into_iter().rev()),
            Node::Group(_, inside) => pending.push(*inside),
            other => parts.push(other),
        }
    }
    parts
}

/// Whether `parts` begin with the anchor, each byte spelled out.
fn spells(parts: &[Node], anchor: &Anchor) -> bool {
    let text = &anchor.text;
    let pairs = parts.iter().zip(text.iter());
    text.len() <= parts.len()
        && pairs.clone().all(|(part, byte)| match part {
            Node::Set(set) => set.has(*byte) && set.len() <= 2,
            _ => false,
        })
}

/// A sequence of one is that one.
fn unwrap(node: Node) -> Node {
    match node {
        Node::Seq(mut parts) if parts.len() == 1 => parts.pop().unwrap_or(Node::End),
        other => other,
    }
}

/// A sequence that begins with an optional byte as two: with the byte and without.
fn with_and_without(parts: Vec<Node>) -> Vec<Vec<Node>> {
    match parts.first() {
        Some(Node::Repeat { node, min: 0, max: Some(1), greedy: true }) if parts.len() > 1 => {
            let without: Vec<Node> = parts.get(1..).unwrap_or_default().to_vec();
            let head = std::iter::once((**node).clone());
            vec![head.chain(without.iter().cloned()).collect(), without]
        }
        _ => vec![parts],
    }
}

/// Alternatives with common beginnings taken together, so that the next byte decides more often.
fn factor(branches: Vec<Node>, depth: usize) -> Option<Node> {
    let depth = depth.checked_sub(1)?;
    let mut groups: Vec<(Option<ByteSet>, Vec<Node>)> = Vec::new();
    for mut parts in branches.into_iter().map(Node::into_parts).flat_map(with_and_without) {
        let head = match parts.first() {
            Some(Node::Set(set)) => Some(*set),
            _ => None,
        };
        let known = groups.iter_mut().find(|(known, _)| head.is_some() && *known == head);
        if head.is_some() {
            parts.remove(0);
        }
        match known {
            Some((_, rests)) => rests.push(Node::Seq(parts)),
            None => groups.push((head, vec![Node::Seq(parts)])),
        }
    }
    let mut all = Vec::new();
    for (head, mut rests) in groups {
        let rest = match rests.len() {
            1 => rests.pop()?,
            _ => factor(rests, depth)?,
        };
        let head = head.map(Node::Set);
        all.push(Node::Seq(head.into_iter().chain(rest.into_parts()).collect()));
    }
    Some(if all.len() == 1 { all.pop()? } else { Node::Alt(all) })
}
