#!/usr/bin/env python3
"""Alerts on a real cluster: a real Prometheus evaluates the rules, the test makes faults, and the alerts must fire.

Only the times of the rules are shortened (fast_prometheus.py). The same cluster checks the balancers' configurations.
The last steps kill the nodes, so they come last. The test takes about two minutes.
"""

import contextlib
import pathlib
import subprocess
import sys
import tempfile
import time

import balancers
from cluster import CONNECTIONS, Cluster
from support import ROOT, get, tool, wait_until
from fast_prometheus import Prometheus
from socket_client import Client, Refused

RULES = ROOT / "deploy/prometheus/alerts.yaml"

# These alerts fire here, and must be silent before.
FAULTS = {
    f"Switchboard{name}"
    for name in (
        "NearConnectionLimit", "HandshakesRefusedBusy", "AuthFailuresHigh", "ReceiversOffline", "DrainStuck", "BusDeaf",
        "RedisDown", "DeliveryErrors", "NodeDown", "ClusterDown",
    )
}


def report(alert):
    assert alert["labels"]["alertname"] in FAULTS
    print(f"  fired: {alert['labels']['alertname']}: {alert['annotations']['summary']}", flush=True)


def repeat(what, until, every_s=0.2):
    """Calls `what` with a rising number until `until` returns a true value."""
    number = 0

    def step():
        nonlocal number
        number += 1
        what(number)
        time.sleep(every_s)  # the rate of the fault, not a wait
        return until()

    return wait_until("the alert fires", step, 40)


def a_full_node(cluster, prometheus):
    """n1 has its maximum of connections, and more clients connect."""
    clients = [Client(cluster.n1.public, cluster.token(f"full{n}")) for n in range(CONNECTIONS)]
    report(prometheus.wait_firing("SwitchboardNearConnectionLimit"))
    token = cluster.token("more")

    def connect(_):
        with contextlib.suppress(Refused):
            Client(cluster.n1.public, token)

    report(repeat(connect, lambda: prometheus.firing().get("SwitchboardHandshakesRefusedBusy")))
    for client in clients:
        client.close()
    prometheus.wait_silent("SwitchboardNearConnectionLimit")


def bad_tokens(cluster, prometheus):
    def connect(_):
        # Several at a time: the alert needs more than one per second, also on a slow machine.
        for _ in range(5):
            with contextlib.suppress(Refused):
                Client(cluster.n1.public, "not.a.token")

    report(repeat(connect, lambda: prometheus.firing().get("SwitchboardAuthFailuresHigh")))


def absent_receivers(cluster, prometheus):
    client = Client(cluster.n1.public, cluster.token("caller"))
    send = lambda number: client.send({"type": "offer", "id": number, "to": "nobody", "payload": 1})
    report(repeat(send, lambda: prometheus.firing().get("SwitchboardReceiversOffline")))
    client.close()


def a_drain_that_does_not_end(cluster, prometheus, running):
    """A client stays after `goaway`. The balancers send no new clients to that node."""
    client = Client(cluster.n2.public, cluster.token("stays"))
    cluster.n2.post("/drain")
    report(prometheus.wait_firing("SwitchboardDrainStuck"))
    for balancer in running:
        balancers.spares_a_draining_node(cluster, balancer, cluster.n2)
        print(f"  {balancer.name}: no new client on the draining node")
    cluster.n2.post("/undrain")
    prometheus.wait_silent("SwitchboardDrainStuck")
    client.close()


def a_deaf_bus(cluster, prometheus):
    cluster.proxy.deaf.set()
    report(prometheus.wait_firing("SwitchboardBusDeaf"))
    cluster.proxy.deaf.clear()
    cluster.wait_ready()
    prometheus.wait_silent("SwitchboardBusDeaf")


def no_redis(cluster, prometheus):
    """Redis is killed while a client of n1 sends to a peer that may be on n2."""
    client = Client(cluster.n1.public, cluster.token("caller"))
    cluster.redis.kill()
    report(prometheus.wait_firing("SwitchboardRedisDown"))
    send = lambda number: client.send({"type": "offer", "id": number, "to": "bob", "payload": 1})
    report(repeat(send, lambda: prometheus.firing().get("SwitchboardDeliveryErrors")))
    assert cluster.n1.process.child.poll() is None, "a node ended together with Redis"
    cluster.redis.start()
    cluster.wait_ready()
    prometheus.wait_silent("SwitchboardRedisDown")
    client.close()


def dead_nodes(cluster, prometheus, running):
    cluster.n2.process.kill()
    alert = prometheus.wait_firing("SwitchboardNodeDown")
    assert alert["labels"]["instance"] == f"127.0.0.1:{cluster.n2.ops}", alert
    report(alert)
    assert "SwitchboardClusterDown" not in prometheus.firing()
    cluster.n1.process.kill()
    report(prometheus.wait_firing("SwitchboardClusterDown"))
    for balancer in running:
        balancers.keeps_secrets_when_no_node_answers(cluster, balancer)
        print(f"  {balancer.name}: no secret in its log of unforwarded requests")


def metrics_follow_the_conventions(node):
    """Names, types and help texts of a running node, checked by promtool."""
    _, text = get(f"http://127.0.0.1:{node.ops}/metrics")
    found = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr


def run(folder, ask_dashboards=None):
    """Runs all steps in `folder`. `ask_dashboards` gets the Prometheus while the cluster is healthy."""
    with contextlib.ExitStack() as ends:
        cluster = Cluster(folder)
        ends.callback(cluster.stop)
        running = balancers.start(folder / "balancers", cluster.nodes)
        for balancer in running:
            ends.enter_context(balancer.process)
        prometheus = Prometheus(folder / "prometheus", RULES, [f"127.0.0.1:{node.ops}" for node in cluster.nodes])
        ends.callback(prometheus.stop)
        prometheus.evaluated()
        if tool("promtool"):
            metrics_follow_the_conventions(cluster.nodes[0])
        for balancer in running:
            balancers.carries_a_call(cluster, balancer)
            print(f"  {balancer.name}: a call passed, and its log shows no secret", flush=True)
        false = FAULTS & prometheus.firing().keys()
        assert not false, f"alerts fire on a healthy cluster: {false}"
        if ask_dashboards:
            ask_dashboards(prometheus)
        a_full_node(cluster, prometheus)
        bad_tokens(cluster, prometheus)
        absent_receivers(cluster, prometheus)
        a_drain_that_does_not_end(cluster, prometheus, running)
        a_deaf_bus(cluster, prometheus)
        no_redis(cluster, prometheus)
        dead_nodes(cluster, prometheus, running)


def main(ask_dashboards=None):
    if not all([tool("prometheus"), tool("redis-server")]):
        return
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="switchboard-") as folder:
        run(pathlib.Path(folder), ask_dashboards)
    print(f"  live alerts: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
