"""How pods are replaced, evicted and drained: never more at the same time than the documentation says."""

import threading

from api import Refused
from checks.installs import secrets
from processes import until

# A pod of kwok takes three seconds to stop, as long as the drain that these values describe.
DRAIN = {"config": {"drain": {"settle_ms": 1000, "window_ms": 1000, "grace_ms": 1000, "deadline_ms": 3000}}}


class Watch:
    """Looks at a release's pods in the background: how many stopped at the same time, and the fewest that were ready."""

    def __init__(self, release):
        self.release, self.most_stopping, self.fewest_ready = release, 0, 1_000
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self.over.wait(0.1):
            pods = self.release.list("Pod", "node")
            stopping = [one for one in pods if "deletionTimestamp" in one["metadata"]]
            ready = [one for one in pods if one not in stopping and is_ready(one)]
            self.most_stopping = max(self.most_stopping, len(stopping))
            self.fewest_ready = min(self.fewest_ready, len(ready))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(10)


def is_ready(pod):
    """Whether Services lead to it."""
    return any((one["type"], one["status"]) == ("Ready", "True") for one in pod["status"].get("conditions", []))


def started(release, count):
    """Waits until all pods are ready."""
    until("all pods are ready", lambda: sum(map(is_ready, release.pods().values())) == count, 30)


def rollout(cluster, **values):
    """What a watch saw while a rollout replaced eight pods."""
    values = {"replicaCount": 8, **DRAIN, **values}
    with cluster.namespace() as namespace:
        secrets(cluster, namespace, "jwt")
        with cluster.release(namespace, ["minimal", values]) as release:
            release.until_complete()
            with Watch(release) as watch:
                release.upgrade("minimal", values, {"image": {"tag": "next"}})
                release.until_complete(120)
            return watch


def a_rollout_drains_one_pod_after_the_other(cluster):
    watch = rollout(cluster)
    assert watch.most_stopping == 1, f"{watch.most_stopping} pods stopped at the same time"
    assert watch.fewest_ready >= 8, f"only {watch.fewest_ready} pods were ready"


def a_rollout_drains_the_share_that_max_surge_allows(cluster):
    watch = rollout(cluster, maxSurge="25%")
    assert watch.most_stopping == 2, f"{watch.most_stopping} pods stopped at the same time"
    assert watch.fewest_ready >= 8, f"only {watch.fewest_ready} pods were ready"


def evict(cluster, pod):
    """Evicts a pod as a drain of its machine does."""
    place = pod["metadata"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": place["name"], "namespace": place["namespace"]}}
    cluster.api.call("POST", cluster.api.path("Pod", place["namespace"], place["name"]) + "/eviction", body)


def the_budget_allows_one_eviction_at_a_time_and_any_of_pods_that_are_not_ready(cluster):
    values = {"replicaCount": 3, "minReadySeconds": 0}
    with cluster.namespace() as namespace, cluster.release(namespace, ["minimal", values]) as release:
        started(release, 3)
        until("the budget knows the pods", lambda: release.the("PodDisruptionBudget", "node")["status"].get("disruptionsAllowed"), 20)
        first, second, third = release.pods().values()
        evict(cluster, first)
        try:
            evict(cluster, second)
        except Refused as why:
            assert why.code == 429 and "disruption budget" in str(why), why
        else:
            raise AssertionError("two pods were evicted at the same time")
        # As during an outage of Redis.
        status = {"status": {"conditions": [{"type": "Ready", "status": "False"}]}}
        path = cluster.api.path("Pod", namespace, third["metadata"]["name"])
        cluster.api.call("PATCH", f"{path}/status", status, "application/strategic-merge-patch+json")
        evict(cluster, third)


def a_drain_of_a_machine_moves_its_pods_one_after_the_other(cluster):
    values = {"replicaCount": 6, "minReadySeconds": 0}
    with cluster.namespace() as namespace, cluster.release(namespace, ["minimal", values]) as release:
        started(release, 6)
        machine = "machine-2"
        placed = [one for one in release.pods().values() if one["spec"]["nodeName"] == machine]
        assert len(placed) == 2, f"{len(placed)} of 6 pods are on one of 3 machines"
        try:
            with Watch(release) as watch:
                cluster.kubectl("drain", machine, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=90s")
            started(release, 6)
            assert not [one for one in release.pods().values() if one["spec"]["nodeName"] == machine]
            # The next one may be evicted when the first has a successor, and still stops.
            assert watch.fewest_ready >= 5, f"only {watch.fewest_ready} of 6 pods were ready"
        finally:
            cluster.kubectl("uncordon", machine)


CHECKS = [
    a_rollout_drains_one_pod_after_the_other,
    a_rollout_drains_the_share_that_max_surge_allows,
    the_budget_allows_one_eviction_at_a_time_and_any_of_pods_that_are_not_ready,
    a_drain_of_a_machine_moves_its_pods_one_after_the_other,
]
