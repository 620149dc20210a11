//! What makes a file more than its bytes: capabilities that it gives whoever runs it, and kernel
//! modules that lie about.

use super::data;
use crate::bytes::{read_vec, u32_le};
use crate::filesystem::{FileEntry, StreamName};
use crate::limits;
use crate::sweep::plan::Part;
use memchr::memmem;

/// Capabilities that amount to root
/// ([capabilities(7)](https://man7.org/linux/man-pages/man7/capabilities.7.html)), by their bits.
const POWERFUL: [(u32, &str); 14] = [
    (0, "chown"),
    (1, "dac_override"),
    (2, "dac_read_search"),
    (3, "fowner"),
    (6, "setgid"),
    (7, "setuid"),
    (8, "setpcap"),
    (16, "sys_module"),
    (17, "sys_rawio"),
    (19, "sys_ptrace"),
    (21, "sys_admin"),
    (31, "setfcap"),
    (33, "mac_admin"),
    (39, "bpf"),
];

/// What a file gives whoever runs it.
pub(super) struct Capabilities {
    /// Those that amount to root, by name.
    pub(super) powerful: String,
    /// All of them, as a number in hex.
    pub(super) all: String,
}

/// The capabilities of a file, where it has any.
pub(super) fn capabilities(part: &Part, file: &FileEntry) -> Option<Capabilities> {
    let is_capability = |name: &StreamName| matches!(name, StreamName::Xattr(name) if &**name == b"security.capability");
    let stream = file.streams.iter().position(|stream| is_capability(&stream.name))?;
    let bytes = part.filesystem.as_deref()?.open(file, stream).ok()?;
    let value = read_vec(&*bytes, 0, usize::try_from(bytes.len().min(24)).ok()?).ok()?;
    let low = u32_le(&value, 4).ok()?;
    // The first version had no more than 32 of them.
    let high = u32_le(&value, 12).unwrap_or(0);
    let permitted = u64::from(high) << 32 | u64::from(low);
    let powerful = POWERFUL.iter().filter(|(bit, _)| permitted >> bit & 1 == 1);
    let powerful: Vec<String> = powerful.map(|(_, name)| format!("cap_{name}")).collect();
    (permitted != 0)
        .then(|| Capabilities { powerful: powerful.join(", "), all: format!("{permitted:#x}") })
}

/// What stands at the end of a kernel module that was signed
/// ([module signing](https://docs.kernel.org/admin-guide/module-signing.html)).
const SIGNED: &[u8] = b"~Module signature appended~\n";

/// A kernel module.
pub(super) struct Module {
    pub(super) signed: bool,
    /// The kernel it was built for.
    pub(super) kernel: String,
}

/// What an uncompressed kernel module says of itself; none for what is none.
pub(super) fn module(part: &Part, file: &FileEntry) -> Option<Module> {
    let (stream, _) = data(file)?;
    let bytes = part.filesystem.as_deref()?.open(file, stream).ok()?;
    let len = usize::try_from(bytes.len()).ok().filter(|len| *len <= limits::MODULE_BYTES)?;
    of_module(&read_vec(&*bytes, 0, len).ok()?)
}

fn of_module(bytes: &[u8]) -> Option<Module> {
    let text = memmem::find(bytes, b"vermagic=")?;
    let text = bytes.get(text.checked_add(b"vermagic=".len())?..)?;
    let end = text.iter().position(|byte| *byte == b' ' || *byte == 0)?;
    let kernel = String::from_utf8_lossy(text.get(..end.min(limits::FACT_BYTES))?).into_owned();
    Some(Module { signed: bytes.ends_with(SIGNED), kernel })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_tell_their_kernel() {
        let bytes = b"\x7fELF\0vermagic=6.1.0-13-amd64 SMP mod_unload\0x";
        let found = of_module(bytes).unwrap();
        assert_eq!((found.kernel.as_str(), found.signed), ("6.1.0-13-amd64", false));
        let found = of_module(&[&bytes[..], SIGNED].concat()).unwrap();
        assert!(found.signed);
        assert!(of_module(b"\x7fELF").is_none());
    }
}
