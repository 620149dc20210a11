#!/usr/bin/env python3
"""Makes the lists of keys that ship in packages from JSON reports of package sources.

    amisweep scan DIRECTORY -f json -o report.json
    collect.py KIND report.json

KIND says how the first directories of a path name the package: `debian` (NAME_VERSION/),
`crates` (NAME-VERSION/, or NAME/ of `cargo vendor`), `npm` (NAME/, @SCOPE/NAME/), `pypi`
(x-NAME-VERSION…/ or site-packages/NAME/), `go` (a Go source tree), `tree` (an installed system: of
it only what packages own is taken). The list goes to standard
output: headings and prints, no key. Prints that another list beside this script has are left out.
"""

import collections
import glob
import json
import os
import re
import sys
import urllib.parse

RULES = ("pem.private_key", "private_key.file", "ssh.private_key", "pgp.private_key", "putty.")


def package(kind, path):
    parts = path.split("/")
    if kind == "go":
        return "Go, source tree"
    if kind == "tree":
        if "google-cloud-sdk" in parts:
            return "Google Cloud CLI"
        for mark, where in (("node_modules", "npm"), ("site-packages", "pypi")):
            if mark in parts:
                return package(where, path)
        if "dist-packages" in parts:
            local = "usr/local/lib/python" in path
            name = parts[parts.index("dist-packages") + 1]
            return ("PyPI, " if local else "Debian, python3 package ") + name
        if path.startswith(("share/doc/", "usr/share/")):
            return "Debian, " + "/".join(parts[:4])
        return None
    if kind == "debian":
        name, _, version = parts[0].partition("_")
        return f"Debian, source of {name} {version}"
    if kind == "npm":
        at = len(parts) - 1 - parts[::-1].index("node_modules") + 1 if "node_modules" in parts else 0
        return "npm, " + "/".join(parts[at : at + (2 if parts[at].startswith("@") else 1)])
    if kind == "pypi":
        for mark in ("site-packages", "dist-packages"):
            if mark in parts:
                return "PyPI, " + parts[parts.index(mark) + 1].removesuffix(".py")
        return "PyPI, " + re.sub(r"^x-", "", parts[0]).split("-")[0]
    if parts[0].startswith("index.crates.io"):
        parts = parts[1:]
    return "crates.io, " + re.sub(r"-\d+\.\d+.*$", "", parts[0])


def main():
    kind, report = sys.argv[1:3]
    here = os.path.dirname(os.path.abspath(__file__))
    known = set()
    for name in glob.glob(os.path.join(here, "*.txt")):
        with open(name) as file:
            known.update(file.read().split("\n"))
    found = collections.defaultdict(set)
    with open(report) as file:
        findings = json.load(file)["findings"]
    for finding in findings:
        facts = finding.get("facts", {})
        prints = [facts.get(name) for name in ("fingerprint", "body_print")]
        prints = [p for value in prints for p in (value if isinstance(value, list) else [value])]
        if not finding["rule"].startswith(RULES) or not any(prints):
            continue
        path = urllib.parse.unquote(finding["places"][0]["path"])
        heading = package(kind, path)
        for text in prints:
            if heading and text and text.startswith(("SHA256:", "BODY:")) and text not in known:
                known.add(text)
                found[heading].add(text)
    for heading in sorted(found):
        print(f"\n= {heading}")
        print("\n".join(sorted(found[heading])))


main()
