"""Faults under load: Redis away, a killed node, a node without memory. Nothing is lost in silence. Not here: alerts (drills.py)."""

import contextlib
import os
import signal
import subprocess
import sys
import time

from checks.containers import processes
from checks.lifetimes import PAIRS, figures
from deployed import NODES
from processes import until

AWAY_S = 5
# Exit codes of a container whose process was killed: 128 + SIGKILL.
KILLED = 128 + signal.SIGKILL
HEAL_S = 60
TAKEN_S = 30
# Becomes a process of the container, which the kernel spares, and takes memory until the victim is gone.
GREEDY = """
import os, sys
group, victim = sys.argv[1:]
open("/proc/self/oom_score_adj", "w").write("-1000")
open(f"{group}/cgroup.procs", "w").write("0")
taken = []
while os.path.exists(victim):
    taken.append(b"x" * (4 << 20))
"""


def redis_crashes_make_nodes_unready_restart_none_and_lose_nothing_in_silence(live):
    before = live.restarts()
    thresholds = ["lost == 0", "duplicated == 0", "disconnects == 0", "send_errors > 0", "sent > 300"]
    with live.watched() as watched, live.load("Redis crashes again and again for some seconds.", PAIRS, 60, 40, *thresholds) as load:
        redis, nodes, start = live.pods("redis")[0], live.pods(), time.monotonic()
        kills = 0
        while time.monotonic() < start + AWAY_S or not all(watched.unready.values()):
            assert time.monotonic() < start + HEAL_S, f"not all nodes became unready: {dict(watched.unready)}"
            kills += kill(redis, b"redis-server")
            # A node that is not alive answers with an error, or not at all.
            for node in nodes:
                live.get(node, "ops", "/livez")
        assert kills, "no process was killed"
        live.until_ready()
        away = time.monotonic() - start
        load.assert_running()
        said = figures(load.result())
    assert live.restarts() == before, "a node was restarted"
    return f"Redis was killed {kills} times and was away for {away:.0f} s; {said}"


def kill(pod, program=b""):
    """Kills the processes of a pod that run a program. Returns their number, which is 0 while its container is down."""
    count = 0
    for process in everyone(pod):
        # It may have ended since.
        with contextlib.suppress(OSError):
            if program in (process / "cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)
                count += 1
    return count


def everyone(pod):
    """The processes of a pod; none while its container is down."""
    try:
        return processes(pod)
    except AssertionError:
        return []


def a_killed_node_is_back_and_its_peers_are_elsewhere(live):
    return healed(live, "A node is killed.", kill, "Error")


def a_node_without_memory_is_back_and_its_peers_are_elsewhere(live):
    return healed(live, "A node exceeds its memory.", exceed_memory, "OOMKilled")


def healed(live, about, end, reason):
    """Ends a node under load, and waits until everything is as before. Returns how long that took."""
    thresholds = ["lost == 0", "duplicated == 0", "disconnects > 0"]
    with live.watched() as watched, live.load(about, PAIRS, 60, 30, *thresholds) as load:
        # A container that has ended before is not started again at once.
        restarts = live.restarts()
        victim = min(live.pods(), key=lambda one: restarts[one["metadata"]["name"]])
        name = victim["metadata"]["name"]
        begun = time.monotonic()
        end(victim)
        start = time.monotonic()
        until("its peers are elsewhere", lambda: live.connections() == 2 * PAIRS, HEAL_S)
        moved = time.monotonic() - start
        until("it is started again", lambda: live.restarts()[name] == restarts[name] + 1, HEAL_S)
        live.until_ready()
        ready = time.monotonic() - start
        load.assert_running()
        said = figures(load.result())
        until(f"the end of {name} has the reason {reason}", lambda: (KILLED, reason) in watched.ended(name), HEAL_S)
    restarted = {one: count for one, count in live.restarts().items() if count != restarts[one]}
    assert restarted == {name: restarts[name] + 1} and len(restarts) == NODES, f"other nodes were restarted: {restarted}"
    return f"ended after {start - begun:.1f} s, peers elsewhere {moved:.1f} s and the pod ready {ready:.1f} s later; {said}"


def exceed_memory(pod):
    """Takes memory in the pod's container until the kernel ends the node for it."""
    node = processes(pod)[0]
    taker = subprocess.Popen([sys.executable, "-c", GREEDY, memory_group(node), node])
    try:
        until("the kernel ends the node", lambda: not node.exists() or taker.poll(), TAKEN_S, 0.02)
        assert not node.exists(), f"the process that takes memory ended with {taker.returncode}"
    finally:
        # It may wait for memory, which only comes free with it.
        taker.kill()
        taker.wait()


def memory_group(process):
    """The folder of the control group that limits a process's memory."""
    rows = [line.split(":", 2) for line in (process / "cgroup").read_text().splitlines()]
    # Version 1 has a hierarchy for memory, and version 2 has one for everything.
    own = [path for _, controllers, path in rows if "memory" in controllers.split(",")]
    return f"/sys/fs/cgroup/memory{own[0]}" if own else f"/sys/fs/cgroup{rows[-1][2]}"


CHECKS = [
    redis_crashes_make_nodes_unready_restart_none_and_lose_nothing_in_silence,
    a_killed_node_is_back_and_its_peers_are_elsewhere,
    a_node_without_memory_is_back_and_its_peers_are_elsewhere,
]
