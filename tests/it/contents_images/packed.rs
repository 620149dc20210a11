//! Packed filesystems and the small formats: snaps, compiled Python, journals, Redis, core dumps.

use super::{gzip, is_deep, members, places, shell, tar, token, tree};
use std::fs;

fn write(path: &std::path::Path, bytes: &[u8]) {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, bytes).unwrap();
}

/// The squashfs that mksquashfs left unpacked, with a secret where it has forty X.
fn squashfs(seed: u64) -> Vec<u8> {
    let mut bytes = include_bytes!("../../../testdata/squashfs/stored.squashfs").to_vec();
    let at = bytes.windows(40).position(|window| window == [b'X'; 40]).unwrap();
    bytes[at..at + 40].copy_from_slice(token(seed).as_bytes());
    bytes
}

#[test]
fn a_snap_is_opened_on_disk_and_in_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("core_1.snap"), &squashfs(1));
    write(&dir.path().join("all.tgz"), &gzip(&tar(&[("snaps/core_2.snap", &squashfs(2))])));
    let outcome = tree(dir.path());
    // The secret stands there as it is: the file and the member are both told.
    let found = places(&outcome, &token(1), &[]);
    assert!(found.contains(&"tree:core_1.snap!squashfs:etc/app.env".to_owned()), "{found:?}");
    let expected = "tree:all.tgz!gzip!tar:snaps/core_2.snap!squashfs:etc/app.env";
    assert_eq!(places(&outcome, &token(2), &[]), [expected]);
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// Every packing that mksquashfs knows; needs squashfs-tools.
#[test]
fn deep_snaps_of_every_packing_are_opened() {
    if !is_deep() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "
        mkdir -p tree/etc tree/var out
        seq 1 400000 >tree/var/big
        printf 'GITHUB_TOKEN=%s\\n' \"$SECRET\" >tree/etc/app.env
        { head -c 3000000 /dev/zero; printf '\\nGITHUB_TOKEN=%s\\n' \"$LARGE\"; seq 1 90000; } >tree/var/large
        for comp in gzip xz lz4 zstd; do
            mksquashfs tree out/$comp.snap -quiet -no-progress -comp $comp
        done
    ";
    shell(dir.path(), script, &[("SECRET", &token(31)), ("LARGE", &token(32))]);
    let outcome = tree(&dir.path().join("out"));
    for (seed, path) in [(31, "etc/app.env"), (32, "var/large")] {
        let expected = ["gzip", "lz4", "xz", "zstd"];
        let expected = expected.map(|comp| format!("tree:{comp}.snap!squashfs:{path}"));
        assert_eq!(members(&outcome, &token(seed), &[]), expected);
    }
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// What real Pythons compile; needs `python3`.
#[test]
fn deep_strings_of_compiled_python_are_found() {
    if !is_deep() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Behind an ASCII string, the kind of the next one is a letter.
    let script = "
        mkdir out
        for python in python3 $(ls ~/.pyenv/versions/*/bin/python3 ~/.pyenv/versions/2*/bin/python2 2>/dev/null); do
            printf 'TOKEN = \"%s\"\\nDB_PASSWORD = \"%s\"\\nX = (\"%s\", \"zzzz\")\\n' \"$SECRET\" 'Zq7!kd-pine' \"$SECRET\" >mod.py
            $python -c 'import py_compile, sys; py_compile.compile(\"mod.py\", \"out/mod.%d%d.pyc\" % sys.version_info[:2])'
        done
    ";
    shell(dir.path(), script, &[("SECRET", &token(41))]);
    let outcome = tree(&dir.path().join("out"));
    let found = places(&outcome, &token(41), &[]);
    for entry in fs::read_dir(dir.path().join("out")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let at = format!("tree:{name}!pyc");
        assert!(found.iter().any(|place| place.starts_with(&at)), "{name}: {found:?}");
    }
    let passwords = places(&outcome, "Zq7!kd-pine", &[]);
    assert!(passwords.iter().any(|place| place.contains("!pyc:DB_PASSWORD")), "{passwords:?}");
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// Needs systemd's own journal and `systemd-journal-remote`, or takes the machine's.
#[test]
fn deep_a_real_journal_is_read() {
    let remote = "/lib/systemd/systemd-journal-remote";
    if !is_deep() || !std::path::Path::new(remote).exists() {
        eprintln!("skipped: needs systemd-journal-remote");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "
        mkdir out
        for pack in 0 1; do
            {
                printf '__REALTIME_TIMESTAMP=1700000000000000\\n__MONOTONIC_TIMESTAMP=1\\n_BOOT_ID=11111111111111111111111111111111\\n'
                printf 'MESSAGE=start GITHUB_TOKEN=%s ' \"$SECRET\"
                for n in $(seq 1 300); do printf 'again and again %d ' $n; done
                printf '\\nPRIORITY=6\\n\\n'
            } >entry
            SYSTEMD_JOURNAL_COMPRESS=$pack /lib/systemd/systemd-journal-remote -o out/j$pack.journal --compress=$([ $pack = 1 ] && echo yes || echo no) - <entry
        done
    ";
    shell(dir.path(), script, &[("SECRET", &token(51))]);
    let found = places(&tree(&dir.path().join("out")), &token(51), &[]);
    assert!(
        found.iter().any(|at| at.starts_with("tree:j1.journal!journald:MESSAGE/")),
        "{found:?}"
    );
}

/// What a real server writes; needs `redis-server`.
#[test]
fn deep_snapshots_and_logs_of_redis_are_read() {
    if !is_deep() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let script = "
        mkdir data
        redis-server --port 0 --unixsocket $PWD/sock --dir $PWD/data --appendonly yes \
            --aof-use-rdb-preamble no --save '' --daemonize yes --pidfile $PWD/pid >/dev/null
        for n in $(seq 50); do [ -S sock ] && break; sleep 0.1; done
        cli() { redis-cli -s sock \"$@\" >/dev/null; }
        cli set db:password \"$WORD\"
        cli set long \"GITHUB_TOKEN=$SECRET $(printf 'again and %.0s' $(seq 200))\"
        cli hset user token \"$TOKEN\" name someone
        cli rpush list one two three
        for n in $(seq 200); do echo \"hset many field$n value$n-$(printf 'x%.0s' $(seq 70))\"; done | cli
        cli zadd scores 1.5 member
        cli sadd numbers 1 2 3
        cli xadd stream '*' field value
        cli xgroup create stream group 0
        cli xreadgroup group group reader streams stream '>'
        cli set last \"$LAST\"
        cli save
        cli shutdown nosave
        mkdir out
        cp data/dump.rdb out/
        find data -name '*.aof' -size +0 -exec cp {} out/ \\;
    ";
    let [secret, token_, last] = [61, 62, 63].map(token);
    let variables =
        [("WORD", "Zq7!kd-pine"), ("SECRET", &*secret), ("TOKEN", &*token_), ("LAST", &*last)];
    shell(dir.path(), script, &variables);
    let outcome = tree(&dir.path().join("out"));
    for (secret, name) in [(secret, "long"), (token_, "user"), (last, "last")] {
        let found = places(&outcome, &secret, &[]);
        let expected = format!("tree:dump.rdb!rdb:{name}");
        assert!(found.contains(&expected), "{found:?}");
        assert!(found.iter().any(|at| at.contains(".aof!aof:")), "{found:?}");
    }
    assert!(outcome.coverage.complete(), "{:?}", outcome.coverage.errors());
}

/// The environment of a process in memory: pairs that a zero ends.
#[test]
fn pairs_that_zeros_end_are_found_in_a_core_dump() {
    let id = ["AKIA", "Z7QXMB2LTWVYRC5D"].concat();
    let key = amisweep::detect::example::render("{b64:40}", 71).unwrap();
    let word = ["Vq8", "-tundra", "_41"].concat();
    let pairs = [
        "LANG=C".to_owned(),
        format!("AWS_ACCESS_KEY_ID={id}"),
        format!("AWS_SECRET_ACCESS_KEY={key}"),
        format!("DB_PASSWORD={word}"),
        format!("GITHUB_TOKEN={}", token(72)),
        "PATH=/bin".to_owned(),
    ];
    let mut core = b"\x7fELF\x02\x01\x01\0".to_vec();
    core.resize(8192, 0);
    core.extend([0x7f, 0, 0, 0, 0x55, 0x12]);
    core.extend(pairs.join("\0").into_bytes());
    core.extend([0, 0, 0, 0, 9, 1]);
    core.resize(32768, 0);
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("core.4711"), &core);
    let outcome = tree(dir.path());
    for secret in [key, word, token(72)] {
        assert_eq!(places(&outcome, &secret, &[]), ["tree:core.4711"], "{secret}");
    }
}
