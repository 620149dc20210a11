//! The copy table: what `CopyImage` makes of a snapshot of an image.

use super::{Ask, Cell, Outcome, Source, State};

/// What a copy with `ask` makes, to another region when `cross_region`.
pub fn copy(ask: &Ask, cross_region: bool) -> Cell {
    let Ask { source, encrypted, key_given, by_default } = *ask;
    let Source { encrypted: sealed, own } = source;
    match (sealed, encrypted, key_given) {
        (_, None | Some(false), true) => Cell::KEY_ALONE,

        (false, None, false) if by_default => Cell::documented(State::DefaultKey),
        (false, None, false) => Cell::documented(State::Plain),
        (false, Some(true), false) => Cell::documented(State::DefaultKey),
        (false, Some(true), true) => Cell::documented(State::GivenKey),
        (false, Some(false), false) if by_default => {
            Cell::undefined(Outcome::Undefined(State::DefaultKey))
        }
        (false, Some(false), false) => Cell::documented(State::Plain),

        // A key is of one region, so that the source's cannot be the copy's in another.
        (true, None | Some(true), false) if own && cross_region => {
            Cell::unverified(State::DefaultKey)
        }
        // The SDK has it that the default key is taken unless one is given.
        (true, None | Some(true), false) if own => Cell::conflicting(State::SourceKey),
        (true, None | Some(true), false) => Cell::sealed(State::DefaultKey, by_default),
        (true, Some(true), true) => Cell::sealed(State::GivenKey, by_default),
        (true, Some(false), false) => Cell::undefined(Outcome::NeverPlain),
    }
}
