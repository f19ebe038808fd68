"""The release as pods: nodes, Redis and coturn with their Services, and load on them. Not here: checks."""

import contextlib
import os
import pathlib
import re
import subprocess
import time
import urllib.request

import support
from kubelet import Pod, until
from manifests import SECRETS, Release
from podman import Podman
from services import Services

HERE = pathlib.Path(__file__).resolve().parent
LOADTEST = os.environ.get("LOADTEST_BIN") or str(pathlib.Path(support.SWITCHBOARD).with_name("switchboard-loadtest"))
NODES = 3
REDIS = "198.18.77.249"
# As in values.yaml.
COTURN = "198.18.77.250"
SELFTEST = "198.18.77.251"
LOAD_S = 90


class Cluster:
    """The pods of the release; `nodes` are the running node pods."""

    def __init__(self, podman: Podman, release: Release, services: Services):
        self.podman, self.release, self.services = podman, release, services
        self.nodes, self.count = [], 0

    def start(self):
        """Starts Redis first, so that the nodes become ready soon."""
        self.redis = self.pod("redis", "-redis", REDIS)
        self.coturn = self.pod("coturn", "-coturn", COTURN)
        started = [self.add() for _ in range(NODES)]
        for pod in [self.redis, self.coturn, *started]:
            pod.until_ready()

    def pod(self, name, suffix, address):
        """Starts a pod with probes and routes."""
        made = Pod(self.podman, self.release, name, suffix, address).watched()
        self.services.pods.append(made)
        return made

    def add(self):
        """Adds a node. podman plays one pod of a Deployment, so each replica has its own name."""
        self.count += 1
        made = self.pod(f"node-{self.count}", "", f"198.18.77.{9 + self.count}")
        self.nodes.append(made)
        return made

    def remove(self, pod):
        """Deletes a node's pod as a rollout does. Returns its exit code."""
        pod.terminate()
        self.services.remove_later(pod)
        self.nodes.remove(pod)
        return pod.ended()

    def secret_file(self):
        """Writes the signing secret into a file."""
        file = self.podman.folder / "hs256-secret"
        file.write_text(SECRETS["jwt"]["hs256-secret"])
        return file


def connections(pod):
    """The number of connections that a node reports."""
    with urllib.request.urlopen(pod.url("ops", "/metrics"), timeout=5) as answer:
        found = re.findall(r"^switchboard_connections(?:\{[^}]*\})? (\d+)", answer.read().decode(), re.MULTILINE)
    assert found, f"{pod.name} reports no number of connections"
    return sum(map(int, found))


class Load:
    """Load on the clients' Service during a check."""

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

    def wait_connected(self, peers):
        """Waits until this many peers are connected."""
        until(f"{peers} peers connect", lambda: sum(map(connections, self.cluster.nodes)) == peers or self._ended())
        self.assert_running()

    def _ended(self):
        return self.running.poll() is not None

    def assert_running(self):
        """Fails if the load has ended: the check was then not under load."""
        assert not self._ended(), f"the load ended early: {self.output_end()}"

    def output_end(self):
        """The end of its output."""
        return self.log.read_text(errors="replace").strip()[-1500:]

    def assert_passed(self):
        """Waits for the end of the load. Fails if a threshold was missed."""
        code = self.running.wait(LOAD_S)
        assert code == 0, f"exit code {code}: {self.output_end()}"

    def __exit__(self, *_):
        if not self._ended():
            # Its workers end too.
            self.running.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.running.wait(5)
            self.running.kill()
        self.running.wait()
        self.output.close()


def count_failures(condition, during_s, step_s=0.2):
    """Checks the condition repeatedly. Returns the number of checks and of failures."""
    checked, failed, end = 0, 0, time.monotonic() + during_s
    while time.monotonic() < end:
        checked += 1
        failed += not condition()
        time.sleep(step_s)
    return checked, failed
