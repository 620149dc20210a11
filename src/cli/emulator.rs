//! `amisweep emulator`: serve disk images as AWS would serve snapshots, on a loopback port.

use crate::emulator::{Ami, Config, Emulator, Fault, Mapping, Request, Sink, Snapshot};
use crate::error::{Error, ErrorKind, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Serve disk images as snapshots and AMIs on 127.0.0.1, without AWS.
#[derive(clap::Args, Clone, Debug)]
pub(super) struct Args {
    /// A snapshot and the disk image it is made of. Options: encrypted, kms-denied, archived,
    /// pending, public, shared, bytes (tell its size in bytes), owner=ACCOUNT, parent=SNAPSHOT,
    /// key=ARN, outpost=ARN
    #[arg(long = "snapshot", value_name = "ID=FILE[,OPTION]...", required = true)]
    snapshots: Vec<String>,

    /// An AMI and its snapshots, the root disk first. Options: marketplace, public,
    /// instance-store, owner=ACCOUNT, name=NAME, state=STATE
    #[arg(long = "ami", value_name = "ID=SNAPSHOT[,SNAPSHOT]...[,OPTION]...")]
    amis: Vec<String>,

    /// What is to go wrong, such as throttle:op=get,block=3-9,times=2. Keys: op, snap, block,
    /// skip, every, times, each, retry-after. A wrong name lists all there are
    #[arg(long = "fault", value_name = "KIND[=N][:KEY=VALUE,...]")]
    faults: Vec<Fault>,

    /// The port; 0 takes one that is free
    #[arg(long, default_value_t = 0)]
    port: u16,

    /// Append every request to this file, one JSON object a line
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,

    /// The most entries of a page, even when more are asked for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    page_size: Option<u16>,

    /// Empty pages before the first entries of every listing
    #[arg(long, value_name = "N", default_value_t = 0)]
    empty_pages: u64,

    /// Milliseconds every answer takes
    #[arg(long, value_name = "MS", default_value_t = 0)]
    latency: u64,
}

/// Serve until the process is ended.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = config(args)?;
    let emulator = Emulator::start(config)?;
    announce(&emulator).map_err(|cause| {
        Error::new(ErrorKind::Io, "cannot write to standard output").caused_by(cause)
    })?;
    emulator.wait();
    Ok(())
}

/// One line that a shell can evaluate.
fn announce(emulator: &Emulator) -> std::io::Result<()> {
    let variables: Vec<_> =
        emulator.environment().iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut out = std::io::stdout().lock();
    writeln!(out, "export {}", variables.join(" "))?;
    out.flush()
}

fn config(args: &Args) -> Result<Config> {
    Ok(Config {
        snapshots: args.snapshots.iter().map(|text| snapshot(text)).collect::<Result<_>>()?,
        amis: args.amis.iter().map(|text| ami(text)).collect::<Result<_>>()?,
        faults: args.faults.clone(),
        port: args.port,
        page_entries_max: args.page_size.map(usize::from),
        empty_pages: args.empty_pages,
        latency: Duration::from_millis(args.latency),
        sink: args.log.as_deref().map(sink).transpose()?,
        ..Config::default()
    })
}

/// Append to `path`. A log that can no longer be written to must not end the service, so errors
/// after the opening are dropped.
fn sink(path: &Path) -> Result<Sink> {
    let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
    let file: File = file.map_err(|cause| {
        Error::new(ErrorKind::Io, "cannot open the log").detail(path.display()).caused_by(cause)
    })?;
    let file = Mutex::new(file);
    Ok(Arc::new(move |request: &Request| {
        if let Ok(mut line) = serde_json::to_vec(request) {
            line.push(b'\n');
            let _ = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(&line);
        }
    }))
}

fn refuse(what: &'static str, text: &str) -> Error {
    Error::new(ErrorKind::Usage, what).detail(text)
}

/// `ID=FILE` and options. They are taken from the end, so that a file name may hold commas.
fn snapshot(text: &str) -> Result<Snapshot> {
    let (id, rest) =
        text.split_once('=').ok_or_else(|| refuse("a snapshot needs ID=FILE", text))?;
    let mut options = Vec::new();
    let mut file = rest;
    while let Some((shorter, option)) = file.rsplit_once(',').filter(|(_, o)| is_option(o)) {
        options.push(option);
        file = shorter;
    }
    let mut facts = Snapshot::from_file(id, Path::new(file))?;
    for option in options {
        set(&mut facts, option);
    }
    Ok(facts)
}

fn is_option(text: &str) -> bool {
    const FLAGS: [&str; 7] =
        ["encrypted", "kms-denied", "archived", "pending", "public", "shared", "bytes"];
    const KEYS: [&str; 4] = ["owner", "parent", "key", "outpost"];
    FLAGS.contains(&text) || text.split_once('=').is_some_and(|(key, _)| KEYS.contains(&key))
}

fn set(facts: &mut Snapshot, option: &str) {
    let (key, value) = option.split_once('=').unwrap_or((option, ""));
    match key {
        "encrypted" => facts.encrypted = true,
        "kms-denied" => (facts.encrypted, facts.kms_denied) = (true, true),
        "archived" => facts.archived = true,
        "pending" => facts.pending = true,
        "public" => facts.public = true,
        "shared" => facts.shared = true,
        "bytes" => facts.size_in_bytes = true,
        "owner" => value.clone_into(&mut facts.owner),
        "parent" => facts.parent = Some(value.to_owned()),
        "key" => (facts.encrypted, facts.kms_key) = (true, Some(value.to_owned())),
        "outpost" => facts.outpost = Some(value.to_owned()),
        // `is_option` lets nothing else through.
        _ => {}
    }
}

/// `ID=` and snapshots and options in any order.
fn ami(text: &str) -> Result<Ami> {
    let (id, rest) =
        text.split_once('=').ok_or_else(|| refuse("an AMI needs ID=SNAPSHOT", text))?;
    let parts: Vec<&str> = rest.split(',').filter(|part| !part.is_empty()).collect();
    let is_snapshot = |part: &&&str| part.starts_with("snap-");
    let snapshots: Vec<&str> = parts.iter().filter(is_snapshot).copied().collect();
    let mut ami = Ami::new(id, &snapshots);
    for part in parts.iter().filter(|part| !is_snapshot(part)) {
        match part.split_once('=').unwrap_or((part, "")) {
            ("marketplace", "") => ami.product_codes.push("emulated".to_owned()),
            ("public", "") => ami.public = true,
            ("instance-store", "") => ami.instance_store = true,
            ("owner", owner) => owner.clone_into(&mut ami.owner),
            ("name", name) => name.clone_into(&mut ami.name),
            ("state", state) => state.clone_into(&mut ami.state),
            _ => return Err(refuse("unknown option of an AMI", part)),
        }
    }
    if ami.instance_store && ami.mappings.is_empty() {
        ami.mappings.push(Mapping { device: "/dev/sdb".to_owned(), snapshot: None });
    }
    if ami.mappings.is_empty() {
        return Err(refuse("an AMI needs a snapshot, or instance-store", text));
    }
    Ok(ami)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_takes_its_options_from_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a,b.img");
        OpenOptions::new().write(true).create_new(true).open(&file).unwrap();
        let text = format!("snap-0a1b={},encrypted,owner=999999999999", file.display());
        let facts = snapshot(&text).unwrap();
        assert_eq!((facts.id.as_str(), facts.owner.as_str()), ("snap-0a1b", "999999999999"));
        assert!(facts.encrypted && !facts.public);
        assert!(snapshot("snap-0a1b").is_err());
        let typo = format!("snap-0a1b={},encripted", file.display());
        assert_eq!(snapshot(&typo).err().unwrap().kind(), ErrorKind::NotFound);
    }

    #[test]
    fn an_ami_names_snapshots_and_options() {
        let image = ami("ami-0123=snap-1,snap-2,marketplace,name=web").unwrap();
        let disks: Vec<_> = image.mappings.iter().filter_map(|m| m.snapshot.as_deref()).collect();
        assert_eq!(disks, ["snap-1", "snap-2"]);
        assert_eq!((image.name.as_str(), image.product_codes.len()), ("web", 1));
        assert!(ami("ami-0123=instance-store").unwrap().instance_store);
        for bad in ["ami-0123", "ami-0123=", "ami-0123=snap-1,marketplaze"] {
            assert!(ami(bad).is_err(), "{bad}");
        }
    }
}
