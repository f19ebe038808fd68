"""Redis and two nodes on free ports. A proxy between n2 and Redis can make n2 deaf.

Bounds are small and the drain is long, so a few clients are enough for every fault. Not for load.
"""

import secrets
import subprocess

from deaf_proxy import DeafProxy
from support import Process, binary, free_port, get, wait_until

CONNECTIONS = 10
OPS_TOKEN = "of-the-nodes-of-this-test"
NODE = """
[node]
id = "{name}"
[server]
listen = "127.0.0.1:{public}"
ops_listen = "127.0.0.1:{ops}"
[ops]
token = "{token}"
[auth]
hs256_secret_file = "{folder}/secret"
[broker]
redis_urls = ["redis://127.0.0.1:{redis}"]
[session]
send_deadline_ms = 500
[limits]
connections = {connections}
# Clients may stay for a minute after `goaway`, so a drain does not complete.
[drain]
settle_ms = 0
window_ms = 100
grace_ms = 60000
deadline_ms = 90000
"""


class Node:
    """One node as a process."""

    def __init__(self, folder, name, redis_port):
        self.name, self.public, self.ops = name, free_port(), free_port()
        self.config = folder / f"{name}.toml"
        self.config.write_text(
            NODE.format(
                name=name, public=self.public, ops=self.ops, folder=folder, redis=redis_port, connections=CONNECTIONS,
                token=OPS_TOKEN,
            )
        )
        self.process = Process([binary(), "serve", "--config", self.config], folder / f"{name}.log")

    def post(self, path):
        status, text = get(f"http://127.0.0.1:{self.ops}{path}", method="POST", token=OPS_TOKEN)
        assert status == 202, (path, status, text)

    def is_ready(self):
        """Asks as a container runtime does: with the node's own command."""
        check = [binary(), "healthcheck", "--ready", "--config", self.config]
        return subprocess.run(check, capture_output=True).returncode == 0


class Cluster:
    """Redis, n1 and n2, all ready."""

    def __init__(self, folder):
        self.folder = folder
        (folder / "secret").write_text(secrets.token_urlsafe(48))
        self.redis_port = free_port()
        redis = ["redis-server", "--port", self.redis_port, "--bind", "127.0.0.1", "--save", "", "--dir", folder]
        self.redis = Process(redis, folder / "redis.log")
        self.proxy = DeafProxy(self.redis_port)
        self.n1 = Node(folder, "n1", self.redis_port)
        self.n2 = Node(folder, "n2", self.proxy.port)
        self.nodes = [self.n1, self.n2]
        self.wait_ready()

    def wait_ready(self):
        for node in self.nodes:
            try:
                wait_until(f"{node.name} is ready", node.is_ready)
            except TimeoutError as error:
                raise TimeoutError(f"{error}\n{node.process.tail()}") from error

    def token(self, peer):
        mint = [binary(), "token", "mint", "--secret-file", self.folder / "secret", "--peer", peer]
        return subprocess.run(mint, capture_output=True, text=True, check=True).stdout.strip()

    def stop(self):
        for process in [*(node.process for node in self.nodes), self.redis]:
            process.__exit__()
        self.proxy.close()
