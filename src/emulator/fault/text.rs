//! The one-line form of a fault, which the command line takes.
//!
//! ```text
//! throttle:op=get,block=3-9+12,times=2,retry-after=50
//! truncate=1000:snap=snap-0a1b,every=7
//! ```
//!
//! `KIND[=NUMBER][:KEY=VALUE,…]`. Keys narrow a fault down: `op` (`list`, `get`, `changed`,
//! `images`, `snapshots`, `other`), `snap`, `block` (indexes and ranges, joined with `+`), `skip`
//! (spare the first N that match), `every` (then every Nth), `times` (in all: a number, `once`,
//! `always`), `each` (per block). `retry-after` adds the header with that many milliseconds.

use super::{Fault, Kind, NAMES, Operation};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::str::FromStr;

impl Fault {
    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        match key {
            "op" => self.operation = Some(operation(value)?),
            "snap" => self.snapshot = Some(value.to_owned()),
            "block" => {
                self.blocks = value.split('+').map(range).collect::<Result<_>>()?;
            }
            "skip" => self.skip = number(value)?,
            "every" => self.every = positive(value)?,
            "times" if value == "always" => self.times = None,
            "times" if value == "once" => self.times = Some(1),
            "times" => self.times = Some(positive(value)?),
            "each" => self.each = Some(positive(value)?),
            "retry-after" => self.retry_after_ms = Some(number(value)?),
            _ => {
                return Err(refuse("unknown key of a fault").detail(format_args!(
                    "{key}; there are op, snap, block, skip, every, times, each, retry-after"
                )));
            }
        }
        Ok(())
    }

    fn check(self) -> Result<Fault> {
        match self.operation {
            Some(operation) if !self.kind.suits(operation) => Err(refuse(
                "this fault cannot happen to that operation",
            )
            .detail(format_args!("{} and {}", self.kind.name(), operation.short()))),
            _ => Ok(self),
        }
    }
}

fn refuse(what: &'static str) -> Error {
    Error::new(ErrorKind::Usage, what)
}

fn number(text: &str) -> Result<u64> {
    text.parse().map_err(|_| refuse("not a number in a fault").detail(text))
}

fn positive(text: &str) -> Result<u64> {
    match number(text)? {
        0 => Err(refuse("a number in a fault must not be zero")),
        n => Ok(n),
    }
}

fn range(text: &str) -> Result<(u64, u64)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(refuse("a range of blocks in a fault runs backwards").detail(text));
    }
    Ok((first, last))
}

fn operation(text: &str) -> Result<Operation> {
    Operation::ALL.iter().copied().find(|o| o.short() == text).ok_or_else(|| {
        let names: Vec<_> = Operation::ALL.iter().map(|o| o.short()).collect();
        refuse("unknown operation in a fault")
            .detail(format_args!("{text}; there are {}", names.join(", ")))
    })
}

impl FromStr for Fault {
    type Err = Error;

    fn from_str(text: &str) -> Result<Fault> {
        let (head, keys) = text.split_once(':').unwrap_or((text, ""));
        let (name, value) = match head.split_once('=') {
            Some((name, value)) => (name, Some(number(value)?)),
            None => (head, None),
        };
        let Some(&(_, kind)) = NAMES.iter().find(|(known, _)| *known == name) else {
            let names: Vec<_> = NAMES.iter().map(|(name, _)| *name).collect();
            return Err(refuse("unknown fault")
                .detail(format_args!("{name}; there are {}", names.join(", "))));
        };
        let kind = match value {
            Some(n) => kind
                .with_number(n)
                .ok_or_else(|| refuse("this fault takes no number").detail(name))?,
            None => kind,
        };
        if kind == Kind::Slow(0) {
            return Err(refuse("a slow body needs a speed above zero"));
        }
        let mut fault = Fault::new(kind);
        for pair in keys.split(',').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| refuse("a key of a fault has no value").detail(pair))?;
            fault.set(key, value)?;
        }
        fault.check()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        if let Some(n) = self.kind.number() {
            write!(f, "={n}")?;
        }
        let mut keys = Vec::new();
        keys.extend(self.operation.map(|operation| format!("op={}", operation.short())));
        keys.extend(self.snapshot.as_ref().map(|id| format!("snap={id}")));
        if !self.blocks.is_empty() {
            let one = |&(a, b): &(u64, u64)| {
                if a == b { a.to_string() } else { format!("{a}-{b}") }
            };
            let ranges: Vec<_> = self.blocks.iter().map(one).collect();
            keys.push(format!("block={}", ranges.join("+")));
        }
        keys.extend((self.skip != 0).then(|| format!("skip={}", self.skip)));
        keys.extend((self.every != 1).then(|| format!("every={}", self.every)));
        keys.extend(self.times.map(|n| format!("times={n}")));
        keys.extend(self.each.map(|n| format!("each={n}")));
        keys.extend(self.retry_after_ms.map(|n| format!("retry-after={n}")));
        if keys.is_empty() { Ok(()) } else { write!(f, ":{}", keys.join(",")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_form_goes_both_ways() {
        for text in [
            "throttle",
            "throttle:op=get,block=3-9+12,times=2,retry-after=50",
            "truncate=1000:snap=snap-0a1b,every=7",
            "stall:op=images,skip=3,times=1",
            "empty-page:op=changed,each=1",
        ] {
            assert_eq!(text.parse::<Fault>().unwrap().to_string(), text);
        }
        for (name, kind) in NAMES {
            let fault = Fault::new(*kind);
            assert_eq!(fault.to_string().parse::<Fault>().unwrap(), fault, "{name}");
        }
        assert_eq!("slow:times=once".parse::<Fault>().unwrap().to_string(), "slow=100000:times=1");
        assert_eq!("reset:times=always".parse::<Fault>().unwrap(), Fault::new(Kind::Reset));
    }

    #[test]
    fn a_text_that_is_no_fault_is_refused_with_its_word() {
        for (text, word) in [
            ("", "unknown fault"),
            ("trottle", "trottle; there are throttle"),
            ("reset=3", "takes no number (reset)"),
            ("truncate=x", "not a number in a fault (x)"),
            ("reset:op=put", "put; there are list"),
            ("corrupt:op=list", "corrupt and list"),
            ("reset:block=9-3", "9-3"),
            ("reset:every=0", "zero"),
            ("reset:times", "no value (times)"),
            ("reset:when=now", "when; there are op"),
            ("slow=0", "above zero"),
        ] {
            let message = text.parse::<Fault>().unwrap_err().to_string();
            assert!(message.contains(word), "{text}: {message}");
        }
    }
}
