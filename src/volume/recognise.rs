//! Signatures of what volumes hold besides the filesystems that are read: each by the offset its
//! specification (or, failing one, its own tools' documentation) gives. A volume that is recognised
//! is counted as swap, unparsed or opaque instead of as a gap.

use super::{Recognised, boot_sector};
use crate::bytes::{ReadAt, read_vec, take, u16_be, u16_le, u32_be, u32_le};
use crate::coverage::Kind;
use crate::error::{Error, Result};

/// One place and the bytes that stand there.
struct Signature {
    name: &'static str,
    kind: Kind,
    offset: u64,
    magic: &'static [u8],
}

const fn unparsed(name: &'static str, offset: u64, magic: &'static [u8]) -> Signature {
    Signature { name, kind: Kind::Unparsed, offset, magic }
}

const fn opaque(name: &'static str, offset: u64, magic: &'static [u8]) -> Signature {
    Signature { name, kind: Kind::Opaque, offset, magic }
}

/// Containers before filesystems: what lies inside a container may look like the latter. Two-byte
/// signatures are in [`superblock`], with more of the structure to back them.
static SIGNATURES: &[Signature] = &[
    opaque("LUKS", 0, b"LUKS\xba\xbe"),
    opaque("BitLocker", 3, b"-FVE-FS-"),
    opaque("BitLocker", 160, BITLOCKER_GUID),
    opaque("BitLocker", 424, BITLOCKER_GUID),
    unparsed("dm-verity", 0, b"verity\0\0"),
    unparsed(
        "bcache",
        4096 + 24,
        b"\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81",
    ),
    unparsed(
        "bcachefs",
        4096 + 24,
        b"\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef",
    ),
    unparsed("Ceph BlueStore", 0, b"bluestore block device"),
    unparsed("gzip", 0, b"\x1f\x8b\x08"),
    unparsed("zstd", 0, b"\x28\xb5\x2f\xfd"),
    unparsed("xz", 0, b"\xfd7zXZ\0"),
    unparsed("lz4", 0, b"\x04\x22\x4d\x18"),
    // Behind "BZh" and a digit for the block size.
    unparsed("bzip2", 4, b"1AY&SY"),
    unparsed("zip", 0, b"PK\x03\x04"),
    unparsed("7z", 0, b"7z\xbc\xaf\x27\x1c"),
    unparsed("tar", 257, b"ustar"),
    unparsed("qcow2", 0, b"QFI\xfb"),
    unparsed("VMDK", 0, b"KDMV"),
    unparsed("VMDK", 0, b"# Disk DescriptorFile"),
    unparsed("VHDX", 0, b"vhdxfile"),
    unparsed("VHD", 0, b"conectix"),
    unparsed("VDI", 64, b"\x7f\x10\xda\xbe"),
    unparsed("Windows hibernation file", 0, b"HIBR"),
    unparsed("Windows hibernation file", 0, b"hibr"),
    unparsed("Windows hibernation file", 0, b"WAKE"),
    unparsed("Windows hibernation file", 0, b"wake"),
    unparsed("Windows hibernation file", 0, b"RSTR"),
    unparsed("btrfs", 65536 + 64, b"_BHRfS_M"),
    unparsed("XFS", 0, b"XFSB"),
    unparsed("squashfs", 0, b"hsqs"),
    unparsed("squashfs", 0, b"sqsh"),
    unparsed("cramfs", 0, b"\x45\x3d\xcd\x28"),
    unparsed("romfs", 0, b"-rom1fs-"),
    unparsed("UBI", 0, b"UBI#"),
    unparsed("EROFS", 1024, b"\xe2\xe1\xf5\xe0"),
    unparsed("F2FS", 1024, b"\x10\x20\xf5\xf2"),
    unparsed("ReiserFS", 65536 + 52, b"ReIsEr"),
    unparsed("ReiserFS", 8192 + 52, b"ReIsEr"),
    unparsed("Reiser4", 65536, b"ReIsEr4"),
    unparsed("JFS", 32768, b"JFS1"),
    unparsed("GFS2", 65536, b"\x01\x16\x19\x70\0\0\0\x01"),
    unparsed("OCFS2", 8192, b"OCFSV2"),
    unparsed("APFS", 32, b"NXSB"),
    unparsed("ISO 9660", 32769, b"CD001"),
    unparsed("UDF", 32769, b"BEA01"),
    unparsed("VMFS", 1024 * 1024, b"\x0d\xd0\x01\xc0"),
    unparsed("VMFS", 2 * 1024 * 1024, b"\x5e\xf1\xab\x2f"),
];

const BITLOCKER_GUID: &[u8] = b"\x3b\xd6\x67\x49\x29\x2e\xd8\x4a\x83\x99\xf6\xa3\x39\xe3\xd0\x01";

const LUKS: Recognised = Recognised { name: "LUKS", kind: Kind::Opaque };
const MD: Recognised = Recognised { name: "Linux md", kind: Kind::Unparsed };
const ZFS: Recognised = Recognised { name: "ZFS", kind: Kind::Unparsed };
const LVM: Recognised = Recognised { name: "LVM2", kind: Kind::Unparsed };
const SWAP: Recognised = Recognised { name: "swap", kind: Kind::Swap };
const SUSPENDED: Recognised =
    Recognised { name: "swap with a hibernation image", kind: Kind::Unparsed };

/// Of `TuxOnIce`, which may stand at the very beginning instead.
const TUX_ON_ICE: &[u8] = &[0xed, 0xc3, 0x02, 0xe9, 0x98, 0x56, 0xe5, 0x0c];

impl Recognised {
    /// What bytes of this format lack when they are only swept raw, and what to do about it.
    pub fn lacks(self) -> Error {
        let (what, next) = match self.kind {
            Kind::Opaque => ("encrypted: its bytes say nothing without the key", ""),
            _ if self == SUSPENDED => (
                "most of the memory saved here is compressed, and a raw sweep sees little of it",
                "start the system from this disk once, so that it resumes, shut it down without \
                 hibernating, and image it again; until then count what it had in memory as leaked",
            ),
            _ => ("not read yet: its bytes were swept raw, its files are unknown", ""),
        };
        let error = Error::unsupported(what).detail(self.name);
        if next.is_empty() { error } else { error.caused_by(next) }
    }
}

type Check = fn(&dyn ReadAt) -> Result<Option<Recognised>>;

/// What the volume holds, when it is a format that no driver reads. A volume too short for a
/// signature does not carry it; one that cannot be read is an error.
pub fn recognise(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    const CHECKS: [Check; 7] = [swap, lvm, md, signature, luks_backup, zfs, superblock];
    for check in CHECKS {
        if let Some(found) = check(volume)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// `len` bytes at `offset`; none where the volume ends before.
fn peek(volume: &dyn ReadAt, offset: u64, len: usize) -> Result<Option<Vec<u8>>> {
    let room = volume.len().checked_sub(offset);
    if room.is_none_or(|room| room < u64::try_from(len).unwrap_or(u64::MAX)) {
        return Ok(None);
    }
    read_vec(volume, offset, len).map(Some)
}

fn stands(volume: &dyn ReadAt, offset: u64, magic: &[u8]) -> Result<bool> {
    Ok(peek(volume, offset, magic.len())?.as_deref() == Some(magic))
}

fn signature(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    for &Signature { name, kind, offset, magic } in SIGNATURES {
        if stands(volume, offset, magic)? {
            return Ok(Some(Recognised { name, kind }));
        }
    }
    Ok(None)
}

/// Linux swap: ten bytes at the end of the first page, whatever the page size of the machine. A
/// suspended system has its own mark there, and behind it what the kernel saved of its memory,
/// compressed unless it was told otherwise
/// (<https://docs.kernel.org/admin-guide/kernel-parameters.html>, `hibernate=`).
fn swap(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    if stands(volume, 0, TUX_ON_ICE)? {
        return Ok(Some(SUSPENDED));
    }
    for page_bytes in [4096, 8192, 16384, 32768, 65536u64] {
        let mark = peek(volume, page_bytes.saturating_sub(10), 10)?;
        match mark.as_deref() {
            Some(b"SWAPSPACE2" | b"SWAP-SPACE") => return Ok(Some(SWAP)),
            Some(
                [b'S', b'1' | b'2', b'S', b'U', b'S', b'P', b'E', b'N', b'D', _]
                | [b'U', b'L', b'S', b'U', b'S', b'P', b'E', b'N', b'D', _]
                | b"LINHIB0001",
            ) => return Ok(Some(SUSPENDED)),
            Some(mark) if mark.starts_with(TUX_ON_ICE) => return Ok(Some(SUSPENDED)),
            _ => {}
        }
    }
    Ok(None)
}

/// An LVM2 label may stand in any of the first four sectors.
fn lvm(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    for offset in [512, 0, 1024, 1536] {
        if let Some(label) = peek(volume, offset, 32)?
            && label.starts_with(b"LABELONE")
            && label.ends_with(b"LVM2 001")
        {
            return Ok(Some(LVM));
        }
    }
    Ok(None)
}

/// A member of a Linux software RAID. Version 1.1 begins with the superblock, 1.2 has it at 4 KiB,
/// 1.0 and 0.90 near the end (<https://raid.wiki.kernel.org/index.php/RAID_superblock_formats>).
fn md(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    const MAGIC: u32 = 0xa92b_4efc;
    let v1 = |offset: u64| -> Result<bool> {
        let Some(head) = peek(volume, offset, 8)? else { return Ok(false) };
        Ok(u32_le(&head, 0)? == MAGIC && u32_le(&head, 4)? == 1)
    };
    let v1_end = volume.len().checked_sub(8192).map(|at| at & !4095);
    let v0_end = (volume.len() & !0xffff).checked_sub(0x1_0000);
    for offset in [Some(0), Some(4096), v1_end].into_iter().flatten() {
        if v1(offset)? {
            return Ok(Some(MD));
        }
    }
    let Some(head) = v0_end.map_or(Ok(None), |at| peek(volume, at, 8))? else { return Ok(None) };
    // Version 0.90 is in the byte order of the machine that made it.
    let little = u32_le(&head, 0)? == MAGIC && u32_le(&head, 4)? == 0;
    let big = u32_be(&head, 0)? == MAGIC && u32_be(&head, 4)? == 0;
    Ok((little || big).then_some(MD))
}

/// The second header of LUKS2, which is left when the first was wiped.
fn luks_backup(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    for shift in 14..=22u32 {
        if stands(volume, 1u64.checked_shl(shift).unwrap_or(0), b"SKUL\xba\xbe")? {
            return Ok(Some(LUKS));
        }
    }
    Ok(None)
}

/// A ZFS label holds a ring of uberblocks in its second half, in the byte order of their writer.
fn zfs(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    const MAGIC: u64 = 0x00ba_b10c;
    const RING_OFFSET: u64 = 128 * 1024;
    let Some(ring) = peek(volume, RING_OFFSET, 128 * 1024)? else { return Ok(None) };
    let found = ring
        .chunks_exact(1024)
        .filter_map(|slot| slot.first_chunk::<8>())
        .any(|&head| u64::from_le_bytes(head) == MAGIC || u64::from_be_bytes(head) == MAGIC);
    Ok(found.then_some(ZFS))
}

/// Filesystems whose own signature is too short to be believed alone.
fn superblock(volume: &dyn ReadAt) -> Result<Option<Recognised>> {
    let Some(head) = peek(volume, 0, 2048)? else { return Ok(None) };
    let superblock = take(&head, 1024, 1024)?;
    let ext = u16_le(superblock, 56)? == 0xef53
        && u32_le(superblock, 0)? > 0
        && u32_le(superblock, 24)? <= 6
        && u32_le(superblock, 76)? <= 1;
    let hfs_plus =
        matches!((u16_be(superblock, 0)?, u16_be(superblock, 2)?), (0x482b, 4) | (0x4858, 5));
    let nilfs = u16_le(superblock, 6)? == 0x3434 && u32_le(superblock, 0)? == 2;
    let name = match boot_sector::filesystem(take(&head, 0, 512)?) {
        _ if ext => "ext",
        _ if hfs_plus => "HFS+",
        _ if nilfs => "NILFS2",
        Some(name) => name,
        None => return Ok(None),
    };
    Ok(Some(Recognised { name, kind: Kind::Unparsed }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(len: usize, plants: &[(usize, &[u8])], expected: Option<(&str, Kind)>) {
        let mut volume = vec![0u8; len];
        for &(offset, bytes) in plants {
            volume.splice(offset..offset.strict_add(bytes.len()), bytes.iter().copied());
        }
        let found = recognise(&volume).unwrap().map(|r| (r.name, r.kind));
        assert_eq!(found, expected, "{plants:?}");
    }

    #[test]
    fn knows_its_signatures_where_they_belong() {
        for signature in SIGNATURES {
            let at = usize::try_from(signature.offset).unwrap();
            let expected = Some((signature.name, signature.kind));
            check(4 << 20, &[(at, signature.magic)], expected);
            check(4 << 20, &[(at + 1, signature.magic)], None);
            check(at + signature.magic.len() - 1, &[], None);
        }
    }

    /// A disk image that is compressed or packed was swept as a disk of no known format, and said
    /// to be complete.
    #[test]
    fn knows_packed_images() {
        let packed: [(&str, &[u8]); 7] = [
            ("gzip", b"\x1f\x8b\x08\x08\x65\x00\x00\x00\x00\x03disk.img\0"),
            ("zstd", b"\x28\xb5\x2f\xfd\xa4\0\0\x10\0"),
            ("xz", b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46"),
            ("lz4", b"\x04\x22\x4d\x18\x64\x40\xa7"),
            ("bzip2", b"BZh91AY&SY\x01\x02\x03\x04"),
            ("zip", b"PK\x03\x04\x14\0\0\0\x08\0"),
            ("7z", b"7z\xbc\xaf\x27\x1c\0\x04"),
        ];
        for (name, head) in packed {
            check(1 << 20, &[(0, head)], Some((name, Kind::Unparsed)));
            check(100, &[(0, head)], Some((name, Kind::Unparsed)));
            check(1 << 20, &[(512, head)], None);
        }
        for magic in [b"ustar\x0000", b"ustar  \0"] {
            let tar: &[(usize, &[u8])] = &[(0, b"disk.img\0"), (257, magic)];
            check(1 << 20, tar, Some(("tar", Kind::Unparsed)));
        }
    }

    #[test]
    fn knows_swap_of_every_page_size() {
        for page in [4096, 8192, 16384, 32768, 65536] {
            check(1 << 20, &[(page - 10, b"SWAPSPACE2")], Some(("swap", Kind::Swap)));
            check(page, &[(page - 10, b"SWAP-SPACE")], Some(("swap", Kind::Swap)));
        }
        check(1 << 20, &[(4085, b"SWAPSPACE2")], None);
    }

    /// The kernel compresses what it saves: counted as swap, it looked searched.
    #[test]
    fn a_hibernation_image_is_not_read() {
        let expected = Some(("swap with a hibernation image", Kind::Unparsed));
        let tux: &[u8] = b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c\x01\0";
        let marks: [&[u8]; 5] =
            [b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001", tux];
        for page in [4096, 8192, 16384, 32768, 65536] {
            for mark in marks {
                check(1 << 20, &[(page - 20, b"SWAPSPACE2"), (page - 10, mark)], expected);
            }
        }
        check(1 << 20, &[(0, tux), (4086, b"SWAPSPACE2")], expected);
        let message = SUSPENDED.lacks().message();
        assert!(message.contains("compressed") && message.contains("image it again"), "{message}");
    }

    #[test]
    fn knows_raid_and_volume_groups() {
        let lvm = b"LABELONE\x01\0\0\0\0\0\0\0\x12\x34\x56\x78\x20\0\0\0LVM2 001";
        for sector in 0..4 {
            check(8192, &[(sector * 512, lvm)], Some(("LVM2", Kind::Unparsed)));
        }
        check(8192, &[(2048, lvm)], None);
        let v1 = b"\xfc\x4e\x2b\xa9\x01\0\0\0";
        let v0 = b"\xfc\x4e\x2b\xa9\0\0\0\0";
        let v0_big = b"\xa9\x2b\x4e\xfc\0\0\0\0";
        let len = (1 << 20) + 512;
        for at in [0, 4096, (1 << 20) - 8192] {
            check(len, &[(at, v1)], Some(("Linux md", Kind::Unparsed)));
        }
        for magic in [v0, v0_big] {
            check(len, &[((1 << 20) - 65536, magic)], Some(("Linux md", Kind::Unparsed)));
            check(len, &[(0, magic)], None);
        }
    }

    #[test]
    fn knows_what_takes_more_than_a_signature() {
        check(1 << 20, &[(0x8000, b"SKUL\xba\xbe")], Some(("LUKS", Kind::Opaque)));
        let uberblock = b"\x0c\xb1\xba\0\0\0\0\0";
        check(1 << 20, &[((128 << 10) + 4096, uberblock)], Some(("ZFS", Kind::Unparsed)));
        check(1 << 20, &[(1080, b"\x53\xef")], None);
        let ext: &[(usize, &[u8])] = &[(1024, b"\x10"), (1048, b"\x02"), (1080, b"\x53\xef")];
        check(1 << 20, ext, Some(("ext", Kind::Unparsed)));
        check(1 << 20, &[(1024, b"H+\0\x04")], Some(("HFS+", Kind::Unparsed)));
        check(1 << 20, &[(3, b"NTFS    ")], Some(("NTFS", Kind::Unparsed)));
        check(1 << 20, &[(3, b"EXFAT   ")], Some(("exFAT", Kind::Unparsed)));
        check(1 << 20, &[], None);
        check(0, &[], None);
    }
}
