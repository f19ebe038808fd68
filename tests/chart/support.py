"""Paths and tool calls. Not here: checks."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import tomllib

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/switchboard"
HERE = ROOT / "tests/chart"
TOOLS = ROOT / ".tools"
VALUES = HERE / "values"
SWITCHBOARD = os.environ.get("SWITCHBOARD_BIN") or str(ROOT / "target/debug/switchboard")
# Charts are rendered for this version. The schemas of the oldest and the newest version are checked too.
KUBERNETES = "1.33.0"
RELEASE = "sb"
NAMESPACE = "calls"
TIMEOUT_S = 60


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CHECKS = []


class Skip(Exception):
    """The reason why a check cannot run here."""


def check(function):
    """Registers a function as a check. Its name is the sentence that it proves."""
    CHECKS.append(function)
    return function


def tool(name):
    """The tool that scripts/setup installed, or the one on the path, or None."""
    own = TOOLS / "bin" / name
    return str(own) if own.exists() else shutil.which(name)


def helm(*arguments):
    """Runs helm; returns exit code, output and errors."""
    done = subprocess.run([tool("helm"), *map(str, arguments)], capture_output=True, text=True, timeout=TIMEOUT_S)
    return done.returncode, done.stdout, done.stderr


def _template(*arguments):
    return helm("template", RELEASE, CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES, *arguments)


@functools.cache
def render(name):
    """The rendered text of values/<name>.yaml."""
    code, text, errors = _template("--values", VALUES / f"{name}.yaml")
    if code:
        raise AssertionError(f"{name} does not render: {errors.strip()}")
    return text


def refusal(values):
    """Why the chart refuses these values; None if it accepts them."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        code, _, errors = _template("--values", file.name)
    return errors if code else None


def objects(name):
    """The rendered objects of values/<name>.yaml."""
    return [one for one in yaml.load_all(render(name), Loader=LOADER) if one]


def of_kind(name, kind, suffix=""):
    """The objects of one kind, with names that end with `suffix`."""
    return [one for one in objects(name) if one["kind"] == kind and one["metadata"]["name"].endswith(suffix)]


def the(name, kind, suffix=""):
    """The one object of that kind."""
    found = of_kind(name, kind, suffix)
    assert len(found) == 1, f"{name} has {len(found)} objects of kind {kind} {suffix}"
    return found[0]


def pods(name):
    """Every pod of a value set: (owner, labels, specification)."""
    for one in objects(name):
        if one["kind"] == "Pod":
            yield one["metadata"]["name"], one["metadata"]["labels"], one["spec"]
        elif "template" in one.get("spec", {}):
            template = one["spec"]["template"]
            yield one["metadata"]["name"], template["metadata"]["labels"], template["spec"]


def node(name):
    """The specification of the node's pod, and its container."""
    spec = the_nodes(name)["spec"]["template"]["spec"]
    return spec, next(one for one in spec["containers"] if one["name"] == "node")


def the_nodes(name):
    """The Deployment of the nodes."""
    return next(
        one for one in of_kind(name, "Deployment")
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == "node"
    )


def config(name):
    """The node's configuration, parsed."""
    return tomllib.loads(config_text(name))


def config_text(name):
    """The text of the node's configuration in its ConfigMap."""
    return next(one for one in of_kind(name, "ConfigMap") if "switchboard.toml" in one["data"])["data"]["switchboard.toml"]


def notes(name):
    """The notes for the user after the installation."""
    # `helm template` omits NOTES.txt and `helm install` needs a cluster, so an extra object contains the notes.
    text = """
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  notes: {{ include "switchboard.notes" . | quote }}
"""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump({"extraObjects": [text]}, file)
        file.flush()
        code, made, errors = _template("--values", VALUES / f"{name}.yaml", "--values", file.name)
    if code:
        raise AssertionError(f"{name}: {errors.strip()}")
    return next(
        one["data"]["notes"] for one in yaml.load_all(made, Loader=LOADER) if one and one["metadata"]["name"] == "notes"
    )


def value_sets():
    """The names of all value sets."""
    return sorted(path.stem for path in VALUES.glob("*.yaml"))


def metrics_of_the_page():
    """The metrics of docs/metrics.md: name → kind."""
    page = (ROOT / "docs/metrics.md").read_text()
    return dict(re.findall(r"^\| `(switchboard_\w+)` \| (\w+) \|", page, re.MULTILINE))


