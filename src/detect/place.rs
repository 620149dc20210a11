//! The place of an assignment: which name a value is given to, and whether that happens in a
//! configuration, in a call, in prose or in the strings of a program.

use super::check;
use super::shape::{self, Shape};
use crate::credential::base64;
use crate::finding::{Harmless, Match, Severity};
use std::ops::Range;

/// How far back the beginning of a line is looked for.
const LINE_BYTES: usize = 512;

/// The longest name of a setting.
const NAME_BYTES: usize = 80;

/// What may stand between a name and its value: quotes, white space and an operator.
const JOINT_BYTES: usize = 40;

/// Words before `token` that make it a cursor, a lock or a receipt: it opens nothing.
const CURSORS: [&str; 34] = [
    "next",
    "prev",
    "previous",
    "page",
    "pagination",
    "continuation",
    "continue",
    "client",
    "change",
    "lock",
    "update",
    "request",
    "requests",
    "idempotency",
    "marker",
    "import",
    "export",
    "creator",
    "sync",
    "resume",
    "cursor",
    "start",
    "starting",
    "forward",
    "backward",
    "patch",
    "reservation",
    "effective",
    "schedule",
    "deletion",
    "list",
    "upload",
    "position",
    "design",
];

/// Words that end in `pass` and mean a password; `compass` and `minipass` do not.
const PASSES: [&str; 14] = [
    "pass",
    "userpass",
    "dbpass",
    "mypass",
    "adminpass",
    "rootpass",
    "smtppass",
    "mailpass",
    "ftppass",
    "httppass",
    "proxypass",
    "sqlpass",
    "redispass",
    "authpass",
];

/// Endings of names of files that hold code.
const CODE_ENDINGS: [&str; 36] = [
    "py", "pyc", "pyi", "js", "mjs", "cjs", "ts", "tsx", "jsx", "map", "go", "rs", "c", "h", "cc",
    "cpp", "hpp", "java", "class", "kt", "scala", "cs", "rb", "rbs", "pl", "pm", "t", "lua",
    "swift", "ex", "exs", "erl", "hs", "po", "pot", "snap",
];

/// Endings of names of files that hold notes, or the model of a configuration.
const NOTE_ENDINGS: [&str; 10] =
    ["txt", "template", "tmpl", "tpl", "j2", "example", "sample", "dist", "diff", "patch"];

/// Endings of names of files that hold prose.
const PROSE_ENDINGS: [&str; 12] =
    ["md", "rst", "html", "htm", "adoc", "asciidoc", "pod", "tex", "texi", "ipynb", "mdx", "info"];

/// Names of files that hold prose.
const PROSE_NAMES: [&str; 8] =
    ["README", "CHANGELOG", "CHANGES", "NEWS", "HISTORY", "METADATA", "PKG-INFO", "INSTALL"];

/// Where an assignment stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A line of settings, an environment, a data file.
    Settings,
    /// A statement in a program's source.
    Code,
    /// An argument of a call, a line of a tutorial, prose, a string in a program.
    Passing,
}

/// Hosts, or parts of their names, that manuals make up and nobody has registered for use.
const DEMO_HOSTS: [&str; 21] = [
    "host",
    "hostname",
    "myhost",
    "yourhost",
    "somehost",
    "foo",
    "bar",
    "foobar",
    "foodomain",
    "domain",
    "mydomain",
    "yourdomain",
    "company",
    "mycompany",
    "yourcompany",
    "bogus",
    "dummy",
    "faketld",
    "test",
    "url",
    "server",
];

/// Judge a match by its place; `false` when the name says that it is nothing. What other than a
/// name speaks for is left alone.
pub(super) fn judge(bytes: &[u8], path: Option<&[u8]>, found: &mut Match) -> bool {
    let span = super::pair::span(found);
    if found.decoded.is_some() {
        // What stands around it was decoded and is gone; its shape is left.
        let named = found.rule.id.starts_with("generic.");
        if named && shape::shape(found.subject.bytes()) != Shape::Strong {
            found.severity = found.severity.min(Severity::Low);
        }
        return true;
    }
    if span.end > bytes.len() {
        return true;
    }
    match found.rule.id.split_once('.') {
        Some(("generic", _)) => assignment(bytes, path, found, span),
        Some(("uri" | "http" | "shell", _)) => {
            with_user(bytes, path, found, &span);
            true
        }
        _ => true,
    }
}

/// A value that only its name speaks for.
fn assignment(bytes: &[u8], path: Option<&[u8]>, found: &mut Match, span: Range<usize>) -> bool {
    let name = name_before(bytes, span.start);
    if name.as_ref().is_some_and(|name| opens_nothing(bytes, name)) {
        return false;
    }
    let place = place(bytes, path, &span, name.as_ref());
    let before = span.start.checked_sub(1).and_then(|at| bytes.get(at));
    let value = bytes.get(span).unwrap_or_default();
    if is_symbol(path, before, value) {
        return false;
    }
    let shape = shape::shape(value);
    let located = found.facts.contains_key("user") && found.facts.contains_key("host");
    let derived = name.and_then(|name| bytes.get(name)).is_some_and(is_derived);
    let lower = match (shape, place) {
        (Shape::Strong, Place::Settings | Place::Code) => derived,
        (Shape::Fair, Place::Settings) => false,
        (Shape::Poor, Place::Settings) => !located,
        _ => true,
    };
    if lower {
        found.severity = found.severity.min(Severity::Low);
    }
    true
}

/// A password that stands beside its user: its form speaks for it, its place may speak against.
fn with_user(bytes: &[u8], path: Option<&[u8]>, found: &mut Match, span: &Range<usize>) {
    let secret = bytes.get(span.clone()).unwrap_or_default();
    let decoded = match found.rule.id {
        "http.authorization.basic" => base64::decode(secret).unwrap_or_default(),
        _ => Vec::new(),
    };
    let after_user = decoded.iter().position(|byte| *byte == b':').map(|at| at + 1);
    let value = after_user.and_then(|at| decoded.get(at..)).unwrap_or(secret);
    let plain = check::percent_decoded(value);
    let value = plain.as_deref().map_or(value, str::as_bytes);
    let user = found.facts.get("user").map(|user| user.to_ascii_lowercase()).unwrap_or_default();
    let lower = value.to_ascii_lowercase();
    // The demonstration user of a database, and that of the standard.
    let demo = user == "scott" && lower.starts_with(b"tiger")
        || user == "aladdin" && matches!(lower.as_slice(), b"opensesame" | b"open sesame");
    if demo {
        found.harmless = found.harmless.or(Some(Harmless::DocumentationExample));
    }
    let is_text = value.iter().all(|byte| is_text(*byte));
    let digits = value.iter().any(u8::is_ascii_digit);
    let shape = shape::shape(value);
    if is_text && (shape == Shape::Strong || shape == Shape::Fair && digits) {
        return;
    }
    let host = found.facts.get("host").map(|host| host.to_ascii_lowercase()).unwrap_or_default();
    if host.len() == 1 || host.split('.').any(|part| DEMO_HOSTS.contains(&part)) {
        found.harmless = found.harmless.or(Some(Harmless::Placeholder));
    }
    let line = line_start(bytes, span.start);
    let before = bytes.get(line..span.start).unwrap_or_default();
    let after = bytes.get(span.end..).unwrap_or_default();
    let passing = is_tutorial(before, b"") || is_string_of_program(bytes, line, before, after);
    if passing || file_place(path) != Place::Settings {
        found.severity = found.severity.min(Severity::Low);
    }
}

/// Whether a name is that of a value which a protocol derives and forgets: test vectors are full of
/// them.
fn is_derived(name: &[u8]) -> bool {
    const STEPS: [&str; 12] = [
        "shared",
        "exporter",
        "traffic",
        "handshake",
        "early",
        "derived",
        "premaster",
        "resumption",
        "epoch",
        "sender",
        "path",
        "init",
    ];
    let words = words(name);
    matches!(words.as_slice(), [.., before, last]
        if last == "secret" && STEPS.contains(&before.as_str()))
}

/// The name that the value at `start` is given to.
pub(super) fn name_before(bytes: &[u8], start: usize) -> Option<Range<usize>> {
    let back = |end: usize, wanted: fn(&u8) -> bool, most: usize| {
        let from = end.saturating_sub(most);
        let run = bytes.get(from..end)?.iter().rev().take_while(|byte| wanted(byte)).count();
        Some(end - run)
    };
    let joint = |byte: &u8| matches!(byte, b' ' | b'\t' | b'"' | b'\'' | b'\\' | b'`' | b']');
    let operator = |byte: &u8| matches!(byte, b'=' | b':' | b'>' | b',');
    let named =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'$');
    let mut end = start;
    // `name="password" value="…"`: the name stands one step further.
    for _ in 0..2 {
        end = back(end, joint, JOINT_BYTES)?;
        end = back(end, operator, 3)?;
        end = back(end, joint, JOINT_BYTES)?;
        let from = back(end, named, NAME_BYTES)?;
        let name = bytes.get(from..end)?;
        if name != b"value" {
            return (!name.is_empty()).then_some(from..end);
        }
        end = from;
    }
    None
}

/// The words of a name in lower case: between signs, and where small letters turn to capitals.
pub(super) fn words(name: &[u8]) -> Vec<String> {
    let same_word = |a: &u8, b: &u8| {
        a.is_ascii_alphanumeric()
            && b.is_ascii_alphanumeric()
            && !(a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    let words = name.chunk_by(same_word).filter(|run| run.iter().all(u8::is_ascii_alphanumeric));
    words.map(|run| String::from_utf8_lossy(run).to_ascii_lowercase()).collect()
}

fn opens_nothing(bytes: &[u8], name: &Range<usize>) -> bool {
    // `arn:aws:secretsmanager:eu-west-1:123456789012:secret:name`; `db:password=` is none.
    let value = bytes.get(name.clone()).unwrap_or_default();
    // But `$env:TOKEN` and `auth:token` are names.
    let line = bytes.get(line_start(bytes, name.start)..name.start).unwrap_or_default();
    let in_arn = line.ends_with(b":") && line.windows(4).any(|at| at == b"arn:");
    let words = words(value);
    let other_pass =
        words.last().is_some_and(|word| word.ends_with("pass") && !PASSES.contains(&word.as_str()));
    // `--- PASS: TestName`
    let verdict = value == b"PASS"
        && bytes.get(name.end) == Some(&b':')
        && bytes.get(..name.start).is_some_and(|before| before.ends_with(b" "));
    let cursor = match words.as_slice() {
        [.., before, last] if last == "token" || last == "tokens" => {
            CURSORS.contains(&before.as_str())
        }
        [last] => last.strip_suffix("token").is_some_and(|before| CURSORS.contains(&before)),
        _ => false,
    };
    in_arn || cursor || other_pass || verdict
}

fn place(
    bytes: &[u8],
    path: Option<&[u8]>,
    span: &Range<usize>,
    name: Option<&Range<usize>>,
) -> Place {
    let Some(name) = name else { return Place::Passing };
    let line = line_start(bytes, name.start);
    let before = bytes.get(line..name.start).unwrap_or_default();
    let joint = bytes.get(name.end..span.start).unwrap_or_default();
    let after = bytes.get(span.end..).unwrap_or_default();
    // The strings of some programs stand in one line without end, and so does data; there names are
    // quoted.
    let endless = before.len() >= LINE_BYTES && !joint.iter().any(|byte| b"\"'".contains(byte));
    if endless
        || is_string_of_program(bytes, line, before, after)
        || is_tutorial(before, after)
        || is_argument(before, joint, after)
    {
        return Place::Passing;
    }
    file_place(path)
}

/// What a file's name says of all that stands in it.
fn file_place(path: Option<&[u8]>) -> Place {
    let Some(name) = path.and_then(|path| path.rsplit(|byte| *byte == b'/').next()) else {
        return Place::Settings;
    };
    if has_ending(name, &PROSE_ENDINGS)
        || PROSE_NAMES.iter().any(|known| name.starts_with(known.as_bytes()))
    {
        return Place::Passing;
    }
    let code = has_ending(name, &CODE_ENDINGS) || has_ending(name, &NOTE_ENDINGS);
    if code { Place::Code } else { Place::Settings }
}

fn has_ending(name: &[u8], list: &[&str]) -> bool {
    let ending = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
    list.iter().any(|known| ending.eq_ignore_ascii_case(known.as_bytes()))
}

/// Whether the value is the name of a variable or a type: a word without quotes in a program.
fn is_symbol(path: Option<&[u8]>, before: Option<&u8>, value: &[u8]) -> bool {
    let quoted = before.is_some_and(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'='));
    let signs = value.iter().take_while(|byte| **byte == b'!').count();
    let value = value.get(signs..).unwrap_or_default();
    let word = value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        && value.first().is_some_and(|byte| !byte.is_ascii_digit());
    let code = |path| has_ending(path, &CODE_ENDINGS) || has_ending(path, &["php"]);
    word && !quoted && path.is_some_and(code)
}

fn is_text(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\t' | 0x80..)
}

/// Where the line of printable text that holds `at` begins.
fn line_start(bytes: &[u8], at: usize) -> usize {
    let from = at.saturating_sub(LINE_BYTES);
    let line = bytes.get(from..at).unwrap_or_default();
    line.iter().rposition(|byte| !is_text(*byte)).map_or(from, |end| from + end + 1)
}

/// Whether the text stands between bytes that are none. An environment does too, but there each
/// entry begins with its name.
fn is_string_of_program(bytes: &[u8], line: usize, before: &[u8], after: &[u8]) -> bool {
    let is_break = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let opened = line.checked_sub(1).and_then(|at| bytes.get(at));
    let closed = after.iter().take(LINE_BYTES).find(|byte| !is_text(**byte));
    let strange = |byte: Option<&u8>| byte.is_some_and(|byte| !is_break(byte));
    (strange(opened) || strange(closed)) && !before.is_empty()
}

/// A prompt of an interpreter, a comment of a program, quoted in prose, or prose itself.
fn is_tutorial(before: &[u8], after: &[u8]) -> bool {
    const MARKS: [&[u8]; 7] = [b">>>", b"... ", b"* ", b"//", b"///", b"--", b"..."];
    let head = before.trim_ascii_start();
    let words = head.split(u8::is_ascii_whitespace).filter(|word| {
        word.len() > 1 && word.iter().all(|b| b.is_ascii_alphabetic() || b",.;:'".contains(b))
    });
    MARKS.iter().any(|mark| head.starts_with(mark))
        || before.ends_with(b"`")
        || after.first() == Some(&b'`')
        || after.starts_with(b"</code>")
        || words.count() >= 5
}

/// `connect(user="x", password="y")`, on one line or on several.
fn is_argument(before: &[u8], joint: &[u8], after: &[u8]) -> bool {
    let count = |wanted: u8| memchr::memchr_iter(wanted, before).count();
    let quote = joint.last().filter(|byte| matches!(byte, b'"' | b'\''));
    let assigned = joint.trim_ascii_start().starts_with(b"=") && !joint.starts_with(b"=>");
    let closes = match (quote, after) {
        (Some(quote), [end, next, ..]) => end == quote && matches!(next, b',' | b')'),
        _ => false,
    };
    // `define('DB_PASSWORD', 'x')` has a comma between the two.
    count(b'(') > count(b')') && !joint.contains(&b',') || assigned && closes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        for (text, expected) in [
            ("DB_PASSWORD=@", Some("DB_PASSWORD")),
            ("  \"password\" : \"@", Some("password")),
            ("$cfg['db.pass'] = '@", Some("db.pass")),
            ("<add key=\"Secret\" value=\"@", Some("Secret")),
            ("define('DB_PASSWORD', '@", Some("DB_PASSWORD")),
            ("<password>@", Some("password")),
            ("=@", None),
        ] {
            let at = text.find('@').unwrap();
            let found = name_before(text.as_bytes(), at);
            assert_eq!(found.and_then(|name| text.get(name)), expected, "{text}");
        }
    }

    #[test]
    fn names_are_cut_into_words() {
        assert_eq!(words(b"nextPageToken"), ["next", "page", "token"]);
        assert_eq!(words(b"DB_PASSWORD"), ["db", "password"]);
        assert_eq!(words(b""), Vec::<String>::new());
    }
}
