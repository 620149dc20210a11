#!/usr/bin/env python3
"""Plants synthetic secrets in a disk image and writes down where they are.

The make-*.sh scripts call it step by step; between the steps it keeps its list in the JSON file
named by PLANT_STATE. All tokens come from PLANT_SEED.

  tree DIR                           the files of a small server
  layout MOUNT BASE                  files whose place on the disk matters; BASE is the volume's
                                     first byte in the image
  late MOUNT BASE                    files that will be deleted
  forget MOUNT                       delete them
  map MOUNT BASE                     where the bytes of the planted live files lie
  text PLACE STATE PATH TEMPLATE     print a file's content, for tools that copy it in
  raw PLACE STATE AT TEMPLATE        plant outside any filesystem, at byte AT of the image
  tail NEAR TEMPLATE IMAGE           plant 40 bytes behind the end of the small file that holds NEAR
  inode VOLUME BASE ID...            where tokens kept inside an ext4 inode lie
  same MOUNT PATH...                 check that these files hold their tokens
  write IMAGE                        do what can only be done to the finished image
  expect IMAGE FILE                  check the image, and write the .expect file
"""

import base64
import fcntl
import gzip
import hashlib
import json
import os
import re
import struct
import subprocess
import sys

import tokens
import tree

SEED = os.environ.get("PLANT_SEED", "")
STATE = os.environ.get("PLANT_STATE", "")
IMAGE_BLOCK = 512 * 1024
BLOCK = 4096
PLACEHOLDER = re.compile(r"<<([-!=~?]?)(\S+) (\S+)>>")
HEADER = """\
# What stands in the image beside this file. One line each:
#   find ID kind=PLACE path=PATH state=STATES sha256=HASHES offset=N image=RUNS
#       must be among the findings: any of these hashes of the secret's bytes, at a place with this
#       path (- where there is none), any of these states, this offset in its file, and these
#       start+length runs of the image (- where that is open, packed where the bytes do not stand
#       there as they are)
#       member=CHAIN, where there is one: the end of the locator that leads into the file, without its
#       offset; * is anything
#   seen ID path=PATH   something must be reported at this path
#   decoy ID sha256=HASH   must not be among the findings
#   later ID sha256=HASH is=NOW   a known fault: a secret that is missed, a decoy that is reported;
#       the day it is mended, the line becomes a find or a decoy
"""


class Plants:
    """The list, kept between the steps."""

    def __init__(self):
        try:
            with open(STATE, encoding="utf-8") as file:
                self.all = json.load(file)
        except FileNotFoundError:
            self.all = {"find": {}, "seen": {}, "decoy": {}, "later": {}, "raw": []}

    def save(self):
        with open(STATE, "w", encoding="utf-8") as file:
            json.dump(self.all, file)

    def find(self, name, kind, place, **known):
        assert name not in self.all["find"], name
        entry = {"kind": kind, "place": place, "path": None, "state": "live"}
        entry |= {"offset": None, "runs": None} | known
        self.all["find"][name] = entry
        return entry

    def fill(self, template, place, path=None, state="live"):
        """The text of a template; its tokens go on the list."""
        out, end = "", 0
        for hole in PLACEHOLDER.finditer(template):
            out += template[end : hole.start()]
            mark, name, kind = hole.groups()
            token = tokens.make(SEED, name, kind)
            if mark == "!":
                self.all["decoy"][name] = kind
            elif mark in ("~", "?"):
                self.all["later"][name] = kind, "missed" if mark == "~" else "reported"
            elif mark == "=":
                self.all["seen"][name] = path
            elif mark == "":
                offset = len(out.encode()) if path else None
                self.find(name, kind, place, path=path, state=state, offset=offset)
            out, end = out + token, hole.end()
        return out + template[end:]

    def raw(self, at, template, place, state, path=None, offset=None):
        """Bytes for the finished image, and where their token will stand."""
        name, kind = PLACEHOLDER.search(template).group(2, 3)
        lead = len(template[: template.index("<<")].encode())
        text = self.fill(template, place, path, state)
        entry = self.all["find"][name]
        entry["offset"] = None if offset is None else offset + lead
        entry["runs"] = [[at + lead, len(tokens.make(SEED, name, kind))]]
        self.all["raw"].append([at, text])


def hashes(name, kind):
    """SHA-256 of what a report may call the secret: the token, or the password inside it."""
    token = tokens.make(SEED, name, kind)
    forms = [token]
    if kind == "postgres-url":
        forms.append(token.split(":")[2].split("@")[0])
    if kind == "docker-auth":
        pair = base64.b64decode(token).decode()
        forms += [pair, pair.split(":")[1]]
    return "|".join(hashlib.sha256(form.encode()).hexdigest() for form in forms)


def extents(path):
    """(logical, physical, length, flags) of every extent, as FIEMAP tells."""
    with open(path, "rb") as file:
        head = struct.pack("=QQIIII", 0, 1 << 62, 1, 0, 64, 0)
        answer = bytearray(head + bytes(56 * 64))
        fcntl.ioctl(file, 0xC020660B, answer)
    count = struct.unpack_from("=I", answer, 20)[0]
    found = []
    for n in range(count):
        logical, physical, length = struct.unpack_from("=QQQ", answer, 32 + 56 * n)
        found.append((logical, physical, length, struct.unpack_from("=I", answer, 32 + 56 * n + 40)[0]))
    return found


def physical_runs(path, offset, length, base):
    """The image's runs that hold a file's bytes, or nothing for inline data."""
    runs = []
    for logical, physical, size, flags in extents(path):
        low, high = max(offset, logical), min(offset + length, logical + size)
        if low < high and not flags & 0x200:
            start = base + physical + low - logical
            if runs and sum(runs[-1]) == start:
                runs[-1][1] += high - low
            else:
                runs.append([start, high - low])
    return runs if sum(run[1] for run in runs) == length else None


def put(path, data, mode=0o644, at=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "r+b" if at is not None else "wb") as file:
        file.seek(at or 0)
        file.write(data if isinstance(data, bytes) else data.encode())
        file.flush()
        os.fsync(file.fileno())
    os.chmod(path, mode)


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def make_tree(plants, root):
    for path, (mode, data) in tree.filler().items():
        put(root + path, data, mode)
    for path, (mode, template) in tree.PLANTED.items():
        put(root + path, plants.fill(template, "file", path), mode)
    cloud = "/var/lib/cloud/instances/i-0f3a5b7c9d1e2f304/user-data.txt"
    hidden = gzip.compress(plants.fill(tree.HIDDEN_FILE, "gzip-base64", cloud).encode(), mtime=0)
    plants.all["find"]["userdata-gzip"]["offset"] = None  # of the decoded text
    text = plants.fill(tree.USER_DATA, "user-data", cloud)
    put(root + cloud, text.replace("@gzip@", base64.b64encode(hidden).decode()), 0o600)
    wide = "/home/ubuntu/Desktop/keys.txt"
    text = plants.fill("\ufefftoken for the build server\r\n<<utf16 github>>\r\n", "utf-16", wide)
    put(root + wide, text.encode("utf-16-le"))
    coded = "/srv/shop/k8s/secret.yaml"
    value = base64.b64encode(plants.fill("token: <<base64 github>>\n", "base64", coded).encode()).decode()
    for name in ("utf16", "base64"):
        plants.all["find"][name]["offset"] = None  # of the decoded text
    put(root + coded, f"apiVersion: v1\nkind: Secret\ndata:\n  app.yaml: {value}\n")
    for home in ("/home/ubuntu",):
        for folder, _, files in os.walk(root + home):
            for entry in (folder, *(os.path.join(folder, f) for f in files)):
                os.lchown(entry, 1000, 1000)


def layout(plants, root, base):
    folder = "/var/lib/shop"
    lines = b"".join(b"GET /item/%06d 200\n" % n for n in range(3000))
    path = folder + "/split.log"
    put(root + path, lines[: 10 * BLOCK])
    run("fallocate", "--collapse-range", "-o", str(BLOCK), "-l", str(8 * BLOCK), root + path)
    plant_at(plants, root + path, path, BLOCK - 22, "\nkey=<<fragmented github>>\n", "fragmented")
    assert len(physical_runs(root + path, 0, 2 * BLOCK, base)) == 2, "not fragmented"
    path = folder + "/access.log"
    put(root + path, (lines * 20)[: 160 * BLOCK])
    for offset in range(BLOCK, 160 * BLOCK, BLOCK):
        start = physical_runs(root + path, offset, BLOCK, base)[0][0]
        before = physical_runs(root + path, offset - 40, 80, base)
        if start % IMAGE_BLOCK == 0 and len(before) == 1:
            plant_at(plants, root + path, path, offset - 24, "\nkey=<<boundary npm>>\n", "boundary")
            break
    assert "boundary" in plants.all["find"], "no image block boundary inside"
    path = folder + "/sparse.db"
    put(root + path, "db\n")
    os.truncate(root + path, 3 << 20)
    plant_at(plants, root + path, path, 2_000_000, "<<sparse slack>>", "sparse")
    names(plants, root, folder)
    path = folder + "/prealloc.dat"
    put(root + path, "")
    run("fallocate", "-l", str(8 * BLOCK), root + path)
    start = physical_runs(root + path, 2 * BLOCK, BLOCK, base)[0][0]
    plants.raw(start + 700, "\nTOKEN=<<unwritten github>>\n", "unwritten", "slack", path, 2 * BLOCK + 700)
    path = folder + "/queue.dat"
    put(root + path, "empty\n")
    run("fallocate", "--keep-size", "-l", str(5 * BLOCK), root + path)
    start = physical_runs(root + path, 3 * BLOCK, BLOCK, base)[0][0]
    plants.raw(start + 64, "\nTOKEN=<<beyond-end github>>\n", "beyond-end", "slack", path, 3 * BLOCK + 64)
    path = folder + "/state.json"
    put(root + path, '{"jobs": []}\n' * 90)
    start = physical_runs(root + path, 0, BLOCK, base)[0][0]
    plants.raw(start + 2000, "\nTOKEN=<<slack stripe>>\n", "slack", "slack", path, 2000)


def plant_at(plants, real, path, offset, template, place):
    put(real, plants.fill(template, place, path), at=offset)
    plants.all["find"][PLACEHOLDER.search(template).group(2)]["offset"] += offset


def names(plants, root, folder):
    """Secrets that are no file's data."""
    path = folder + "/upload.sh"
    put(root + path, "#!/bin/sh\nexec /srv/shop/bin/upload\n", 0o755)
    value = plants.fill("<<xattr github>>", "xattr", path, "live|metadata")
    os.setxattr(root + path, "user.token", value.encode())
    path = folder + "/report.sh"
    put(root + path, "#!/bin/sh\nexec /srv/shop/bin/report\n", 0o755)
    value = "mail key <<xattr-block sendgrid>> " + "for the weekly report " * 9
    value = plants.fill(value, "xattr", path, "live|metadata")
    os.setxattr(root + path, "user.note", value.encode())
    path = folder + "/cache"
    os.symlink(plants.fill("/c?t=<<symlink github>>", "symlink", path, "live|metadata"), root + path)
    path = folder + "/download"
    target = "https://dl.corp-example.net/releases/current/?private_token=<<symlink-long gitlab>>"
    os.symlink(plants.fill(target, "symlink", path, "live|metadata"), root + path)
    name = plants.fill("reset-<<file-name github>>.eml", "file-name", None, "live|metadata")
    put(f"{root}{folder}/{name}", "Subject: reset\n")
    path = folder + "/linked-a.conf"
    other = folder + "/linked-b.conf"
    put(root + path, plants.fill("hook = <<hard-link slack>>\n", "hard-link", f"{path}|{other}"))
    os.link(root + path, root + other)
    for name in ("xattr", "xattr-block", "symlink", "symlink-long"):
        plants.all["find"][name]["offset"] = None


def late(plants, root, base):
    """What must not be overwritten again comes last."""
    folder = root + "/var/tmp"
    gone = "free|deleted"
    long = "".join(f"row {n} of the export\n" for n in range(3000))
    files = {
        "export.csv": long + plants.fill("key,<<deleted github>>\n", "deleted", None, gone) + long,
        "t.env": plants.fill("SLACK=<<deleted-small slack>>\n", "deleted", None, gone),
    }
    for name, text in files.items():
        put(f"{folder}/{name}", text)
        token = re.search(r"key,(\S+)|SLACK=(\S+)", text)
        group = 1 if token.group(1) else 2
        plant = "deleted" if group == 1 else "deleted-small"
        where = physical_runs(f"{folder}/{name}", token.start(group), len(token.group(group)), base)
        plants.all["find"][plant]["runs"] = where
    hole = folder + "/hole"
    put(hole, "")
    run("fallocate", "-l", str(16 * BLOCK), hole)
    start = physical_runs(hole, 9 * BLOCK, BLOCK, base)[0][0]
    plants.raw(start + 1111, "\nNPM_TOKEN=<<free npm>>\n", "free-space", gone)


def forget(root):
    """Best after a second mount: what reached the disk before it was deleted leaves most."""
    for name in ("export.csv", "t.env", "hole"):
        os.unlink(f"{root}/var/tmp/{name}")


def map_live(plants, root, base):
    for name, plant in plants.all["find"].items():
        if plant["path"] and plant["offset"] is not None and plant["runs"] is None:
            length = len(tokens.make(SEED, name, plant["kind"]))
            real = root + plant["path"].split("|")[0]
            if os.path.lexists(real):
                plant["runs"] = physical_runs(real, plant["offset"], length, base)


def map_inodes(plants, volume, base, ids):
    """An inode keeps 60 bytes of a small file at 40, and the rest behind its first half."""
    for name in ids:
        plant = plants.all["find"][name]
        token = tokens.make(SEED, name, plant["kind"]).encode()
        command = ["debugfs", "-R", f"imap {plant['path']}", volume]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        block, offset = re.search(r"at block (\d+), offset (0x[0-9a-f]+)", answer).groups()
        start = int(block) * BLOCK + int(offset, 16)
        with open(volume, "rb") as disk:
            disk.seek(start)
            inode = disk.read(256)
        at = inode.find(token)
        if at >= 0:
            plant["runs"] = [[base + start + at, len(token)]]
        else:
            cut = 60 - plant["offset"]
            rest = inode.index(token[cut:], 128)
            plant["runs"] = [[base + start + 100 - cut, cut], [base + start + rest, len(token) - cut]]


def same(plants, root, paths):
    for name, plant in plants.all["find"].items():
        if plant["path"] in paths:
            with open(root + plant["path"], "rb") as file:
                assert tokens.make(SEED, name, plant["kind"]).encode() in file.read(), name


def write(plants, image):
    with open(image, "r+b") as disk:
        for at, text in plants.all["raw"]:
            disk.seek(at)
            before = disk.read(len(text))
            assert not any(before), f"something stands at {at} already: {before[:40]!r}"
            disk.seek(at)
            disk.write(text.encode())


def tail(plants, name_template, near, image):
    with open(image, "rb") as disk:
        data = disk.read()
    at = data.find(tokens.make(SEED, near, plants.all["find"][near]["kind"]).encode())
    end = data.index(b"\0", at)
    path = plants.all["find"][near]["path"]
    plants.raw(end + 40, name_template, "slack", "slack", path)


def expect(plants, image, out):
    with open(image, "rb") as disk:
        data = disk.read()
    lines = []
    for name, plant in plants.all["find"].items():
        token = tokens.make(SEED, name, plant["kind"]).encode()
        runs = plant["runs"]
        if runs is None and data.count(token) == 1:
            runs = [[data.find(token), len(token)]]
        if runs:
            there = b"".join(data[start : start + length] for start, length in runs)
            assert there == token, f"{name} is not where it was put"
        packed = plant["place"] == "escaped" or plant["kind"] == "docker-auth"
        several = "|" in hashes(name, plant["kind"])
        offset = None if several else plant["offset"]
        shown = "packed" if packed else "-" if not runs or several else ",".join(f"{s}+{n}" for s, n in runs)
        lines.append(
            f"find {name} kind={plant['place']} path={plant['path'] or '-'} state={plant['state']} "
            f"sha256={hashes(name, plant['kind'])} "
            f"offset={'-' if offset is None else offset} image={shown}"
            + (f" member={plant['member']}" if plant.get("member") else "")
        )
    lines += [f"seen {name} path={path}" for name, path in plants.all["seen"].items()]
    later = plants.all["later"].items()
    lines += [f"later {name} sha256={hashes(name, kind)} is={now}" for name, (kind, now) in later]
    lines += [f"decoy {name} sha256={hashes(name, kind)}" for name, kind in plants.all["decoy"].items()]
    with open(out, "w", encoding="utf-8") as file:
        file.write(HEADER + "\n".join(sorted(lines)) + "\n")


def main(command, *args):
    plants = Plants()
    match command:
        case "tree":
            make_tree(plants, args[0])
        case "layout":
            layout(plants, args[0], int(args[1]))
        case "late":
            late(plants, args[0], int(args[1]))
        case "forget":
            forget(args[0])
        case "map":
            map_live(plants, args[0], int(args[1]))
        case "text":
            place, state, path, template = args
            path = None if path == "-" else path
            sys.stdout.write(plants.fill(template.replace("\\n", "\n"), place, path, state))
        case "raw":
            place, state, at, template = args
            plants.raw(int(at), template.replace("\\n", "\n"), place, state)
        case "tail":
            tail(plants, args[1].replace("\\n", "\n"), args[0], args[2])
        case "inode":
            map_inodes(plants, args[0], int(args[1]), args[2:])
        case "same":
            same(plants, args[0], args[1:])
        case "write":
            write(plants, args[0])
        case "expect":
            expect(plants, args[0], args[1])
        case _:
            sys.exit(__doc__)
    plants.save()


if __name__ == "__main__":
    main(*sys.argv[1:])
