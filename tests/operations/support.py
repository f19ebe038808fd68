"""Helpers of the live test: child processes with a log, free ports, and waiting with a deadline.

Not here: the programs (cluster.py, fast_prometheus.py) and the steps of the test (live_alerts.py).
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
TIMEOUT_S = 30
CHECK_EVERY_S = 0.1
LOG_LINES = 20

# Servers that Debian keeps outside a user's PATH.
os.environ["PATH"] += ":/usr/sbin"


def tool(name):
    """The path of a program. A missing one is a failure if CI=true. Otherwise it is None, with a message."""
    found = shutil.which(name)
    if not found:
        if os.environ.get("CI") == "true":
            sys.exit(f"operations: {name} is missing; scripts/setup installs it")
        print(f"operations: SKIPPED, {name} is missing; scripts/setup installs it")
    return found


def binary():
    """The node to test: SWITCHBOARD_BIN, or the result of `cargo build`."""
    path = pathlib.Path(os.environ.get("SWITCHBOARD_BIN", ROOT / "target/debug/switchboard"))
    if not path.exists():
        sys.exit(f"operations: {path} is missing; cargo build -p switchboard-node")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url, method="GET", within_s=2, token=None):
    """Status and text of an answer; status 0 without an answer."""
    try:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(url, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=within_s) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_until(what, check, within_s=TIMEOUT_S):
    """Calls `check` until it returns a true value, and returns that value. Fails after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {within_s} s: {what}")
        time.sleep(CHECK_EVERY_S)


class Process:
    """A child process with its log. It ends with the block."""

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
        self.child.wait(TIMEOUT_S)

    def tail(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LOG_LINES:])

    def wait_ready(self, url):
        def check():
            if self.child.poll() is not None:
                raise ChildProcessError(f"{self.command[0]} ended: {self.tail()}")
            return get(url)[0] == 200

        try:
            wait_until(f"{self.command[0]} is ready", check)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from error

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.child.poll() is None:
            self.kill(signal.SIGTERM if "nginx" in self.command[0] else signal.SIGKILL)
