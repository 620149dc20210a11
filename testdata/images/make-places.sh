#!/bin/sh
# Makes places.img.zst and places.expect: a disk with a secret in every kind of place that hides one,
# 144 and more, by the tools that make such places. make-places.sh ext4|xfs FOLDER puts an image
# places.img of that filesystem and its list into the folder instead.
# Needs root (loop mounts), e2fsprogs, xfsprogs, gdisk, dosfstools, mtools, util-linux, zstd, python3,
# gdb (gcore), git, gzip, bzip2, xz-utils, squashfs-tools, tar, zip.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
begin places
fs=${1:-ext4} folder=${2:-}

# BIOS boot, a small FAT16 system partition, an unpartitioned megabyte, swap, the root.
boot=$((2048 * 512)) esp=$((4096 * 512)) gap=$((36864 * 512)) swap=$((38912 * 512)) root=$((47104 * 512))
esp_bytes=$((32768 * 512)) swap_bytes=$((8192 * 512))
mib=$(((${PLACES_LOG_MIB:-3} + 16) * 4))
[ "$fs" = ext4 ] || mib=$((mib + 320))
root_bytes=$((mib << 20))
truncate -s $((root + root_bytes + (1 << 20))) "$image"
sgdisk -n 14:2048:4095 -t 14:ef02 -n 15:4096:36863 -t 15:ef00 -n 2:38912:47103 -t 2:8200 \
    -n 1:47104:$((47103 + root_bytes / 512)) -t 1:8300 "$image" >/dev/null

truncate -s $esp_bytes "$work/esp"
mkfs.vfat -F 16 -n UEFI -i 5EED0003 "$work/esp" >/dev/null
mmd -i "$work/esp" ::/EFI ::/EFI/debian
plant text file live /EFI/debian/grub.cfg \
    'set timeout=0\nlinux /vmlinuz ds=nocloud token=<<esp github>>\n' >"$work/grub.cfg"
mcopy -i "$work/esp" "$work/grub.cfg" ::/EFI/debian/grub.cfg
place "$work/esp" $esp

if [ "$fs" = ext4 ]; then
    make_ext4 "$work/root" $root_bytes -L rootfs -E "$ext4_extended" -J size=4
else
    truncate -s $root_bytes "$work/root"
    mkfs.xfs -q -L rootfs "$work/root"
fi
mount_image "$work/root"
plant tree "$mnt"
plant layout "$mnt" $root
places files "$mnt" $root
plant late "$mnt" $root
places late "$mnt"
plant map "$mnt" $root
umount "$mnt"
mount_image "$work/root"
plant forget "$mnt"
places forget "$mnt"
umount "$mnt"
[ "$fs" != ext4 ] || plant inode "$work/root" $root symlink xattr
place "$work/root" $root

truncate -s $swap_bytes "$work/swap"
mkswap -q -U 3f1c9a52-7d04-4b6e-9a11-5e0c2d7f8b06 "$work/swap"
place "$work/swap" $swap
places memory $swap
plant raw gap gap $((gap + 123456)) '\nTOKEN=<<gap gitlab>>\n'
plant raw mbr-gap gap $((64 * 512 + 77)) '\nTOKEN=<<mbr-gap github>>\n'
plant raw bios-boot gap $((boot + 300000)) '\nTOKEN=<<bios-boot github>>\n'
plant raw swap swap $((swap + 21 * 4096 + 1234)) 'PATH=/usr/bin\nSENDGRID_API_KEY=<<swap sendgrid>>\n'
plant raw swap swap $((swap + 300 * 4096 + 99)) '\nGITHUB_TOKEN=<<swap-2 github>>\n'
plant write "$image"
[ "$fs" != ext4 ] || check_ext4 $root $root_bytes

if [ -n "$folder" ]; then
    plant expect "$image" "$folder/places.expect"
    cp --sparse=always "$image" "$folder/places.img"
else
    finish
fi
