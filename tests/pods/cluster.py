"""The release as pods: nodes, Redis and coturn with their Services, and load on it. No check is in here."""

import contextlib
import os
import pathlib
import re
import subprocess
import time
import urllib.request

import parts
from kubelet import Pod, until
from manifests import SECRETS, Release
from podman import Podman
from services import Services

HERE = pathlib.Path(__file__).resolve().parent
LOADTEST = os.environ.get("LOADTEST_BIN") or str(pathlib.Path(parts.SWITCHBOARD).with_name("switchboard-loadtest"))
NODES = 3
REDIS = "198.18.77.249"
# As in values.yaml.
COTURN = "198.18.77.250"
SELFTEST = "198.18.77.251"
LOAD_S = 90


class Cluster:
    """What checks work on; `nodes` are the node pods that are there."""

    def __init__(self, podman: Podman, release: Release, services: Services):
        self.podman, self.release, self.services = podman, release, services
        self.nodes, self.count = [], 0

    def start(self):
        """Redis first: the nodes are then ready at once, which is not what is tested."""
        self.redis = self.pod("redis", "-redis", REDIS)
        self.coturn = self.pod("coturn", "-coturn", COTURN)
        started = [self.add() for _ in range(NODES)]
        for pod in [self.redis, self.coturn, *started]:
            pod.until_ready()

    def pod(self, name, suffix, address):
        """A pod that is probed and routed to."""
        made = Pod(self.podman, self.release, name, suffix, address).watched()
        self.services.pods.append(made)
        return made

    def add(self):
        """One node more; podman plays one pod of a Deployment, so each replica is played under its own name."""
        self.count += 1
        made = self.pod(f"node-{self.count}", "", f"198.18.77.{9 + self.count}")
        self.nodes.append(made)
        return made

    def remove(self, pod):
        """Deletes a node's pod as a rollout does; its exit code."""
        pod.terminate()
        self.services.leave(pod)
        self.nodes.remove(pod)
        return pod.ended()

    def secret_file(self):
        """The secret that tokens are signed with, in a file."""
        file = self.podman.folder / "hs256-secret"
        file.write_text(SECRETS["jwt"]["hs256-secret"])
        return file


def connections(pod):
    """How many clients a node says that it has."""
    with urllib.request.urlopen(pod.url("ops", "/metrics"), timeout=5) as answer:
        found = re.findall(r"^switchboard_connections(?:\{[^}]*\})? (\d+)", answer.read().decode(), re.MULTILINE)
    assert found, f"{pod.name} does not tell how many connections it has"
    return sum(map(int, found))


class Load:
    """Load on the clients' Service, beside what a check does; `streams` waits until all its peers are there."""

    def __init__(self, cluster, scenario):
        url = f"ws://127.0.0.1:{cluster.services.port}/v1/ws"
        self.cluster, self.log = cluster, cluster.podman.folder / f"{scenario}.log"
        self.command = [
            LOADTEST, "run", HERE / f"{scenario}.toml", "--plain", "--url", url, "--secret-file", cluster.secret_file(),
            "--out", cluster.podman.folder / scenario,
        ]

    def __enter__(self):
        self.output = self.log.open("wb")
        self.running = subprocess.Popen([*map(str, self.command)], stdout=self.output, stderr=self.output)
        return self

    def up(self, peers):
        """Waits until so many peers are connected."""
        until(f"{peers} peers connect", lambda: sum(map(connections, self.cluster.nodes)) == peers or self._over())
        self.still_on()

    def _over(self):
        return self.running.poll() is not None

    def still_on(self):
        """Fails where the load is over: what was done then was not done under load."""
        assert not self._over(), f"the load ended early: {self.said()}"

    def said(self):
        """The end of its output."""
        return self.log.read_text(errors="replace").strip()[-1500:]

    def held(self):
        """Waits for its end, and fails where one of its thresholds did not hold."""
        code = self.running.wait(LOAD_S)
        assert code == 0, f"exit code {code}: {self.said()}"

    def __exit__(self, *_):
        if not self._over():
            # Its workers end with it.
            self.running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.running.wait(5)
            self.running.kill()
        self.running.wait()
        self.output.close()


def always(holds, during_s, step_s=0.2):
    """How often something was asked, and how often it did not hold, for so long."""
    asked, failed, end = 0, 0, time.monotonic() + during_s
    while time.monotonic() < end:
        asked += 1
        failed += not holds()
        time.sleep(step_s)
    return asked, failed
