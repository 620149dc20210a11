//! Tables of jobs ([crontab(5)](https://man7.org/linux/man-pages/man5/crontab.5.html)): variables and
//! commands.

use super::Artifact;
use super::aws;
use super::dotenv;
use super::history;
use super::paths;
use super::piece::Piece;
use crate::blob::{Blob, Budget, Out};
use crate::error::Result;
use crate::finding::{Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "crontab", applies, run };

static COMMAND: Rule = Rule {
    id: "cron.command.secret",
    title: "Secret in the command line of a scheduled job",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens and let the job read it at run time, from a secrets manager.",
};

fn applies(blob: &Blob<'_>) -> bool {
    is_table(&blob.name) || is_script(&blob.name)
}

fn is_table(path: &[u8]) -> bool {
    paths::ends_with_any(
        path,
        &[
            "etc/crontab",
            "etc/anacrontab",
            "cron.d/*",
            "spool/cron/*",
            "cron/crontabs/*",
            "cron/tabs/*",
        ],
    )
}

fn is_script(path: &[u8]) -> bool {
    paths::ends_with_any(
        path,
        &[
            "cron.hourly/*",
            "cron.daily/*",
            "cron.weekly/*",
            "cron.monthly/*",
            "cron/atjobs/*",
            "spool/at/*",
            "etc/rc.local",
        ],
    )
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let mut profile = aws::Profile::default();
    let mut result = Ok(());
    let table = is_table(&blob.name);
    for line in Piece::whole(&blob.bytes).lines() {
        let line = line.trim();
        if line.bytes.starts_with(b"#") {
            continue;
        }
        match if table { command_of(line) } else { Some(line) } {
            Some(command) => {
                let of_line = history::secrets(&COMMAND, command, &mut |m| out(Out::Match(m)));
                result = result.and(of_line);
            }
            None => dotenv::variable(line, &mut profile, out),
        }
    }
    profile.report(out);
    result
}

/// What a line of a table runs, with the user before it in a table that names one: a name that is
/// followed by a command is none of the programs that take secrets. `None` for a variable.
fn command_of(line: Piece<'_>) -> Option<Piece<'_>> {
    let fields = match line.bytes.first()? {
        b'@' => 1,
        b'0'..=b'9' | b'*' => 5,
        _ => return None,
    };
    let mut words = line.words();
    let command = words.nth(fields)?;
    let next = words.next();
    let rest = |word: Piece<'_>| line.from(word.at.saturating_sub(line.at));
    let user = !command.bytes.contains(&b'/') && !command.bytes.contains(&b'=');
    let known = [&b"curl"[..], b"mysql", b"mysqldump", b"wget", b"sshpass", b"psql", b"echo"];
    match next {
        Some(next) if user && !next.bytes.starts_with(b"-") && !known.contains(&command.bytes) => {
            Some(rest(next))
        }
        _ => Some(rest(command)),
    }
}
