#!/usr/bin/env python3
"""Lists the packages that are linked into the binaries, as SPDX 2.3, from `cargo metadata` on standard input.

  cargo metadata --format-version 1 --filter-platform <target> | sbom.py --commit <hash> --linked <file> <package>…

The file has the lines of `cargo tree --prefix none --format '{p}'` with the features of the image. `cargo metadata` has the features
of the whole workspace. Dependencies of tests and of build scripts are not listed. Checksums come from Cargo.lock.
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
NAMESPACE = "https://github.com/switchboard-signaling/switchboard/sbom/"


def checksums():
    """(name, version) -> SHA-256, from Cargo.lock."""
    lock = (ROOT / "Cargo.lock").read_text()
    entry = re.compile(r'name = "(.+)"\nversion = "(.+)"\nsource = .+\nchecksum = "(.+)"')
    return {(name, version): checksum for name, version, checksum in entry.findall(lock)}


def linked(metadata, roots, tree):
    """The ids of `roots` and of all packages that they link: those that `tree` has, too."""
    in_tree = {tuple(line.split()[:2]) for line in tree.splitlines()}
    known = {package["id"]: (package["name"], "v" + package["version"]) for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    names = {package["id"]: package["name"] for package in metadata["packages"]}
    waiting = [id for id, name in names.items() if name in roots and id in metadata["workspace_members"]]
    assert len(waiting) == len(roots), f"not all of {roots} are packages here"
    found = set()
    while waiting:
        id = waiting.pop()
        if id not in found and known[id] in in_tree:
            found.add(id)
            waiting += [
                dependency["pkg"]
                for dependency in nodes[id]["deps"]
                if any(kind["kind"] is None for kind in dependency["dep_kinds"])
            ]
    return found, nodes


def spdx_id(package):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", f"{package['name']}-{package['version']}")


def entry(package, sums):
    made = {
        "SPDXID": spdx_id(package),
        "name": package["name"],
        "versionInfo": package["version"],
        "licenseDeclared": (package["license"] or "NOASSERTION").replace("/", " OR "),
        "licenseConcluded": "NOASSERTION",
        "copyrightText": "NOASSERTION",
        "downloadLocation": package["repository"] or "NOASSERTION",
        "filesAnalyzed": False,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": f"pkg:cargo/{package['name']}@{package['version']}",
            }
        ],
    }
    checksum = sums.get((package["name"], package["version"]))
    if checksum:
        made["checksums"] = [{"algorithm": "SHA256", "checksumValue": checksum}]
    return made


def document(metadata, roots, tree, commit):
    found, nodes = linked(metadata, roots, tree)
    packages = {package["id"]: package for package in metadata["packages"] if package["id"] in found}
    ordered = sorted(packages.values(), key=lambda package: (package["name"], package["version"]))
    sums = checksums()
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", spdx_id(one)) for one in ordered if one["name"] in roots]
    for id, package in packages.items():
        linked_here = [one["pkg"] for one in nodes[id]["deps"] if any(kind["kind"] is None for kind in one["dep_kinds"])]
        relations += [(spdx_id(package), "DEPENDS_ON", spdx_id(packages[other])) for other in linked_here if other in found]
    moment = datetime.datetime.fromtimestamp(int(os.environ.get("SOURCE_DATE_EPOCH", "0")), datetime.timezone.utc)
    return {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": "switchboard",
        "documentNamespace": NAMESPACE + commit,
        "creationInfo": {"created": moment.strftime("%Y-%m-%dT%H:%M:%SZ"), "creators": ["Tool: deploy/image/sbom.py"]},
        "packages": [entry(package, sums) for package in ordered],
        "relationships": [
            {"spdxElementId": of, "relationshipType": kind, "relatedSpdxElement": to}
            for of, kind, to in sorted(set(relations))
        ],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--commit", required=True)
    parser.add_argument("--linked", required=True, type=pathlib.Path)
    parser.add_argument("packages", nargs="+")
    options = parser.parse_args()
    sbom = document(json.load(sys.stdin), options.packages, options.linked.read_text(), options.commit)
    json.dump(sbom, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
