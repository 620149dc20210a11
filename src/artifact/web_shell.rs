//! Web shells: pages that run what a request brings, or what they hold encoded.

use super::Artifact;
use super::judge;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Grade, Match, Rule, Severity};
use crate::limits;
use memchr::memmem;

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "web shell", applies, run };

static SHELL: Rule = Rule {
    id: "persist.web_shell",
    title: "Page that runs what a request brings",
    severity: Severity::Critical,
    rotate: "Take the image for compromised: build it anew, and change every secret that the web server could read.",
};

const PHP: [&[u8]; 6] = [b".php", b".phtml", b".php3", b".php5", b".php7", b".pht"];
const JSP: [&[u8]; 3] = [b".jsp", b".jspx", b".jspf"];
const ASP: [&[u8]; 4] = [b".asp", b".aspx", b".ashx", b".asmx"];

/// Whether a name ends so, in whatever case.
fn ends(name: &[u8], endings: &[&[u8]]) -> bool {
    let tail = |ending: &[u8]| {
        let start = name.len().checked_sub(ending.len())?;
        name.get(start..)
    };
    endings.iter().any(|end| tail(end).is_some_and(|tail| tail.eq_ignore_ascii_case(end)))
}

fn applies(blob: &Blob<'_>) -> bool {
    ends(&blob.name, &PHP) || ends(&blob.name, &JSP) || ends(&blob.name, &ASP)
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes).sub(0, limits::WEB_PAGE_BYTES);
    let lower = text.bytes.to_ascii_lowercase();
    let found = match () {
        () if ends(&blob.name, &PHP) => php(&lower),
        () if ends(&blob.name, &JSP) => jsp(&lower),
        () => asp(&lower),
    };
    if let Some(Sign { at, how, severity }) = found {
        let line = line_around(text, at);
        let mut found: Match = judge::fact(&SHELL, Grade::Strong, line).fact("how", how);
        found.severity = severity;
        out(Out::Match(found));
    }
    Ok(())
}

/// What gives a shell away, and where.
struct Sign {
    at: usize,
    how: &'static str,
    severity: Severity,
}

/// The line that byte `at` is on, without more of it than people read.
fn line_around(text: Piece<'_>, at: usize) -> Piece<'_> {
    let before = text.sub(0, at).bytes;
    let start = memchr::memrchr(b'\n', before).map_or(0, |at| at.saturating_add(1));
    let start = start.max(at.saturating_sub(limits::FACT_BYTES / 4));
    let rest = text.from(start);
    let end = memchr::memchr(b'\n', rest.bytes).unwrap_or(rest.bytes.len());
    rest.sub(0, end.min(limits::FACT_BYTES)).trim()
}

/// What PHP takes from whoever asks.
const GIVEN: [&[u8]; 6] = [
    b"$_get",
    b"$_post",
    b"$_request",
    b"$_cookie",
    b"$_server['http_",
    b"file_get_contents('php://input",
];

/// What runs its argument.
const RUNNERS: [&[u8]; 11] = [
    b"eval",
    b"assert",
    b"system",
    b"exec",
    b"shell_exec",
    b"passthru",
    b"popen",
    b"proc_open",
    b"pcntl_exec",
    b"create_function",
    b"call_user_func",
];

/// What an argument is handed through on its way.
const DECODERS: [&[u8]; 11] = [
    b"base64_decode",
    b"gzinflate",
    b"gzuncompress",
    b"gzdecode",
    b"str_rot13",
    b"strrev",
    b"urldecode",
    b"rawurldecode",
    b"stripslashes",
    b"hex2bin",
    b"trim",
];

fn php(lower: &[u8]) -> Option<Sign> {
    memmem::find(lower, b"<?")?;
    let mut encoded = None;
    for runner in RUNNERS {
        for at in memmem::find_iter(lower, runner) {
            let before = at.checked_sub(1).and_then(|at| lower.get(at));
            if before.is_some_and(|b| b.is_ascii_alphanumeric() || b"_$>:".contains(b)) {
                continue;
            }
            let behind = lower.get(at.saturating_add(runner.len())..).unwrap_or_default();
            let Some(argument) = behind.trim_ascii_start().strip_prefix(b"(") else { continue };
            let (argument, decoders) = unwrapped(argument);
            if GIVEN.iter().any(|given| argument.starts_with(given)) {
                return Some(Sign { at, how: "runs a request", severity: Severity::Critical });
            }
            let quoted = argument.first().is_some_and(|byte| b"'\"$".contains(byte));
            if runner == b"eval" && decoders > 0 && quoted && encoded.is_none() {
                encoded = Some(Sign { at, how: "runs what is encoded", severity: Severity::High });
            }
        }
    }
    called(lower).or(encoded)
}

/// An argument without what it is handed through, and how much that was.
fn unwrapped(argument: &[u8]) -> (&[u8], usize) {
    let mut rest = argument;
    let mut count = 0usize;
    loop {
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(b"@").unwrap_or(rest);
        let inner = DECODERS
            .iter()
            .find_map(|decoder| rest.strip_prefix(*decoder)?.trim_ascii_start().strip_prefix(b"("));
        match inner {
            Some(inner) => (rest, count) = (inner, count.saturating_add(1)),
            None => return (rest, count),
        }
    }
}

/// What a request brings, called as a function: `$_GET['f']($_POST['x'])`.
fn called(lower: &[u8]) -> Option<Sign> {
    GIVEN.iter().take(4).flat_map(|given| memmem::find_iter(lower, given)).find_map(|at| {
        let behind = lower.get(at..)?.get(..64.min(lower.len().saturating_sub(at)))?;
        let close = memchr::memchr(b']', behind)?;
        let argument = behind.get(close.checked_add(1)?..)?.strip_prefix(b"(")?;
        let given = GIVEN.iter().any(|given| argument.starts_with(given));
        given.then_some(Sign { at, how: "calls a request", severity: Severity::Critical })
    })
}

/// The first of `runners` with one of `given` near behind it.
fn near(lower: &[u8], runners: &[&[u8]], given: &[&[u8]]) -> Option<Sign> {
    let mut places = runners.iter().flat_map(|runner| memmem::find_iter(lower, runner));
    places.find_map(|at| {
        let start = at.saturating_sub(limits::WEB_SHELL_REACH);
        let end = at.saturating_add(limits::WEB_SHELL_REACH).min(lower.len());
        let around = lower.get(start..end)?;
        let found = given.iter().any(|given| memmem::find(around, given).is_some());
        found.then_some(Sign { at, how: "runs a request", severity: Severity::Critical })
    })
}

fn jsp(lower: &[u8]) -> Option<Sign> {
    let given: [&[u8]; 3] = [b"request.getparameter", b"request.getheader", b"request.getreader"];
    near(lower, &[b"getruntime().exec", b"new processbuilder", b"defineclass("], &given)
}

fn asp(lower: &[u8]) -> Option<Sign> {
    for runner in [&b"eval"[..], b"execute", b"executeglobal"] {
        for at in memmem::find_iter(lower, runner) {
            let before = at.checked_sub(1).and_then(|at| lower.get(at));
            if before.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
                continue;
            }
            let behind = lower.get(at.saturating_add(runner.len())..).unwrap_or_default();
            let argument = behind.trim_ascii_start();
            let argument = argument.strip_prefix(b"(").unwrap_or(argument).trim_ascii_start();
            let reads = [&b"request("[..], b"request.item", b"request.form", b"request["];
            if reads.iter().any(|reads| argument.starts_with(reads)) {
                return Some(Sign { at, how: "runs a request", severity: Severity::Critical });
            }
        }
    }
    let given: [&[u8]; 4] = [b"request[", b"request.form", b"request.querystring", b"request.item"];
    near(lower, &[b"process.start(", b"processstartinfo(", b"wscript.shell"], &given)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_judged_by_what_they_run() {
        for (name, text, expected) in [
            ("a.php", "<?php @eval($_POST['x']);", Some("runs a request")),
            ("a.php", "<?=system ( @base64_decode($_GET[0]))?>", Some("runs a request")),
            ("a.PHP", "GIF89a<? $_GET['f']($_POST['x']) ?>", Some("calls a request")),
            ("a.php", "<?php eval(gzinflate(base64_decode('abc')));", Some("runs what is encoded")),
            ("a.php", "<?php eval($code); $db->exec($_GET['q']); myexec($_GET['q']);", None),
            ("a.php", "<?php $x = base64_decode($_POST['x']); exec('ls');", None),
            ("a.txt", "<?php @eval($_POST['x']);", None),
            (
                "a.jsp",
                "Runtime.getRuntime().exec(request.getParameter(\"c\"))",
                Some("runs a request"),
            ),
            ("a.jsp", "<%= request.getParameter(\"c\") %>", None),
            ("a.aspx", "<%eval(Request.Item[\"x\"],\"unsafe\");%>", Some("runs a request")),
            ("a.aspx", "<%@ Page %> retrieval (request.form", None),
        ] {
            let lower = text.to_ascii_lowercase().into_bytes();
            let name = name.as_bytes();
            let found = match () {
                () if ends(name, &PHP) => php(&lower),
                () if ends(name, &JSP) => jsp(&lower),
                () if ends(name, &ASP) => asp(&lower),
                () => None,
            };
            assert_eq!(found.map(|sign| sign.how), expected, "{text}");
        }
    }
}
