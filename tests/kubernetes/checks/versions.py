"""From another version's chart and program to this one and back, under load, with both at work. Only `--from` asks for it."""

import contextlib
import json
import threading
import time

import support
from checks.installs import secrets
from checks.lifetimes import NOTHING_LOST, PAIRS, figures
from checks.pods import is_ready
from deployed import NAME, NODES, Deployed, Load, scenario_of
from processes import until
from reader import local
from releases import COMPONENT, INSTANCE

NAMESPACE = "versions"
START_S, ROLLOUT_S, LOAD_S = 120, 120, 120
LOOK_S = 0.2
IMAGES = {"previous": local("previous"), "this": local("switchboard")}
# Values that both versions know. Redis is not part of the release, so that only nodes change.
VALUES = {
    "replicaCount": NODES,
    "auth": {"hs256": {"existingSecret": "jwt"}},
    "redis": {"external": {"url": "redis://redis:6379"}},
    "config": {"drain": {"settle_ms": 1000, "window_ms": 2000, "grace_ms": 1000, "deadline_ms": 5000}},
}


def container(image, command, **more):
    """A Pod's specification with one container of an image of the test."""
    one = {"name": "one", "image": f"localhost/{image}:test", "imagePullPolicy": "Never", "command": command, **more}
    return {"restartPolicy": "Never", "terminationGracePeriodSeconds": 1, "enableServiceLinks": False, "containers": [one]}


def surroundings(api):
    """Redis, and the scenario of the load."""
    api.create("Pod", NAMESPACE, "redis", metadata={"labels": {"app": "redis"}},
        spec=container("redis", ["/usr/bin/redis-server", "--save", "", "--protected-mode", "no"]))
    api.create("Service", NAMESPACE, "redis", spec={"selector": {"app": "redis"}, "ports": [{"port": 6379}]})
    text = scenario_of(f"{NAME}-switchboard", "The version of the nodes changes.", PAIRS, 100, LOAD_S, [*NOTHING_LOST, "sent > 5000"])
    api.create("ConfigMap", NAMESPACE, "scenario", data={"scenario.toml": text})


@contextlib.contextmanager
def load(live):
    """Load from a pod of this version that no upgrade replaces."""
    mounts = {"scenario": ("/scenario", {"configMap": {"name": "scenario"}}), "jwt": ("/etc/switchboard/jwt", {"secret": {"secretName": "jwt"}}),
              "out": ("/out", {"emptyDir": {}}), "tmp": ("/tmp", {"emptyDir": {}})}
    spec = container("switchboard", ["/switchboard-loadtest", "run", "/scenario/scenario.toml", "--allow-remote"], workingDir="/out",
        volumeMounts=[{"name": name, "mountPath": path} for name, (path, _) in mounts.items()])
    spec["volumes"] = [{"name": name} | source for name, (_, source) in mounts.items()]
    live.api.create("Pod", NAMESPACE, "load", metadata={"labels": {INSTANCE: NAME, COMPONENT: "loadtest"}}, spec=spec)
    yield Load(live, {}, 2 * PAIRS)


class Mixture:
    """A context manager that looks at the images of ready nodes, and adds up how long there were two."""

    def __init__(self, live):
        self.live, self.seconds, self.over = live, 0.0, threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        last = time.monotonic()
        while not self.over.wait(LOOK_S):
            # A request that fails is repeated.
            with contextlib.suppress(OSError):
                images = {one["spec"]["containers"][0]["image"] for one in self.live.pods() if is_ready(one)}
                now = time.monotonic()
                self.seconds += (now - last) * (len(images) == 2)
                last = now

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)


def changed_to(live, version, chart):
    """Upgrades to a version. Returns how long that took, and how long nodes of both versions served clients."""
    start = time.monotonic()
    with Mixture(live) as mixture:
        live.release.upgrade(VALUES, {"image": IMAGES[version]}, chart=chart)
        live.release.until_complete(ROLLOUT_S)
        until("no pod stops", lambda: not live.release.stopping(), ROLLOUT_S)
    assert mixture.seconds, "both versions were never at work"
    return f"{time.monotonic() - start:.0f} s to {version} version, {mixture.seconds:.0f} s of them with both"


def an_upgrade_from_the_previous_version_and_back_under_load_loses_nothing(live):
    previous = live.options.previous[0]
    with live.cluster.namespace(enforced=None, name=NAMESPACE) as namespace:
        secrets(live.cluster, namespace, "jwt")
        surroundings(live.api)
        values = [VALUES, {"image": IMAGES["previous"]}]
        with live.cluster.release(namespace, values, name=NAME, chart=previous) as release:
            mixed = Deployed(live.cluster, release, live.options)
            until("all nodes are ready", lambda: sum(map(is_ready, mixed.pods())) == NODES, START_S)
            with mixed.watched() as watched, load(mixed) as running:
                steps = [changed_to(mixed, "this", support.CHART), changed_to(mixed, "previous", previous)]
                running.assert_running()
                said = figures(running.result(LOAD_S + ROLLOUT_S))
                gone = {name: watched.ended(name) for name in watched.gone}
            assert len(gone) == 2 * NODES and all(ends == [(0, "Completed")] for ends in gone.values()), json.dumps(gone)
    return "; ".join([*steps, said])


CHECKS = [an_upgrade_from_the_previous_version_and_back_under_load_loses_nothing]
