"""What the live test is built of: child processes with a log, free ports, waiting with a deadline.

Not here: what is started (cluster.py, prometheus.py) and what is tried with it (live.py).
"""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 30
LOOK_EVERY_S = 0.1
LOG_LINES = 20

# Servers that Debian keeps outside a user's PATH.
os.environ["PATH"] += ":/usr/sbin"


def tool(name):
    """The path of a program. A missing one is a failure where CI is set, and None, said aloud, elsewhere."""
    found = shutil.which(name)
    if not found:
        if os.environ.get("CI") == "true":
            sys.exit(f"operations: {name} is missing; scripts/setup installs it")
        print(f"operations: SKIPPED, {name} is missing; scripts/setup installs it")
    return found


def binary():
    """The node to test: SWITCHBOARD_BIN, or what `cargo build` made."""
    path = pathlib.Path(os.environ.get("SWITCHBOARD_BIN", ROOT / "target/debug/switchboard"))
    if not path.exists():
        sys.exit(f"operations: {path} is missing; cargo build -p switchboard-node")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, method="GET", within_s=2):
    """Status and text of an answer; status 0 when there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=within_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_until(what, look, within_s=PATIENCE_S):
    """Calls `look` until it returns something true, and returns that; fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s} s: {what}")
        time.sleep(LOOK_EVERY_S)


class Process:
    """A child process with its log; ended when the block is left."""

    def __init__(self, command, log, **more):
        self.command, self.log, self.more = [str(part) for part in command], log, more
        self.child = None
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self.more
            )

    def kill(self, how=signal.SIGKILL):
        self.child.send_signal(how)
        self.child.wait(PATIENCE_S)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def wait_ready(self, url):
        def look():
            if self.child.poll() is not None:
                raise ChildProcessError(f"{self.command[0]} ended: {self.tail()}")
            return get(url)[0] == 200

        try:
            wait_until(f"{self.command[0]} is ready", look)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.kill(signal.SIGTERM if "nginx" in self.command[0] else signal.SIGKILL)
