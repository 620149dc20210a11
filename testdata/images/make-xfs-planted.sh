#!/bin/sh
# Makes xfs-planted.img.zst: XFS version 5 on the whole disk, cleanly unmounted.
# Needs root (loop mounts), xfsprogs, util-linux, zstd, python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
begin xfs-planted

truncate -s 320M "$image"
mkfs.xfs -q -L data -m uuid=3f1c9a52-7d04-4b6e-9a11-5e0c2d7f8b05 "$image"
mount_image "$image"
plant tree "$mnt"
plant layout "$mnt" 0
plant late "$mnt" 0
plant map "$mnt" 0
umount "$mnt"
mount_image "$image"
plant forget "$mnt"
umount "$mnt"
plant write "$image"
xfs_repair -n "$image" >"$work/repair.log" 2>&1 || { cat "$work/repair.log"; exit 1; }
finish
