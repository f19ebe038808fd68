#!/usr/bin/env python3
"""Completes a copy of the chart for a release: the digest of its image, and the changes for Artifact Hub.

`stamp.py FOLDER DIGEST`: FOLDER is the copy; an empty DIGEST leaves the image to its tag. Prints the chart's version. Refuses
a chart whose appVersion is not the version in Cargo.toml. Not here: packing, signing and pushing (package).
"""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Headings of CHANGELOG.md → kinds of changes that Artifact Hub knows.
KINDS = {"Added": "added", "Changed": "changed", "Fixed": "fixed", "Removed": "removed", "Security": "security", "Deprecated": "deprecated"}
IMAGE = "ghcr.io/switchboard-signaling/switchboard"


def changes(text, version):
    """The entries about the chart in the section of this version, or in the unreleased one: [(kind, sentence)]."""
    sections = dict(re.findall(r"^## \[([^\]]+)\][^\n]*\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    section = sections.get(version, sections.get("Unreleased", ""))
    found = []
    for heading, body in re.findall(r"^### (\w+)\n(.*?)(?=^### |\Z)", section, re.MULTILINE | re.DOTALL):
        for entry in re.findall(r"^- (.*?)(?=^- |^\n|\Z)", body, re.MULTILINE | re.DOTALL):
            sentence = " ".join(entry.split())
            if sentence.startswith("Chart"):
                found.append((KINDS.get(heading, "changed"), sentence))
    return found


def replace(path, before, after):
    """Replaces a text that stands in the file once."""
    text = path.read_text()
    if text.count(before) != 1:
        sys.exit(f"stamp: {path.name} has {before!r} {text.count(before)} times")
    path.write_text(text.replace(before, after))


def main():
    folder, digest = pathlib.Path(sys.argv[1]), sys.argv[2]
    chart = folder / "Chart.yaml"
    text = chart.read_text()
    version, app = (re.search(rf'^{key}: "?([^"\n]+)', text, re.MULTILINE)[1] for key in ("version", "appVersion"))
    node = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
    if app != node:
        sys.exit(f"stamp: appVersion of the chart is {app}, and the node has {node}")
    if digest:
        image = f'repository: {IMAGE}\n  # -- Tag; empty: the chart\'s appVersion.\n  tag: ""\n  # -- Digest (`sha256:…`); replaces the tag.\n  digest: '
        replace(folder / "values.yaml", f'{image}""', f'{image}"{digest}"')
        replace(folder / "README.md", '| `image.digest` | `""` |', f'| `image.digest` | `"{digest}"` |')
        replace(chart, f"{IMAGE}:{app}", f"{IMAGE}:{app}@{digest}")
    entries = changes((ROOT / "CHANGELOG.md").read_text(), version)
    # JSON strings are YAML strings.
    lines = [line for kind, sentence in entries for line in (f"    - kind: {kind}", f"      description: {json.dumps(sentence, ensure_ascii=False)}")]
    if lines:
        with chart.open("a") as file:
            file.write("  artifacthub.io/changes: |\n" + "\n".join(lines) + "\n")
    print(version)


if __name__ == "__main__":
    main()
