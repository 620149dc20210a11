#!/bin/sh
# Makes testdata/provenance/dpkg: a small tree that the real dpkg installed four packages into, with
# configuration, a diversion and a merged /usr. Needs dpkg and fakeroot.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root

package() { # name, then files are in $work/$name
    mkdir -p "$work/$1/DEBIAN"
    cat >"$work/$1/DEBIAN/control" <<EOF
Package: $1
Version: 1.0
Architecture: all
Maintainer: Nobody <nobody@example.org>
Description: a package of the tests
EOF
    (cd "$work/$1" && find . -path ./DEBIAN -prune -o -type f -printf '%P\n' | sort |
        xargs md5sum >DEBIAN/md5sums)
    dpkg-deb --root-owner-group --build "$work/$1" "$work/$1.deb" >/dev/null
}

mkdir -p "$work/one/bin" "$work/one/etc" "$work/one/usr/share/one" "$work/one/usr/lib/systemd/system"
printf '\177ELF one\n' >"$work/one/bin/one"
printf 'level = 1\n' >"$work/one/etc/one.conf"
printf 'kept = 1\n' >"$work/one/etc/kept.conf"
printf 'text of one\n' >"$work/one/usr/share/one/text"
: >"$work/one/usr/share/one/empty"
printf '[Service]\nExecStart=/bin/one\n' >"$work/one/usr/lib/systemd/system/one.service"
mkdir -p "$work/one/DEBIAN"
printf '/etc/one.conf\n/etc/kept.conf\n' >"$work/one/DEBIAN/conffiles"
package one
mkdir -p "$work/two/usr/bin" "$work/two/usr/share/two"
printf '#!/bin/sh\necho two\n' >"$work/two/usr/bin/two"
printf 'text of two\n' >"$work/two/usr/share/two/text"
package two
# What it has under that name goes elsewhere: three diverts it.
mkdir -p "$work/three/usr/bin"
printf '\177ELF three\n' >"$work/three/usr/bin/two"
package three
mkdir -p "$work/gone/etc"
printf 'gone = 1\n' >"$work/gone/etc/gone.conf"
mkdir -p "$work/gone/DEBIAN"
printf '/etc/gone.conf\n' >"$work/gone/DEBIAN/conffiles"
package gone

mkdir -p "$root/usr/bin" "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates"
ln -s usr/bin "$root/bin"
: >"$root/var/lib/dpkg/status"
: >"$root/var/lib/dpkg/available"
install() {
    fakeroot dpkg --root="$root" --force-script-chrootless --force-not-root --log=/dev/null "$@" \
        >/dev/null
}
install -i "$work/one.deb" "$work/two.deb" "$work/gone.deb"
fakeroot dpkg-divert --root "$root" --package three --rename --add /usr/bin/two >/dev/null
install -i "$work/three.deb"
install -r gone
rm -rf dpkg
mkdir dpkg
rm -f "$root"/var/lib/dpkg/*-old "$root"/var/lib/dpkg/lock* "$root"/var/lib/dpkg/triggers/Lock
(cd "$root" && tar -c bin usr etc var/lib/dpkg/status var/lib/dpkg/diversions var/lib/dpkg/info) |
    tar -x -C dpkg
