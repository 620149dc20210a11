//! A what-if: what a launch or a copy would make of each device, and which launches a set of
//! Allowed-AMIs criteria would stop.
//!
//! [`launch()`] and [`copy()`] are the complete state tables. They say what the documents say, and
//! where those say nothing, that they do not.

pub mod allowed;
mod predict;
mod table;
mod text;

pub use self::predict::{Act, End, Extra, Plan, Prediction, Row, Use, bare, predict};
pub use self::table::{copy, launch};

use std::fmt::{self, Write as _};

/// The snapshot a device comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Whether the account that acts owns it; else it is shared with it, or public.
    pub own: bool,
}

/// What is asked of EC2 for one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// The snapshot it comes from.
    pub source: Source,
    /// `Encrypted`; none when the parameter is left out.
    pub encrypted: Option<bool>,
    /// Whether `KmsKeyId` is given.
    pub key_given: bool,
    /// Whether encryption by default is on in the region of the result.
    pub by_default: bool,
}

/// The state of the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not encrypted.
    Plain,
    /// Encrypted under the default EBS key of the acting account in the region of the result.
    DefaultKey,
    /// Encrypted under the key of the source.
    SourceKey,
    /// Encrypted under the key that is given.
    GivenKey,
}

/// What comes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A result in this state.
    Becomes(State),
    /// The call fails: `KmsKeyId` takes `Encrypted=true`.
    KeyWithoutEncrypted,
    /// The documents do not say; most likely this state.
    Undefined(State),
    /// The documents do not say whether the call fails or the parameter is ignored; the result is
    /// encrypted in no case less than its source.
    NeverPlain,
}

/// How well an outcome is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// AWS documents it.
    Documented,
    /// It follows from what is documented of similar calls, and was not tried.
    Unverified,
    /// Two documents of AWS contradict each other.
    Conflicting,
    /// The documents leave it open.
    Undefined,
}

/// One cell of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// What comes of it.
    pub outcome: Outcome,
    /// How well that is known.
    pub basis: Basis,
}

/// What a call with `KmsKeyId` and without `Encrypted=true` is answered. The code was not seen at
/// AWS.
pub const KEY_WITHOUT_ENCRYPTED: &str = "InvalidParameterDependency: KmsKeyId requires Encrypted";

impl Cell {
    const fn documented(state: State) -> Cell {
        Cell { outcome: Outcome::Becomes(state), basis: Basis::Documented }
    }

    const fn unverified(state: State) -> Cell {
        Cell { outcome: Outcome::Becomes(state), basis: Basis::Unverified }
    }

    const fn conflicting(state: State) -> Cell {
        Cell { outcome: Outcome::Becomes(state), basis: Basis::Conflicting }
    }

    const fn undefined(outcome: Outcome) -> Cell {
        Cell { outcome, basis: Basis::Undefined }
    }

    const KEY_ALONE: Cell =
        Cell { outcome: Outcome::KeyWithoutEncrypted, basis: Basis::Documented };

    /// What encryption by default makes of an encrypted source is not documented for itself.
    const fn sealed(state: State, by_default: bool) -> Cell {
        if by_default { Cell::unverified(state) } else { Cell::documented(state) }
    }
}

/// Every ask there is, in the order of the tables in testdata/whatif.
pub fn asks() -> impl Iterator<Item = Ask> {
    let sources = [(false, true), (false, false), (true, true), (true, false)];
    sources.into_iter().flat_map(|(encrypted, own)| {
        [None, Some(true), Some(false)].into_iter().flat_map(move |flag| {
            [false, true].into_iter().flat_map(move |key_given| {
                [false, true].into_iter().map(move |by_default| {
                    let source = Source { encrypted, own };
                    Ask { source, encrypted: flag, key_given, by_default }
                })
            })
        })
    })
}

/// A whole table as CSV.
pub fn table(act: Act) -> String {
    let row = |out: &mut String, head: String, cell: Cell| {
        let outcome = cell.outcome.to_string();
        let quote = if outcome.contains(',') { "\"" } else { "" };
        let _ = writeln!(out, "{head},{quote}{outcome}{quote},{}", cell.basis);
    };
    let region = if act == Act::Copy { "region," } else { "" };
    let mut out = format!("source,encrypted,kms_key,encryption_by_default,{region}outcome,basis\n");
    for ask in asks() {
        match act {
            Act::Launch => row(&mut out, ask.to_string(), launch(&ask)),
            Act::Copy => {
                row(&mut out, format!("{ask},same"), copy(&ask, false));
                row(&mut out, format!("{ask},cross"), copy(&ask, true));
            }
        }
    }
    out
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = if self.encrypted { "E" } else { "U" };
        write!(f, "{state}-{}", if self.own { "own" } else { "shared" })
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            State::Plain => "unencrypted",
            State::DefaultKey => "default-key",
            State::SourceKey => "source-key",
            State::GivenKey => "given-key",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Becomes(state) => state.fmt(f),
            Outcome::KeyWithoutEncrypted => f.write_str("error"),
            Outcome::Undefined(state) => write!(f, "undefined-by-docs, likely {state}"),
            Outcome::NeverPlain => f.write_str("undefined-by-docs, never unencrypted"),
        }
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Basis::Documented => "documented",
            Basis::Unverified => "unverified",
            Basis::Conflicting => "conflicting",
            Basis::Undefined => "undefined",
        })
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flag = match self.encrypted {
            None => "absent",
            Some(true) => "true",
            Some(false) => "false",
        };
        let key = if self.key_given { "given" } else { "absent" };
        let by_default = if self.by_default { "on" } else { "off" };
        write!(f, "{},{flag},{key},{by_default}", self.source)
    }
}
