"""The code blocks of docs/kubernetes.md and docs/drills.md, and how each is tried. Not here: their shell (reader.py), and checks."""

import dataclasses
import re

import support

PAGE, DRILLS = support.ROOT / "docs/kubernetes.md", support.ROOT / "docs/drills.md"
# What a reader replaces: what the page says → what the reader types.
REPLACED = {"edge-1": "machine-1", "POD": "$POD"}
A_POD = "POD=$(kubectl --namespace calls get pod --selector app.kubernetes.io/component=node --output jsonpath='{.items[0].metadata.name}')"
# Tokens of the key in the Secret. Those of the trial have another one.
TOKENS = """
kubectl --namespace calls get secret jwt --output jsonpath='{.data.hs256-secret}' | base64 --decode > secret.txt
for peer in ann bob; do switchboard token mint --peer $peer --secret-file secret.txt > $peer.token; done
"""


@dataclasses.dataclass(frozen=True)
class Block:
    """A code block. `language` is `sh` or `yaml`."""

    page: str
    heading: str
    line: int
    language: str
    text: str

    def __str__(self):
        return f"{self.page}:{self.line} ({self.heading})"

    def typed(self):
        """The text as a reader types it."""
        text = self.text
        for said, typed in REPLACED.items():
            text = re.sub(rf"(?<![\w$]){re.escape(said)}(?!\w)", lambda _, typed=typed: typed, text)
        return text

    def file(self):
        """The name of the file that it is; None if it is none."""
        named = re.match(r"# (\S+\.yaml)\n", self.text)
        return named and named[1]


class Shell:
    """Runs in a shell and ends well. Its output has `says`. A reader has run `before`."""

    def __init__(self, *says, before=""):
        self.says, self.before = says, before


class Background(Shell):
    """Runs until the end of its section. The next block is typed when the output has `says`."""


class Terminal(Shell):
    """Runs in a terminal until its picture has `says`. Then `q` ends it."""


class Values:
    """An upgrade of the release for production with these values, too. Tried on simulated machines."""


class File:
    """A file that commands of the page name."""


class Untried:
    """Not tried, for a reason."""

    def __init__(self, reason):
        self.reason = reason


PLAN = {
    "In five minutes": [
        Shell("STATUS: deployed", "Clients connect to:", "Succeeded"),
        Background("Forwarding from 127.0.0.1:8080"),
        Shell("delivered to bob"),
    ],
    "For production": [
        Shell("STATUS: deployed", "wss://signal.example/v1/ws", before="grep --only-matching 'redis://.*' signaling.yaml > redis-url.txt"),
        File(),
    ],
    "TLS on the nodes": [Values()],
    "Keys": [Shell("STATUS: deployed", before=TOKENS)],
    "TURN": [Shell("secret/turn created"), Shell("node/machine-1 annotated")],
    "Scaling": [
        Untried("configures prometheus-adapter, which is not there"),
        Untried("asks prometheus-adapter, which is not there"),
    ],
    "Upgrades": [
        Shell("STATUS: deployed", "Rollback was a success"),
        Background("Forwarding from 127.0.0.1:9090", before=A_POD),
        Shell("drain"),
        Terminal("draining"),
    ],
    "The backend API": [Values()],
    "Load test in the cluster": [Shell("STATUS: deployed", "lost 0")],
    "From a registry": [Untried("needs a registry and a key; tests/chart/checks/distribution.py has both")],
    "Tests on a real Kubernetes": [Untried("runs these tests themselves, on another version")],
    "Uninstall": [Shell('release "signaling" uninstalled', 'namespace "calls" deleted')],
}


def blocks(page=PAGE):
    """The code blocks of a page, in order."""
    found, heading, open_ = [], "", None
    for number, line in enumerate(page.read_text().splitlines(keepends=True), 1):
        if open_:
            if line == "```\n":
                found.append(Block(page.name, heading, *open_))
                open_ = None
            else:
                open_ = (*open_[:2], open_[2] + line)
        elif line.startswith("```"):
            open_ = (number, line.strip().removeprefix("```"), "")
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    return found


def plan():
    """Each block with how it is tried. A block that PLAN does not know fails."""
    made = []
    for heading in dict.fromkeys([one.heading for one in blocks()] + list(PLAN)):
        here, ways = [one for one in blocks() if one.heading == heading], PLAN.get(heading, [])
        assert len(here) == len(ways), f"“{heading}” has {len(here)} code blocks, and documented.py says how to try {len(ways)}"
        made += zip(here, ways)
    for block, way in made:
        wanted = "sh" if isinstance(way, Shell) else "yaml" if isinstance(way, (Values, File)) else block.language
        assert block.language == wanted, f"{block} is {block.language}, and documented.py says how to try {wanted}"
    return made


def files(steps):
    """The files of these steps: name → text."""
    return {block.file(): block.text for block, way in steps if isinstance(way, File)}


def drills():
    """The sections of the page of drills: heading → its blocks with how they are tried. The last block ends what the others begin."""
    sections = {}
    for block in blocks(DRILLS):
        way = File() if block.file() else Background("Forwarding from") if " port-forward " in block.text else Shell()
        sections.setdefault(block.heading, []).append((block, way))
    return sections
