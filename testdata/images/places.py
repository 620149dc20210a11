#!/usr/bin/env python3
"""The other places where secrets hide: inside of files that the usual tools pack, and in every
state a file can be in. Steps for make-places.sh, beside those of plant.py, whose list it shares.

  files MOUNT BASE    what lies in the filesystem, live
  late MOUNT BASE     what will be deleted
  forget MOUNT        delete it
  memory SWAP         what stands in a swap area that begins at this byte of the image

A plant with a member is expected inside of its file, at a locator that ends like that; `*` stands
for anything.
"""

import base64
import gzip
import io
import json
import os
import py_compile
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import zipfile

from plant import BLOCK, IMAGE_BLOCK, PLACEHOLDER, Plants, physical_runs, put

LOG_BYTES = int(os.environ.get("PLACES_LOG_MIB", "3")) << 20
SPARSE_BYTES = 8 << 30
GONE = "/var/tmp/gone"

PLAIN = {
    "/root/.my.cnf": "[client]\nuser=root\npassword=<<my-cnf password>>\n",
    "/home/ubuntu/.config/gh/hosts.yml": "github.com:\n    user: deploy\n    oauth_token: <<gh-hosts github>>\n",
    "/home/ubuntu/.m2/settings.xml": """\
<settings><servers><server>
  <id>releases</id><username>ci</username><password><<maven password>></password>
</server></servers></settings>
""",
    "/srv/infra/terraform.tfstate": """\
{"version": 4, "terraform_version": "1.9.5", "resources": [{"mode": "managed", "type": "aws_iam_access_key",
 "name": "ci", "instances": [{"attributes": {"id": "<<-tfstate-id aws-id>>", "secret": "<<tfstate aws-secret>>"}}]}]}
""",
    "/home/ubuntu/.aws/cli/cache/7d1c.json": """\
{"Credentials": {"AccessKeyId": "<<-session-id aws-temporary-id>>", "SecretAccessKey": "<<session-secret aws-secret>>",
 "SessionToken": "<<session-token aws-session>>", "Expiration": "2025-11-20T11:22:33+00:00"}}
""",
    "/etc/postfix/sasl_passwd": "[smtp.corp-example.net]:587 relay:<<sasl password>>\n",
    "/etc/ppp/chap-secrets": '# client server secret addresses\n"office" * "<<chap password>>" *\n',
    "/root/.smbcredentials": "username=backup\npassword=<<smb password>>\ndomain=CORP\n",
    "/etc/nginx/tls/api.pem": "<<nginx rsa>>\n",
    "/etc/redis/redis.conf": "bind 127.0.0.1\nport 6379\nrequirepass <<redis password>>\n",
}

OTHERS = {
    "history": {
        "/root/.bash_history": "aws configure set aws_secret_access_key <<history-aws aws-secret>> --profile ci\n",
        "/home/ubuntu/.zsh_history": ": 1763500000:0;docker login -u ci -p <<history-docker password>> reg.corp-example.net\n",
        "/home/ubuntu/.psql_history": "ALTER USER reporting WITH PASSWORD '<<history-psql password>>';\n",
        "/root/.mysql_history": "CREATE USER 'app'@'%' IDENTIFIED BY '<<history-create password>>';\n",
        "/home/ubuntu/.python_history": "import requests\ntoken = '<<history-python gitlab>>'\n",
    },
    "systemd": {
        "/etc/systemd/system/worker.service.d/override.conf":
            '[Service]\nEnvironment="MODE=prod" "DB_PASSWORD=<<systemd-password password>>"\n',
        "/etc/default/worker": "# EnvironmentFile of worker.service\nGITLAB_TOKEN=<<systemd-file gitlab>>\n",
    },
    "cloud-init": {
        "/var/lib/cloud/seed/nocloud/user-data":
            "#cloud-config\nchpasswd:\n  expire: false\n  list: |\n    ubuntu:<<chpasswd password>>\n",
        "/var/lib/cloud/instances/i-0f3a5b7c9d1e2f304/vendor-data.txt":
            "#!/bin/sh\nexport NPM_TOKEN=<<vendor-data npm>>\nnpm ci\n",
        "/var/log/cloud-init-output.log":
            "Cloud-init v. 24.1 running 'modules:final'\n+ curl -H 'Authorization: token <<cloud-log github>>' https://api\n",
    },
    "trash": {"/home/ubuntu/.local/share/Trash/files/keys.txt": "prod: <<trash stripe>>\n"},
    "editor-backup": {"/srv/shop/config/mail.yml~": "sendgrid:\n  api_key: <<editor sendgrid>>\n"},
    "docker": {
        "/var/lib/docker/overlay2/4f2a/diff/app/.env":
            "GITHUB_TOKEN=<<overlay-token github>>\nDB_PASSWORD=<<overlay-password password>>\n",
        "/var/lib/docker/containers/9c1e/config.v2.json":
            '{"ID":"9c1e","Name":"/shop","Config":{"Image":"shop/app:1","Env":["PATH=/usr/bin",'
            '"STRIPE_SECRET_KEY=<<container-env stripe>>","DB_PASSWORD=<<container-password password>>"]}}\n',
        "/var/lib/docker/containers/9c1e/9c1e-json.log":
            '{"log":"pushing with <<container-log gitlab>>\\n","stream":"stdout","time":"2025-11-19T08:00:00Z"}\n',
    },
}


def member(plants, place, path, chain, template, state="live"):
    """The text of a template that will stand inside of the file at `path`."""
    text = plants.fill(template, place, path, state)
    for hole in PLACEHOLDER.finditer(template):
        if hole.group(1) == "":
            plants.all["find"][hole.group(2)] |= {"offset": None, "runs": [], "member": chain}
    return text


def run(*command, at=None, **more):
    return subprocess.run(command, check=True, cwd=at, capture_output=True, text=True, **more).stdout


def keep(work, root, path):
    """Copy what a tool made to its place."""
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    shutil.copyfile(work, root + path)


def plain(plants, root):
    for place, files in {"file": PLAIN, **OTHERS}.items():
        for path, template in files.items():
            put(root + path, plants.fill(template, place, path), 0o600)
    # plant.py calls all of these files.
    for name, place in (("git-remote", "git-config"), ("systemd-sendgrid", "systemd"),
                        ("history-github", "history"), ("history-mysql", "history"),
                        ("history-curl", "history"), ("userdata-plain", "cloud-init")):
        plants.all["find"][name]["place"] = place


def tarballs(plants, root, work):
    files = {
        "etc/shadow": "root:<<targz-shadow shadow>>:20012:0:99999:7:::\n",
        "home/ubuntu/.aws/credentials":
            "[ci]\naws_access_key_id = <<-targz-id aws-id>>\naws_secret_access_key = <<targz-aws aws-secret>>\n",
        "home/ubuntu/.ssh/id_ed25519": "<<targz-ssh ed25519>>\n",
        "srv/shop/.env": "STRIPE_SECRET_KEY=<<targz-stripe stripe>>\nDB_PASSWORD=<<targz-password password>>\n",
    }
    path = "/var/backups/system.tar.gz"
    for name, template in files.items():
        put(f"{work}/tar/{name}", member(plants, "tar.gz", path, f"!gzip!tar:{name}", template))
    run("tar", "-czf", "system.tar.gz", "-C", "tar", "etc", "home", "srv", at=work)
    keep(work + "/system.tar.gz", root, path)
    for kind, option, chain, token in (("tar.xz", "J", "xz", "slack"), ("tar.bz2", "j", "bzip2", "gitlab")):
        path = f"/srv/old/home.{kind}"
        name = f"home/{token}.txt"
        put(f"{work}/{kind}/{name}", member(plants, kind, path, f"!{chain}!tar:{name}", f"use <<{kind} {token}>>\n"))
        run("tar", f"-c{option}f", "out." + kind, "-C", kind, "home", at=work)
        keep(f"{work}/out.{kind}", root, path)


def logs(plants, root, work):
    lines = "".join(f"2025-11-19T08:{n // 60 % 60:02}:{n % 60:02}Z api request={n * 7919 % 99991} ok\n" for n in range(4000))
    for kind, tool, chain in (("gz-log", "gzip", "gzip"), ("zstd", "zstd", "zstd")):
        suffix = {"gzip": "gz", "zstd": "zst"}[tool]
        path = f"/var/log/shop/api.log.1.{suffix}"
        text = lines + member(plants, kind, path, f"!{chain}", f"debug: key=<<{kind} github>>\n") + lines
        put(f"{work}/api.log", text)
        run(tool, "-q", "-f", "-k", "api.log", at=work)
        keep(f"{work}/api.log.{suffix}", root, path)
    path = "/var/log/shop/huge.log"
    half = (lines * (LOG_BYTES // len(lines) + 1)).encode()[: LOG_BYTES // 2]
    text = plants.fill("\nerror: refused <<huge-log slack>>\n", "huge-log", path)
    plants.all["find"]["huge-log"]["offset"] += len(half)
    put(root + path, half + text.encode() + half)
    path = "/srv/shop/public/app.min.js"
    code = "".join(f"function f{n}(a){{return a+{n}}};" for n in range(40000))
    text = plants.fill(f'{code}var t="<<long-line github>>";', "long-line", path)
    put(root + path, text + code)
    path = "/var/lib/shop/store.img"
    text = plants.fill("token=<<sparse-huge npm>>\n", "sparse", path)
    put(root + path, "store\n")
    os.truncate(root + path, SPARSE_BYTES)
    put(root + path, text, at=SPARSE_BYTES - 3 * BLOCK)
    plants.all["find"]["sparse-huge"]["offset"] += SPARSE_BYTES - 3 * BLOCK


def zips(plants, root, work):
    path = "/srv/old/export.zip"
    put(f"{work}/zip/a/deflated.env", "# none\n" * 200 + member(plants, "zip", path, "!zip:a/deflated.env", "TOKEN=<<zip-deflated github>>\n"))
    put(f"{work}/zip/a/stored.env", member(plants, "zip", path, "!zip:a/stored.env", "TOKEN=<<zip-stored npm>>\n"))
    run("zip", "-q", "-r", "../out.zip", "a/deflated.env", at=work + "/zip")
    run("zip", "-q", "-0", "-r", "../out.zip", "a/stored.env", at=work + "/zip")
    keep(work + "/out.zip", root, path)
    path = "/srv/old/release.tar"
    jar = zipped({"BOOT-INF/app.yml": member(plants, "zip-in-tar", path, "!tar:rel/app.zip!zip:lib/app.jar!zip:BOOT-INF/app.yml",
                                             "spring:\n  datasource:\n    password: <<zip-tar-jar password>>\n")})
    inner = {name: member(plants, "zip-in-tar", path, f"!tar:rel/app.zip!zip:{name}", text) for name, text in (
        ("conf/.env", "STRIPE_SECRET_KEY=<<zip-tar-env stripe>>\n"),
        ("conf/tls.key", "<<zip-tar-key rsa>>\n"),
        ("conf/hook.txt", "<<zip-tar-slack slack>>\n"))}
    os.makedirs(work + "/rel")
    with open(work + "/rel/app.zip", "wb") as file:
        file.write(zipped(inner | {"lib/app.jar": jar}))
    run("tar", "-cf", "release.tar", "rel", at=work)
    keep(work + "/release.tar", root, path)
    path = "/opt/shop/shop.jar"
    nested = zipped({"mail.properties": member(plants, "jar", path, "!zip:BOOT-INF/lib/mail.jar!zip:mail.properties", "mail.key=<<jar-nested sendgrid>>\n")})
    text = member(plants, "jar", path, "!zip:application.properties", "spring.datasource.password=<<jar-password password>>\n")
    put(root + path, zipped({"META-INF/MANIFEST.MF": "Manifest-Version: 1.0\n", "application.properties": text, "BOOT-INF/lib/mail.jar": nested}))
    office(plants, root)


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def office(plants, root):
    path = "/home/ubuntu/Documents/runbook.docx"
    cut = member(plants, "docx", path, "!zip:word/document.xml!text", "<<docx-runs github>>")
    text = member(plants, "docx", path, "!zip:word/document.xml*", "Password: <<docx-password password>>")
    run_of = "<w:r><w:t>{}</w:t></w:r>".format
    paragraphs = [run_of("Runbook"), run_of(text), run_of("Token ") + run_of(cut[:9]) + "<w:proofErr/>" + run_of(cut[9:])]
    body = "".join(f"<w:p>{p}</w:p>" for p in paragraphs)
    document = f'<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>{body}</w:body></w:document>'
    put(root + path, zipped({"[Content_Types].xml": "<Types/>", "word/document.xml": document}))
    path = "/home/ubuntu/Documents/accounts.xlsx"
    text = member(plants, "xlsx", path, "!zip:xl/sharedStrings.xml*", "<<xlsx gitlab>>")
    put(root + path, zipped({"[Content_Types].xml": "<Types/>", "xl/sharedStrings.xml": f"<sst><si><t>gitlab</t></si><si><t>{text}</t></si></sst>"}))


def wide(plants, root):
    """UTF-16 besides the one of plant.py, which has a mark and is little-endian."""
    for name, codec, lead, template in (
        ("notes-be.txt", "utf-16-be", "\ufeff", "token <<utf16-be gitlab>>\r\n"),
        ("bare-le.bin", "utf-16-le", "", "\x01\x02TOKEN=<<utf16-bare github>>\x00"),
        ("bare-be.bin", "utf-16-be", "", "\x01\x02TOKEN=<<utf16-bare-be npm>>\x00"),
        ("winscp.reg", "utf-16-le", "\ufeff", 'Windows Registry Editor\r\n"Password"="<<utf16-reg password>>"\r\n'),
    ):
        path = "/home/ubuntu/Desktop/" + name
        text = plants.fill(lead + template, "utf-16", path)
        plants.all["find"][PLACEHOLDER.search(template).group(2)]["offset"] = None
        put(root + path, text.encode(codec))


def coded(plants, root):
    """Base64 besides that of plant.py."""
    def of(path, template):
        return base64.b64encode(member(plants, "base64", path, "!base64*", template).encode()).decode()

    path = "/root/.kube/admin.conf"
    put(root + path, f"apiVersion: v1\nkind: Config\nusers:\n- name: admin\n  user:\n    client-key-data: {of(path, '<<base64-key rsa>>' + chr(10))}\n")
    path = "/var/log/shop/trace.log"
    put(root + path, f"payload {of(path, 'grant=<<base64-log github>>;ttl=60')} sent\n")
    path = "/home/ubuntu/.gitconfig"
    put(root + path, f'[http "https://github.com/"]\n\textraheader = AUTHORIZATION: basic {of(path, "x-access-token:<<base64-header github>>")}\n')
    path = "/var/mail/root"
    text = of(path, "STRIPE_SECRET_KEY=<<base64-mail stripe>>\nMODE=production and some more words to fill the lines\n")
    lines = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    put(root + path, f"From: a@example.net\nContent-Type: text/plain; name=env\nContent-Transfer-Encoding: base64\n\n{lines}\n")
    path = "/srv/infra/launch-template.json"
    put(root + path, json.dumps({"LaunchTemplateData": {"UserData": of(path, "#!/bin/sh\nexport SLACK_TOKEN=<<base64-template slack>>\n")}}))


def layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in files.items():
            data = data.encode() if isinstance(data, str) else data
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def images(plants, root, work):
    path = "/srv/backup/app.tar"
    low = layer({"app/.env": member(plants, "docker-save", path, "!tar:aa/layer.tar!tar:app/.env", "NPM_TOKEN=<<save-low npm>>\n")})
    high = layer({"app/.wh..env": "", "app/new.env": member(plants, "docker-save", path, "!tar:bb/layer.tar!tar:app/new.env", "TOKEN=<<save-high gitlab>>\n")})
    config = member(plants, "docker-save", path, "!tar:c0ffee.json*",
                    '{"config":{"Env":["SENDGRID_API_KEY=<<save-env sendgrid>>"]},"history":[{"created_by":"RUN |1 GH=<<save-arg github>> /bin/sh -c make"}]}')
    manifest = '[{"Config":"c0ffee.json","RepoTags":["shop/app:1"],"Layers":["aa/layer.tar","bb/layer.tar"]}]'
    put(root + path, layer({"aa/layer.tar": low, "bb/layer.tar": high, "c0ffee.json": config, "manifest.json": manifest}))
    path = "/srv/backup/app-oci.tar"
    names = [f"blobs/sha256/{digit * 64}" for digit in "abcd"]
    chains = [f"!tar:{names[1]}!gzip!tar:", f"!tar:{names[2]}!gzip!tar:", f"!tar:{names[3]}!zstd!tar:"]
    low = layer({"etc/a.env": member(plants, "oci", path, chains[0] + "etc/a.env", "TOKEN=<<oci-low github>>\n"),
                 "etc/b.pem": member(plants, "oci", path, chains[0] + "etc/b.pem", "<<oci-key rsa>>\n")})
    high = layer({"etc/.wh.a.env": "", "srv/c.env": member(plants, "oci", path, chains[1] + "srv/c.env", "DB_PASSWORD=<<oci-password password>>\n")})
    last = layer({"srv/d.env": member(plants, "oci", path, chains[2] + "srv/d.env", "TOKEN=<<oci-zstd slack>>\n")})
    put(work + "/last", last)
    run("zstd", "-q", "-f", "last", "-o", "last.zst", at=work)
    with open(work + "/last.zst", "rb") as file:
        last = file.read()
    digests = [{"digest": "sha256:" + digit * 64} for digit in "bcd"]
    put(root + path, layer({
        "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
        "index.json": json.dumps({"schemaVersion": 2, "manifests": [{"digest": "sha256:" + "a" * 64}]}),
        names[0]: json.dumps({"schemaVersion": 2, "layers": digests}),
        names[1]: gzip.compress(low, mtime=0), names[2]: gzip.compress(high, mtime=0), names[3]: last,
    }))


def repositories(plants, root, work):
    env = os.environ | {"HOME": work, "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_DATE": "1763500000 +0000", "GIT_COMMITTER_DATE": "1763500000 +0000"}
    for name in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{name}_NAME": "A", f"GIT_{name}_EMAIL": "a@example.net"}
    filler = "".join(f"option_{n} = {n * 31 % 97}\n" for n in range(300))
    for kind in ("loose", "packed"):
        repo, path = f"{work}/{kind}", f"/srv/{kind}/.git"
        git = lambda *arguments, **more: run("git", *arguments, at=repo, env=env, **more).strip()  # noqa: E731
        os.mkdir(repo)
        git("init", "-q", "-b", "main")
        git("config", "gc.auto", "0")
        for setting in ("gc.reflogExpire", "gc.reflogExpireUnreachable"):
            git("config", setting, "never")
        put(repo + "/a.conf", filler + plants.fill(f"api = <<git-{kind}-old github>>\n", "git-" + kind, None))
        put(repo + "/.env", plants.fill(f"DB_PASSWORD=<<git-{kind}-removed password>>\n", "git-" + kind, None))
        git("add", ".")
        git("commit", "-qm", "one")
        first = git("rev-parse", "HEAD")
        put(repo + "/a.conf", filler + "api = none\n")
        os.unlink(repo + "/.env")
        put(repo + "/key.pem", plants.fill(f"<<git-{kind}-amended rsa>>\n", "git-" + kind, None))
        git("add", "-A")
        git("commit", "-qm", "two")
        second = git("rev-parse", "HEAD")
        os.unlink(repo + "/key.pem")
        git("add", "-A")
        git("commit", "-q", "--amend", "-m", "two")
        where = {"old": (first, "a.conf"), "removed": (first, ".env"), "amended": (second, "key.pem")}
        if kind == "packed":
            git("gc", "-q")
        else:
            blob = git("hash-object", "-w", "--stdin", input=plants.fill("<<git-dangling slack>>\n", "git-dangling", None))
            expect_object(plants, "git-dangling", path, blob)
        for name, (commit, file) in where.items():
            if kind == "loose":
                expect_object(plants, f"git-{kind}-{name}", path, git("rev-parse", f"{commit}:{file}"))
            else:
                pack = next(entry for entry in os.listdir(repo + "/.git/objects/pack") if entry.endswith(".pack"))
                entry = plants.all["find"][f"git-{kind}-{name}"]
                entry |= {"path": f"{path}/objects/pack/{pack}", "member": f"!git:{file}", "runs": []}
        shutil.copytree(repo + "/.git", root + path)
        shutil.rmtree(repo)


def expect_object(plants, name, path, blob):
    entry = plants.all["find"][name]
    entry |= {"path": f"{path}/objects/{blob[:2]}/{blob[2:]}", "member": "!git", "runs": []}


def databases(plants, root, work):
    path = "/var/lib/shop/shop.db"
    database = sqlite3.connect(work + "/shop.db")
    database.execute("PRAGMA secure_delete=OFF")
    database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT, token TEXT)")
    for n in range(1, 60):
        database.execute("INSERT INTO users VALUES (?, ?, ?)", (n, f"user-{n}", "none"))
    gone = member(plants, "sqlite", path, "!sqlite:$free/*", "<<sqlite-deleted slack>>")
    database.execute("INSERT INTO users VALUES (60, 'gone', ?)", (gone,))
    row = member(plants, "sqlite", path, "!sqlite:users/7/token", "<<sqlite-row github>>")
    database.execute("UPDATE users SET token = ? WHERE id = 7", (row,))
    long = "x words of a long text " * 400
    text = member(plants, "sqlite", path, "!sqlite:users/61/token", "<<sqlite-overflow gitlab>>")
    database.execute("INSERT INTO users VALUES (61, 'long', ?)", (f"{long} {text} {long}",))
    database.commit()
    database.execute("DELETE FROM users WHERE id = 60")
    database.commit()
    database.close()
    keep(work + "/shop.db", root, path)
    path = "/var/lib/shop/live.db"
    database = sqlite3.connect(work + "/live.db")
    database.execute("PRAGMA journal_mode=wal")
    database.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, token TEXT)")
    text = member(plants, "sqlite", path + "-wal", "!sqlite-wal:t/1/token", "<<sqlite-wal npm>>")
    database.execute("INSERT INTO t VALUES (1, ?)", (text,))
    database.commit()
    for suffix in ("", "-wal"):
        keep(work + "/live.db" + suffix, root, path + suffix)
    database.close()


def programs(plants, root, work):
    path = "/srv/shop/__pycache__/settings.cpython-311.pyc"
    put(work + "/settings.py", "import os\nTOKEN = '" + member(plants, "pyc", path, "!pyc*", "<<pyc github>>") + "'\n")
    os.makedirs(os.path.dirname(root + path), exist_ok=True)
    py_compile.compile(work + "/settings.py", root + path, dfile="settings.py")
    path = "/var/lib/snapd/snaps/shop_12.snap"
    squash(plants, root, work, path)
    path = "/var/crash/core.worker.4711"
    pairs = plants.fill("AWS_SECRET_ACCESS_KEY=<<core-aws aws-secret>>\nAWS_ACCESS_KEY_ID=<<-core-id aws-id>>\n"
                        "DB_PASSWORD=<<core-password password>>\nGITHUB_TOKEN=<<core-token github>>", "core", path)
    for name in ("core-aws", "core-password", "core-token"):
        plants.all["find"][name]["offset"] = None
    child = subprocess.Popen(["sleep", "600"], env=dict(pair.split("=", 1) for pair in pairs.split("\n")))
    try:
        with open(f"/proc/{child.pid}/coredump_filter", "w", encoding="ascii") as file:
            file.write("1")
        run("gcore", "-o", work + "/core", str(child.pid))
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    keep(f"{work}/core.{child.pid}", root, path)


def squash(plants, root, work, path):
    files = {
        "meta/snap.yaml": "name: shop\nenvironment:\n  GITLAB_TOKEN: <<snap-yaml gitlab>>\n",
        "opt/.env": "DB_PASSWORD=<<snap-password password>>\n",
        "opt/tls.key": "<<snap-key rsa>>\n",
        "opt/large.txt": "words " * 60000 + "\nTOKEN=<<snap-large github>>\n" + "words " * 60000,
    }
    for name, template in files.items():
        put(f"{work}/snap/{name}", member(plants, "squashfs", path, f"!squashfs:{name}", template))
    run("mksquashfs", "snap", "shop.snap", "-quiet", "-no-progress", "-comp", "xz", at=work)
    keep(work + "/shop.snap", root, path)


def names(plants, root):
    name = plants.fill("session-<<folder-name gitlab>>", "file-name", None, "live|metadata")
    put(f"{root}/var/lib/shop/{name}/index", "empty\n")


def layout(plants, root, base):
    """Two more files of which the secret is torn, by the filesystem and by the image's blocks."""
    lines = b"".join(b"PUT /cart/%06d 201\n" % n for n in range(60000))
    path = "/var/lib/shop/torn.log"
    put(root + path, lines[: 10 * BLOCK])
    run("fallocate", "--collapse-range", "-o", str(BLOCK), "-l", str(8 * BLOCK), root + path)
    torn(plants, root, path, BLOCK - 30, "fragmented", "\nhook=<<torn slack>>\n")
    assert len(physical_runs(root + path, 0, 2 * BLOCK, base)) == 2, "not fragmented"
    path = "/var/lib/shop/errors.log"
    put(root + path, lines[: 160 * BLOCK])
    for offset in range(BLOCK, 160 * BLOCK, BLOCK):
        start = physical_runs(root + path, offset, BLOCK, base)[0][0]
        if start % IMAGE_BLOCK == 0 and len(physical_runs(root + path, offset - 40, 80, base)) == 1:
            torn(plants, root, path, offset - 20, "boundary", "\nkey=<<boundary-2 stripe>>\n")
            return
    sys.exit("no image block boundary inside")


def torn(plants, root, path, offset, place, template):
    put(root + path, plants.fill(template, place, path), at=offset)
    plants.all["find"][PLACEHOLDER.search(template).group(2)]["offset"] += offset


def files(plants, root, base):
    with tempfile.TemporaryDirectory() as work:
        plain(plants, root)
        wide(plants, root)
        coded(plants, root)
        names(plants, root)
        layout(plants, root, base)
        for step in (tarballs, logs, zips, images, repositories, databases, programs):
            folder = f"{work}/{step.__name__}"
            os.mkdir(folder)
            step(plants, root, folder)


def late(plants, root):
    state = "free|deleted"
    for name, template in {
        ".env": "NPM_TOKEN=<<gone-npm npm>>\n",
        "id_rsa": "<<gone-key rsa>>\n",
        "credentials": "[ci]\naws_access_key_id = <<-gone-id aws-id>>\naws_secret_access_key = <<gone-aws aws-secret>>\n",
        "prod.env": "MODE=prod\nDB_PASSWORD=<<gone-password password>>\n",
        "dump.sql": "INSERT INTO hooks VALUES (1,'<<gone-slack slack>>');\n",
    }.items():
        text = "# settings of before\n" * 300 + plants.fill(template, "deleted", None, state)
        put(f"{root}{GONE}/{name}", text)
    inner = {f"etc/{n}.env": member(plants, "deleted-tar.gz", None, f"!gzip*!tar:etc/{n}.env", text, state) for n, text in {
        "a": "GITHUB_TOKEN=<<gone-tar github>>\n", "b": "DB_PASSWORD=<<gone-tar-password password>>\n", "c": "<<gone-tar-key ed25519>>\n"}.items()}
    noise = "".join(f"{n * 2654435761 % 4294967296}\n" for n in range(3000))
    put(f"{root}{GONE}/home.tar.gz", gzip.compress(layer({"noise": noise} | inner), mtime=0))


def memory(plants, swap):
    for page, (name, template) in enumerate({
        "github": "GITHUB_TOKEN=<<memory-github github>>\n",
        "aws": "AWS_SECRET_ACCESS_KEY=<<memory-aws aws-secret>>\0AWS_ACCESS_KEY_ID=<<-memory-id aws-id>>\0",
        "key": "\n<<memory-key rsa>>\n",
        "password": "DB_PASSWORD=<<memory-password password>>\0PATH=/bin\0",
        "jwt": "Authorization: Bearer <<memory-jwt jwt>>\r\n",
    }.items()):
        plants.raw(swap + (30 + 7 * page) * 4096 + 700, "\0" + template, "swap", "swap")


def main(command, *args):
    plants = Plants()
    match command:
        case "files":
            files(plants, args[0], int(args[1]))
        case "late":
            late(plants, args[0])
        case "forget":
            shutil.rmtree(args[0] + GONE)
        case "memory":
            memory(plants, int(args[0]))
        case _:
            sys.exit(__doc__)
    plants.save()


if __name__ == "__main__":
    main(*sys.argv[1:])
