#!/usr/bin/env python3
"""Make the databases in this folder, with SQLite itself: testdata/sqlite/make.py

What is planted are words that only the tests' own signature looks for. They are found as live
rows, in overflow pages, without row ids, in UTF-16, deleted, in dropped tables, in write-ahead
logs (committed, and left over from before a checkpoint) and in a rollback journal.
"""
import pathlib
import shutil
import sqlite3
import tempfile

HERE = pathlib.Path(__file__).parent


def plant(name):
    return "plant-" + name + "-0123456789abcdef"


def fresh(folder, name, *pragmas):
    database = sqlite3.connect(folder / name, isolation_level=None)
    for pragma in ("page_size=512", "secure_delete=off", *pragmas):
        database.execute("PRAGMA " + pragma)
    return database


def rows(folder):
    db = fresh(folder, "rows.db", "auto_vacuum=full")
    db.execute("CREATE TABLE users(id INTEGER PRIMARY KEY, name TEXT, token TEXT, picture BLOB)")
    db.execute("CREATE TABLE settings(key TEXT, value TEXT)")
    db.execute("CREATE TABLE keyed(note TEXT, owner TEXT PRIMARY KEY) WITHOUT ROWID")
    db.execute("CREATE INDEX by_token ON users(token)")
    for number in range(1, 40):
        db.execute("INSERT INTO users VALUES(?,?,?,?)", (number, f"user{number}", f"t{number}", None))
    db.execute("UPDATE users SET token=? WHERE id=7", (plant("live"),))
    db.execute("INSERT INTO settings VALUES('mail.password', 'x9KdLw72pQ')")
    db.execute("INSERT INTO settings VALUES('json', ?)", ('{"key": "' + plant("json") + '"}',))
    # It crosses from one overflow page into the next.
    long = "a" * 970 + plant("overflow") + "b" * 600
    db.execute("INSERT INTO settings VALUES('long', ?)", (long,))
    db.execute("INSERT INTO keyed VALUES(?, 'anna')", (plant("keyed"),))
    db.execute("INSERT INTO settings VALUES('empty', '')")
    db.execute("INSERT INTO settings VALUES('huge', ?)", ("c" * 70000 + plant("huge"),))
    db.close()


def deleted(folder):
    db = fresh(folder, "deleted.db")
    db.execute("CREATE TABLE notes(id INTEGER PRIMARY KEY, text TEXT)")
    db.execute("CREATE TABLE gone(text TEXT)")
    for number in range(1, 30):
        db.execute("INSERT INTO notes VALUES(?,?)", (number, f"note {number}"))
        db.execute("INSERT INTO gone VALUES(?)", (f"{number} " + "x" * 60,))
    db.execute("INSERT INTO notes VALUES(30, ?)", (plant("deleted"),))
    db.execute("INSERT INTO gone VALUES(?)", (plant("dropped"),))
    db.execute("DELETE FROM notes WHERE id=30")
    db.execute("DROP TABLE gone")
    db.close()


def utf16(folder):
    for suffix in ("le", "be"):
        db = fresh(folder, f"utf16{suffix}.db", f"encoding='UTF-16{suffix}'")
        db.execute("CREATE TABLE t(owner TEXT, token TEXT)")
        db.execute("INSERT INTO t VALUES('änne', ?)", (plant("utf"),))
        db.close()


def wal(folder):
    db = fresh(folder, "wal.db", "journal_mode=wal", "wal_autocheckpoint=0")
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, token TEXT)")
    for number in range(1, 20):
        db.execute("INSERT INTO t VALUES(?,?)", (number, f"{number}" + "y" * 90))
    db.execute("INSERT INTO t VALUES(20,?)", (plant("leftover"),))
    db.execute("UPDATE t SET token='z' WHERE id=20")
    db.execute("INSERT INTO t VALUES(21,?)", (plant("main"),))
    db.execute("PRAGMA wal_checkpoint(restart)")
    db.execute("UPDATE t SET token=? WHERE id=1", (plant("committed"),))
    db.execute("UPDATE t SET token='gone' WHERE id=21")
    for name in ("wal.db", "wal.db-wal"):
        shutil.copy(folder / name, folder / ("kept-" + name))
    db.close()
    for name in ("wal.db", "wal.db-wal"):
        shutil.move(folder / ("kept-" + name), folder / name)


def journal(folder):
    db = fresh(folder, "journal.db", "cache_size=1", "journal_mode=delete")
    db.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, token TEXT)")
    for number in range(1, 60):
        db.execute("INSERT INTO t VALUES(?,?)", (number, plant("before") + "y" * 60))
    db.execute("BEGIN")
    db.execute("UPDATE t SET token=?", ("z" * 84,))
    shutil.copy(folder / "journal.db-journal", folder / "kept.db-journal")
    shutil.copy(folder / "journal.db", folder / "kept.db")
    db.execute("ROLLBACK")
    db.close()
    (folder / "journal.db").unlink()


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for make in (rows, deleted, utf16, wal, journal):
        make(folder)
    for path in sorted(folder.iterdir()):
        shutil.copy(path, HERE / path.name)
        print(path.name, path.stat().st_size)
