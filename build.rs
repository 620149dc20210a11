//! Lists `signatures/*.toml` and `signatures/known/*.txt`, so that a new file there needs no
//! registration.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=signatures");
    list("signatures", "toml", "signatures.rs")?;
    list("signatures/known", "txt", "known.rs")
}

/// Write name and text of the files of one folder as a table.
#[expect(clippy::disallowed_methods, reason = "a build script writes into its output directory")]
fn list(folder: &str, extension: &str, table_name: &str) -> io::Result<()> {
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut files = Vec::new();
    for entry in fs::read_dir(Path::new(&root).join(folder))? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    files.sort();
    let mut table = String::from("&[\n");
    for path in &files {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let text = path.to_string_lossy();
        let _ = writeln!(table, "    ({name:?}, include_str!({text:?})),");
    }
    table.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join(table_name), table)
}
