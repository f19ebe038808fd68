"""Upgrades of live releases, by Helm 3 and Helm 4, which merge differently: what changes, and what must not."""

import contextlib
import shutil
import tempfile

import support
from api import without_given
from checks.installs import COTURN, secrets, until_gone
from processes import until

QUICK = {"minReadySeconds": 0, "config": {"drain": {"settle_ms": 0, "window_ms": 0, "grace_ms": 0, "deadline_ms": 1000}}}


def with_both(check):
    """The check for one version of Helm, as a check for both."""
    def both(cluster):
        for version in cluster.helms:
            try:
                check(cluster, version)
            except Exception as why:
                raise AssertionError(f"{version}: {type(why).__name__}: {why}") from why
    both.__name__ = check.__name__
    return both


@contextlib.contextmanager
def another_version():
    """The chart with another version and appVersion."""
    with tempfile.TemporaryDirectory() as folder:
        chart = shutil.copytree(support.CHART, f"{folder}/switchboard")
        with open(f"{chart}/Chart.yaml") as file:
            text = file.read()
        with open(f"{chart}/Chart.yaml", "w") as file:
            file.write(text.replace("0.1.0", "0.2.0"))
        yield chart


@with_both
def a_release_is_upgraded_and_rolled_back_and_leaves_nothing(cluster, version):
    with cluster.namespace() as namespace, cluster.release(namespace, ["trial", QUICK], version, "rolled") as release:
        release.until_complete()
        first, before = release.contents(), set(release.pods())
        release.upgrade("trial", QUICK, {"image": {"tag": "next"}})
        release.until_complete()
        images = {one["spec"]["containers"][0]["image"].rpartition(":")[2] for one in release.pods().values()}
        assert images == {"next"} and not before & set(release.pods())
        release.run("rollback", "rolled", "1")
        release.until_complete()
        assert not (left := different(first, release.contents())), left
        release.uninstall()
        until_gone(cluster, "rolled", "Pod")
        assert not release.contents()


@with_both
def an_autoscaler_switched_on_in_a_live_release_keeps_the_count(cluster, version):
    values = ["minimal", {"replicaCount": 6}]
    with cluster.namespace() as namespace, cluster.release(namespace, values, version) as release:
        until("all pods run", lambda: len(release.pods()) == 6, 20)
        before = set(release.pods())
        for step in range(2):
            # No metrics are there, so the autoscaler itself changes nothing. The second upgrade finds it at work.
            release.upgrade("minimal", {"autoscaling": {"hpa": {"enabled": True}}, "podDisruptionBudget": {"maxUnavailable": step + 1}})
            assert release.the("HorizontalPodAutoscaler", "node")
            until("the controller has seen it", lambda: seen(release), 20)
            assert release.the("Deployment", "node")["spec"]["replicas"] == 6
            assert set(release.pods()) == before and not release.stopping(), f"upgrade {step + 1} stopped pods"


def seen(release):
    """Whether the controller of the Deployment knows its newest version."""
    one = release.the("Deployment", "node")
    return one["status"].get("observedGeneration") == one["metadata"]["generation"]


@with_both
def a_changed_port_of_coturn_is_reached_by_udp_and_tcp(cluster, version):
    def protocols(release, port):
        service = release.the("Service", "coturn")
        return {one["protocol"] for one in service["spec"]["ports"] if one["port"] == port}
    # The new port of one step is a relay port's neighbour, and the last step returns to the first port.
    with cluster.namespace() as namespace, cluster.release(namespace, ["coturn-deployment"], version) as release:
        first = release.contents()
        for port in (3479, 3480, 3478):
            release.upgrade("coturn-deployment", {"coturn": {"port": port}})
            assert protocols(release, port) == {"UDP", "TCP"}, f"{port}: {protocols(release, port)}"
            pod = release.the("Deployment", "coturn")["spec"]["template"]["spec"]["containers"][0]
            assert port in {one["containerPort"] for one in pod["ports"]} and pod["readinessProbe"]["tcpSocket"]["port"] == port
        assert not (left := different(first, release.contents())), left


@with_both
def a_new_secret_or_version_of_the_chart_restarts_no_coturn_and_no_redis(cluster, version):
    inline = {"auth": {"hs256": {"inlineSecret": "another-secret-is-for-a-trial-only-4567"}}}
    new_turn = {"turn": {"inlineSecret": "another-trial-secret-of-turn"}}
    with cluster.namespace() as namespace, cluster.release(namespace, ["trial", COTURN, QUICK], version) as release:
        release.until_complete()
        def others():
            return set(release.pods("coturn")) | set(release.pods("redis"))
        until("coturn and Redis run", lambda: len(others()) == 2, 20)
        before, nodes = others(), set(release.pods())
        with another_version() as chart:
            for change in (inline, new_turn):
                release.upgrade("trial", COTURN, QUICK, change)
                until("the controllers have seen it", lambda: seen(release), 20)
                assert others() == before and set(release.pods()) == nodes, "a new secret replaced pods"
            release.upgrade("trial", COTURN, QUICK, chart=chart)
            release.until_complete()
            assert others() == before, "a new version of the chart replaced coturn or Redis"
            assert not nodes & set(release.pods()), "the new image of the nodes does not run"


@with_both
def a_load_test_does_not_block_an_upgrade(cluster, version):
    with cluster.namespace() as namespace:
        secrets(cluster, namespace, "jwt")
        with cluster.release(namespace, ["loadtest"], version) as release:
            jobs = [release.the("Job", "loadtest")["metadata"]["name"]]
            changes = ({"replicaCount": 3}, {"image": {"tag": "next"}}, {"loadtest": {"args": ["--allow-remote", "--plain"]}},
                       {"loadtest": {"args": ["--allow-remote", "--plain"]}, "commonLabels": {"team": "calls"}})
            for change in changes:
                release.upgrade("loadtest", change)
                jobs.append(release.the("Job", "loadtest")["metadata"]["name"])
            assert jobs[0] == jobs[1] != jobs[2] != jobs[3], f"a changed number of nodes ran the load again: {jobs}"
            until("the load test completes", lambda: release.the("Job", "loadtest")["status"].get("succeeded"), 30)


def different(before, after):
    """The names of the objects that differ. Numbers that the API server gives do not count."""
    before, after = without_given(before), without_given(after)
    return sorted(f"{kind} {name}" for kind, _, name in {*before, *after} if before.get((kind, _, name)) != after.get((kind, _, name)))


CHECKS = [
    a_release_is_upgraded_and_rolled_back_and_leaves_nothing,
    an_autoscaler_switched_on_in_a_live_release_keeps_the_count,
    a_changed_port_of_coturn_is_reached_by_udp_and_tcp,
    a_new_secret_or_version_of_the_chart_restarts_no_coturn_and_no_redis,
    a_load_test_does_not_block_an_upgrade,
]
