#!/usr/bin/env bash
# Makes the squashfs files beside it with mksquashfs (Debian: squashfs-tools 4.5.1, attr), as root.
# They hold no secret: the tests put one in the place of the forty X in stored.squashfs.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/tree/etc" "$work/tree/var/empty" "$work/tree/opt"
cd "$work/tree"
printf 'GITHUB_TOKEN=%s\n' XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX >etc/app.env
chmod 640 etc/app.env
seq 1 3000 >var/numbers
truncate -s 20000 var/hole
printf end >>var/hole
ln var/numbers opt/again
ln -s ../etc/app.env opt/link
mkfifo var/pipe
setfattr -n user.note -v 'an attribute' etc/app.env
chown 1000 etc/app.env
make() {
    rm -f "$here/$1.squashfs"
    mksquashfs . "$here/$1.squashfs" -quiet -no-progress -nopad -b 4096 -processors 1 \
        -all-time 1700000000 -mkfs-time 1700000000 "${@:2}"
}
make gzip -comp gzip
make xz -comp xz
make lz4 -comp lz4
make zstd -comp zstd -Xcompression-level 3
make lzo -comp lzo
make stored -noI -noD -noF -noX
