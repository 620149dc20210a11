#!/bin/sh
# Makes ext4-inline.img.zst: ext4 that keeps small files inside their inodes.
# Needs root (loop mounts), e2fsprogs, util-linux, zstd, python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
begin ext4-inline

make_ext4 "$image" $((16 << 20)) -O inline_data -I 256 -E "$ext4_extended" -J size=4
mount_image "$image"
mkdir -p "$mnt/etc" "$mnt/srv/app"
# 60 bytes fit the inode itself, the rest goes into an attribute: the second token lies across both.
plant text inline live /etc/token 't=<<inline github>>\n' >"$mnt/etc/token"
plant text inline-split live /srv/app/.env 'APP_ENV=production\nGITHUB_TOKEN=<<inline-split github>>\n' \
    >"$mnt/srv/app/.env"
plant text file live /srv/app/long.conf \
    '# outgrew its inode long ago and lives in a block of its own since\n# so it does\n\n\n\n\n\nslack = <<outgrown slack>>\n' \
    >"$mnt/srv/app/long.conf"
plant text inline-deleted 'metadata|journal|free|deleted|slack' - 'k=<<inline-deleted npm>>\n' \
    >"$mnt/srv/app/old"
plant text inline-overwritten 'journal|metadata|slack' - 'k=<<inline-cut gitlab>> and more\n' \
    >"$mnt/srv/app/cut"
sync
plant map "$mnt" 0
rm "$mnt/srv/app/old"
truncate -s 2 "$mnt/srv/app/cut"
umount "$mnt"
debugfs -R "stat /etc/token" "$image" 2>/dev/null | grep -q 'Size of inline data' || exit 1
plant inode "$image" 0 inline inline-split
check_ext4 0 $((16 << 20))
finish
