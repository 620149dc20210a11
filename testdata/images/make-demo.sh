#!/bin/sh
# Makes demo.img.zst and demo.expect: a small cloud server's disk with secrets in every kind of
# place. Needs root (loop mounts), e2fsprogs, gdisk, dosfstools, mtools, util-linux, zstd, python3.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"
begin demo

# BIOS boot, a FAT32 system partition, an unpartitioned megabyte, the root, swap.
boot=$((2048 * 512)) esp=$((4096 * 512)) root=$((79872 * 512)) swap=$((210944 * 512))
gap=$((77824 * 512)) esp_bytes=$((73728 * 512)) root_bytes=$((131072 * 512))
truncate -s $((221184 * 512)) "$image"
sgdisk -n 14:2048:4095 -t 14:ef02 -n 15:4096:77823 -t 15:ef00 -n 1:79872:210943 -t 1:8300 \
    -n 2:210944:219135 -t 2:8200 -U 3f1c9a52-7d04-4b6e-9a11-5e0c2d7f8b01 "$image" >/dev/null

truncate -s $esp_bytes "$work/esp"
mkfs.vfat -F 32 -s 1 -n UEFI -i 5EED0001 "$work/esp" >/dev/null
mmd -i "$work/esp" ::/EFI ::/EFI/BOOT ::/EFI/ubuntu
plant text file live /EFI/ubuntu/grub.cfg \
    'set timeout=0\nlinux /vmlinuz ds=nocloud token=<<esp github>>\n' >"$work/grub.cfg"
plant text deleted 'free|deleted' - 'user=svc\ntoken=<<esp-deleted github>>\n' >"$work/old.cfg"
mcopy -i "$work/esp" "$work/grub.cfg" ::/EFI/ubuntu/grub.cfg
mcopy -i "$work/esp" "$work/old.cfg" ::/EFI/BOOT/old.cfg
mdel -i "$work/esp" ::/EFI/BOOT/old.cfg
place "$work/esp" $esp

make_ext4 "$work/root" $root_bytes -L rootfs -E "$ext4_extended" -J size=4
mount_image "$work/root"
plant tree "$mnt"
plant layout "$mnt" $root
plant late "$mnt" $root
plant map "$mnt" $root
umount "$mnt"
mount_image "$work/root"
plant forget "$mnt"
umount "$mnt"
plant inode "$work/root" $root symlink xattr
place "$work/root" $root

truncate -s $((8192 * 512)) "$work/swap"
mkswap -q -U 3f1c9a52-7d04-4b6e-9a11-5e0c2d7f8b02 "$work/swap"
place "$work/swap" $swap

plant raw bios-boot gap $((boot + 300000)) '\nTOKEN=<<bios-boot github>>\n'
plant raw gap gap $((gap + 123456)) '\nTOKEN=<<gap gitlab>>\n'
plant raw mbr-gap gap $((64 * 512 + 77)) '\nTOKEN=<<mbr-gap github>>\n'
plant raw swap swap $((swap + 21 * 4096 + 1234)) 'PATH=/usr/bin\nSENDGRID_API_KEY=<<swap sendgrid>>\n'
plant raw swap-pair swap $((swap + 300 * 4096 + 99)) '\nGITHUB_TOKEN=<<swap-2 github>>\n'
plant tail esp '\nTOKEN=<<esp-slack github>>\n' "$image"
plant write "$image"

check_ext4 $root $root_bytes
dd if="$image" of="$work/esp" bs=1M iflag=skip_bytes,count_bytes skip=$esp count=$esp_bytes status=none
fsck.vfat -n "$work/esp" >/dev/null
finish
