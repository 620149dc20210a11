//! Provenance: trees with a package database, what is left on them by others, manifests, and AWS's
//! clean-up lists.

use crate::contents_archives::tar;
use crate::planted::{image_path, unpack};
use amisweep::detect::Engine;
use amisweep::detect::example::render;
use amisweep::filesystem::dir::Directory;
use amisweep::finding::{Finding, Harmless, Severity};
use amisweep::outcome::{Outcome, Packages};
use amisweep::sweep::{Asked, FingerprintKey, Options, PROFILES, Progress, Target, sweep_with};
use md5::{Digest, Md5};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A tree on the host that a test makes and changes.
struct Tree(TempDir);

impl Tree {
    fn new() -> Tree {
        Tree(tempfile::tempdir().unwrap())
    }

    /// A copy of the tree that the real dpkg installed packages into.
    fn installed() -> Tree {
        let tree = Tree::new();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/provenance/dpkg/.");
        run("cp", &["-a".as_ref(), from.as_ref(), tree.0.path().as_ref()]);
        tree
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    #[expect(clippy::disallowed_methods, reason = "a test makes files")]
    fn put(&self, path: &str, bytes: impl AsRef<[u8]>) -> &Tree {
        let path = self.at(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::File::create(&path).unwrap().write_all(bytes.as_ref()).unwrap();
        self
    }

    fn mode(&self, path: &str, mode: u32) -> &Tree {
        std::fs::set_permissions(self.at(path), std::fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// A package of these files, in a database like dpkg's.
    fn package(&self, name: &str, files: &[(&str, &[u8])]) -> &Tree {
        let mut sums = String::new();
        for (path, bytes) in files {
            self.put(path, bytes);
            let sum = Md5::digest(bytes);
            sum.iter().for_each(|byte| write!(sums, "{byte:02x}").unwrap());
            writeln!(sums, "  {path}").unwrap();
        }
        self.put(&format!("var/lib/dpkg/info/{name}.md5sums"), sums);
        let status = self.at("var/lib/dpkg/status");
        let known = std::fs::read_to_string(&status).unwrap_or_default();
        let entry = format!("Package: {name}\nStatus: install ok installed\n\n");
        self.put("var/lib/dpkg/status", known + &entry)
    }

    fn swept(&self, hygiene: &[&'static str]) -> Outcome {
        let files = Box::new(Directory::open(self.0.path()).unwrap());
        let options = Options {
            engine: &Engine::builtin().unwrap(),
            jobs: 3,
            key: &FingerprintKey::ephemeral([1; 32]),
            cross_check: false,
            progress: &Progress::default(),
        };
        let asked = Asked { hygiene, ..Asked::default() };
        sweep_with(Target::Tree { name: "tree".into(), files }, &options, &asked)
    }
}

fn run(program: &str, args: &[&std::ffi::OsStr]) -> String {
    let done = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{program} {args:?}: {said}");
    String::from_utf8(done.stdout).unwrap()
}

fn amisweep(args: &[&std::ffi::OsStr]) -> (Option<i32>, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_amisweep")).args(args).output().unwrap();
    (done.status.code(), String::from_utf8(done.stdout).unwrap())
}

fn token(seed: u64) -> String {
    render("ghp_{base62:30}{crc32_base62}", seed).unwrap()
}

fn path(finding: &Finding) -> String {
    String::from_utf8(finding.places[0].locator.path().unwrap().to_vec()).unwrap()
}

/// Rules and paths of the findings whose rules begin like that.
fn found(outcome: &Outcome, rules: &str) -> BTreeSet<(String, String)> {
    let findings = outcome.findings.iter().filter(|f| f.harmless.is_none());
    let named = findings.filter(|finding| finding.rule.id.starts_with(rules));
    named.map(|finding| (finding.rule.id.to_owned(), path(finding))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    expected.iter().map(|(rule, path)| ((*rule).to_owned(), (*path).to_owned())).collect()
}

fn packages(outcome: &Outcome) -> &Packages {
    assert_eq!(outcome.packages.len(), 1);
    &outcome.packages[0]
}

#[test]
fn what_dpkg_installed_is_recognised() {
    let outcome = Tree::installed().swept(&[]);
    let known = packages(&outcome);
    // An empty file has no bytes to compare, and what is left of a removed package no digest.
    let counts = (known.packages, known.verified, known.changed, known.config, known.missing);
    assert_eq!(counts, (3, 6, 0, 2, 0), "{known:?}");
    assert_eq!((known.config_changed, known.unverified), (0, 1));
    assert_eq!(found(&outcome, "integrity."), BTreeSet::new());
    assert_eq!((known.formats.as_slice(), known.locator.as_str()), (&["dpkg"][..], "tree"));
}

#[test]
fn what_others_left_is_found() {
    let tree = Tree::installed();
    tree.put("usr/bin/one", b"\x7fELF changed\n")
        .put("usr/bin/two.distrib", "#!/bin/sh\necho changed\n")
        .put("etc/one.conf", "level = 2\n")
        .put("usr/bin/left", b"\x7fELF left\n")
        .put("usr/bin/left.sh", "echo left\n")
        .put("usr/local/bin/mine", b"\x7fELF mine\n")
        .put("usr/bin/three", b"\x7fELF set-uid\n")
        .mode("usr/bin/three", 0o4755)
        .put("opt/x/bash", b"\x7fELF shell\n")
        .mode("opt/x/bash", 0o4755)
        .put("usr/lib/x86_64-linux-gnu/security/pam_x.so", b"\x7fELF pam\n")
        .put("tmp/.cache/x", b"\x7fELF hidden\n")
        .put("var/lib/docker/overlay2/0/diff/bin/su", b"\x7fELF su\n")
        .mode("var/lib/docker/overlay2/0/diff/bin/su", 0o4755)
        .put("usr/share/one/text", "other text of one\n");
    std::fs::remove_file(tree.at("usr/share/two/text")).unwrap();
    std::os::unix::fs::symlink("/dev/null", tree.at("opt/.bash_history")).unwrap();
    let outcome = tree.swept(&[]);
    let expected = [
        ("integrity.changed_file", "usr/bin/one"),
        ("integrity.changed_file", "usr/bin/two.distrib"),
        ("integrity.odd_program", "tmp/.cache/x"),
        ("integrity.setuid_shell", "opt/x/bash"),
        ("integrity.unowned_pam_module", "usr/lib/x86_64-linux-gnu/security/pam_x.so"),
        ("integrity.unowned_program", "usr/bin/left"),
        ("integrity.unowned_program", "usr/bin/three"),
        ("integrity.unowned_setuid", "usr/bin/three"),
    ];
    assert_eq!(found(&outcome, "integrity."), pairs(&expected));
    assert_eq!(
        found(&outcome, "persist."),
        pairs(&[("persist.history_nowhere", "opt/.bash_history")])
    );
    let known = packages(&outcome);
    assert_eq!((known.changed, known.config_changed, known.missing), (3, 1, 1));
    let changed = ["tree:usr/bin/one", "tree:usr/bin/two.distrib", "tree:usr/share/one/text"];
    assert_eq!(known.changed_files, changed);
}

/// A package whose files are in `tar`.
fn deb(tar: &[u8]) -> Vec<u8> {
    let head =
        format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", "data.tar", 0, 0, 0, 100_644, tar.len());
    [b"!<arch>\n", head.as_bytes(), tar].concat()
}

#[test]
fn what_a_package_ships_everybody_has() {
    let (shipped, planted, both) = (token(1), token(2), token(3));
    let line = |token: &str| format!("token = {token}\n").into_bytes();
    let tree = Tree::new();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFtaXN3ZWVwIHRlc3RzIGFuZCBub2JvZHkgZWxz";
    let key = format!("{key} x\n").into_bytes();
    tree.package(
        "vendor",
        &[
            ("usr/lib/vendor/tests.py", &line(&shipped)),
            ("usr/lib/vendor/both.py", &line(&both)),
            ("usr/lib/vendor/authorized_keys", &key),
            (
                "usr/lib/vendor/long.bin",
                &[&vec![b'\n'; 3 << 20], line(&shipped).as_slice()].concat(),
            ),
        ],
    );
    tree.package("other", &[("usr/share/other/x.conf", b"a = 1\n")]);
    tree.put("usr/share/other/x.conf", line(&planted));
    tree.put("srv/app/.env", line(&both));
    // apt keeps what it has unpacked. What is in a package and was not installed from it is news.
    let unknown = token(4);
    let kept = tar(&[
        ("./usr/lib/vendor/tests.py", &line(&shipped)),
        ("./usr/lib/vendor/not-there.py", &line(&unknown)),
    ]);
    tree.put("var/cache/apt/archives/vendor_1_all.deb", deb(&kept));
    let outcome = tree.swept(&[]);
    let of = |secret: &str| {
        let mut findings = outcome.findings.iter();
        findings.find(|finding| finding.subject.bytes() == secret.as_bytes()).unwrap()
    };
    assert_eq!(of(&shipped).harmless, Some(Harmless::Vendor));
    assert_eq!(of(&shipped).places.len(), 3);
    assert_eq!(of(&unknown).harmless, None);
    assert_eq!(of(&shipped).facts["package"], ["vendor"]);
    assert_eq!((of(&planted).harmless, of(&both).harmless), (None, None));
    let names = |secret: &str| -> Vec<_> {
        of(secret).places.iter().map(|place| place.provenance.unwrap().name()).collect()
    };
    assert_eq!(names(&planted), ["modified"]);
    assert_eq!(names(&both), ["unowned", "vendor"]);
    let known = packages(&outcome);
    assert_eq!(known.noted, BTreeMap::from([("vendor".to_owned(), 1)]));
    assert_eq!((known.verified, known.changed), (4, 1));
}

/// What pip took from an index everybody has; what was installed from a folder nobody has.
#[test]
fn what_pip_installed_everybody_has() {
    use amisweep::credential::base64;
    use sha2::Sha256;
    let tree = Tree::new();
    tree.package("base", &[("usr/share/base/x", b"x")]);
    let line = |seed: u64| format!("token = '{}'\n", token(seed));
    let folder = "usr/local/lib/python3.11/dist-packages";
    let own = "direct_url.json";
    for (name, seed, more) in [("flask", 11, ""), ("changed", 12, ""), ("ours", 13, own)] {
        let sum = base64::encode_unpadded(&Sha256::digest(line(seed)));
        let sum = sum.replace('+', "-").replace('/', "_");
        let own =
            if more.is_empty() { String::new() } else { format!("{name}-1.dist-info/{more},,\n") };
        tree.put(&format!("{folder}/{name}/a.py"), line(seed));
        tree.put(
            &format!("{folder}/{name}-1.dist-info/RECORD"),
            format!("{name}/a.py,sha256={sum},50\n../../../bin/{name},sha256={sum},50\n{own}"),
        );
    }
    tree.put(&format!("{folder}/changed/a.py"), line(14));
    let outcome = tree.swept(&[]);
    let of = |seed: u64| {
        let mut findings = outcome.findings.iter();
        let found = findings.find(|f| f.subject.bytes() == token(seed).as_bytes()).unwrap();
        let place = found.places[0].provenance.unwrap().name();
        (place, found.harmless, found.facts.get("package").cloned())
    };
    let flask = Some(vec!["flask".to_owned()]);
    assert_eq!(of(11), ("vendor", Some(Harmless::Vendor), flask));
    assert_eq!(of(13), ("unowned", None, None));
    assert_eq!((of(14).0, of(14).1), ("modified", None));
    assert_eq!(packages(&outcome).formats, ["dpkg", "pip"]);
}

/// A module that lies about tells the kernel it is for, and whether anybody signed it.
#[test]
fn stray_modules_are_found() {
    let tree = Tree::installed();
    let module = b"\x7fELF\0vermagic=6.1.0-13-amd64 SMP\0";
    let signed = [&module[..], b"x~Module signature appended~\n"].concat();
    tree.put("root/.x/hide.ko", module)
        .put("opt/driver/driver.ko", signed)
        .put("var/lib/dkms/x/x.ko", module);
    let outcome = tree.swept(&[]);
    let stray = "integrity.stray_kernel_module";
    let expected = [(stray, "opt/driver/driver.ko"), (stray, "root/.x/hide.ko")];
    assert_eq!(found(&outcome, "integrity."), pairs(&expected));
    let found = outcome.findings.iter().filter(|finding| finding.rule.id == stray);
    let facts: BTreeSet<_> =
        found.map(|f| (f.facts["signed"][0].as_str(), f.facts["kernel"][0].as_str())).collect();
    assert_eq!(facts, BTreeSet::from([("no", "6.1.0-13-amd64"), ("yes", "6.1.0-13-amd64")]));
}

/// Capabilities are what the set-uid bit was, and less is seen of them.
#[test]
fn deep_capabilities() {
    if !deep("deep_capabilities") {
        return;
    }
    let tree = Tree::installed();
    tree.put("opt/tools/python3", b"\x7fELF python")
        .put("opt/tools/probe", b"\x7fELF probe")
        .put("opt/tools/web", b"\x7fELF web");
    for (program, given) in [
        ("opt/tools/python3", "cap_setuid=ep"),
        ("opt/tools/probe", "cap_sys_admin,cap_net_raw=ep"),
        ("opt/tools/web", "cap_net_bind_service=ep"),
        ("usr/bin/one", "cap_net_raw=ep"),
    ] {
        run("setcap", &[given.as_ref(), tree.at(program).as_ref()]);
    }
    let outcome = tree.swept(&[]);
    let expected = [
        ("integrity.capable_program", "opt/tools/probe"),
        ("integrity.capable_program", "opt/tools/web"),
        ("integrity.capable_shell", "opt/tools/python3"),
    ];
    assert_eq!(found(&outcome, "integrity."), pairs(&expected));
    let of = |path_of: &str| {
        let mut all = outcome.findings.iter().filter(|f| f.rule.id.starts_with("integrity.cap"));
        let found = all.find(|finding| path(finding) == path_of).unwrap();
        (found.severity, found.facts.get("capabilities").map(|all| all[0].clone()))
    };
    assert_eq!(of("opt/tools/probe"), (Severity::High, Some("cap_sys_admin".to_owned())));
    assert_eq!(of("opt/tools/web"), (Severity::Medium, None));
    assert_eq!(of("opt/tools/python3").0, Severity::Critical);
}

#[test]
fn lists_are_checked_when_they_are_asked_for() {
    let tree = Tree::new();
    tree.put("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
        .put(
            "etc/shadow",
            format!(
                "root:{}:19000:0:99999:7:::\n",
                render("$6${base62:8}${base62:86}", 5).unwrap()
            ),
        )
        .put("etc/ssh/sshd_config", "PermitRootLogin yes\n")
        .put("etc/ssh/ssh_host_rsa_key.pub", "x")
        .put("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        .put("etc/os-release", "ID=ubuntu\nVERSION_ID=\"20.04\"\n")
        .put("root/.bash_history", "ls\n")
        .put("var/log/journal/0/system.journal", "x")
        .put("opt/TOE_1/log", "x")
        .put("etc/rsyslog.d/x.conf", "*.* @@logs.example:514\n")
        .put("etc/systemd/system/multi-user.target.wants/acme.service", "[Service]\n")
        .put("etc/systemd/system/multi-user.target.wants/ssh.service", "[Service]\n")
        .put("etc/rc2.d/S01cron", "#!/bin/sh\n")
        .put("etc/ld.so.preload", "/usr/lib/x.so\n")
        .put("bin/bash", b"\x7fELF\x01")
        .put("Windows/System32/config/SYSTEM", "x")
        .put("Windows/System32/winevt/Logs/System.evtx", "x");
    assert_eq!(found(&tree.swept(&[]), "hygiene."), BTreeSet::new());
    let of = |list| found(&tree.swept(&[list]), "hygiene.");
    let shared = [
        ("hygiene.aws_01", "etc/ssh/ssh_host_rsa_key.pub"),
        ("hygiene.aws_03", "etc/ssh/sshd_config"),
        ("hygiene.aws_05", "etc/shadow"),
        ("hygiene.aws_09", "root/.bash_history"),
        ("hygiene.aws_11", "etc/systemd/system/multi-user.target.wants/acme.service"),
        ("hygiene.aws_12", "etc/rsyslog.d/x.conf"),
    ];
    assert_eq!(of("aws-shared"), pairs(&shared));
    let market = [
        ("hygiene.aws_03", "etc/ssh/sshd_config"),
        ("hygiene.aws_04", "etc/ssh/sshd_config"),
        ("hygiene.aws_07", "etc/shadow"),
        ("hygiene.aws_11", "etc/systemd/system/multi-user.target.wants/acme.service"),
        ("hygiene.aws_20_logs", "Windows/System32/winevt/Logs/System.evtx"),
        ("hygiene.aws_20_sysprep", "Windows/System32/config/SYSTEM"),
        ("hygiene.aws_21", "etc/os-release"),
        ("hygiene.aws_22", "etc/ld.so.preload"),
        ("hygiene.aws_23_bits", "bin/bash"),
    ];
    assert_eq!(of("marketplace-2025"), pairs(&market));
    let builder = [
        ("hygiene.aws_01", "etc/ssh/ssh_host_rsa_key.pub"),
        ("hygiene.aws_17_machine", "etc/machine-id"),
        ("hygiene.aws_18", "var/log/journal/0/system.journal"),
        ("hygiene.aws_19", "opt/TOE_1/log"),
    ];
    assert_eq!(of("image-builder"), pairs(&builder));
    let all: BTreeSet<_> = shared.into_iter().chain(market).chain(builder).collect();
    let all = pairs(&all.into_iter().collect::<Vec<_>>());
    assert_eq!(found(&tree.swept(&PROFILES), "hygiene."), all);
}

/// The files of a manifest by path: size, mode, SHA-256.
fn manifest(target: &Path, more: &[&str]) -> (Value, BTreeMap<String, (u64, String, String)>) {
    let mut args = vec!["manifest".as_ref(), target.as_os_str(), "-q".as_ref()];
    args.extend(more.iter().map(AsRef::<std::ffi::OsStr>::as_ref));
    let (code, text) = amisweep(&args);
    assert_eq!(code, Some(0), "{text}");
    let mut lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let head = lines.next().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = lines.map(|file| {
        let facts = (file["size"].as_u64().unwrap(), text(&file["mode"]), text(&file["sha256"]));
        (text(&file["path"]), facts)
    });
    (head, files.collect())
}

#[test]
fn a_manifest_lists_the_files_of_a_disk() {
    let disk = unpack("ext4-small");
    let (head, files) = manifest(disk.path(), &[]);
    assert_eq!(
        (head["schema"].as_str(), head["complete"].as_bool()),
        (Some("amisweep.manifest/1"), Some(true))
    );
    let list = std::fs::read_to_string(image_path("ext4-small.list")).unwrap();
    let mut count = 0;
    for line in list.lines().filter(|line| line.starts_with("f ")) {
        let [_, size, sum, path] = line.splitn(4, ' ').collect::<Vec<_>>()[..] else { panic!() };
        if let Some((found_size, _, found_sum)) = files.get(path) {
            assert_eq!(
                (found_size.to_string().as_str(), found_sum.as_str()),
                (size, sum),
                "{path}"
            );
            count += 1;
        }
    }
    assert!(count > 50 && head["files"].as_u64() >= Some(count), "{count}");
}

#[test]
fn a_base_tells_inherited_from_added() {
    let tree = Tree::new();
    let line = |seed| format!("token = {}\n", token(seed));
    tree.put("etc/same", line(1)).put("etc/changed", "x").put("etc/gone", "x").put("etc/empty", "");
    tree.put("srv/long", vec![7u8; (5 << 20) + 3]).mode("etc/same", 0o640);
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("base.jsonl");
    let (code, _) = amisweep(&[
        "manifest".as_ref(),
        tree.0.path().as_ref(),
        "-q".as_ref(),
        "-o".as_ref(),
        base.as_ref(),
    ]);
    assert_eq!(code, Some(0));
    let (head, files) = manifest(tree.0.path(), &["-j", "4"]);
    assert_eq!(head["files"].as_u64(), Some(5));
    assert_eq!(files["etc/same"].1, "100640");
    assert!(files["etc/empty"].2.starts_with("e3b0c44298fc1c14"));
    let sum = run("sha256sum", &[tree.at("srv/long").as_ref()]);
    assert!(sum.starts_with(&files["srv/long"].2));
    tree.put("etc/changed", line(2)).put("etc/added", line(3));
    std::fs::remove_file(tree.at("etc/gone")).unwrap();
    let (_, text) = amisweep(&[
        "scan".as_ref(),
        tree.0.path().as_ref(),
        "-qf".as_ref(),
        "json".as_ref(),
        "--baseline".as_ref(),
        base.as_ref(),
    ]);
    let report: Value = serde_json::from_str(&text).unwrap();
    let counts = &report["provenance"]["base"];
    let counts = ["files", "inherited", "changed", "added", "removed"]
        .map(|name| counts[name].as_u64().unwrap());
    assert_eq!(counts, [5, 3, 1, 1, 1]);
    let places =
        report["findings"].as_array().unwrap().iter().flat_map(|f| f["places"].as_array().unwrap());
    let told: BTreeSet<_> = places
        .map(|place| (place["path"].as_str().unwrap(), place["base"].as_str().unwrap()))
        .collect();
    let expected = [("etc/added", "added"), ("etc/changed", "changed"), ("etc/same", "inherited")];
    assert_eq!(told, BTreeSet::from(expected));
    let (code, _) = amisweep(&[
        "scan".as_ref(),
        tree.0.path().as_ref(),
        "--baseline".as_ref(),
        tree.at("etc/same").as_ref(),
    ]);
    assert_eq!(code, Some(2));
}

/// Whether the tests that need root and the real tools are wanted.
#[expect(clippy::print_stderr, reason = "a test that does nothing says so")]
fn deep(test: &str) -> bool {
    let wanted = std::env::var_os("AMISWEEP_DEEP").is_some();
    if !wanted {
        eprintln!("{test} is skipped: set AMISWEEP_DEEP=1 and be root");
    }
    wanted
}

/// A system as debootstrap makes it: what is not as dpkg installed it was changed by debootstrap
/// itself, nothing in it is worth a finding but what was planted.
#[test]
fn deep_debootstrap() {
    if !deep("deep_debootstrap") {
        return;
    }
    let tree = Tree::new();
    let made = std::env::var_os("AMISWEEP_STOCK");
    match made {
        Some(made) => {
            run("cp", &["-a".as_ref(), Path::new(&made).join(".").as_ref(), tree.0.path().as_ref()])
        }
        None => run(
            "debootstrap",
            &["--variant=minbase".as_ref(), "bookworm".as_ref(), tree.0.path().as_ref()],
        ),
    };
    let outcome = tree.swept(&[]);
    let known = packages(&outcome);
    assert!(known.packages > 80 && known.verified > 4000 && known.unverified == 0, "{known:?}");
    assert_eq!(known.changed_files, Vec::<String>::new());
    let noise: Vec<_> = outcome
        .findings
        .iter()
        .filter(|f| f.harmless.is_none() && f.severity >= Severity::Medium)
        // A server of SSH makes its keys when it is installed: that is no noise.
        .filter(|f| f.rule.id != "ssh.private_key.host")
        .map(|f| (f.rule.id, f.places[0].locator.to_string()))
        .collect();
    assert_eq!(noise, []);

    let ls = std::fs::read(tree.at("bin/ls")).unwrap();
    tree.put("bin/ls", [&ls[..], b"x"].concat());
    tree.put("usr/bin/rootme", b"\x7fELF rootme").mode("usr/bin/rootme", 0o4755);
    let secret = token(9);
    let copyright = "usr/share/doc/coreutils/copyright";
    let text = std::fs::read_to_string(tree.at(copyright)).unwrap();
    tree.put(copyright, format!("{text}\ntoken = {secret}\n"));
    let outcome = tree.swept(&[]);
    let expected = [
        ("integrity.changed_file", "usr/bin/ls"),
        ("integrity.unowned_program", "usr/bin/rootme"),
        ("integrity.unowned_setuid", "usr/bin/rootme"),
    ];
    assert_eq!(found(&outcome, "integrity."), pairs(&expected));
    let mut findings = outcome.findings.iter();
    let planted = findings.find(|finding| finding.subject.bytes() == secret.as_bytes()).unwrap();
    assert_eq!((planted.harmless, path(planted).as_str()), (None, copyright));
    assert_eq!(packages(&outcome).changed, 2);
}

/// Packages that the real rpm installs, in two of its stores; Debian's rpm knows no third.
#[test]
fn deep_rpm() {
    if !deep("deep_rpm") {
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/provenance/make-rpm.sh");
    for store in ["usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/rpm/Packages"] {
        let tree = Tree::new();
        run("sh", &[script.as_ref(), tree.0.path().as_ref(), store.as_ref()]);
        assert!(tree.at(store).exists(), "{store}");
        let outcome = tree.swept(&[]);
        let known = packages(&outcome);
        let counts = (known.packages, known.verified, known.changed, known.config, known.missing);
        assert_eq!(counts, (2, 302, 0, 1, 0), "{store}: {known:?}");
        assert_eq!(found(&outcome, "integrity."), BTreeSet::new(), "{store}");

        tree.put("usr/bin/two", b"\x7fELF changed").mode("usr/bin/two", 0o4755);
        tree.put("etc/one.conf", "level = 2\n").put("usr/bin/left", b"\x7fELF left");
        let outcome = tree.swept(&[]);
        let expected = [
            ("integrity.added_setuid", "usr/bin/two"),
            ("integrity.changed_file", "usr/bin/two"),
            ("integrity.unowned_program", "usr/bin/left"),
        ];
        assert_eq!(found(&outcome, "integrity."), pairs(&expected), "{store}");
        assert_eq!(packages(&outcome).config_changed, 1, "{store}");
    }
}
