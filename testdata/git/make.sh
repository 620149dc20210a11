#!/usr/bin/env bash
# Make the repositories in this folder, with git itself: testdata/git/make.sh
#
# loose/    every object by itself: a file that was changed, a stash, an amended commit that the
#           reflog keeps, a blob that nothing keeps, an annotated tag
# packed/   the same in one pack with its index, deltas and all that nothing keeps in it
# *.bundle  what its branches and tags reach
#
# What is planted are words that only the tests' own signature looks for.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export GIT_CONFIG_NOSYSTEM=1 HOME=$work
export GIT_AUTHOR_NAME=Anna GIT_AUTHOR_EMAIL=anna@example.com
export GIT_COMMITTER_NAME=Anna GIT_COMMITTER_EMAIL=anna@example.com
clock=1700000000
tick() { clock=$((clock + 60)); export GIT_AUTHOR_DATE="$clock +0000" GIT_COMMITTER_DATE="$clock +0000"; }
plant() { echo "plant-$1-0123456789abcdef"; }

cd "$work"
git init -q -b main repo
cd repo
mkdir -p app/config
tick
echo "KEY=$(plant removed)" > app/config/.env
seq -f 'line %g of a long file that changes little' 200 > app/long.txt
git add . && git commit -qm 'Begin'
tick
echo "KEY=" > app/config/.env
{ seq -f 'line %g of a long file that changes little' 100; plant delta; seq -f 'line %g of a long file that changes little' 101 200; } > app/long.txt
echo "$(plant head)" > app/live.txt
git add . && git commit -qm "Clean up $(plant message)"
tick
sed -i /plant/d app/long.txt
echo end >> app/long.txt
git commit -qam 'Go on'
git tag -am "First $(plant tag)" v1
tick
plant amended > app/amended.txt
git add . && git commit -qm 'Too much'
tick
git rm -q --cached app/amended.txt && rm app/amended.txt
echo ok > app/ok.txt
git add . && git commit -q --amend -m 'Enough'
tick
plant stash >> app/live.txt
git stash -q
plant dangling | git hash-object -w --stdin > /dev/null

keep() {
  rm -rf "${here:?}/$1"
  mkdir -p "$here/$1"
  rm -rf .git/hooks .git/info .git/branches .git/description .git/COMMIT_EDITMSG .git/index .git/objects/info
  cp -r .git/. "$here/$1"
  find "$here/$1" -type d -empty -delete
  chmod -R u+w "$here/$1"
}
keep loose
git bundle create -q "$here/history.bundle" --branches --tags HEAD
git cat-file --batch-all-objects --batch-check='%(objectname)' \
  | git pack-objects -q --delta-base-offset --depth=10 .git/objects/pack/pack > /dev/null
git prune-packed -q
git pack-refs --all
keep packed
rm -f "$here"/packed/objects/pack/*.rev "$here"/*/ORIG_HEAD
