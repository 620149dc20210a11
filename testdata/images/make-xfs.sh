#!/bin/bash
# Makes xfs-v5.img.zst and xfs-v4.img.zst and, beside each, a .list of what they hold: as the
# kernel showed it when mounted (v5), or as the tree mkfs copied (v4, which the kernel mounts no
# more). Needs root, xfsprogs, attr and zstd. Runs give equal lists and different images.
#
# A line is: kind, size, SHA-256, path[, attribute]; kinds are f, d, l, x (an attribute) and
# deleted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'umount "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/mnt"
cd "$work"

# mkfs refuses filesystems below 300 MB unless it believes a test suite calls it.
small_mkfs() { TEST_DIR=x TEST_DEV=x QA_CHECK_FS=x mkfs.xfs -q -f "$@"; }

text() { # seed, bytes: text that differs everywhere and compresses well
  awk -v seed="$1" -v bytes="$2" 'BEGIN {
    for (n = 0; len < bytes; n++) { s = "line " n " of " seed "\n"; len += length(s); printf "%s", s }
  }' | head -c "$2"
}

populate() { # directory
  cd "$1"
  mkdir -p etc home/user/.ssh many deep/a/b/c/d/e/f/g
  for size in 0 1 100 4095 4096 4097 70000; do text "$size" "$size" > "etc/size-$size"; done
  for n in $(seq 1 400); do echo "$n" > "many/file-with-a-name-$n"; done
  text deep 500 > deep/a/b/c/d/e/f/g/here
  text key 1600 > home/user/.ssh/id_test
  text name 40 > "Ünïcödé"
  ln -s etc/size-100 short-link
  ln -s "$(printf 'x%.0s' $(seq 1 900))" long-link
  cd "$work"
}

list() { # directory
  (cd "$1" && find . -mindepth 1 | LC_ALL=C sort | while IFS= read -r path; do
    name=${path#.}
    if [ -L "$path" ]; then
      echo "l $(readlink -n "$path" | wc -c) $(readlink -n "$path" | sha256sum | cut -c1-64) $name"
    elif [ -d "$path" ]; then
      echo "d 0 - $name"
    else
      echo "f $(stat -c %s "$path") $(sha256sum < "$path" | cut -c1-64) $name"
    fi
    getfattr -h -m - --absolute-names "$path" 2>/dev/null | grep -v '^#' | grep . | while read -r key; do
      value() { getfattr -h --only-values --absolute-names -n "$key" "$path"; }
      echo "x $(value | wc -c) $(value | sha256sum | cut -c1-64) $name $key"
    done || true
  done)
}

# Version 5, filled by the kernel.
truncate -s 32M v5.img
small_mkfs -m reflink=1,rmapbt=1,bigtime=1 -i nrext64=1 v5.img
mount -o loop,noatime v5.img mnt
populate mnt
ln mnt/etc/size-100 mnt/etc/second-name
text sparse 4096 | dd of=mnt/sparse bs=4096 seek=100 status=none
truncate -s 2000000 mnt/sparse
xfs_io -f -c 'falloc 0 100000' -c 'pwrite -q -S 0x41 20000 5000' mnt/unwritten
setfattr -n user.short -v value mnt/etc/size-1
setfattr -n trusted.root -v only mnt/etc/size-1
setfattr -n user.large -v "$(text attribute 9000)" mnt/etc/size-1
for n in $(seq 1 60); do setfattr -n "user.number-$n" -v "$(text "$n" 100)" mnt/etc/size-0; done
mkdir mnt/secrets
for n in 1 2 3; do text "secret $n" $((n * 3000)) > "mnt/secrets/token-$n"; done
for n in $(seq 1 30); do echo kept > "mnt/secrets/kept-$n"; done
umount mnt
mount -o loop,noatime v5.img mnt
list mnt | grep '^f .* /secrets/token' | sed 's/^f/deleted/' > gone.list
rm mnt/secrets/token-*
umount mnt
mount -o loop,ro,noatime v5.img mnt
{ list mnt; cat gone.list; } > "$here/xfs-v5.list"
umount mnt
zstd -q -f -19 --long=25 v5.img -o "$here/xfs-v5.img.zst"

# Version 4, copied by mkfs from a tree.
mkdir tree
populate tree
list tree > "$here/xfs-v4.list"
proto() {
  local path name
  for path in "$1"/* "$1"/.[!.]*; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    name=${path##*/}
    if [ -L "$path" ]; then echo "$name l--777 0 0 $(readlink "$path")"
    elif [ -d "$path" ]; then echo "$name d--755 0 0"; proto "$path"; echo '$'
    else echo "$name ---644 0 0 $path"
    fi
  done
}
{ echo /dev/null; echo 0 0; echo d--755 0 0; proto tree; echo '$'; } > v4.proto
truncate -s 32M v4.img
small_mkfs -m crc=0 -p v4.proto v4.img
zstd -q -f -19 --long=25 v4.img -o "$here/xfs-v4.img.zst"
ls -l "$here"/xfs-*
