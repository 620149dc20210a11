//! The kinds of store: databases, dumps, tables and mailboxes, by name and first bytes.

/// What a store of data is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A database of one file.
    Sqlite,
    /// A file of a `MySQL` or `MariaDB` server.
    MySql,
    /// A file of a `PostgreSQL` server.
    Postgres,
    /// A file of a `MongoDB` server.
    Mongo,
    /// A snapshot or log of Redis.
    Redis,
    /// A dump of a database as text.
    Dump,
    /// A dump of a database in a format of its own.
    Archive,
    /// A table as text.
    Table,
    /// A mailbox, or a message of one.
    Mail,
    /// A directory of people and accounts.
    Directory,
}

impl Kind {
    /// Its name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Sqlite => "sqlite",
            Kind::MySql => "mysql",
            Kind::Postgres => "postgresql",
            Kind::Mongo => "mongodb",
            Kind::Redis => "redis",
            Kind::Dump => "dump",
            Kind::Archive => "dump-archive",
            Kind::Table => "table",
            Kind::Mail => "mail",
            Kind::Directory => "directory",
        }
    }

    /// Whether its bytes can be counted as the text they are.
    pub fn is_text(self) -> bool {
        matches!(self, Kind::Dump | Kind::Table | Kind::Mail | Kind::Directory)
    }

    /// What a file is by its name alone; none where distributors put files of that kind.
    pub fn by_name(name: &[u8]) -> Option<Kind> {
        let lower = name.to_ascii_lowercase();
        let under = |folder: &[u8]| lower.starts_with(folder);
        if [b"/usr/".as_slice(), b"/lib", b"/snap/", b"/boot/", b"/proc/", b"/sys/"]
            .iter()
            .any(|folder| under(folder))
        {
            return None;
        }
        let base = lower.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
        let within = |folder: &[u8]| memchr::memmem::find(&lower, folder).is_some();
        let (_, suffix) = split(base);
        match suffix {
            b"sql" | b"mysql" | b"psql" | b"pgsql" => Some(Kind::Dump),
            b"csv" | b"tsv" => Some(Kind::Table),
            b"ldif" => Some(Kind::Directory),
            b"mbox" | b"eml" => Some(Kind::Mail),
            b"ibd" | b"myd" | b"frm" => Some(Kind::MySql),
            b"wt" if within(b"mongo") => Some(Kind::Mongo),
            b"bson" => Some(Kind::Archive),
            b"rdb" if within(b"redis") || base == b"dump.rdb" => Some(Kind::Redis),
            b"aof" => Some(Kind::Redis),
            _ if base == b"ibdata1" => Some(Kind::MySql),
            _ if within(b"/postgresql/") && within(b"/base/") => Some(Kind::Postgres),
            _ if under(b"/var/mail/") || under(b"/var/spool/mail/") => Some(Kind::Mail),
            _ if within(b"/maildir/cur/") || within(b"/maildir/new/") => Some(Kind::Mail),
            _ => None,
        }
    }

    /// What a file is by its name or its first bytes.
    pub fn of(name: &[u8], head: &[u8]) -> Option<Kind> {
        let by_bytes = if head.starts_with(b"SQLite format 3\0") {
            Some(Kind::Sqlite)
        } else if head.starts_with(b"PGDMP") {
            Some(Kind::Archive)
        } else if head.starts_with(b"-- MySQL dump")
            || head.starts_with(b"-- MariaDB dump")
            || memchr::memmem::find(head, b"-- PostgreSQL database dump").is_some()
        {
            Some(Kind::Dump)
        } else {
            None
        };
        by_bytes.or_else(|| Kind::by_name(name))
    }
}

/// A file's name without its last suffix, and that suffix.
fn split(base: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memrchr(b'.', base) {
        Some(dot) => {
            let (stem, suffix) = base.split_at(dot);
            (stem, suffix.get(1..).unwrap_or_default())
        }
        None => (base, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stores_are_known_by_name_or_by_their_bytes() {
        for (name, head, expected) in [
            ("/srv/orders.SQL", "", Some(Kind::Dump)),
            ("/home/eve/Maildir/cur/1.M2", "", Some(Kind::Mail)),
            ("/var/lib/mysql/shop/users.ibd", "", Some(Kind::MySql)),
            ("/var/lib/postgresql/15/main/base/5/1259", "", Some(Kind::Postgres)),
            ("/opt/app/data", "SQLite format 3\0", Some(Kind::Sqlite)),
            ("/opt/app/nightly", "PGDMP\x01", Some(Kind::Archive)),
            ("/usr/share/doc/x/example.csv", "", None),
            ("/srv/readme", "hello", None),
        ] {
            assert_eq!(Kind::of(name.as_bytes(), head.as_bytes()), expected, "{name}");
        }
    }
}
