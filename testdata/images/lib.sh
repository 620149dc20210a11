# What the make-*.sh scripts share. Sourced; `here` is this folder.
export PLANT_SEED PLANT_STATE
export E2FSPROGS_FAKE_TIME=1763600000 MTOOLS_SKIP_CHECK=1 PYTHONDONTWRITEBYTECODE=1
ext4_extended=hash_seed=3f1c9a52-7d04-4b6e-9a11-5e0c2d7f8b03,lazy_itable_init=0,lazy_journal_init=0

# A work folder that goes when the script ends, with the name of the image to make.
begin() {
    name=$1
    work=$(mktemp -d)
    mnt=$work/mnt image=$work/$name.img
    PLANT_SEED=${PLANT_SEED:-amisweep/$name} PLANT_STATE=$work/plants.json
    mkdir "$mnt"
    trap 'mountpoint -q "$mnt" && umount "$mnt"; rm -rf "$work"' EXIT
}

plant() {
    python3 "$here/plant.py" "$@"
}

places() {
    python3 "$here/places.py" "$@"
}

# make_ext4 FILE BYTES OPTION...
make_ext4() {
    file=$1
    truncate -s "$2" "$file"
    shift 2
    mkfs.ext4 -q -b 4096 -U 3f1c9a52-7d04-4b6e-9a11-5e0c2d7f8b04 "$@" "$file"
}

mount_image() {
    mount -o "loop,noatime${2:+,$2}" "$1" "$mnt"
}

# place FILE BYTE: put a volume where it belongs in the image, holes kept.
place() {
    dd if="$1" of="$image" bs=1M oflag=seek_bytes seek="$2" conv=notrunc,sparse status=none
}

# check_ext4 BYTE BYTES: what was written raw must not have hurt the filesystem.
check_ext4() {
    dd if="$image" of="$work/check" bs=1M iflag=skip_bytes,count_bytes skip="$1" count="$2" \
        conv=sparse status=none
    e2fsck -fn "$work/check" >"$work/fsck.log" 2>&1 || { cat "$work/fsck.log"; exit 1; }
}

# The .expect file and the compressed image. The decoder in the tests holds windows up to 8 MiB.
finish() {
    plant expect "$image" "$here/$name.expect"
    zstd -q -f -19 --long=23 "$image" -o "$here/$name.img.zst"
    chmod 644 "$here/$name.img.zst"
    ls -l "$here/$name.img.zst"
}
