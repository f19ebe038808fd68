"""One release whose pods run in containers: its addresses, its processes, pods that connect to it, and load from within.

Not here: checks.
"""

import contextlib
import itertools
import json
import pathlib
import re
import urllib.request

from checks.installs import secrets
from checks.pods import is_ready
from processes import until
from releases import COMPONENT, INSTANCE
from watching import Watched

# Without its ending, as the names of other value sets.
VALUES = str(pathlib.Path(__file__).resolve().parent / "values/containers")
NAMESPACE, NAME = "signaling", "sb"
NODES = 3
START_S = 120
# A pod's first packets are refused until its address is known to those that enforce policies.
CLIENT_S = 8
# The release's own Service, in the words of the chart.
OWN_SERVICE = '{{ include "switchboard.fullname" . }}:{{ .Values.service.port }}'
LOAD = """name = "in-cluster"
about = "{about}"
thresholds = [{thresholds}]
settle = "8s"

[target]
urls = ["ws://{host}/v1/ws"]
secret_file = "/etc/switchboard/jwt/hs256-secret"

[streams]
pairs = {pairs}
stages = [{{ rate = {rate}, for = "{seconds}s" }}]
# The Service chooses nodes at random. With three nodes, two of three pairs are across nodes.
placement = "random"
payload_bytes = 400
resume = true

[generator]
# A late start would distort times, which machines that tests share do not measure.
max_start_delay = "2s"
workers = 1
"""


@contextlib.contextmanager
def deployed(cluster, options):
    """The installed release, when all its pods are ready."""
    with cluster.namespace(enforced=None, name=NAMESPACE) as namespace:
        secrets(cluster, namespace, "jwt", "ops", "turn")
        with cluster.release(namespace, [VALUES], name=NAME) as release:
            made = Deployed(cluster, release, options)
            until("all pods are ready", made.is_ready, START_S)
            yield made


class Deployed:
    """The release."""

    def __init__(self, cluster, release, options):
        self.cluster, self.release, self.api, self.kubectl = cluster, release, cluster.api, cluster.kubectl
        self.options = options
        self.clients = itertools.count()

    def pods(self, component="node"):
        """The pods of a component, but for those that are being deleted."""
        return list(self.release.pods(component).values())

    def is_ready(self):
        """Whether all pods are."""
        counts = {one: sum(map(is_ready, self.pods(one))) for one in ("node", "redis", "coturn")}
        return counts == {"node": NODES, "redis": 1, "coturn": 1}

    def until_ready(self):
        """Waits until all pods are."""
        until("all pods are ready", self.is_ready, START_S, 0.2)

    def restarts(self):
        """How often containers of nodes were started again, by pod."""
        return {one["metadata"]["name"]: one["status"]["containerStatuses"][0]["restartCount"] for one in self.pods()}

    def watched(self):
        """What happens to the pods of nodes while a check runs."""
        return Watched(self.api, self.release.namespace, **{INSTANCE: self.release.name, COMPONENT: "node"})

    def service(self, suffix=""):
        """The address of a Service: what clients of the cluster reach."""
        return self.api.find("Service", self.release.namespace, f"{self.release.name}-switchboard{suffix}")["spec"]["clusterIP"]

    def get(self, pod, port, path, **headers):
        """The answer of a pod to a request from its machine, which is always allowed."""
        numbers = {one["name"]: one["containerPort"] for one in pod["spec"]["containers"][0]["ports"]}
        url = f"http://{pod['status']['podIP']}:{numbers[port]}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
            return answer.read().decode()

    def connections(self):
        """The number of connections that the nodes report. A node that is down has none."""
        texts = []
        for pod in self.pods():
            with contextlib.suppress(OSError):
                texts.append(self.get(pod, "ops", "/metrics"))
        return sum(int(count) for text in texts for count in re.findall(r"^switchboard_connections(?:\{[^}]*\})? (\d+)", text, re.MULTILINE))

    def connects(self, namespace, host, port):
        """Whether a pod of a namespace can connect to an address."""
        name = f"client-{next(self.clients)}"
        command = ["/bin/bash", "-c", f"exec 3<>/dev/tcp/{host}/{port}"]
        container = {"name": "client", "image": "localhost/bash:test", "imagePullPolicy": "Never", "command": command}
        spec = {"restartPolicy": "Never", "activeDeadlineSeconds": CLIENT_S, "terminationGracePeriodSeconds": 1, "containers": [container]}
        self.api.create("Pod", namespace, name, spec=spec)
        try:
            ended = until(f"{name} ends", lambda: phase(self.api.find("Pod", namespace, name)), 30)
        except AssertionError as late:
            raise AssertionError(f"{late}: {self.api.find('Pod', namespace, name)['status']}") from None
        return ended == "Succeeded"

    @contextlib.contextmanager
    def load(self, about, pairs, rate, seconds, *thresholds):
        """Load from a Job of the chart. The values that it is upgraded with, and `result`, which waits for the end."""
        scenario = scenario_of(OWN_SERVICE, about, pairs, rate, seconds, thresholds)
        values = {"loadtest": {"enabled": True, "scenario": scenario, "resources": {"requests": {"cpu": "100m"}}}}
        self.release.upgrade(VALUES, values)
        try:
            load = Load(self, values, 2 * pairs)
            yield load
        finally:
            self.release.upgrade(VALUES)
        # What the check has changed may be a rollout back, which the next check must not see.
        self.release.until_complete(START_S)
        until("no pod stops", lambda: not self.release.stopping(), START_S)


def scenario_of(host, about, pairs, rate, seconds, thresholds):
    """The text of a scenario whose load is on a host."""
    return LOAD.format(host=host, about=about, pairs=pairs, rate=rate, seconds=seconds, thresholds=", ".join(map(json.dumps, thresholds)))


class Load:
    """A pod with load, whose peers are all connected."""

    def __init__(self, deployed, values, peers):
        self.deployed, self.values = deployed, values
        until(f"{peers} peers are connected", lambda: self.assert_running() or deployed.connections() == peers, 60, 0.3)

    def _pod(self):
        return next(iter(self.deployed.pods("loadtest")), None)

    def assert_running(self):
        """Fails if the load has ended: a check was then not under load."""
        pod = self._pod()
        assert not pod or not phase(pod), f"the load ended early: {self.output()}"

    def output(self):
        """The output of the load."""
        return self.deployed.kubectl("logs", "--namespace", self.deployed.release.namespace, "--tail=60", self._pod()["metadata"]["name"])

    def result(self, within_s=120):
        """Waits for the end. Fails if a threshold was missed; returns the output."""
        ended = until("the load ends", lambda: phase(self._pod()), within_s, 0.5)
        assert ended == "Succeeded", f"a threshold was missed: {self.output()}"
        return self.output()


def phase(pod):
    """How a pod has ended: Succeeded or Failed; None if it runs."""
    found = pod["status"].get("phase")
    return found if found in ("Succeeded", "Failed") else None
