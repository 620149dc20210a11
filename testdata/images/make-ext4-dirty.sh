#!/bin/sh
# Makes ext4-dirty.img.zst: ext4 copied while mounted with data=journal, its journal wrapped and
# waiting to be replayed. Needs root (loop mounts), e2fsprogs, util-linux, zstd, python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
begin ext4-dirty

live=$work/live
make_ext4 "$live" $((32 << 20)) -E "$ext4_extended" -J size=4
mount_image "$live"
mkdir -p "$mnt/srv" "$mnt/var/spool"
plant text file live /srv/settled.conf 'token = <<settled github>>\n' >"$mnt/srv/settled.conf"
plant text shadowed 'slack|journal|metadata' - '# version 1\ntoken = <<shadowed github>>\n' \
    >"$mnt/srv/app.conf"
umount "$mnt"

mount_image "$live" data=journal,commit=600
# More than the journal holds, so that what follows stands across its end.
n=0
while [ $n -lt 52 ]; do
    yes "job $n" | dd of="$mnt/var/spool/job-$n" bs=128K count=1 iflag=fullblock conv=fsync status=none
    n=$((n + 1))
done
plant text replayed live /srv/app.conf '# version 2\ntoken = <<replayed github>>\n' >"$work/new"
dd if="$work/new" of="$mnt/srv/app.conf" conv=notrunc status=none
# A block that begins with the journal's own magic number is stored escaped.
plant text escaped live /srv/escaped.bin 'MMMM magic\ntoken=<<escaped npm>>\n' >"$work/new"
printf '\300\073\071\230' | dd of="$work/new" conv=notrunc status=none
cp "$work/new" "$mnt/srv/escaped.bin"
plant text file live /srv/unsettled.conf 'token = <<unsettled slack>>\n' \
    >"$mnt/srv/unsettled.conf"
plant text journal "journal|free" - 'token = <<journal-only gitlab>>\n' >"$mnt/srv/brief.conf"
# Syncing the folder commits the transaction; syncing the files would also send their blocks home.
sync "$mnt/srv"
rm "$mnt/srv/brief.conf"
sync "$mnt/srv"
cp --sparse=always "$live" "$image"
umount "$mnt"

debugfs -R logdump "$image" 2>&1 >"$work/log" || true
awk '/starts at block/ { start = $5 + 0 }
    /end of journal/ { end = $6 + 0 }
    END { exit !(end && end < start) }' "$work/log"
cp --sparse=always "$image" "$work/replay"
e2fsck -fy "$work/replay" >/dev/null 2>&1 || [ $? -eq 1 ]
e2fsck -fn "$work/replay" >/dev/null
mount_image "$work/replay" ro
plant same "$mnt" /srv/app.conf /srv/escaped.bin /srv/unsettled.conf /srv/settled.conf
test ! -e "$mnt/srv/brief.conf"
umount "$mnt"
finish
