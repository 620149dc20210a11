//! The launch table: what `RunInstances` makes of a device of an image.

use super::{Ask, Cell, Outcome, Source, State};

/// What a launch with `ask` makes.
pub fn launch(ask: &Ask) -> Cell {
    let Ask { source, encrypted, key_given, by_default } = *ask;
    let Source { encrypted: sealed, own } = source;
    match (sealed, encrypted, key_given) {
        (_, None | Some(false), true) => Cell::KEY_ALONE,

        (false, None, false) if by_default => Cell::documented(State::DefaultKey),
        (false, None, false) => Cell::documented(State::Plain),
        (false, Some(true), false) => Cell::documented(State::DefaultKey),
        (false, Some(true), true) => Cell::documented(State::GivenKey),
        // An explicit false is thinly documented everywhere.
        (false, Some(false), false) if by_default => {
            Cell::undefined(Outcome::Undefined(State::DefaultKey))
        }
        (false, Some(false), false) => Cell::undefined(Outcome::Undefined(State::Plain)),

        // Encrypted=true has no effect on what is encrypted already.
        (true, None | Some(true), false) if own => Cell::sealed(State::SourceKey, by_default),
        (true, None | Some(true), false) => Cell::sealed(State::DefaultKey, by_default),
        (true, Some(true), true) => Cell::sealed(State::GivenKey, by_default),
        (true, Some(false), false) => Cell::undefined(Outcome::NeverPlain),
    }
}
