//! The state tables: what `RunInstances` and `CopyImage` make of one disk of an image.

use super::{Ask, Cell, Outcome, State};

/// What a launch with `ask` makes.
pub fn launch(ask: &Ask) -> Cell {
    let or_not = |ask: &Ask| match (ask.source.encrypted, ask.source.own) {
        // An explicit false is thinly documented everywhere.
        (false, _) => Cell::undefined(Outcome::Undefined(State::Plain)),
        // Encrypted=true has no effect on what is encrypted already.
        (true, true) => Cell::sealed(State::SourceKey, ask.by_default),
        (true, false) => Cell::sealed(State::DefaultKey, ask.by_default),
    };
    alike(*ask).unwrap_or_else(|| or_not(ask))
}

/// What a copy with `ask` makes, to another region when `cross_region`.
pub fn copy(ask: &Ask, cross_region: bool) -> Cell {
    let or_not = |ask: &Ask| match (ask.source.encrypted, ask.source.own, cross_region) {
        (false, ..) => Cell::documented(State::Plain),
        // A key is of one region, so that the source's cannot be the copy's in another.
        (true, true, true) => Cell::unverified(State::DefaultKey),
        // The SDK has it that the default key is taken unless one is given.
        (true, true, false) => Cell::conflicting(State::SourceKey),
        (true, false, _) => Cell::sealed(State::DefaultKey, ask.by_default),
    };
    alike(*ask).unwrap_or_else(|| or_not(ask))
}

/// The cells that a launch and a copy have in common. They differ in two: an explicit false for a
/// disk in the clear where nothing encrypts by default, and no key for one that is encrypted.
fn alike(ask: Ask) -> Option<Cell> {
    let Ask { source, encrypted, key_given, by_default } = ask;
    Some(match (source.encrypted, encrypted, key_given) {
        (_, None | Some(false), true) => Cell::KEY_ALONE,

        (false, None, false) if by_default => Cell::documented(State::DefaultKey),
        (false, None, false) => Cell::documented(State::Plain),
        (false, Some(true), false) => Cell::documented(State::DefaultKey),
        (false, Some(true), true) => Cell::documented(State::GivenKey),
        (false, Some(false), false) if by_default => {
            Cell::undefined(Outcome::Undefined(State::DefaultKey))
        }
        (false, Some(false), false) | (true, None | Some(true), false) => return None,

        (true, Some(true), true) => Cell::sealed(State::GivenKey, by_default),
        (true, Some(false), false) => Cell::undefined(Outcome::NeverPlain),
    })
}
