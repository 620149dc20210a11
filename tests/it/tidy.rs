//! The house rules that a compiler does not hold: who imports whom, where crates live, how long a
//! file may be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The floor, in its order: each may import what stands before it.
const FLOOR: [&str; 11] = [
    "run",
    "limits",
    "locator",
    "error",
    "bytes",
    "finding",
    "blob",
    "coverage",
    "inventory",
    "outcome",
    "credential",
];

/// The other modules by layer, with what they may import besides the floor.
const MODULES: &[(&str, &[&str])] = &[
    ("image", &[]),
    ("volume", &[]),
    ("filesystem", &[]),
    ("content", &[]),
    ("artifact", &[]),
    ("detect", &[]),
    ("provenance", &[]),
    ("sweep", &["image", "volume", "filesystem", "content", "artifact", "detect", "provenance"]),
    ("exposure", &[]),
    ("policy", &["exposure"]),
    ("report", &["exposure", "policy"]),
    ("emulator", &["*"]),
    ("cli", &["*"]),
];

/// Crates that live in some modules only.
const HOMES: &[(&str, &[&str])] = &[
    ("tokio", &["image/ebs", "exposure/collect", "cli", "emulator"]),
    ("aws_sdk_ebs", &["image/ebs", "cli", "emulator"]),
    ("aws_sdk_ec2", &["exposure/collect", "cli"]),
    ("aws_config", &["image/ebs", "exposure/collect", "cli"]),
    ("aws_sigv4", &["exposure/collect"]),
    ("aws_smithy_http_client", &["exposure/collect"]),
    ("hyper", &["emulator"]),
    ("rayon", &["sweep"]),
    ("clap", &["cli"]),
    ("aes", &["credential", "artifact"]),
    ("bzip2", &["content"]),
    ("deflate64", &["content"]),
    ("lzma_rust2", &["content"]),
    ("regex", &["detect"]),
    ("regex_syntax", &["detect"]),
    ("serde_saphyr", &["detect/import"]),
    ("aho_corasick", &["detect", "report"]),
    ("ext4_view", &["filesystem/ext"]),
    ("fatfs", &["filesystem/fat"]),
    ("indicatif", &["cli"]),
    ("sha1", &["content/git", "provenance", "artifact/unlock"]),
    ("lzma_rust2", &["content"]),
    ("md5", &["provenance"]),
    ("yara_x", &["detect/yara.rs"]),
];

/// Nothing hand-written is longer.
const LINES: usize = 800;

#[test]
fn modules_import_only_what_their_layer_may() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        let allowed = allowed(&module);
        for other in imports(&text) {
            if other != module && !allowed.contains(other.as_str()) && !allowed.contains("*") {
                wrong.push(format!("{} imports {other}", path.display()));
            }
        }
        if module != "cli" && imports(&text).contains("cli") && path != Path::new("main.rs") {
            wrong.push(format!("{} imports cli, which nobody may", path.display()));
        }
        if module != "cli" && module != "emulator" && imports(&text).contains("emulator") {
            wrong.push(format!("{} imports emulator, which only cli may", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_stay_in_their_homes() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let code = without_comments(&text);
        for (name, homes) in HOMES {
            let used =
                code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"));
            if used && !homes.iter().any(|home| path.starts_with(home)) {
                wrong.push(format!("{} uses {name}, whose home is {homes:?}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn files_are_short() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > LINES)
        .map(|(path, _)| path)
        .collect();
    assert!(long.is_empty(), "above {LINES} lines: {long:?}");
}

/// The kernels of the engine are the one place where `unsafe` may stand.
#[test]
fn unsafe_code_stands_in_the_kernels_alone() {
    let with: Vec<_> = sources()
        .into_iter()
        .filter(|(_, text)| {
            let code = without_comments(text);
            code.contains("unsafe {")
                || code.contains("unsafe fn")
                || code.contains("allow(unsafe_code")
        })
        .map(|(path, _)| path)
        .collect();
    assert_eq!(with, [Path::new("detect/sieve/kernel.rs")]);
}

/// Every module in lib.rs is in the table, so that a new one cannot slip past it.
#[test]
fn the_table_knows_every_module() {
    let lib = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let named = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    for module in named {
        let known = FLOOR.contains(&module) || MODULES.iter().any(|(name, _)| *name == module);
        assert!(known, "{module} is missing in the import table");
    }
}

/// The targets come from the tables, and two that share a name are told apart.
#[test]
fn every_unpacker_and_artifact_is_fuzzed() {
    let main = std::fs::read_to_string(root().join("fuzz/src/main.rs")).unwrap();
    for table in ["unpacker in UNPACKERS", "artifact in ARTIFACTS", "driver in DRIVERS"] {
        assert!(main.contains(&format!("for {table} {{")), "no fuzz target for each {table}");
    }
    assert!(main.contains("tell_apart(&mut targets);"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every source file with its path below `src`.
fn sources() -> Vec<(PathBuf, String)> {
    let src = root().join("src");
    let mut pending = vec![src.clone()];
    let mut found = Vec::new();
    while let Some(dir) = pending.pop() {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(&src).unwrap().to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

fn module_of(path: &Path) -> String {
    let first = path.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

fn allowed(module: &str) -> BTreeSet<&'static str> {
    if let Some(place) = FLOOR.iter().position(|name| *name == module) {
        return FLOOR[..place].iter().copied().collect();
    }
    match MODULES.iter().find(|(name, _)| *name == module) {
        Some((_, others)) => FLOOR.iter().chain(*others).copied().collect(),
        None => BTreeSet::from(["*"]),
    }
}

/// The modules of this crate that a file names, its tests left out.
fn imports(text: &str) -> BTreeSet<String> {
    let code = without_comments(text);
    let code = code.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let mut found = BTreeSet::new();
    for part in code.split("crate::").skip(1) {
        let group = part.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let names = group.map_or(part, |(names, _)| names);
        let names: Vec<&str> = match group {
            Some(_) => names.split(',').collect(),
            None => vec![names],
        };
        for name in names {
            let name = name.trim();
            let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            found.insert(name[..end.unwrap_or(name.len())].to_owned());
        }
    }
    found.remove("");
    found
}

fn without_comments(text: &str) -> String {
    let kept = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    kept.collect::<Vec<_>>().join("\n")
}
