#!/bin/sh
# Makes a small tree that the real rpm installed two packages into: make-rpm.sh TREE STORE, where
# STORE is the path of the database in the tree. Needs rpm, rpmbuild and, for Berkeley DB, which rpm
# itself can no longer write, db5.3-util and python3.
set -eu
tree=$1 store=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat >"$work/one.spec" <<'EOF'
Name: one
Version: 1
Release: 1
Summary: a package of the tests
License: none
BuildArch: noarch
%description
A package of the tests.
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/etc %{buildroot}/usr/share/one
printf '\177ELF one\n' >%{buildroot}/usr/bin/one
printf 'level = 1\n' >%{buildroot}/etc/one.conf
i=0
while [ $i -lt 300 ]; do echo "text $i" >%{buildroot}/usr/share/one/a-file-with-a-long-name-$i; i=$((i+1)); done
ln -s one %{buildroot}/usr/bin/uno
%files
%attr(4755,root,root) /usr/bin/one
/usr/bin/uno
%config(noreplace) /etc/one.conf
/usr/share/one
EOF
cat >"$work/two.spec" <<'EOF'
Name: two
Version: 1
Release: 1
Summary: a package of the tests
License: none
BuildArch: noarch
%description
A package of the tests.
%install
mkdir -p %{buildroot}/usr/bin
printf '\177ELF two\n' >%{buildroot}/usr/bin/two
%files
%attr(755,root,root) /usr/bin/two
EOF
for spec in one two; do
    rpmbuild -bb --quiet --define "_topdir $work/build" --define '_build_id_links none' \
        --define '__os_install_post %{nil}' --define '_source_filedigest_algorithm 8' \
        --define '_binary_filedigest_algorithm 8' "$work/$spec.spec" >/dev/null 2>&1
done
folder=/$(dirname "$store")
rpm --root "$tree" --dbpath "$folder" --define '_db_backend sqlite' --nodeps --noscripts \
    --nosignature -i "$work"/build/RPMS/noarch/*.rpm >/dev/null 2>&1
case $store in
*/Packages)
    # The rows of the table, as Berkeley DB's own tool loads them.
    cat >"$work/rows.py" <<'EOF'
import sqlite3, sys
rows = sqlite3.connect(sys.argv[1].replace("Packages", "rpmdb.sqlite")).execute("select hnum, blob from Packages")
print("VERSION=3\nformat=bytevalue\ntype=hash\ndb_pagesize=4096\nHEADER=END")
print(" 00000000\n 02000000")
for number, blob in rows:
    print(" " + number.to_bytes(4, "little").hex() + "\n " + bytes(blob).hex())
print("DATA=END")
EOF
    python3 "$work/rows.py" "$tree/$store" | db5.3_load "$tree/$store"
    rm -f "$tree"/var/lib/rpm/rpmdb.sqlite*
    ;;
esac
