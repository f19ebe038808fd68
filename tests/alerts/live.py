#!/usr/bin/env python3
"""Alerts in earnest: a real Prometheus with the real rules (times shortened, see prometheus.py) watches a real
cluster, faults are made, and the alert must fire. The balancers' configurations are tried on the same cluster.

Order matters only at the end: what is killed last stays dead. Takes about two minutes.
"""

import contextlib
import pathlib
import sys
import tempfile
import time

import balancers
from cluster import CONNECTIONS, Cluster
from parts import ROOT, tool, wait_until
from prometheus import Prometheus
from socket_client import Client, Refused

RULES = ROOT / "deploy/prometheus/alerts.yaml"

# What is made to fire here, and must be silent before.
FAULTS = {
    f"Switchboard{name}"
    for name in (
        "NearConnectionLimit", "HandshakesRefusedBusy", "AuthFailuresHigh", "ReceiversOffline", "DrainStuck", "BusDeaf",
        "RedisDown", "DeliveryErrors", "NodeDown", "ClusterDown",
    )
}


def said(alert):
    assert alert["labels"]["alertname"] in FAULTS
    print(f"  fired: {alert['labels']['alertname']}: {alert['annotations']['summary']}", flush=True)


def repeat(what, until, every_s=0.2):
    """Does `what` with a rising number until `until` returns something."""
    number = 0

    def look():
        nonlocal number
        number += 1
        what(number)
        time.sleep(every_s)  # the pace of the fault, not a wait for anything
        return until()

    return wait_until("the fault shows", look, 40)


def a_full_node(cluster, prometheus):
    """All of n1's places are taken, and more clients come."""
    clients = [Client(cluster.n1.public, cluster.token(f"full{n}")) for n in range(CONNECTIONS)]
    said(prometheus.wait_firing("SwitchboardNearConnectionLimit"))
    token = cluster.token("more")

    def knock(_):
        with contextlib.suppress(Refused):
            Client(cluster.n1.public, token)

    said(repeat(knock, lambda: prometheus.firing().get("SwitchboardHandshakesRefusedBusy")))
    for client in clients:
        client.close()
    prometheus.wait_silent("SwitchboardNearConnectionLimit")


def bad_tokens(cluster, prometheus):
    def knock(_):
        # Several at a time: the alert wants more than one a second, also from a slow machine.
        for _ in range(5):
            with contextlib.suppress(Refused):
                Client(cluster.n1.public, "not.a.token")

    said(repeat(knock, lambda: prometheus.firing().get("SwitchboardAuthFailuresHigh")))


def absent_receivers(cluster, prometheus):
    client = Client(cluster.n1.public, cluster.token("caller"))
    send = lambda number: client.send({"type": "offer", "id": number, "to": "nobody", "payload": 1})
    said(repeat(send, lambda: prometheus.firing().get("SwitchboardReceiversOffline")))
    client.close()


def a_drain_that_does_not_end(cluster, prometheus, through):
    """A client stays although it was told to go; meanwhile balancers keep new ones away from that node."""
    client = Client(cluster.n2.public, cluster.token("stays"))
    cluster.n2.order("/drain")
    said(prometheus.wait_firing("SwitchboardDrainStuck"))
    for balancer in through:
        balancers.spares_a_draining_node(cluster, balancer, cluster.n2)
        print(f"  {balancer.name}: nobody new on the draining node")
    cluster.n2.order("/undrain")
    prometheus.wait_silent("SwitchboardDrainStuck")
    client.close()


def a_deaf_bus(cluster, prometheus):
    cluster.proxy.deaf.set()
    said(prometheus.wait_firing("SwitchboardBusDeaf"))
    cluster.proxy.deaf.clear()
    cluster.wait_ready()
    prometheus.wait_silent("SwitchboardBusDeaf")


def no_redis(cluster, prometheus):
    """Redis is killed while a client of n1 sends to somebody who may be on n2."""
    client = Client(cluster.n1.public, cluster.token("caller"))
    cluster.redis.kill()
    said(prometheus.wait_firing("SwitchboardRedisDown"))
    send = lambda number: client.send({"type": "offer", "id": number, "to": "bob", "payload": 1})
    said(repeat(send, lambda: prometheus.firing().get("SwitchboardDeliveryErrors")))
    assert cluster.n1.process.child.poll() is None, "a node ended with Redis"
    cluster.redis.start()
    cluster.wait_ready()
    prometheus.wait_silent("SwitchboardRedisDown")
    client.close()


def dead_nodes(cluster, prometheus, through):
    cluster.n2.process.kill()
    alert = prometheus.wait_firing("SwitchboardNodeDown")
    assert alert["labels"]["instance"] == f"127.0.0.1:{cluster.n2.ops}", alert
    said(alert)
    assert "SwitchboardClusterDown" not in prometheus.firing()
    cluster.n1.process.kill()
    said(prometheus.wait_firing("SwitchboardClusterDown"))
    for balancer in through:
        balancers.keeps_secrets_when_no_node_answers(cluster, balancer)
        print(f"  {balancer.name}: no secret in a log, also of what it could not hand on")


def run(folder, ask_dashboards=None):
    """Everything, in `folder`; `ask_dashboards` is given the Prometheus while the cluster is healthy."""
    with contextlib.ExitStack() as ends:
        cluster = Cluster(folder)
        ends.callback(cluster.stop)
        through = balancers.start(folder / "balancers", cluster.nodes)
        for balancer in through:
            ends.enter_context(balancer.process)
        prometheus = Prometheus(folder / "prometheus", RULES, [f"127.0.0.1:{node.ops}" for node in cluster.nodes])
        ends.callback(prometheus.stop)
        prometheus.evaluated()
        for balancer in through:
            balancers.carries_a_call(cluster, balancer)
            print(f"  {balancer.name}: a call went through, and its log shows no secret", flush=True)
        false = FAULTS & prometheus.firing().keys()
        assert not false, f"a healthy cluster alerts: {false}"
        if ask_dashboards:
            ask_dashboards(prometheus)
        a_full_node(cluster, prometheus)
        bad_tokens(cluster, prometheus)
        absent_receivers(cluster, prometheus)
        a_drain_that_does_not_end(cluster, prometheus, through)
        a_deaf_bus(cluster, prometheus)
        no_redis(cluster, prometheus)
        dead_nodes(cluster, prometheus, through)


def main(ask_dashboards=None):
    if not all([tool("prometheus"), tool("redis-server")]):
        return
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="switchboard-") as folder:
        run(pathlib.Path(folder), ask_dashboards)
    print(f"  live alerts: {time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
