//! A connection string: `Server=h;User Id=u;Password=p`, as ODBC, ADO.NET, JDBC and Azure write it
//! ([grammar](https://learn.microsoft.com/en-us/dotnet/framework/data/adonet/connection-string-syntax)),
//! and the `host=h password=p` of libpq.

use super::judge::{self, Kind};
use super::piece::Piece;
use crate::finding::{Grade, Match, Rule};

/// What a connection string says.
#[derive(Clone, Copy, Debug, Default)]
struct Login<'a> {
    user: Piece<'a>,
    host: Piece<'a>,
    database: Piece<'a>,
    secret: Option<(Kind, Piece<'a>)>,
}

/// The match of the secret in `text`, when that is a connection string with one.
pub(super) fn found(rule: &'static Rule, text: Piece<'_>) -> Option<Match> {
    let login = login(text)?;
    let (kind, secret) = login.secret?;
    let found = judge::found(rule, Grade::Strong, kind, secret)
        .fact("user", login.user.text())
        .fact("host", login.host.text())
        .fact("database", login.database.text());
    Some(found)
}

fn login(text: Piece<'_>) -> Option<Login<'_>> {
    if text.bytes.len() > crate::limits::URI_BYTES * 4 || text.bytes.contains(&b'\n') {
        return None;
    }
    let mut login = Login::default();
    let mut pairs = 0usize;
    let lists = text.bytes.iter().any(|b| b";&".contains(b));
    let separates = |b: u8| if lists { b";&?".contains(&b) } else { b == b' ' };
    let mut rest = text;
    while !rest.is_empty() {
        let end = rest.bytes.iter().position(|&b| separates(b));
        let pair = rest.sub(0, end.unwrap_or(usize::MAX));
        rest = rest.from(pair.bytes.len() + 1);
        let Some((name, value)) = pair.split_once(b'=') else { continue };
        let value = value.trim().unquote();
        let name: Vec<u8> =
            name.bytes.iter().filter(|b| b.is_ascii_alphanumeric()).copied().collect();
        if name.is_empty() || value.is_empty() {
            continue;
        }
        pairs += 1;
        match name.to_ascii_lowercase().as_slice() {
            b"userid"
            | b"uid"
            | b"user"
            | b"username"
            | b"accountname"
            | b"sharedaccesskeyname" => {
                login.user = value;
            }
            b"server" | b"datasource" | b"host" | b"hostname" | b"address" | b"addr"
            | b"endpoint" | b"hostaddr" => login.host = value,
            b"initialcatalog" | b"database" | b"dbname" | b"databasename" => login.database = value,
            b"password" | b"pwd" => login.secret = Some((Kind::Password, value)),
            b"accountkey" | b"sharedaccesskey" | b"accesskey" => {
                login.secret = Some((Kind::Token, value));
            }
            _ => {}
        }
    }
    (pairs >= 2).then_some(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_connection_strings() {
        for (text, expected) in [
            ("Server=db,1433;User Id=sa;Password=p w;", Some(("sa", "db,1433", "p w"))),
            (
                "Endpoint=sb://x;SharedAccessKeyName=Root;SharedAccessKey=ab=",
                Some(("Root", "sb://x", "ab=")),
            ),
            ("jdbc:sqlserver://h;user=u;password=p", Some(("u", "", "p"))),
            ("jdbc:mysql://h/db?user=u&password=p", Some(("u", "", "p"))),
            ("host=h user=u password=p", Some(("u", "h", "p"))),
            ("password=p", None),
            ("a=b;c=d", None),
            ("Server=h;Integrated Security=true", None),
            ("", None),
        ] {
            let login = login(Piece::whole(text.as_bytes())).filter(|l| l.secret.is_some());
            let found = login.map(|l| {
                let (_, secret) = l.secret.unwrap();
                (l.user.text(), l.host.text(), secret.text())
            });
            let expected = expected.map(|(u, h, p)| (u.to_owned(), h.to_owned(), p.to_owned()));
            assert_eq!(found, expected, "{text}");
        }
    }
}
