"""A reader of the documentation: a shell in a folder of its own, with helm, kubectl and switchboard on the path.

Only images and times differ from what the page says: Helm gets them as values, so the commands are typed as they are.
"""

import contextlib
import os
import pathlib
import pty
import re
import signal
import stat
import subprocess
import tempfile

import programs
import support
import yaml
from documented import Background, Shell, Terminal
from processes import until

BLOCK_S = 400
BACKGROUND_S = 30
LOAD_S = 15


def local(name):
    """An image of the test."""
    return {"repository": f"localhost/{name}", "tag": "test", "pullPolicy": "Never"}


def values():
    """Images of the test in place of those of registries, drains of seconds, and a short load that fits on small machines."""
    scenario = yaml.safe_load((support.CHART / "values.yaml").read_text())["loadtest"]["scenario"]
    return {
        "image": local("switchboard"),
        "redis": {"bundled": {"image": local("redis")}},
        "config": {"drain": {"settle_ms": 1000, "window_ms": 2000, "grace_ms": 1000, "deadline_ms": 5000}},
        "loadtest": {"scenario": re.sub(r'for = "\d+s"', f'for = "{LOAD_S}s"', scenario), "resources": {"requests": {"cpu": "100m"}}},
    }


@contextlib.contextmanager
def reader(cluster, version="Helm 3"):
    """A reader with this version of Helm."""
    with tempfile.TemporaryDirectory(dir=cluster.plane.folder) as folder:
        made = Reader(cluster, pathlib.Path(folder), version)
        try:
            yield made
        finally:
            made.end_background()


class Reader:
    """Types blocks, one after the other. Variables of one block are known to the next."""

    def __init__(self, cluster, folder, version):
        self.folder, self.running = folder, []
        self.state = folder / ".state"
        self.state.write_text("")
        (folder / "charts").symlink_to(support.CHART.parent)
        (folder / ".values.yaml").write_text(yaml.safe_dump(values()))
        tools = folder / ".bin"
        tools.mkdir()
        helm, more = cluster.helms[version], folder / ".values.yaml"
        program(tools / "helm", f'case $1 in install|upgrade) exec {helm} "$@" --values {more} ;; *) exec {helm} "$@" ;; esac')
        program(tools / "kubectl", f'exec {programs.path("controlplane")} kubectl "$@"')
        (tools / "switchboard").symlink_to(support.SWITCHBOARD)
        self.environment = cluster.environment | {"PATH": f"{tools}:{os.environ['PATH']}"}

    def save(self, name, text):
        """Writes a file of the page."""
        (self.folder / name).write_text(text)

    def types_all(self, steps):
        """Types the blocks that are commands."""
        for block, way in steps:
            if isinstance(way, Shell):
                self.types(block, way)

    def types(self, block, way):
        """Types a block. Fails if it fails, or if its output lacks what the page says."""
        keep = f"export -p > {self.state}"
        script = "\n".join(["set -eo pipefail", f". {self.state}", "set -a", way.before, keep, block.typed(), keep])
        if isinstance(way, Terminal):
            return self._in_a_terminal(block, script, way.says)
        out = self.folder / ".output"
        with out.open("wb") as file:
            process = subprocess.Popen(["bash", "-c", script], cwd=self.folder, env=self.environment, stdout=file, stderr=file,
                stdin=subprocess.DEVNULL, start_new_session=True)
        self.running.append(process)
        lacking = lambda: [one for one in way.says if one not in out.read_text()]  # noqa: E731
        if isinstance(way, Background):
            until(f"{block} says {way.says}", lambda: process.poll() is not None or not lacking(), BACKGROUND_S)
            assert process.poll() is None, f"{block} ended: {out.read_text()}"
            out.rename(self.folder / f".output-{process.pid}")
            return None
        try:
            code = process.wait(BLOCK_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{block} does not end within {BLOCK_S} s: {out.read_text()}") from None
        assert code == 0, f"{block} ends with {code}: {out.read_text()}"
        assert not lacking(), f"{block} does not say {lacking()}: {out.read_text()}"
        return out.read_text()

    def _in_a_terminal(self, block, script, says):
        ours, theirs = pty.openpty()
        process = subprocess.Popen(["bash", "-c", script], cwd=self.folder, env=self.environment | {"TERM": "xterm"},
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.running.append(process)
        picture = bytearray()
        os.set_blocking(ours, False)

        def look():
            with contextlib.suppress(OSError):
                picture.extend(os.read(ours, 1 << 16))
            return picture.decode(errors="replace")
        try:
            until(f"the picture of {block} has {says}", lambda: all(one in look() for one in says) or process.poll() is not None, BACKGROUND_S)
            os.write(ours, b"q")
            until(f"q ends {block}", lambda: look() and process.poll() is not None, BACKGROUND_S)
        except AssertionError as late:
            raise AssertionError(f"{late}: {look()[-2000:]}") from None
        finally:
            os.close(ours)
        assert process.returncode == 0, f"{block} ends with {process.returncode}: {picture.decode(errors='replace')[-2000:]}"

    def end_background(self):
        """Ends what runs in the background, also `&` of a block that has ended."""
        for process in self.running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self.running.clear()


def program(file, line):
    """Writes a program of one line."""
    file.write_text(f"#!/bin/sh\n{line}\n")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
