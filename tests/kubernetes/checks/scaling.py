"""The HorizontalPodAutoscaler of the chart with given metrics."""

import datetime

import metrics
from processes import until

SLOW_S = 8
HPA = {"autoscaling": {"hpa": {"enabled": True, "minReplicas": 3, "maxReplicas": 6}}, "minReadySeconds": 0,
       # The chart's defaults are minutes.
       "scaleDown": {"stabilizationSeconds": 2, "periodSeconds": SLOW_S}}


def count(release):
    """The number of pods that the Deployment wants."""
    return release.the("Deployment", "node")["spec"]["replicas"]


def active(release):
    """Whether the autoscaler knows the metrics."""
    status = release.the("HorizontalPodAutoscaler", "node").get("status", {})
    return any((one["type"], one["status"]) == ("ScalingActive", "True") for one in status.get("conditions", []))


def last_change_s(release):
    """How long the number of pods has been the same."""
    text = release.the("HorizontalPodAutoscaler", "node")["status"]["lastScaleTime"]
    return (datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(text)).total_seconds()


def nodes_scale_with_connections_and_cpu_and_slowly_back(cluster):
    with metrics.served(cluster.plane) as given, cluster.namespace() as namespace:
        given.connections, given.cpu = 100, 10
        # With pods from the start: those that the autoscaler added would count for its rate for a minute.
        with cluster.release(namespace, ["minimal", {"replicaCount": 3, "minReadySeconds": 0}]) as release:
            release.until_complete()
            release.upgrade("hpa", HPA)
            until("the autoscaler has metrics", lambda: active(release), 40)
            given.connections = 12_000
            until("more connections make more pods", lambda: count(release) > 3, 40)
            until("the maximum runs", lambda: count(release) == 6, 90)
            # Pods that were added a moment ago may go at once.
            until("the period is over", lambda: last_change_s(release) > SLOW_S + 1, 30)
            given.connections = 100
            seen = [6]
            def fewer():
                if (now := count(release)) != seen[-1]:
                    seen.append(now)
                return now == 3
            until("fewer connections make fewer pods", fewer, 90)
            assert seen == [6, 5, 4, 3], f"more than one pod was removed at a time: {seen}"
            # 70 % of the request of 250 millicores is 175.
            given.cpu = 300
            until("CPU makes more pods", lambda: count(release) > 3, 40)


CHECKS = [nodes_scale_with_connections_and_cpu_and_slowly_back]
