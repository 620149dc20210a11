//! What was typed into PowerShell: its histories and transcripts.

use super::Artifact;
use super::history;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::tokens::{Line, Sort, Token};
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Harmless, Match, Rule, Severity};
use std::collections::BTreeSet;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "powershell history", applies, run };

static HISTORY: Rule = Rule {
    id: "history.powershell",
    title: "Secret on a PowerShell command line",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, and delete histories and transcripts before making an image.",
};

fn applies(blob: &Blob<'_>) -> bool {
    paths::ends_with_any(&blob.name, &["*_history.txt", "PowerShell_transcript.*"])
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let home = paths::user(&blob.name).unwrap_or_default();
    let transcript = paths::file_name(&blob.name).starts_with(b"PowerShell_transcript");
    let mut result = Ok(());
    for line in Piece::whole(&blob.bytes).lines() {
        let typed = if transcript { prompted(line) } else { Some(line) };
        let Some(typed) = typed.filter(|line| !line.is_empty()) else { continue };
        let mut found: Vec<Match> = Vec::new();
        // Programs of other systems are called as everywhere.
        let of_line = history::secrets(&HISTORY, typed, &mut |one| found.push(one));
        if of_line.is_ok() {
            let mut known: BTreeSet<u64> = found.iter().map(|one| one.span.start).collect();
            Typed::of(&Line::plain(typed)).secrets(&mut |one| {
                if known.insert(one.span.start) {
                    found.push(one);
                }
            });
        }
        result = result.and(of_line);
        for one in found {
            out(Out::Match(one.fact("home", home.as_str())));
        }
    }
    result
}

/// What follows the prompt, `PS C:\>`, and what PowerShell itself was started with.
fn prompted(line: Piece<'_>) -> Option<Piece<'_>> {
    if let Some(started) = line.strip_prefix(b"Host Application:") {
        return Some(started.trim());
    }
    let rest = line.strip_prefix(b"PS ")?;
    Some(rest.split_once(b'>')?.1.trim())
}

/// Bytes of words: names of variables, options and paths among them.
fn word(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"'\"`|;,=(){}[]".contains(&byte)
}

/// A line on its way to its matches.
struct Typed<'l, 'a> {
    line: &'l Line<'a>,
    tokens: Vec<Token<'l>>,
}

impl<'l, 'a> Typed<'l, 'a> {
    fn of(line: &'l Line<'a>) -> Typed<'l, 'a> {
        Typed { line, tokens: line.tokens(word) }
    }

    fn secrets(&self, found: &mut dyn FnMut(Match)) {
        for (number, token) in self.tokens.iter().enumerate() {
            let next = |by: usize| self.tokens.get(number.saturating_add(by)).copied();
            let lower = token.bytes.to_ascii_lowercase();
            match lower.as_slice() {
                _ if token.sort != Sort::Word => {}
                b"convertto-securestring" => self.secure_string(number, found),
                b"net" | b"net.exe" => self.net(number, found),
                b"/rp" => self.keep(next(1), Grade::Strong, Kind::Password, found),
                b"setx" | b"setx.exe" => {
                    let kind = next(1).and_then(|name| judge::secretive(name.bytes));
                    self.named(kind, next(2), found);
                }
                [b'-', name @ ..] => self.named(judge::secretive(name), next(1), found),
                [b'$', name @ ..] if next(1).is_some_and(|sign| sign.bytes == b"=") => {
                    let name =
                        token.bytes.get(token.bytes.len() - name.len()..).unwrap_or_default();
                    self.named(judge::secretive(name), next(2), found);
                }
                _ => self.glued(*token, found),
            }
            let call = lower.windows(22).any(|w| w == b"setenvironmentvariable");
            if call && next(1).is_some_and(|sign| sign.bytes == b"(") {
                let kind = next(2).and_then(|name| judge::secretive(name.bytes));
                self.named(kind, next(4), found);
            }
        }
    }

    fn keep(
        &self,
        token: Option<Token<'_>>,
        grade: Grade,
        kind: Kind,
        found: &mut dyn FnMut(Match),
    ) {
        let token = token.filter(|t| t.sort != Sort::Sign && !t.bytes.is_empty());
        let Some(token) = token.filter(|t| t.sort == Sort::Text || !t.bytes.starts_with(b"-"))
        else {
            return;
        };
        let mut one = judge::decoded(&HISTORY, grade, (kind, token.bytes), self.line.piece(token));
        if token.bytes.starts_with(b"$") || judge::is_expansion(token.bytes) {
            one.harmless = Some(Harmless::Placeholder);
        }
        found(one);
    }

    /// A value whose name says that it is secret. What a variable or a call gives is none.
    fn named(&self, kind: Option<Kind>, value: Option<Token<'_>>, found: &mut dyn FnMut(Match)) {
        let Some((kind, value)) = kind.zip(value) else { return };
        let given = value.sort == Sort::Word
            && (value.bytes.starts_with(b"$")
                || value.bytes.contains(&b'-')
                || value.bytes.contains(&b':'));
        if !given && !judge::is_setting(value.bytes) {
            self.keep(Some(value), Grade::Plausible, kind, found);
        }
    }

    /// `ConvertTo-SecureString 'x' -AsPlainText -Force`, or with the text piped in.
    fn secure_string(&self, number: usize, found: &mut dyn FnMut(Match)) {
        let rest = self.tokens.get(number.saturating_add(1)..).unwrap_or_default();
        let plain = rest.iter().take(8).any(|token| token.is("-AsPlainText"));
        if !plain {
            return;
        }
        let flag = |token: &&Token<'_>| token.sort == Sort::Word && token.bytes.starts_with(b"-");
        let value = rest.iter().take(4).find(|token| !flag(token));
        let piped = number.checked_sub(2).and_then(|before| self.tokens.get(before));
        let pipe = number.checked_sub(1).and_then(|before| self.tokens.get(before));
        let value = match pipe.filter(|sign| sign.bytes == b"|") {
            Some(_) => piped,
            None => value,
        };
        let value = value.filter(|t| t.sort == Sort::Text || !t.bytes.starts_with(b"$"));
        self.keep(value.copied(), Grade::Strong, Kind::Password, found);
    }

    /// `net user name password /add`, `net use X: \\host\share password /user:name`.
    fn net(&self, number: usize, found: &mut dyn FnMut(Match)) {
        let rest = self.tokens.get(number.saturating_add(1)..).unwrap_or_default();
        let Some(verb) = rest.first() else { return };
        let option = |token: &&Token<'_>| token.bytes.starts_with(b"/");
        let mut arguments = rest.iter().skip(1).take(6).filter(|token| !option(token));
        let share = |token: &&Token<'_>| token.bytes.starts_with(b"\\\\");
        let (user, value) = if verb.is("user") {
            (arguments.next().map(Token::text), arguments.next())
        } else if verb.is("use") {
            let share = arguments.find(share).map(Token::text);
            (share, arguments.next())
        } else {
            return;
        };
        let fact = if verb.is("user") { "user" } else { "share" };
        let value = value.filter(|token| token.bytes != b"*" && user.is_some());
        self.keep(value.copied(), Grade::Strong, Kind::Password, &mut |one| {
            found(one.fact(fact, user.clone().unwrap_or_default()));
        });
    }

    /// `/pass:x`.
    fn glued(&self, token: Token<'_>, found: &mut dyn FnMut(Match)) {
        let Some(colon) = token.bytes.iter().position(|&b| b == b':') else { return };
        let (name, value) = token.bytes.split_at(colon);
        let value = value.get(1..).unwrap_or_default();
        let option = matches!(name.to_ascii_lowercase().as_slice(), b"/pass" | b"/password");
        if option && !value.is_empty() {
            let raw = self.line.part(token, colon.saturating_add(1), value.len());
            found(judge::decoded(&HISTORY, Grade::Strong, (Kind::Password, value), raw));
        }
    }
}
