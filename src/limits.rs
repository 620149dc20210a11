//! Every bound on what an image may make the scanner do, each with its reason.

mod account;

pub use account::*;

/// Bytes of one EBS snapshot block; fixed by the EBS direct APIs. Raw files are accounted in the
/// same unit, so that a file and the snapshot made of it are measured alike.
pub const BLOCK_BYTES: u64 = 512 * 1024;

/// Bytes a sweep window owns. Chunk size makes no speed difference from 512 KiB up, and every
/// worker holds one.
pub const WINDOW_BYTES: u64 = 1024 * 1024;

/// Bytes read before and after what a window owns: the longest signature (`max_len`), so that a
/// secret across a window's edge is found once.
pub const OVERLAP_BYTES: u64 = 16 * 1024;

/// The largest file an artifact parser is given whole; formats we know by path are small, and a
/// worker holds one at a time.
pub const ARTIFACT_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes all nested views (decoded user data and the like) of one file may add up to.
pub const NESTED_BYTES: u64 = 32 * 1024 * 1024;

/// How deep views nest: base64 of gzip of MIME is three.
pub const NESTED_DEPTH: usize = 6;

/// Holes shorter than this are read as zeros instead of splitting a window.
pub const HOLE_SPLIT_BYTES: u64 = 64 * 1024;

/// A piece of a long file this large is swept where it lies; smaller ones are gathered first.
pub const SOLID_BYTES: u64 = 256 * 1024;

/// Pieces of scattered files that memory is kept for. Those of a disk with more may be fetched
/// twice. Each takes 16 bytes in the plan.
pub const LATER_PIECES: usize = 1 << 20;

/// Matches kept per rule in one window; the rest are counted and the window noted as truncated.
pub const MATCHES_PER_RULE: usize = 256;

/// The largest file that is read again by an independent reader; that takes one thread the time of
/// the file's length, holes included.
pub const CROSS_CHECK_BYTES: u64 = 8 << 30;

/// Bytes of one volume that files may show besides the first to claim them, as a multiple of the
/// volume: copies that share their blocks are swept under each name, but not without end.
pub const SHARED_FACTOR: u64 = 4;

/// Matches judged harmless kept per rule in one window; a flood of them must not hide the others.
pub const HARMLESS_PER_RULE: usize = 4096;

/// Places kept for one finding; the count goes on.
pub const PLACES_PER_FINDING: usize = 200;

/// Findings kept in one run. An image full of planted tokens must not fill the memory.
pub const FINDINGS: usize = 200_000;

/// Coverage errors kept with their place; the count goes on.
pub const COVERAGE_ERRORS: usize = 1_000;

/// Coverage errors, and as many remarks, that a worker gathers before neighbours are joined and
/// [`COVERAGE_ERRORS`] of them stay. Each takes a few hundred bytes.
pub const COVERAGE_GATHERED: usize = 4_000;

/// Files of one filesystem that are planned. Above it, the bytes of the rest are swept raw.
pub const FILES_PER_FILESYSTEM: usize = 50_000_000;

/// Extents one file may bring into the plan; a file with more is still read, in the order its
/// reader delivers, and its bytes are swept raw too.
pub const EXTENTS_PER_FILE: usize = 1_000_000;

/// The longest path that is kept; Linux itself stops at 4,096.
pub const PATH_BYTES: usize = 4096;

/// How deep a directory tree is followed upwards to name a file; a loop on disk ends here.
pub const PATH_DEPTH: usize = 1024;

/// The largest extended attribute value that is read: the kernel's own limit.
pub const XATTR_BYTES: u64 = 64 * 1024;

/// Volumes of one target.
pub const VOLUMES: usize = 1024;

/// Entries of one partition table that are read. 128 is usual; the header's own number is hostile.
pub const PARTITIONS: usize = 1024;

/// Items of the remainder that keep their own label. A hostile allocation bitmap could ask for
/// one every other block; above this many, whole runs are swept as slack.
pub const RAW_ITEMS: usize = 4_000_000;
// Volumes and FAT.

/// Bytes of one GPT entry: the specification says 128 times a power of two, and nobody is known to
/// have gone beyond 128.
pub const GPT_ENTRY_BYTES: usize = 4096;

/// Bytes of a GPT entry array that are read to verify its checksum; 16 KiB is usual.
pub const GPT_ARRAY_BYTES: usize = 4 * 1024 * 1024;
// Detection.

/// The longest match of a signature. With the byte after it and the room before its anchor it must
/// fit in [`OVERLAP_BYTES`], or a secret across a window's edge could be cut.
pub const SIGNATURE_BYTES: usize = 15 * 1024;

/// How far before its anchor a match may begin; every candidate costs this much to search.
pub const SIGNATURE_BACK_BYTES: usize = 512;

/// Steps that the candidates of one signature may cost in one window. A step is a byte that a
/// program looks at; what takes longer is charged more. Four times the window: no real text comes
/// near, and text made to be slow stops here after a few milliseconds.
pub const VERIFY_STEPS_PER_RULE: usize = 4 * 1024 * 1024;
// Artifacts and credentials.

/// Bytes of one PEM block, dashes included. An RSA key of 16,384 bits needs 13,000, a PGP key
/// with its signatures several times that.
pub const PEM_BYTES: usize = 64 * 1024;

/// Bytes of a fact's value; a report is read by people.
pub const FACT_BYTES: usize = 512;

/// Bytes of a URI's authority; user, password and host are short.
pub const URI_BYTES: usize = 1024;
// ext2, ext3 and ext4.

/// Extents all files of one ext filesystem may bring in: 40 bytes each, and an image that says
/// more holds nothing else.
pub const EXT_EXTENTS: u64 = 100_000_000;

/// Blocks that may describe where one file's bytes lie. A full block map of 4 TiB has a little
/// more than a million.
pub const EXT_TREE_BLOCKS: usize = 1_100_000;

/// Errors one walk of an ext filesystem visits; what follows is counted in the last one.
pub const EXT_ERRORS: usize = 10_000;

/// Paths kept for one file with many hard links. Ext4 allows 65,000 links, and a path is up to
/// [`PATH_BYTES`] long, so that a small directory could fill the memory.
pub const EXT_PATHS_PER_FILE: usize = 1_000;

/// Attributes an ext inode has on average, at most. Attribute blocks may be shared, so that a few
/// could bring in any number.
pub const EXT_ATTRIBUTES_PER_INODE: u64 = 8;

/// Attributes a small ext filesystem may have besides.
pub const EXT_ATTRIBUTES: u64 = 100_000;

/// Bytes of paths an ext inode has on average, at most. Hard links and deep directories could make
/// paths out of proportion to the image; what is over is named by the number of its directory.
pub const EXT_PATH_BYTES_PER_INODE: u64 = 256;

/// Bytes of paths a small ext filesystem may have besides.
pub const EXT_PATH_BYTES: u64 = 64 * 1024 * 1024;

/// Pieces of free space that are told apart; an image with more is odd, and the rest of its free
/// space is called slack.
pub const EXT_FREE_RUNS: usize = 20_000_000;

/// Bytes of an inode table, a directory or a journal that are read at once.
pub const EXT_READ_BYTES: u64 = 1024 * 1024;

/// Bytes of one file the second reader of ext is asked for: at most this much, since it goes
/// through holes byte by byte.
pub const EXT_SECOND_OPINION_BYTES: u64 = 64 * 1024 * 1024 * 1024;
// XFS

/// The smallest XFS allocation group. mkfs makes none below 16 MiB; a far smaller one would make
/// millions of them.
pub const XFS_AG_BYTES_MIN: u64 = 1024 * 1024;

/// Levels of an XFS btree: the format's own maximum is 9 for any group, 14 for any fork.
pub const XFS_BTREE_LEVELS: u32 = 16;

/// Blocks of one XFS btree that are read: enough for every record of the largest group, and
/// the set of those visited stays below 100 MB.
pub const XFS_BTREE_BLOCKS: usize = 2_000_000;

/// Runs of free space kept (16 bytes each). A group's worst case is every second block.
pub const XFS_FREE_RUNS: usize = 16_000_000;

/// Inode chunks kept (24 bytes each, 64 inodes): twenty times the files that are planned.
pub const XFS_INODE_CHUNKS: usize = 16_000_000;

/// Errors of one phrase that one XFS filesystem may report; the rest are counted.
pub const XFS_ERRORS_PER_PHRASE: u64 = 20;

/// Times the bytes of its volume that one XFS walk may read as directories, attributes and extent
/// trees. Once is honest; structures that share blocks would cost the square.
pub const XFS_METADATA_READS: u64 = 2;

/// Bytes of XFS metadata a walk may always read, however small the volume.
pub const XFS_METADATA_BYTES: u64 = 64 * 1024 * 1024;

/// Directory entries kept while walking (24 bytes and the name each).
pub const XFS_DIRECTORY_ENTRIES: usize = 100_000_000;

/// Names of one XFS file: hard links, or what a deleted inode was called.
pub const XFS_NAMES_PER_FILE: usize = 10_000;

/// Bytes of paths an XFS inode has on average, at most; see [`EXT_PATH_BYTES_PER_INODE`].
pub const XFS_PATH_BYTES_PER_INODE: u64 = 256;

/// Bytes of paths a small XFS filesystem may have besides.
pub const XFS_PATH_BYTES: u64 = 64 * 1024 * 1024;

/// Extended attributes of one XFS file.
pub const XFS_ATTRIBUTES_PER_FILE: usize = 20_000;

/// The longest target of a symbolic link; XFS itself stops at 1,024.
pub const XFS_LINK_BYTES: u64 = 1024;

/// Bytes of one extent of a link target: the largest block, or the three smallest of v5.
pub const XFS_LINK_EXTENT_BYTES: u64 = 64 * 1024;

/// Deleted XFS inodes kept until the live ones are known.
pub const XFS_DEAD_INODES: usize = 2_000_000;

/// Freed chunks of 64 XFS inodes that freed names lead to and that are read.
pub const XFS_FREED_CHUNKS: usize = 100_000;

/// How many times its volume's length a deleted XFS file may span. Its records are garbage by
/// default, and only sparse files are longer than their volume.
pub const XFS_DEAD_SPAN: u64 = 4;

/// Basic blocks searched backwards for the last record of an XFS log: more than twice the
/// largest record (256 KiB and its headers).
pub const XFS_LOG_RECORD_BLOCKS: u64 = 1200;

/// Runs of XFS metadata gathered before neighbours are joined.
pub const XFS_METADATA_RUNS: usize = 65_536;

/// Bytes of a file allocation table, which is held in memory: enough for 1 TiB in clusters of
/// 32 KiB.
pub const FAT_TABLE_BYTES: u64 = 128 * 1024 * 1024;

/// Bytes of one FAT directory: the specification allows 65,536 entries of 32 bytes.
pub const FAT_DIRECTORY_BYTES: u64 = 2 * 1024 * 1024;

/// Clusters that may be followed beyond their first owner in one walk. A sound filesystem shares
/// none; without a bound, many entries pointing at one long chain take time without end.
pub const FAT_SHARED_CLUSTERS: u64 = 16 * 1024 * 1024;

/// Bytes of paths an entry of FAT has on average, at most. An entry takes 32 bytes on the disk, and
/// the path to its directory up to [`PATH_BYTES`] in memory, each time.
pub const FAT_PATH_BYTES_PER_ENTRY: u64 = 256;

/// Bytes of paths a small FAT volume may have besides.
pub const FAT_PATH_BYTES: u64 = 64 * 1024 * 1024;

/// What an independent reader may fetch while it re-reads one FAT file, in multiples of the
/// volume: a chain that loops would keep it reading for ever.
pub const FAT_WITNESS_READS: u64 = 4;

/// How deep a YAML or JSON document nests before it is given up; configuration stays below ten.
pub const YAML_DEPTH: usize = 32;

/// Values of one YAML or JSON document. Each keeps its path.
pub const YAML_SCALARS: usize = 50_000;
// Block cache and EBS direct

/// The smallest block cache, in blocks: below it fetching ahead and reading on demand would throw
/// out each other's blocks.
pub const CACHE_BLOCKS_MIN: usize = 16;

/// Blocks of one read that are fetched side by side at most; a larger read goes on group by group,
/// so that one reader cannot fill the cache. Groups are smaller while many readers are at it.
pub const CACHE_READ_BLOCKS: usize = 8;

/// The share of the block cache that stays for whole blocks, one part in so many; the rest may be
/// filled by what is kept or packed of others.
pub const CACHE_WHOLE_SHARE: u64 = 4;

/// The largest volume EBS has, 64 TiB. A snapshot that says more is not believed.
pub const EBS_VOLUME_BYTES: u64 = 1 << 46;

/// Written blocks of one snapshot that are listed: 16 TiB. Each costs about 80 bytes of memory,
/// for its token must be kept.
pub const EBS_LISTED_BLOCKS: usize = 1 << 25;

/// Empty pages in a row of one listing. They are legal, and a service that sends nothing else
/// would keep us forever.
pub const EBS_EMPTY_PAGES: u32 = 1000;

/// Blocks that come after a snapshot was listed again before the count of such listings starts
/// anew: what gets on this far is not two programs that spoil each other's tokens.
pub const EBS_GOOD_BLOCKS: u32 = 1000;

// The loopback emulator of AWS.

/// Connections the emulator serves at once; the next ones wait. More than any client of ours opens.
pub const EMULATOR_CONNECTIONS: usize = 1024;

/// Bytes of a request's head. Signed requests with their tokens stay below 4 KiB.
pub const EMULATOR_HEAD_BYTES: usize = 64 * 1024;

/// Header lines of a request; the AWS SDKs send about a dozen.
pub const EMULATOR_HEADERS: usize = 64;

/// Bytes of a request's body: an EC2 call that names a thousand images has 30 KiB.
pub const EMULATOR_BODY_BYTES: usize = 128 * 1024;

/// Requests the emulator remembers; it counts on, and a log file gets all of them.
pub const EMULATOR_LOG: usize = 1_000_000;

/// Bytes of one command line that is taken apart; what a shell's history keeps is far shorter.
pub const COMMAND_BYTES: usize = 64 * 1024;

/// Secrets kept of one command; nobody types more.
pub const COMMAND_SECRETS: usize = 64;

/// Parts of one MIME message; cloud-init's own have a handful.
pub const MIME_PARTS: usize = 1000;

/// Matches kept of one parsed file; a history or password store of a person has hundreds.
pub const MATCHES_PER_BLOB: usize = 20_000;

// The survey of volumes.

/// Bytes of a partition of no known format that are read in search of one that is not zero, before
/// the partition is taken for data: what a new partition has written of it is far less.
pub const ZEROS_BYTES: u64 = 256 << 20;

// Signature files and the rules of other scanners.

/// The shortest anchor. Two bytes stand everywhere.
pub const ANCHOR_BYTES_MIN: usize = 3;

/// Bytes of a glob in a signature's `paths`; each costs a step for every byte of a path.
pub const GLOB_BYTES: usize = 256;

/// Lines the two halves of a pair may be apart, at most.
pub const PAIR_LINES: usize = 1000;

/// Memory of one compiled pattern of a signature: what the regex crate allows by default.
pub const PATTERN_MEMORY_BYTES: usize = 10 * 1024 * 1024;

/// Bytes of one file of rules. The largest that scanners come with has less than one million.
pub const RULE_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Files of rules that one directory may bring in.
pub const RULE_FILES: usize = 1_000;

/// Rules one file may bring in: each costs a pass over every candidate, and memory.
pub const IMPORT_RULES: usize = 2_000;

/// Bytes of the pattern of a rule of another scanner.
pub const IMPORT_PATTERN_BYTES: usize = 16 * 1024;

/// Anchors of one rule of another scanner.
pub const IMPORT_ANCHORS: usize = 64;

/// Bytes of all anchors of the rules in use. The automaton that looks for them takes about a
/// kilobyte for each.
pub const ANCHOR_BYTES: usize = 128 * 1024;

/// Patterns and stop words of all allow lists of one file of rules.
pub const IMPORT_ALLOWS: usize = 20_000;
// Encodings.

/// Encodings inside one another that are undone: base64 of gzip of base64 is three.
pub const DECODED_DEPTH: usize = 3;

/// Bytes that may be decoded for a window besides what its size allows: enough for a packed
/// configuration in a small file.
pub const DECODED_BYTES: usize = 256 * 1024;

/// Bytes that may be decoded for each byte of a window, all encodings and depths together. A text
/// that is base64 from end to end costs less than one; one made to be decoded in every way stops
/// here.
pub const DECODED_FACTOR: usize = 4;

/// Decoded bytes that are gathered before they are searched: many short texts are searched at
/// once, and a worker holds one such view for each depth.
pub const DECODED_BATCH_BYTES: usize = 256 * 1024;

/// Bytes of escaped text that are decoded at once behind the first escape, line or not.
pub const ESCAPED_BYTES: usize = 64 * 1024;

/// Bytes of escaped text that are decoded before the first escape: a secret's name and the longest
/// key.
pub const ESCAPED_BACK_BYTES: usize = 4 * 1024;

/// Packed streams that are looked for in one text of base64.
pub const PACKED_PER_TEXT: usize = 4;

// Pairs.

/// How far apart the halves of a pair may stand: a profile, a provider block or a service's
/// settings are shorter. Less than what a window sees beyond its edges.
pub const PAIR_BYTES: usize = 8 * 1024;
// Stores of names and values, and XML.

/// Neighbours of a value that are searched for what belongs to it, on either side: an object of a
/// credential store has a dozen members, and the search is made for every secret.
pub const STORE_NEIGHBOURS: usize = 48;

/// How deep an XML document nests before it is given up; settings stay below ten.
pub const XML_DEPTH: usize = 64;

/// Texts and attributes of one XML document. Each keeps its path.
pub const XML_VALUES: usize = 50_000;

// Literals and units.

/// How deep the brackets of a script's literals nest before the rest is given up.
pub const LITERAL_DEPTH: usize = 64;

/// Assignments of one script that are kept.
pub const LITERALS: usize = 50_000;

/// Bytes of one line of a unit or a table of jobs after its continuations are joined.
pub const JOINED_BYTES: usize = 64 * 1024;

// Content.

/// First bytes of a container that its unpacker is chosen by: most formats show in the first
/// eight, tar in the first 512.
pub const HEAD_BYTES: usize = 4096;

/// Bytes of a member that is held in memory because its format has to be read at random, or the
/// deltas and tables of one. Two workers hold two; more would not fit beside the cache.
pub const HELD_BYTES: u64 = 32 * 1024 * 1024;

/// How deep containers nest: a jar in a layer of an image in an archive that is compressed is six.
pub const CONTAINER_DEPTH: usize = 10;

/// Members of one outermost container. A docker image has some hundred thousand.
pub const MEMBERS: u64 = 2_000_000;

/// Bytes that may be unpacked of one outermost container, whatever its size.
pub const UNPACKED_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes that may be unpacked for each byte of one outermost container, besides. Logs compress a
/// hundredfold; a bomb more than a thousandfold.
pub const UNPACKED_FACTOR: u64 = 200;

/// Bytes that may be unpacked in one run for each byte that was written, besides a gigabyte.
pub const UNPACKED_RUN_FACTOR: u64 = 16;

/// Clues that are kept to the end, and the bytes they may take together.
pub const CLUES: usize = 200_000;

/// Bytes of all clues.
pub const CLUE_BYTES: usize = 32 * 1024 * 1024;

/// Names of members that are longer are cut: tar allows any length.
pub const MEMBER_NAME_BYTES: usize = 4096;

/// Bytes of an outermost container that are read at once.
pub const UNPACKED_READ_BYTES: usize = 128 * 1024;

/// Bytes of a member that are searched at once. It stays in the processor's cache behind whatever
/// unpacked it.
pub const UNPACKED_WINDOW_BYTES: usize = 512 * 1024;

// Inventory.

/// Databases, dumps and mailboxes that are told one by one.
pub const INVENTORY_STORES: usize = 10_000;

/// Tables of one database or dump that are told by name.
pub const INVENTORY_TABLES: usize = 1_000;
/// Bytes from a sector of free space on in which the end of a zip is looked for. Without one, as
/// many are read.
pub const CARVED_ZIP_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of compressed data that no file shows that may be read in one run for each byte that was
/// written. Streams that follow one another cost one; those made to lie inside each other stop
/// here.
pub const CARVED_RUN_FACTOR: u64 = 4;

/// Paths that one layer of an image of a container brings and that are remembered, to tell what it
/// replaces in those below. Each takes eight bytes.
pub const LAYER_NAMES: usize = 200_000;

/// Paths that one layer hides and that are remembered.
pub const LAYER_HIDDEN: usize = 20_000;

/// Layers on one another, and images or containers told of one layer: Docker allows 127 layers.
pub const LAYERS: usize = 128;

/// Bytes of a field of a journal that is held to be unpacked. Core dumps were kept in such fields
/// once; as they are, they may be longer.
pub const JOURNAL_FIELD_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a string of compiled Python, and of all strings of a module that are remembered.
pub const PYC_BYTES: usize = 16 * 1024 * 1024;

/// Objects of a module of compiled Python that may be referred to; the largest have some ten
/// thousand.
pub const PYC_OBJECTS: usize = 1_000_000;

/// How deep objects of compiled Python nest; Python itself stops at 2,000.
pub const PYC_DEPTH: usize = 2_000;

/// Bytes of one value in a store of Redis that are held. It allows 512 MiB.
pub const REDIS_BYTES: usize = 4 * 1024 * 1024;

/// Kilobytes that unpacking a block in xz may take: a dictionary is no longer than what it is for,
/// and blocks are short.
pub const PACKED_XZ_KILOBYTES: u32 = 32 * 1024;

/// Files of one squashfs that are listed before they are read in the order of their bytes. A
/// system has some hundred thousand.
pub const SQUASHFS_FILES: usize = 1_000_000;

/// Bytes of their paths.
pub const SQUASHFS_PATH_BYTES: usize = 32 * 1024 * 1024;

/// Blocks of 8 KiB of the metadata of a squashfs that are kept unpacked.
pub const SQUASHFS_BLOCKS: usize = 128;

/// Extended attributes of one file in a squashfs.
pub const SQUASHFS_XATTRS: usize = 256;
// Archives and compressed streams.

/// Bytes that an unpacker reads ahead, and texts that it gathers before they are searched.
pub const STREAM_BYTES: usize = 64 * 1024;

/// KiB that the dictionary of LZMA may take, its tables included: 64 MiB is what `xz -9` makes. It
/// is taken only as far as bytes are unpacked.
pub const DICTIONARY_KIB: u32 = 66 * 1024;

/// The window of Zstandard: the largest that `zstd` itself opens without being told to. It is
/// taken only as far as bytes are unpacked.
pub const ZSTD_WINDOW_BYTES: u64 = 128 * 1024 * 1024;

/// How often a compressed file is read on behind damage. Making a decoder costs more than many
/// bytes do.
pub const STREAM_RESTARTS: usize = 1_000;

/// Link targets, attributes and comments that are gathered before they are searched.
pub const NOTES: usize = 1024;

/// Bytes of an extended header of tar: attributes of a file may take 64 KiB each, and names are
/// shorter.
pub const TAR_EXTENSION_BYTES: u64 = 1024 * 1024;

/// Pieces of one sparse file in tar: a disk image of 100 GB with a hole in every megabyte. Each
/// takes 16 bytes.
pub const SPARSE_PIECES: usize = 100_000;

/// Bytes of holes of a sparse file in tar that are read as the zeros they are.
pub const SPARSE_HOLES_BYTES: u64 = 16 * 1024 * 1024;

/// Bytes of each hole that are read where there are more: nothing is found across a hole.
pub const SPARSE_HOLE_BYTES: u64 = 512;

/// Bytes of a member's name in cpio and ar: the longest path that Linux takes is shorter.
pub const ARCHIVE_NAME_BYTES: u64 = 64 * 1024;

/// Bytes of the names table of ar and of each header of rpm, which are held.
pub const ARCHIVE_TABLE_BYTES: u64 = 32 * 1024 * 1024;

/// Bytes of entries of a zip archive's directory that are held and sorted at once.
pub const ZIP_BATCH_BYTES: usize = 16 * 1024 * 1024;

/// Bytes that members of a zip archive may share with one another, besides twice its length.
pub const ZIP_SHARED_BYTES: u64 = 1024 * 1024;

/// Bytes of the header of a 7z archive, which is held.
pub const SEVENZIP_HEADER_BYTES: u64 = 32 * 1024 * 1024;

/// Files, streams and folders of a 7z archive, each of which takes some bytes while it is read.
pub const SEVENZIP_ITEMS: usize = 500_000;

/// Steps by which one stream of a 7z archive is unpacked; the format's own limit.
pub const SEVENZIP_CODERS: u64 = 32;
// Provenance.

/// Bytes of one text of a package database; the lists of the largest packages have 5 MB.
pub const PACKAGE_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// Files that packages of one filesystem may name, each with 32 bytes; a system has a few hundred
/// thousand.
pub const PACKAGE_FILES: usize = 2_000_000;

/// Bytes of paths that packages name and that are not there, which diversions may lead to.
pub const ABSENT_BYTES: usize = 16 * 1024 * 1024;

/// Packages of one filesystem.
pub const PACKAGES: usize = 200_000;

/// Diversions of one filesystem.
pub const DIVERSIONS: usize = 10_000;

/// Bytes of one header of an rpm database; those of kernels have 5 MB.
pub const RPM_HEADER_BYTES: usize = 32 * 1024 * 1024;

/// Folders of one rpm package; the largest have some ten thousand.
pub const RPM_FOLDERS: usize = 200_000;

/// Windows that came before the one a file's digest waits for, all files together. Workers that
/// take turns at one file are a window apart.
pub const DIGEST_PENDING_BYTES: usize = 8 * 1024 * 1024;

/// Bytes that are read once more, at the end, of files whose windows did not come in order and
/// whose digest matters.
pub const VERIFY_AGAIN_BYTES: u64 = 1 << 30;

/// Findings of one rule about changed, added and odd files; the rest are counted. An image whose
/// package database is of another one would have as many as files.
pub const INTEGRITY_FINDINGS: usize = 500;

/// Changed files that a report names for each filesystem.
pub const CHANGED_FILES: usize = 1_000;

/// Bytes of one line of a manifest: a path, escaped, and a digest.
pub const MANIFEST_LINE_BYTES: usize = 64 * 1024;
// SQLite.

/// Pages of a database: a terabyte of the usual ones. What was seen of them takes a bit each.
pub const SQLITE_PAGES: u32 = 1 << 28;

/// Bytes of a record's header: two for each of the most columns there can be.
pub const SQLITE_RECORD_HEADER_BYTES: usize = 64 * 1024;

/// Tables and indexes of a database.
pub const SQLITE_TABLES: usize = 10_000;

/// Columns of a table; `SQLite` itself allows 2,000 unless it was built for more.
/// Columns of a table; `SQLite` itself allows 2,000 unless it was built for more.
pub const SQLITE_COLUMNS: usize = 32_767;

/// Bytes of a `CREATE` statement. Of a longer one the columns have numbers for names.
pub const SQLITE_SQL_BYTES: u64 = 256 * 1024;

/// Words and signs of a `CREATE` statement.
pub const SQLITE_TOKENS: usize = 100_000;

/// Bytes of the name of a table or column that are kept.
pub const SQLITE_NAME_BYTES: usize = 256;

/// Bytes of a value that is searched together with others. A longer one is a member of its own.
pub const SQLITE_VALUE_BYTES: u64 = 64 * 1024;

/// Values of a database that are looked at as files, one by one. Further ones are only searched.
pub const SQLITE_FILES: usize = 4096;

/// Frames of a write-ahead log, and records of a journal: two gigabytes of the usual pages.
pub const SQLITE_FRAMES: usize = 500_000;

// Git.

/// Lines of a commit's header. An octopus of the Linux kernel has 66 parents.
pub const GIT_PARENTS: usize = 1000;

/// Bytes of a pack's index that is read. A larger one is of half a million objects.
pub const GIT_INDEX_BYTES: usize = 16 * 1024 * 1024;

/// Objects of a pack that has no index, up to which their ids are found out: 50 bytes each.
pub const GIT_NAMED_OBJECTS: u64 = 400_000;

/// Objects of a pack that are taken apart at all: 18 bytes each.
pub const GIT_OBJECTS: u64 = 2_000_000;

/// Bytes of an object that is a delta or that deltas are of, and of all that are kept at once to
/// make others of. Git makes no deltas of what has 512 MiB; sources are far shorter.
pub const GIT_OBJECT_BYTES: usize = 16 * 1024 * 1024;

/// Objects that are kept at once to make others of.
pub const GIT_KEPT: usize = 8192;

/// Deltas of deltas. Git makes 50, and 4,095 when told to.
pub const GIT_DELTA_DEPTH: usize = 4096;

/// Places where a damaged pack is tried to be read on.
pub const GIT_RESYNCS: usize = 10_000;

/// Commits whose history is followed.
pub const GIT_COMMITS: usize = 100_000;

/// Bytes of the names of all files of a repository's history.
pub const GIT_NAMES_BYTES: usize = 8 * 1024 * 1024;

/// Folders inside one another in a tree.
pub const GIT_PATH_DEPTH: usize = 128;

/// Objects that are read from outside a pack, to know what leads into it.
pub const GIT_OUTSIDE: usize = 4096;

/// Bytes of these.
pub const GIT_OUTSIDE_BYTES: usize = 64 * 1024 * 1024;

/// Refs of a repository, and the entries of its logs.
pub const GIT_REFS: usize = 20_000;

/// Bytes of a file of refs or of a log of them.
pub const GIT_REF_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of a tree, or of the header of a commit, that is kept to tell of others.
pub const GIT_CLUE_BYTES: usize = 128 * 1024;
// Images, and what is opened where it lies.

/// Bytes from a sector of free space on that are read as one compressed file, and bytes of all of
/// them that may be read besides what [`CARVED_RUN_FACTOR`] allows. Archives of whole machines are
/// larger, but are seldom deleted in one piece.
pub const CARVED_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes of a key policy. KMS takes 32 KiB at most; a file of facts may have it indented.
pub const POLICY_BYTES: usize = 256 * 1024;

/// Bytes of a file of Allowed-AMIs criteria: ten criteria of 350 values, with room to spare.
pub const CRITERIA_BYTES: u64 = 4 * 1024 * 1024;

// Hygiene.

/// Bytes of one settings file that a clean-up list asks about; a server's are a few kilobytes.
pub const SETTINGS_BYTES: usize = 1024 * 1024;

/// Settings files of one folder.
pub const SETTINGS_FILES: usize = 200;

// Rules that judge whole files.

/// Bytes of one file or member that such rules see: what runs by itself is smaller, and a longer
/// file is read twice.
pub const EXAMINED_BYTES: u64 = 64 * 1024 * 1024;

/// Seconds that matching one file may take: patterns with wide gaps can be slow on bytes made for it.
pub const EXAMINED_SECONDS: u64 = 60;

/// Places of one pattern in one file: one is enough to find it, and counts compare with a few.
pub const EXAMINED_MATCHES: usize = 10_000;

/// Characters of what a user's rule says of itself.
pub const FACT_CHARS: usize = 300;

// Unlocking.

/// Keys of a kind that are tried on one ciphertext, the nearest first. An image has one or two.
pub const UNLOCK_KEYS: usize = 64;

/// Keys of a kind among which the nearest are looked for, for every ciphertext anew.
pub const UNLOCK_KEYS_KEPT: usize = 256;

/// Ciphertexts of a kind that keys are tried on. A large Jenkins has some thousands.
pub const UNLOCK_VALUES: usize = 20_000;

/// Keys that are derived from vault passwords in one run; each takes some ten milliseconds.
pub const UNLOCK_DERIVATIONS: usize = 500;

/// Rounds of derivation that one database of a browser may cost. Browsers write one or 10,000 for
/// each of two or three keys; these take some ten milliseconds.
pub const UNLOCK_ROUNDS: u32 = 50_000;

/// Rounds of derivation that guessing the password of one keystore may cost: some milliseconds, for
/// an image may hold a store in every block. Tools write 2,048 or 10,000.
pub const GUESS_ROUNDS: u32 = 20_000;

/// Bytes of opened texts that are searched in one run, as large as all clues together.
pub const UNLOCK_BYTES: usize = 32 * 1024 * 1024;

/// Blocks that are deciphered in one database of a browser: as much as a parser is given.
pub const BROWSER_BLOCKS: usize = 1 << 19;

/// Blocks of one value of a browser: a cookie has 4,096 bytes at most.
pub const BROWSER_VALUE_BLOCKS: usize = 258;

/// How far before its value a row of a browser's database is looked for: the row's URLs.
pub const BROWSER_ROW_BYTES: usize = 2048;

/// Bytes of a web page that are looked at for a shell: they are short, and hide at the beginning of
/// longer ones.
pub const WEB_PAGE_BYTES: usize = 512 * 1024;

/// How near to what runs a program a page must read its request.
pub const WEB_SHELL_REACH: usize = 400;

/// Certificates that are read of one file: bundles of authorities have some hundreds.
pub const CERTIFICATES: usize = 1000;

/// Bytes of a kernel module that is looked into; the largest drivers of graphics cards have less.
pub const MODULE_BYTES: usize = 64 * 1024 * 1024;
