"""Pods that end under load: a rollout, a drained machine, a crash of Redis, a killed node. Nothing is lost in silence."""

import os
import re
import signal
import time

from checks.containers import processes
from checks.pods import is_ready
from deployed import VALUES
from machines import MACHINES
from processes import until

PAIRS = 30
NOTHING_LOST = ["lost == 0", "duplicated == 0", "reordered == 0", "send_errors == 0", "disconnects == 0"]
AWAY_S = 5


def figures(output):
    """What the load says at its end about messages and their delay."""
    sent, lost = re.search(r"sent (\d+), .* lost (\d+)", output).groups()
    p50, p99 = re.search(r"^ +one_way +p50 +(\S+ ms) +p99 +(\S+ ms)", output, re.MULTILINE).groups()
    return f"{sent} messages, {lost} lost, one way p50 {p50}, p99 {p99}"


def a_rolling_update_under_load_loses_nothing(live):
    before = {one["metadata"]["uid"] for one in live.pods()}
    with live.load("Each node pod is replaced.", PAIRS, 400, 45, *NOTHING_LOST, "sent > 10000") as load:
        start = time.monotonic()
        live.release.upgrade(VALUES, load.values, {"podAnnotations": {"release": "next"}})
        live.release.until_complete(90)
        took = time.monotonic() - start
        load.assert_running()
        assert not before & {one["metadata"]["uid"] for one in live.pods()}, "a pod was not replaced"
        return f"three pods replaced in {took:.0f} s; {figures(load.result())}"


def a_drained_machine_loses_nothing(live):
    with live.load("A machine is drained.", PAIRS, 400, 45, *NOTHING_LOST, "sent > 10000") as load:
        # The load's own pod must stay.
        machine = next(name for name in MACHINES if name != live.pods("loadtest")[0]["spec"]["nodeName"])
        assert any(one["spec"]["nodeName"] == machine for one in live.pods()), f"no node is on {machine}"
        start = time.monotonic()
        try:
            live.kubectl("drain", machine, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=100s",
                "--pod-selector=app.kubernetes.io/component=node")
            took = time.monotonic() - start
            until("the nodes are ready elsewhere", lambda: sum(map(is_ready, live.pods())) == 3, 60)
            load.assert_running()
            assert all(one["spec"]["nodeName"] != machine for one in live.pods()), "a pod is still there"
            return f"drained in {took:.0f} s; {figures(load.result())}"
        finally:
            live.kubectl("uncordon", machine)


def a_crash_of_redis_restarts_no_node_and_loses_nothing_in_silence(live):
    before = live.restarts()
    thresholds = ["lost == 0", "duplicated == 0", "disconnects == 0", "send_errors > 0", "sent > 300"]
    with live.load("Redis crashes again and again for some seconds.", PAIRS, 60, 25, *thresholds) as load:
        redis, end = live.pods("redis")[0], time.monotonic() + AWAY_S
        kills = 0
        while time.monotonic() < end:
            for process in [one for one in everyone(redis) if b"redis-server" in (one / "cmdline").read_bytes()]:
                os.kill(int(process.name), signal.SIGKILL)
                kills += 1
            time.sleep(0.05)
        assert kills, "no process was killed"
        live.until_ready()
        load.assert_running()
        said = figures(load.result())
    assert live.restarts() == before, "a node was restarted"
    return f"Redis was killed {kills} times; {said}"


def everyone(pod):
    """The processes of a pod; none while its container is down."""
    try:
        return processes(pod)
    except AssertionError:
        return []


def a_killed_node_is_back_and_its_peers_are_elsewhere(live):
    thresholds = ["lost == 0", "duplicated == 0", "disconnects > 0"]
    with live.load("A node is killed.", PAIRS, 60, 25, *thresholds) as load:
        killed = live.pods()[0]
        before = live.restarts()[killed["metadata"]["name"]]
        start = time.monotonic()
        for process in processes(killed):
            os.kill(int(process.name), signal.SIGKILL)
        until("its peers are elsewhere", lambda: live.connections() == 2 * PAIRS, 30)
        moved = time.monotonic() - start
        until("it is started again", lambda: live.restarts()[killed["metadata"]["name"]] == before + 1, 30)
        live.until_ready()
        ready = time.monotonic() - start
        load.result()
    return f"peers elsewhere after {moved:.1f} s, the pod ready after {ready:.1f} s"


CHECKS = [
    a_rolling_update_under_load_loses_nothing,
    a_drained_machine_loses_nothing,
    a_crash_of_redis_restarts_no_node_and_loses_nothing_in_silence,
    a_killed_node_is_back_and_its_peers_are_elsewhere,
]
