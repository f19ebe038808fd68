"""Processes of a run: each with a log, ended in reverse order, and by the kernel if the run itself is killed."""

import ctypes
import signal
import socket
import subprocess
import time

END_S = 10
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def until(what, condition, within, step_s=0.1):
    """Waits until the condition returns a true value, for a bounded time. Returns the value."""
    deadline = time.monotonic() + within
    while True:
        if found := condition():
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: not within {within} s")
        time.sleep(step_s)


def free_port():
    """A free port on loopback. These programs cannot choose their own."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Processes:
    """A context manager; logs are in `folder`."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}

    def start(self, name, *command, **options):
        """Starts a process in the background."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.running[name] = subprocess.Popen(
                list(map(str, command)), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                preexec_fn=lambda: LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), **options,
            )

    def check(self):
        """Fails with the end of its log if a process has ended."""
        for name, process in self.running.items():
            if process.poll() is not None:
                end = (self.folder / f"{name}.log").read_text(errors="replace")[-800:]
                raise RuntimeError(f"{name} ended with {process.returncode}: {end}")
        return True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running.values()):
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
