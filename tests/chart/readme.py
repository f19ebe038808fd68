#!/usr/bin/env python3
"""Generates the chart's README from README.head.md and the `# --` comments of values.yaml.

`readme.py [--write]`: checks whether README.md is up to date, or writes it.
"""

import json
import re
import sys

import yaml

from support import CHART, HERE

KEY = re.compile(r"^(\s*)([\w.-]+):")
COMMENT = re.compile(r"^\s*# -- (.*)$")
LONGEST_DEFAULT = 60


def rows():
    """(key, default, description) of every value with a `# --` comment, in the order of the file."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    found, path, comment_text = [], [], None
    for line in (CHART / "values.yaml").read_text().splitlines():
        if comment := COMMENT.match(line):
            comment_text = comment[1]
        elif key := KEY.match(line):
            depth = len(key[1]) // 2
            path = path[:depth] + [key[2]]
            if comment_text:
                default = values
                for part in path:
                    default = default[part]
                found.append((".".join(path), default, comment_text))
                comment_text = None
    return found


def undocumented():
    """Values without a comment on them or on a parent."""
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
    """A default as the table shows it."""
    if isinstance(default, str) and "\n" in default:
        return "see values.yaml"
    text = json.dumps(default, ensure_ascii=False)
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see values.yaml"


def text():
    """The whole README."""
    lines = ["| value | default | |", "| --- | --- | --- |"]
    lines += [f"| `{key}` | {shown(default)} | {comment_text} |".replace("||", "\\|\\|") for key, default, comment_text in rows()]
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
