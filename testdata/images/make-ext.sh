#!/bin/bash
# Make the ext images beside this script, and the list of what the kernel sees in each.
# Needs root, e2fsprogs, loop devices, zstd. Run it in this directory.
set -euo pipefail
work=$(mktemp -d)
trap 'umount -l "$work/mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
mkdir "$work/mnt"

# list IMAGE NAME: path, type, size and SHA-256 (of the target, for a link) of every file.
list() {
  cp "$1" "$work/listed"
  mount -o loop "$work/listed" "$work/mnt"
  (cd "$work/mnt" && find . -mindepth 1 | LC_ALL=C sort | while IFS= read -r path; do
    if [ -L "$path" ]; then
      printf 'l %s %s %s\n' "$(readlink -n "$path" | wc -c)" "$(readlink -n "$path" | sha256sum | cut -c1-64)" "${path#.}"
    elif [ -f "$path" ]; then
      printf 'f %s %s %s\n' "$(stat -c %s "$path")" "$(sha256sum < "$path" | cut -c1-64)" "${path#.}"
    elif [ -d "$path" ]; then
      printf 'd 0 - %s\n' "${path#.}"
    else
      printf 's 0 - %s\n' "${path#.}"
    fi
  done
  python3 - << 'END'
import hashlib, os
for top, folders, files in sorted(os.walk(".")):
    for name in sorted(folders + files):
        path = os.path.join(top, name)
        for key in sorted(os.listxattr(path, follow_symlinks=False)):
            value = os.getxattr(path, key, follow_symlinks=False)
            print("x", len(value), hashlib.sha256(value).hexdigest(), path[1:] + "\t" + key)
END
  ) > "$2.list"
  umount "$work/mnt"
}

fill() {
  cd "$work/mnt"
  mkdir -p etc home/user/.ssh var/log dir
  echo "root:x:0:0:root:/root:/bin/sh" > etc/passwd
  seq 1 4000 > var/log/numbers.log
  ln -s numbers.log var/log/current
  ln -s "$(printf 'long/%.0s' $(seq 1 30))" home/user/long-link
  ln etc/passwd home/user/passwd
  printf 'x%.0s' $(seq 1 60) > dir/60
  printf 'y%.0s' $(seq 1 61) > dir/61
  for i in $(seq 1 120); do echo "file $i" > "dir/a-file-with-a-long-name-$i"; done
  truncate -s 3M dir/sparse
  printf end >> dir/sparse
  printf middle | dd of=dir/sparse bs=1 seek=1500000 conv=notrunc status=none
  mkfifo dir/pipe
  python3 -c 'import os
os.setxattr("etc/passwd", "user.note", b"in the inode")
os.setxattr("dir", "user.long", b"in a block of its own " * 20)'
  cd - > /dev/null
}

# make NAME MEGABYTES MKFS-OPTIONS...
make() {
  name=$1 size=$2
  shift 2
  truncate -s "${size}M" "$work/image"
  mkfs.ext4 -q -F -U 6a1c2b3d-0000-4000-8000-000000000001 -E hash_seed=6a1c2b3d-0000-4000-8000-000000000002 "$@" "$work/image"
  mount -o loop "$work/image" "$work/mnt"
  fill
  umount "$work/mnt"
}

keep() {
  list "$work/image" "$1"
  zstd -q -19 -f "$work/image" -o "$1.img.zst"
  rm "$work/image"
}

make ext4-small 8
keep ext4-small

# Files deleted by a tool that leaves the block numbers, as old kernels did. Two groups, so that there is a backup of the superblock.
make ext2-1k 10 -t ext2 -b 1024
seq 5000 6000 > "$work/text"
debugfs -w -R "write $work/text gone.txt" "$work/image" > /dev/null 2>&1
debugfs -w -R 'rm /gone.txt' "$work/image" > /dev/null 2>&1
keep ext2-1k

make ext4-inline-data 8 -O inline_data -I 512
keep ext4-inline-data

# Copied while mounted: the newest files are in the journal only, and one is unlinked but open.
truncate -s 8M "$work/image"
mkfs.ext4 -q -F -b 1024 -J size=1 "$work/image"
mount -o loop,commit=3000,data=journal "$work/image" "$work/mnt"
fill
exec 9> "$work/mnt/unlinked"
echo 'still open' >&9
sync -f "$work/mnt"
rm "$work/mnt/unlinked"
for i in $(seq 1 60); do
  printf '\xc0\x3b\x39\x98 begins like a journal block %s' "$i" > "$work/mnt/dir/late-$i"
  sync "$work/mnt/dir/late-$i"
  if [ $((i % 4)) = 0 ]; then rm "$work/mnt/dir/late-$((i - 1))"; fi
done
cp "$work/image" "$work/copy"
exec 9>&-
umount "$work/mnt"
mv "$work/copy" "$work/image"
keep ext4-pending
ls -l ./*.zst
