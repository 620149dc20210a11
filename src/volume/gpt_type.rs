//! The partition types of a GUID partition table: the UEFI specification's, those of the
//! Discoverable Partitions Specification for the processors that instances have or had
//! (<https://uapi-group.org/specifications/specs/discoverable_partitions_specification/>), and what
//! else stands on their images.

use super::Promise;
use super::Promise::{Encrypted, Format, Nothing};

struct Type {
    guid: &'static str,
    name: &'static str,
    promise: Promise,
}

const fn of(guid: &'static str, name: &'static str, promise: Promise) -> Type {
    Type { guid, name, promise }
}

/// What people call a type; its GUID where it has no name here.
pub(super) fn name(guid: &str) -> &str {
    find(guid).map_or(guid, |known| known.name)
}

/// What a type says of its bytes. One that is not known may hold anything, and is not exempt.
pub(super) fn promise(guid: &str) -> Promise {
    find(guid).map_or(Format, |known| known.promise)
}

fn find(guid: &str) -> Option<&'static Type> {
    TYPES.iter().find(|known| known.guid == guid)
}

/// Only types that firmware and boot loaders read without a format are exempt from having one.
#[rustfmt::skip]
static TYPES: &[Type] = &[
    of("21686148-6449-6e6f-744e-656564454649", "BIOS boot", Nothing),
    of("9e1a2d38-c612-4316-aa26-8b49521e5a8b", "PReP boot", Nothing),
    of("426f6f74-0000-11aa-aa11-00306543ecac", "Apple boot", Nothing),
    of("83bd6b9d-7f41-11dc-be0b-001560b84f0f", "FreeBSD boot", Nothing),
    of("fe3a2a5d-4f32-41a7-b725-accc3285a309", "ChromeOS kernel", Nothing),
    of("cab6e88e-abf3-4102-a07a-d4bb9be3c1d3", "ChromeOS firmware", Nothing),
    of("e3c9e316-0b5c-4db8-817d-f92df00215ae", "Microsoft reserved", Nothing),
    of("7ffec5c9-2d00-49b7-8941-3ea10a5586b7", "Linux plain dm-crypt", Encrypted),
    of("ca7d7ccb-63ed-4c53-861c-1742536059cc", "LUKS", Encrypted),
    of("c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "EFI system", Format),
    of("bc13c2ff-59e6-4262-a352-b275fd6f7172", "Linux extended boot", Format),
    of("0fc63daf-8483-4772-8e79-3d69d8477de4", "Linux filesystem", Format),
    of("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "Linux swap", Format),
    of("e6d6d379-f507-44c2-a23c-238f2a3df928", "Linux LVM", Format),
    of("a19d880f-05fc-4d3b-a006-743f0f84911e", "Linux RAID", Format),
    of("933ac7e1-2eb4-4f13-b844-0e14e2aef915", "Linux home", Format),
    of("773f91ef-66d4-49b5-bd83-d683bf40ad16", "Linux user's home", Format),
    of("3b8f8425-20e0-4f3b-907f-1a25a76f98e8", "Linux server data", Format),
    of("4d21b016-b534-45c2-a9fb-5c16e091fd2d", "Linux /var", Format),
    of("7ec6f557-3bc5-4aca-b293-16ef5df639d1", "Linux /var/tmp", Format),
    of("8da63339-0007-60c0-c436-083ac8230908", "Linux reserved", Format),
    of("44479540-f297-41b2-9af7-d131d5f0458a", "Linux root (x86)", Format),
    of("4f68bce3-e8cd-4db1-96e7-fbcaf984b709", "Linux root (x86-64)", Format),
    of("69dad710-2ce4-4e3c-b16c-21a1d49abed3", "Linux root (ARM)", Format),
    of("b921b045-1df0-41c3-af44-4c6f280d3fae", "Linux root (ARM64)", Format),
    of("75250d76-8cc6-458e-bd66-bd47cc81a812", "Linux /usr (x86)", Format),
    of("8484680c-9521-48c6-9c11-b0720656f69e", "Linux /usr (x86-64)", Format),
    of("7d0359a3-02b3-4f0a-865c-654403e70625", "Linux /usr (ARM)", Format),
    of("b0e01050-ee5f-4390-949a-9101b17104e9", "Linux /usr (ARM64)", Format),
    of("d13c5d3b-b5d1-422a-b29f-9454fdc89d76", "Linux root verity (x86)", Format),
    of("2c7357ed-ebd2-46d9-aec1-23d437ec2bf5", "Linux root verity (x86-64)", Format),
    of("7386cdf2-203c-47a9-a498-f2ecce45a2d6", "Linux root verity (ARM)", Format),
    of("df3300ce-d69f-4c92-978c-9bfb0f38d820", "Linux root verity (ARM64)", Format),
    of("8f461b0d-14ee-4e81-9aa9-049b6fb97abd", "Linux /usr verity (x86)", Format),
    of("77ff5f63-e7b6-4633-acf4-1565b864c0e6", "Linux /usr verity (x86-64)", Format),
    of("c215d751-7bcd-4649-be90-6627490a4c05", "Linux /usr verity (ARM)", Format),
    of("6e11a4e7-fbca-4ded-b9e9-e1a512bb664e", "Linux /usr verity (ARM64)", Format),
    of("5996fc05-109c-48de-808b-23fa0830b676", "Linux root verity signature (x86)", Format),
    of("41092b05-9fc8-4523-994f-2def0408b176", "Linux root verity signature (x86-64)", Format),
    of("42b0455f-eb11-491d-98d3-56145ba9d037", "Linux root verity signature (ARM)", Format),
    of("6db69de6-29f4-4758-a7a5-962190f00ce3", "Linux root verity signature (ARM64)", Format),
    of("974a71c0-de41-43c3-be5d-5c5ccd1ad2c0", "Linux /usr verity signature (x86)", Format),
    of("e7bb33fb-06cf-4e81-8273-e543b413e2e2", "Linux /usr verity signature (x86-64)", Format),
    of("d7ff812f-37d1-4902-a810-d76ba57b975a", "Linux /usr verity signature (ARM)", Format),
    of("c23ce4ff-44bd-4b00-b2d4-b41b3419e02a", "Linux /usr verity signature (ARM64)", Format),
    of("6b636168-7420-6568-2070-6c616e657421", "Bottlerocket boot", Format),
    of("5526016a-1a97-4ea4-b39a-b7c8c6ca4502", "Bottlerocket root", Format),
    of("598f10af-c955-4456-6a99-7720068a6cea", "Bottlerocket hash", Format),
    of("0c5d99a5-d331-4147-baef-08e2b855bdc9", "Bottlerocket reserved", Format),
    of("440408bb-eb0b-4328-a6e5-a29038fad706", "Bottlerocket private", Format),
    of("626f7474-6c65-6474-6861-726d61726b73", "Bottlerocket data", Format),
    of("3cb8e202-3b7e-47dd-8a3c-7ff2a13cfcec", "ChromeOS root", Format),
    of("ebd0a0a2-b9e5-4433-87c0-68b6b72699c7", "Microsoft basic data", Format),
    of("de94bba4-06d1-4d40-a16a-bfd50179d6ac", "Windows recovery", Format),
    of("516e7cb6-6ecf-11d6-8ff8-00022d09712b", "FreeBSD UFS", Format),
    of("516e7cba-6ecf-11d6-8ff8-00022d09712b", "FreeBSD ZFS", Format),
    of("7c3457ef-0000-11aa-aa11-00306543ecac", "APFS", Format),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_type_is_one_guid_and_one_name() {
        let guids: BTreeSet<_> = TYPES.iter().map(|known| known.guid).collect();
        let names: BTreeSet<_> = TYPES.iter().map(|known| known.name).collect();
        assert_eq!((guids.len(), names.len()), (TYPES.len(), TYPES.len()));
        for guid in guids {
            let lengths: Vec<_> = guid.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{guid}");
            let hex = |c: char| c == '-' || (c.is_ascii_hexdigit() && !c.is_ascii_uppercase());
            assert!(guid.chars().all(hex), "{guid} is as it is compared");
        }
    }

    #[test]
    fn only_firmware_is_exempt_from_a_format() {
        let check = |guid, expected| assert_eq!((name(guid), promise(guid)), expected);
        check("21686148-6449-6e6f-744e-656564454649", ("BIOS boot", Nothing));
        check("7ffec5c9-2d00-49b7-8941-3ea10a5586b7", ("Linux plain dm-crypt", Encrypted));
        check("4d21b016-b534-45c2-a9fb-5c16e091fd2d", ("Linux /var", Format));
        let unknown = "07070707-0707-0707-0707-070707070707";
        check(unknown, (unknown, Format));
    }
}
