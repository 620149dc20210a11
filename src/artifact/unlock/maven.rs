//! Maven: the master password of `settings-security.xml` opens what `settings.xml` keeps in `{…}`
//! ([format](https://maven.apache.org/guides/mini/guide-encryption.html)).

use super::{Opened, nearest, opened, values};
use crate::artifact::judge::Kind;
use crate::artifact::maven::{SERVER, brackets};
use crate::blob::{Change, Clue, Join};
use crate::credential::obscured;

/// The master password.
pub(in crate::artifact) const MASTER: &str = "maven.master";
/// An encrypted password.
pub(in crate::artifact) const VALUE: &str = "maven.value";

/// The join.
pub(in crate::artifact) const JOIN: Join = Join { name: "maven", needs: &[MASTER, VALUE], run };

fn run(clues: &[Clue], out: &mut dyn FnMut(Change)) {
    for clue in values(clues, VALUE) {
        let Some(inside) = brackets(&clue.key) else { continue };
        let keys = nearest(clues, MASTER, &clue.at);
        let plain = keys
            .iter()
            .find_map(|master| Some((obscured::maven(&master.key, inside)?, &master.at)));
        let Some((plain, key)) = plain else { continue };
        let (kind, keys, format) = (Kind::Password, &[key][..], "maven");
        let what = Opened { rule: &SERVER, format, kind, plain: &plain, keys };
        opened(clue, &what).into_iter().for_each(&mut *out);
    }
}
