"""Pods that end under load because somebody wants it: a rollout, a drained machine. Nothing is lost. Not here: faults (faults.py)."""

import re
import time

from checks.pods import is_ready
from deployed import VALUES
from machines import MACHINES
from processes import until

PAIRS = 30
LOAD_S = 45
# A pair is far below what a node allows a peer.
MESSAGES_OF_A_PAIR = 20
NOTHING_LOST = ["lost == 0", "duplicated == 0", "reordered == 0", "send_errors == 0", "disconnects == 0"]


def figures(output):
    """What the load says at its end about messages and their delay."""
    sent, lost = re.search(r"sent (\d+), .* lost (\d+)", output).groups()
    p50, p99 = re.search(r"^ +one_way +p50 +(\S+ ms) +p99 +(\S+ ms)", output, re.MULTILINE).groups()
    return f"{sent} messages, {lost} lost, one way p50 {p50}, p99 {p99}"


def a_rolling_update_under_load_loses_nothing(live):
    rate = live.options.rate
    pairs = max(PAIRS, rate // MESSAGES_OF_A_PAIR)
    old = [one["metadata"]["name"] for one in live.pods()]
    with live.watched() as watched:
        with live.load("Each node pod is replaced.", pairs, rate, LOAD_S, *NOTHING_LOST, f"sent > {rate * LOAD_S // 2}") as load:
            start = time.monotonic()
            live.release.upgrade(VALUES, load.values, {"podAnnotations": {"release": "next"}})
            live.release.until_complete(90)
            watched.until_gone(*old)
            took = time.monotonic() - start
            load.assert_running()
            assert live.connections() == 2 * pairs, "not all peers moved"
            output = load.result()
    ends = {name: watched.ended(name) for name in old}
    assert all(codes == [(0, "Completed")] for codes in ends.values()), f"pods did not end by themselves: {ends}"
    assert not any(live.restarts().values()), "a node was restarted"
    sent = int(re.search(r"sent (\d+),", output)[1])
    return f"three pods replaced in {took:.0f} s, {sent / LOAD_S:.0f} messages a second; {figures(output)}"


def a_drained_machine_loses_nothing(live):
    with live.load("A machine is drained.", PAIRS, 400, LOAD_S, *NOTHING_LOST, "sent > 10000") as load:
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


CHECKS = [a_rolling_update_under_load_loses_nothing, a_drained_machine_loses_nothing]
