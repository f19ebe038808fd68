"""Peers for the calls of tests/api: some that stay connected in a room, and one that is detached.

A call may kick them, remove them from the room or revoke their tokens. They are brought back, and the next call waits for that
(hooks.py). Not here: the calls (run.py).
"""

import contextlib
import json
import subprocess
import threading
import time

from socket_client import Client, Refused
from support import CHECK_EVERY_S, get, wait_until

ROOM = "lobby"
# Names as in schemathesis.toml.
CONNECTED = ("ann", "bob", "carol", "dave", "erin", "frank")
DETACHED = "grace"
INFO = '{"name": "a resident"}'
# How long a peer that was started may need until it is in the room.
JOINS_WITHIN_S = 2


class View:
    """What a backend's token sees of the peers at a node."""

    def __init__(self, port, token):
        self.port, self.token = port, token

    def ask(self, path):
        status, text = get(f"http://127.0.0.1:{self.port}{path}", token=self.token)
        return json.loads(text) if status == 200 else {}

    def members(self):
        return {member["peer"] for member in self.ask(f"/v1/rooms/{ROOM}?limit=1000").get("members", [])}

    def is_detached(self):
        return self.ask(f"/v1/peers/{DETACHED}").get("state") == "detached"

    def is_complete(self):
        return self.members() >= set(CONNECTED) and self.is_detached()


class Residents:
    """The peers, from the beginning of the block to its end. `mint` makes a new token for a peer."""

    def __init__(self, node, port, mint, log):
        self.node, self.port, self.mint, self.log = node, port, mint, log
        self.view = View(port, mint("supervisor", "--backend"))
        self.listeners = {}
        self.ends = threading.Event()
        self.thread = threading.Thread(target=self.keep)

    def __enter__(self):
        self.thread.start()
        try:
            wait_until("the peers are there", self.view.is_complete)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.ends.set()
        self.thread.join()
        for process, _ in self.listeners.values():
            process.kill()
            process.wait()

    def keep(self):
        """Brings back those that are missing, until the end."""
        while not self.ends.wait(CHECK_EVERY_S):
            members = self.view.members()
            for name in CONNECTED:
                if name not in members and self.may_start(name):
                    self.start(name)
            if not self.view.is_detached():
                # A token of the second in which its tokens were revoked is refused, too.
                with contextlib.suppress(Refused, OSError):
                    Client(self.port, self.mint(DETACHED)).stream.close()

    def may_start(self, name):
        """Whether the peer has no listener, or one that had time enough and is in no room."""
        process, started = self.listeners.get(name, (None, 0))
        return not process or process.poll() is not None or time.monotonic() - started > JOINS_WITHIN_S

    def start(self, name):
        if name in self.listeners:
            process, _ = self.listeners[name]
            process.kill()
            process.wait()
        command = [self.node, "listen", "--url", f"ws://127.0.0.1:{self.port}/v1/ws", "--room", ROOM, "--info", INFO]
        process = subprocess.Popen([*command, "--token", self.mint(name)], stdout=subprocess.DEVNULL, stderr=self.log)
        self.listeners[name] = (process, time.monotonic())
