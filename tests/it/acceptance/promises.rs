//! Promises: a scan of a file speaks to no network, writes nothing but its report, and does not
//! keep its image waiting.

use super::{BLOCK, deep, program};
use crate::planted::unpack;
use std::path::Path;
use std::process::Command;

/// What the kernel was asked during a scan of the demo disk.
fn trace(calls: &str, output: &Path, disk: &Path) -> String {
    let home = tempfile::tempdir().unwrap();
    let trace = home.path().join("trace");
    let scan = program(None, home.path());
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-ttt", "-e", &format!("trace={calls}"), "-o"]).arg(&trace);
    strace.arg(scan.get_program()).env_clear();
    strace.envs(scan.get_envs().filter_map(|(name, value)| Some((name, value?))));
    strace.args(["scan", "-f", "json", "--cross-check", "-o"]).arg(output).arg(disk);
    let done = strace.output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(10), "{said}");
    std::fs::read_to_string(&trace).unwrap()
}

#[test]
fn deep_a_scan_of_a_file_speaks_to_nobody() {
    if deep() {
        let disk = unpack("demo");
        let told = trace("network", Path::new("/dev/null"), disk.path());
        assert_eq!(told, "");
    }
}

#[test]
fn deep_a_scan_writes_its_report_alone() {
    if !deep() {
        return;
    }
    let disk = unpack("demo");
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.json");
    let calls = "open,openat,openat2,creat,unlink,unlinkat,rename,renameat,renameat2,mkdir,mkdirat,\
                 truncate,ftruncate,link,linkat,symlink,symlinkat,mknod,mknodat,chmod,fchmodat,\
                 chown,fchownat,setxattr,utimensat,mount,pwrite64";
    let told = trace(calls, &report, disk.path());
    let reads = |line: &&str| {
        (line.contains(" open")
            && !["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"].iter().any(|flag| line.contains(flag)))
            || line.contains(" +++ ")
    };
    let writes: Vec<&str> = told.lines().filter(|line| !reads(line)).collect();
    assert!(told.contains("O_RDONLY"));
    // The report is emptied once there is something to put into it, through the handle that was
    // checked not to be the target.
    let (opened, others) = writes.split_first().unwrap();
    let handle = opened.rsplit("= ").next().unwrap();
    assert!(opened.contains("report.json"), "{writes:#?}");
    let empties = format!("ftruncate({handle}, 0)");
    assert!(others.iter().all(|line| line.contains(&empties)), "{writes:#?}");
}

/// The image is read within a tenth of a second, in an optimised build at least: making the engine
/// ready must not keep it waiting.
#[test]
fn deep_the_first_byte_is_read_soon() {
    if !deep() {
        return;
    }
    let disk = unpack("demo");
    let told = trace("execve,pread64", Path::new("/dev/null"), disk.path());
    let at = |line: &str| line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap();
    let begin = at(told.lines().find(|line| line.contains("execve(")).unwrap());
    // The loader reads with the same call, but never as far into a file.
    let is_image = |line: &&str| {
        let rest = line.split_once("pread64(").map(|(_, rest)| rest);
        rest.is_some_and(|rest| {
            rest.contains(", ") && !rest.contains("ELF") && line.contains("512")
        })
    };
    let first = told.lines().find(is_image).map(at);
    eprintln!("first read after {:?} s; blocks of {BLOCK}", first.map(|first| first - begin));
    assert!(first.unwrap() - begin < 0.1);
}
