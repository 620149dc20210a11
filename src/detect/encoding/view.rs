//! A view: bytes that were decoded, and for each of them the bytes of the window it came from.

use crate::finding::{Decoded, Step};
use crate::limits::DECODED_DEPTH;
use crate::run::Run;
use std::ops::Range;

/// What stands between two texts: no match and no encoding goes across it.
const BETWEEN: u8 = 1;

/// Decoded bytes. Many short texts stand in one view, each its own segment, so that they are
/// searched at once.
#[derive(Default)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    map: Map,
    segments: Vec<Segment>,
}

/// Where the bytes of a view come from, in the window.
enum Map {
    /// Byte by byte.
    Each(Vec<Span>),
    /// Every byte from all of these: packed data.
    Whole(Span),
}

impl Default for Map {
    fn default() -> Map {
        Map::Each(Vec::new())
    }
}

/// Bytes of the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn new(range: &Range<usize>) -> Span {
        let small = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        Span { start: small(range.start), end: small(range.end) }
    }

    pub(super) fn start(self) -> usize {
        usize::try_from(self.start).unwrap_or(usize::MAX)
    }

    pub(super) fn run(self) -> Run {
        Run::between(self.start.into(), self.end.into())
    }
}

/// One text that was decoded.
#[derive(Clone, Copy)]
struct Segment {
    start: usize,
    chain: Chain,
}

/// How a segment was decoded, outermost step first.
#[derive(Clone, Copy, Default)]
struct Chain {
    steps: [Option<Step>; DECODED_DEPTH],
}

impl Chain {
    fn then(mut self, step: Step) -> Chain {
        if let Some(free) = self.steps.iter_mut().find(|step| step.is_none()) {
            *free = Some(step);
        }
        self
    }
}

/// What is decoded: the window itself, or a view of it.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) view: Option<&'a View>,
}

impl Source<'_> {
    fn span(&self, range: &Range<usize>) -> Span {
        self.view.map_or_else(|| Span::new(range), |view| view.span(range))
    }

    /// The text that `at` is in: all of a window, a segment of a view.
    pub(super) fn text_around(&self, at: usize) -> Range<usize> {
        self.view.map_or(0..self.bytes.len(), |view| view.segment(at).0)
    }

    /// How the text that begins at `at` was come by, and `format` at last.
    fn chain(&self, format: &'static str, at: usize) -> Chain {
        let around = self.view.map(|view| view.segment(at));
        let (start, chain) = around.map_or((0, Chain::default()), |(text, c)| (text.start, c));
        let at = u64::try_from(at.saturating_sub(start)).ok();
        chain.then(Step { format, at })
    }
}

impl View {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.segments.clear();
        match &mut self.map {
            Map::Each(spans) => spans.clear(),
            Map::Whole(_) => self.map = Map::default(),
        }
    }

    /// A view of bytes that were packed in `range` of `source`.
    pub(super) fn packed(
        source: Source<'_>,
        range: &Range<usize>,
        format: &'static str,
        bytes: Vec<u8>,
    ) -> View {
        // It begins where the text around it does.
        let (_, chain) = source.view.map_or_else(Default::default, |v| v.segment(range.start));
        let segment = Segment { start: 0, chain: chain.then(Step { format, at: None }) };
        View { bytes, map: Map::Whole(source.span(range)), segments: vec![segment] }
    }

    /// Begin a text that stands at `at` of the source.
    pub(super) fn begin(&mut self, at: usize) {
        if !self.bytes.is_empty() {
            self.push(BETWEEN, at..at);
        }
        // Until it is settled the text knows only its place.
        let place = Step { format: "", at: u64::try_from(at).ok() };
        let chain = Chain::default().then(place);
        self.segments.push(Segment { start: self.bytes.len(), chain });
    }

    /// One decoded byte, from the bytes `from` of the source.
    pub(super) fn push(&mut self, byte: u8, from: Range<usize>) {
        if let Map::Each(spans) = &mut self.map {
            self.bytes.push(byte);
            spans.push(Span::new(&from));
        }
    }

    /// Bytes of the source that stand for themselves.
    pub(super) fn copy(&mut self, source: &[u8], range: Range<usize>) {
        if let (Map::Each(spans), Some(bytes)) = (&mut self.map, source.get(range.clone())) {
            self.bytes.extend_from_slice(bytes);
            let Span { start, end } = Span::new(&range);
            spans.extend((start..end).map(|at| Span { start: at, end: at + 1 }));
        }
    }

    /// What was decoded since `mark` came from `source` by undoing `format`.
    pub(super) fn settle(&mut self, mark: Mark, source: Source<'_>, format: &'static str) {
        for segment in self.segments.iter_mut().skip(mark.segments) {
            let place = segment.chain.steps.first().copied().flatten().and_then(|step| step.at);
            let at = place.and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
            segment.chain = source.chain(format, at);
        }
        if let (Map::Each(spans), Some(view)) = (&mut self.map, source.view) {
            for span in spans.iter_mut().skip(mark.bytes) {
                let end = usize::try_from(span.end).unwrap_or(usize::MAX);
                *span = view.span(&(span.start()..end));
            }
        }
    }

    /// How far it has come.
    pub(super) fn mark(&self) -> Mark {
        Mark { bytes: self.bytes.len(), segments: self.segments.len() }
    }

    /// The bytes of the window that `range` was decoded from.
    pub(super) fn span(&self, range: &Range<usize>) -> Span {
        match &self.map {
            Map::Whole(span) => *span,
            Map::Each(spans) => {
                let first = spans.get(range.start).or(spans.last());
                let start = first.map_or(0, |span| span.start);
                let last = spans.get(range.end.saturating_sub(1).max(range.start));
                Span { start, end: last.map_or(start, |span| span.end).max(start) }
            }
        }
    }

    /// Whether all of it came from the same bytes.
    pub(super) fn is_packed(&self) -> bool {
        matches!(self.map, Map::Whole(_))
    }

    /// The text that holds `at`, and how it was come by.
    fn segment(&self, at: usize) -> (Range<usize>, Chain) {
        let next = self.segments.partition_point(|segment| segment.start <= at);
        // Between two texts stands one byte.
        let end = self.segments.get(next).map_or(self.bytes.len(), |s| s.start.saturating_sub(1));
        let found = next.checked_sub(1).and_then(|number| self.segments.get(number));
        found.map_or((0..end, Chain::default()), |segment| (segment.start..end, segment.chain))
    }

    /// Where its texts begin.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        self.segments.iter().map(|segment| segment.start)
    }

    /// Where `run` of the view stands, for people.
    pub(super) fn decoded(&self, run: Run) -> Decoded {
        let (text, chain) = self.segment(usize::try_from(run.start).unwrap_or(usize::MAX));
        let start = run.start.saturating_sub(u64::try_from(text.start).unwrap_or(0));
        let chain = chain.steps.into_iter().flatten().collect();
        Decoded { chain, span: Run::new(start, run.len) }
    }
}

/// A place in a view that is being made.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    bytes: usize,
    segments: usize,
}

impl Mark {
    pub(super) fn bytes(self) -> usize {
        self.bytes
    }
}
