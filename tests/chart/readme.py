#!/usr/bin/env python3
"""Makes the chart's README: a text of its own (README.head.md) and a table of values.yaml and its `# --` comments.

`readme.py [--write]`: says whether README.md is up to date, or writes it.
"""

import json
import re
import sys

import yaml

from parts import CHART, HERE

KEY = re.compile(r"^(\s*)([\w.-]+):")
COMMENT = re.compile(r"^\s*# -- (.*)$")
LONGEST_DEFAULT = 60


def rows():
    """(key, default, description) of every value with a `# --` comment, in the order of the file."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    found, path, about = [], [], None
    for line in (CHART / "values.yaml").read_text().splitlines():
        if comment := COMMENT.match(line):
            about = comment[1]
        elif key := KEY.match(line):
            depth = len(key[1]) // 2
            path = path[:depth] + [key[2]]
            if about:
                default = values
                for part in path:
                    default = default[part]
                found.append((".".join(path), default, about))
                about = None
    return found


def undocumented():
    """Values without a comment of their own or above them."""
    known = {key for key, _, _ in rows()}

    def walk(value, path):
        name = ".".join(path)
        if name in known:
            return
        if isinstance(value, dict) and value:
            for key, one in value.items():
                yield from walk(one, [*path, key])
        else:
            yield name

    return list(walk(yaml.safe_load((CHART / "values.yaml").read_text()), []))


def shown(default):
    """A default as it stands in the table."""
    if isinstance(default, str) and "\n" in default:
        return "see values.yaml"
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def text():
    """The whole README."""
    lines = ["| value | default | |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {shown(default)} | {about} |".replace("||", "\\|\\|") for key, default, about in rows()]
    head = (HERE / "README.head.md").read_text()
    return head.rstrip("\n") + "\n\n" + "\n".join(lines) + "\n"


def main():
    file = CHART / "README.md"
    if "--write" in sys.argv:
        file.write_text(text())
    elif file.read_text() != text():
        sys.exit("charts/switchboard/README.md is not up to date; tests/chart/readme.py --write")


if __name__ == "__main__":
    main()
