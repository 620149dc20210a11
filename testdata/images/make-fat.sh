#!/bin/sh
# Makes fat12, fat16 and fat32.img.zst, and beside each the list of what mtools copies out of it.
# Needs mkfs.fat, mtools and zstd. The result is the same on every run.
set -eu
export LC_ALL=C.UTF-8 TZ=UTC MTOOLS_SKIP_CHECK=1 SOURCE_DATE_EPOCH=1709251199
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

lines() { seq -f "$1 %g" 1 "$2"; }

populate() {
    image=$1
    mmd -i "$image" ::/EFI ::/EFI/BOOT "::/EFI/a directory with a long name" ::/gone
    cd "$work"
    : >empty
    printf 'short\n' >one
    lines "boot loader" 3000 >BOOTX64.EFI
    lines "configuration" 40 >grub.cfg
    lines "piece" 2000 >pieces
    lines "deleted" 500 >deleted
    lines "filler" 300 >filler
    touch -d '2024-02-29T23:59:58Z' empty one BOOTX64.EFI grub.cfg pieces deleted filler
    put() { mcopy -m -i "$image" "$1" "$2"; }
    put BOOTX64.EFI ::/EFI/BOOT/BOOTX64.EFI
    put grub.cfg ::/EFI/BOOT/grub.cfg
    put empty ::/empty.txt
    put one "::/a name that takes more than thirteen characters.txt"
    put one "::/exactly13char"
    put one "::/ünïcödé – 日本.txt"
    put grub.cfg "::/EFI/a directory with a long name/MixedCase.Cfg"
    i=0
    while [ $i -lt 40 ]; do put one "::/EFI/a directory with a long name/file number $i"; i=$((i + 1)); done
    # Holes of one file each, which the next large file fills: it lies in pieces.
    i=0
    while [ $i -lt 8 ]; do put filler "::/filler$i"; i=$((i + 1)); done
    for i in 1 3 5; do mdel -i "$image" "::/filler$i"; done
    # FAT32 notes where to look next; the holes lie before.
    if [ "$name" = fat32 ]; then
        printf '\003\0\0\0' | dd of="$image" bs=1 seek=$((512 + 492)) conv=notrunc status=none
    fi
    put pieces ::/pieces.log
    # What was deleted last keeps its bytes.
    put deleted "::/gone/a deleted file with a long name.txt"
    put deleted ::/GONE.TXT
    mdel -i "$image" "::/gone/a deleted file with a long name.txt" ::/GONE.TXT
    mrd -i "$image" ::/gone
}

make() {
    name=$1 sectors=$2
    shift 2
    image=$work/$name.img
    truncate -s $((sectors * 512)) "$image"
    mkfs.fat --invariant -i a5a5a5a5 -n AMISWEEP "$@" "$image" >/dev/null
    populate "$image"
    mkdir "$work/$name"
    mcopy -s -n -i "$image" ::/ "$work/$name/"
    (cd "$work/$name" && find . -type f -exec sha256sum {} + | sed 's|  \./|  /|' | sort -k 2) >"$here/$name.list"
    zstd -q -19 -f "$image" -o "$here/$name.img.zst"
}

make fat12 2880 -F 12 -s 1 -r 224
make fat16 20480 -F 16 -s 2
make fat32 68000 -F 32 -s 1
