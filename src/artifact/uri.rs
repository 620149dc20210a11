//! A URI with a password in it ([RFC 3986](https://www.rfc-editor.org/rfc/rfc3986#section-3.2.1)),
//! and the `Authorization` header ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)).

use super::judge::{self, Kind};
use super::piece::Piece;
use crate::credential::base64;
use crate::finding::{Grade, Match, Rule};
use crate::limits;
use crate::run::Run;

/// The user information of a URI, and its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Login<'a> {
    /// The user; empty in `redis://:password@host`.
    pub(super) user: Piece<'a>,
    /// The password; empty when there is none.
    pub(super) password: Piece<'a>,
    /// Host and port.
    pub(super) host: Piece<'a>,
}

/// Every `scheme://user[:password]@host` in `text`.
pub(super) fn logins(text: Piece<'_>) -> impl Iterator<Item = Login<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let at = rest.bytes.windows(3).position(|w| w == b"://")?;
            let scheme = at.checked_sub(1).and_then(|last| rest.bytes.get(last));
            rest = rest.from(at + 3);
            if !scheme.is_some_and(u8::is_ascii_alphanumeric) {
                continue;
            }
            if let Some(login) = login(rest) {
                return Some(login);
            }
        }
    })
}

fn login(text: Piece<'_>) -> Option<Login<'_>> {
    let text = text.sub(0, limits::URI_BYTES);
    let ends = |b: &u8| b.is_ascii_whitespace() || b"/?#\"'<>`|,\\".contains(b);
    let end = text.bytes.iter().position(ends).unwrap_or(text.bytes.len());
    let authority = text.sub(0, end);
    let at = authority.bytes.iter().rposition(|&b| b == b'@')?;
    let host = authority.from(at + 1);
    let info = authority.sub(0, at);
    let (user, password) = info.split_once(b':').unwrap_or((info, info.from(info.bytes.len())));
    (!host.is_empty() && !info.is_empty()).then_some(Login { user, password, host })
}

/// Undo percent encoding; a `%` without two hex digits stands for itself.
pub(super) fn unescape(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        let digits = after.first_chunk::<2>().filter(|_| byte == b'%');
        let value = digits
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        out.push(value.unwrap_or(byte));
        rest = if value.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}

impl Login<'_> {
    /// The match of the password, when there is one.
    pub(super) fn found(self, rule: &'static Rule) -> Option<Match> {
        if self.password.is_empty() {
            return None;
        }
        let plain = unescape(self.password.bytes);
        let found = judge::decoded(rule, Grade::Strong, (Kind::Password, &plain), self.password);
        Some(found.fact("user", self.user.text()).fact("host", self.host.text()))
    }
}

/// The match of what follows `Authorization:`.
pub(super) fn authorization(rule: &'static Rule, value: Piece<'_>) -> Option<Match> {
    let mut words = value.words();
    let scheme = words.next()?.bytes.to_ascii_lowercase();
    let credential = words.next()?;
    match scheme.as_slice() {
        b"basic" => basic(rule, credential),
        b"bearer" | b"token" | b"apikey" | b"api-key" => {
            Some(judge::found(rule, Grade::Strong, Kind::Token, credential))
        }
        _ => None,
    }
}

/// The match of `base64(user:password)`.
pub(super) fn basic(rule: &'static Rule, credential: Piece<'_>) -> Option<Match> {
    let text = base64::decode(credential.bytes)?;
    let colon = text.iter().position(|&b| b == b':')?;
    let (user, password) = text.split_at_checked(colon)?;
    let password = password.get(1..).filter(|password| !password.is_empty())?;
    // What does not decode to text is no user and password.
    std::str::from_utf8(&text).ok()?;
    let found = judge::decoded(rule, Grade::Proven, (Kind::Password, password), credential);
    let after_user = user.len() as u64 + 1;
    let found = found.decoded_by("base64", Run::new(after_user, password.len() as u64));
    Some(found.fact("user", super::piece::text(user)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_logins() {
        let text =
            b"a://b c://u:p@h/x d=\"e+f://u%40x:p%3aq@[::1]:80\" ://u:p@h redis://:pw@h2, g://t@h";
        let found: Vec<_> = logins(Piece::whole(text))
            .map(|l| (l.user.text(), unescape(l.password.bytes), l.host.text()))
            .collect();
        let expected =
            [("u", "p", "h"), ("u%40x", "p:q", "[::1]:80"), ("", "pw", "h2"), ("t", "", "h")];
        let expected =
            expected.map(|(u, p, h)| (u.to_owned(), p.as_bytes().to_vec(), h.to_owned()));
        assert_eq!(found, expected);
    }
}
