"""The checks of the running pods, in order. The name of each check is the sentence that it proves."""

import errno
import json
import pathlib
import subprocess
import threading
import urllib.request

import support
from cluster import SELFTEST, Load, connections, count_failures
from kubelet import Pod, until
from podman import GATEWAY, run

PEERS = 60
AWAY_S = 5
PACKETS = 20
USERS = {"redis": 999}
# The bits of capabilities that a pod may request; only coturn requests one.
CAPABILITY_BITS = {"NET_BIND_SERVICE": 1 << 10}


def status(pid):
    """A process's /proc/<pid>/status."""
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return {key: value.split() for key, _, value in (line.partition(":") for line in lines)}


def refuses_to_write(pid, path):
    """Whether even root cannot create a file at this path of the container."""
    try:
        pathlib.Path(f"/proc/{pid}/root{path}/written-by-the-test").write_text("")
    except OSError as why:
        return why.errno == errno.EROFS
    return False


def every_pod_runs_unprivileged_on_a_read_only_root(cluster):
    for pod in [*cluster.nodes, cluster.redis, cluster.coturn]:
        pid, kind = pod.pid(), pod.container_spec["name"]
        has = status(pid)
        user = str(USERS.get(kind, 65532))
        assert has["Uid"] == [user] * 4 and has["Gid"] == [user] * 4, f"{pod.name}: {has['Uid']} {has['Gid']}"
        asked = sum(CAPABILITY_BITS[one] for one in pod.container_spec["securityContext"]["capabilities"].get("add", []))
        assert not asked or pod is cluster.coturn, f"{pod.name} asks for capabilities"
        for key in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
            assert int(has[key][0], 16) & ~asked == 0, f"{pod.name}: {key} {has[key]}"
        assert has["NoNewPrivs"] == ["1"], f"{pod.name} may gain privileges"
        assert has["Seccomp"] == ["2"], f"{pod.name} has no seccomp filter"
        for path in ("", "/etc"):
            assert refuses_to_write(pid, path), f"{pod.name}: {path or '/'} is writable"
    pid = cluster.nodes[0].pid()
    for path in ("config", "jwt", "turn"):
        assert refuses_to_write(pid, f"/etc/switchboard/{path}"), f"{path} is writable"


def the_helm_test_passes_an_offer_and_its_answer_between_two_pods(cluster):
    pod = Pod(cluster.podman, cluster.release, "selftest", "-selftest", SELFTEST)
    try:
        state = until("the helm test ends", pod.result, pod.spec["activeDeadlineSeconds"])
        assert state["ExitCode"] == 0, pod.logs()
        assert "delivered and confirmed" in pod.logs(), pod.logs()
    finally:
        pod.delete()


def coturn_accepts_the_credentials_of_a_node(cluster):
    token = run(
        support.SWITCHBOARD, "token", "mint", "--peer", "ann", "--secret-file", cluster.secret_file(),
        "--audience", "switchboard",
    )
    url = cluster.nodes[0].url("http", "/v1/ice")
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        credentials = next(one for one in json.load(answer)["ice_servers"] if "credential" in one)
    assert f"turn:{cluster.coturn.address}:3478?transport=udp" in credentials["urls"], credentials["urls"]
    echo = subprocess.Popen(["turnutils_peer", "-L", GATEWAY], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        output = relayed(cluster, credentials["username"], credentials["credential"])
        assert f"tot_recv_msgs={PACKETS}" in output and "Total lost packets 0 " in output, output[-600:]
        wrong = relayed(cluster, credentials["username"], "guessed")
        assert f"tot_recv_msgs={PACKETS}" not in wrong, "coturn accepts any credential"
    finally:
        echo.kill()
        echo.wait()


def relayed(cluster, user, password):
    """The output of coturn's client for packets through a relay to an echo on this machine and back."""
    command = ["turnutils_uclient", "-u", user, "-w", password, "-e", GATEWAY, "-n", PACKETS, "-m", 1, "-c",
               cluster.coturn.address]
    with subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        # With a wrong password the client runs for a long time.
        stop = threading.Timer(8, client.kill)
        stop.start()
        output = client.stdout.read()
        stop.cancel()
    return output


def a_rolling_update_under_load_loses_nothing(cluster):
    old = list(cluster.nodes)
    with Load(cluster, "rollout") as load:
        load.wait_connected(PEERS)
        for pod in old:
            # As the Deployment says: maxSurge 1, maxUnavailable 0.
            new = cluster.add()
            new.until_ready()
            code = cluster.remove(pod)
            assert code == 0, f"{pod.name} ended with {code}"
        load.assert_running()
        counts = {pod.name: connections(pod) for pod in cluster.nodes}
        assert sum(counts.values()) == PEERS, f"not all peers moved: {counts}"
        load.assert_passed()
    assert all(pod.restarts == 0 for pod in cluster.nodes), "a node was restarted"


def a_redis_crash_restarts_no_node_and_loses_nothing_silently(cluster):
    before = {pod.name: (pod.pid(), pod.unready) for pod in cluster.nodes}
    with Load(cluster, "outage") as load:
        load.wait_connected(PEERS)
        crash = threading.Thread(target=cluster.redis.crash, args=[AWAY_S], daemon=True)
        crash.start()
        nodes = cluster.nodes
        asked, failed = count_failures(lambda: all(pod.probe_succeeds("livenessProbe") for pod in nodes), AWAY_S)
        crash.join()
        assert failed == 0, f"liveness failed {failed} of {asked} times while Redis was away"
        for pod in nodes:
            pod.until_ready()
            assert pod.unready == before[pod.name][1] + 1, f"{pod.name}: readiness did not go down and come back"
        load.assert_running()
        load.assert_passed()
    assert cluster.redis.restarts == 1, "Redis was restarted more often than it was killed"
    for pod in cluster.nodes:
        assert (pod.restarts, pod.pid()) == (0, before[pod.name][0]), f"{pod.name} was restarted"


CHECKS = [
    every_pod_runs_unprivileged_on_a_read_only_root,
    the_helm_test_passes_an_offer_and_its_answer_between_two_pods,
    coturn_accepts_the_credentials_of_a_node,
    a_rolling_update_under_load_loses_nothing,
    a_redis_crash_restarts_no_node_and_loses_nothing_silently,
]
