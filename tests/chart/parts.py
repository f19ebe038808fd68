"""Where things are and how the tools are called. No check is in here."""

import functools
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "charts/switchboard"
HERE = ROOT / "tests/chart"
TOOLS = ROOT / ".tools"
VALUES = HERE / "values"
SWITCHBOARD = os.environ.get("SWITCHBOARD_BIN") or str(ROOT / "target/debug/switchboard")
# The version that charts are rendered for; schemas of the oldest and the newest one are checked too.
KUBERNETES = "1.33.0"
RELEASE = "sb"
NAMESPACE = "calls"
TIMEOUT_S = 60


def tool(name):
    """The tool that scripts/setup installed, or the one on the path; None if there is none."""
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
    """The text of the objects that values/<name>.yaml makes."""
    code, text, errors = _template("--values", VALUES / f"{name}.yaml")
    if code:
        raise AssertionError(f"{name} does not render: {errors.strip()}")
    return text


def refusal(values):
    """Why these values are refused; None if they are not."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(values, file)
        file.flush()
        code, _, errors = _template("--values", file.name)
    return errors if code else None


def objects(name):
    """The objects that values/<name>.yaml makes."""
    return [one for one in yaml.load_all(render(name), Loader=LOADER) if one]


def notes(name):
    """What the user is told after the installation."""
    # `helm template` leaves the notes out; a dry run in the client has them.
    code, text, errors = helm(
        "install", RELEASE, CHART, "--namespace", NAMESPACE, "--dry-run=client",
        "--kube-version", KUBERNETES, "--values", VALUES / f"{name}.yaml",
    )
    if code:
        raise AssertionError(f"{name}: {errors.strip()}")
    return text.split("NOTES:", 1)[1]


def value_sets():
    """The names of all value sets."""
    return sorted(path.stem for path in VALUES.glob("*.yaml"))


def metrics_of_the_page():
    """The metrics of docs/metrics.md: name → kind."""
    page = (ROOT / "docs/metrics.md").read_text()
    return dict(re.findall(r"^\| `(switchboard_\w+)` \| (\w+) \|", page, re.MULTILINE))


LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
