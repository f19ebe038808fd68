"""What runs in containers: privileges, tests of the release, relays, and who may connect to whom."""

import concurrent.futures
import errno
import json
import pathlib
import statistics
import subprocess
import threading
import time
import urllib.request

import support
from checks.installs import secrets
from deployed import NAME, NAMESPACE, VALUES
from machines import FIRST

PACKETS = 20
INSTALLS = 5
# The chart's user, but for images that bring their own.
USERS = {"redis": "999"}
MOUNTED = {"node": [f"etc/switchboard/{name}" for name in ("config", "jwt", "ops", "turn")]}
# The bits of capabilities that a pod may request; only coturn requests one.
CAPABILITY_BITS = {"NET_BIND_SERVICE": 1 << 10}


def processes(pod):
    """The processes of a pod's container, by the control groups that the kubelet made for the pod."""
    mark = "pod" + pod["metadata"]["uid"]
    found = []
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            # The first process of a pod holds its network only.
            if mark in (folder / "cgroup").read_text() and b"sleep" not in (folder / "cmdline").read_bytes():
                found.append(folder)
        except OSError:
            continue
    assert found, f"{pod['metadata']['name']} has no process"
    return found


def status(process):
    """A process's /proc/<pid>/status."""
    return {key: value.split() for key, _, value in (line.partition(":") for line in (process / "status").read_text().splitlines())}


def refuses_to_write(process, path):
    """Whether even root cannot create a file at this path of the container."""
    try:
        (process / "root" / path / "written-by-the-test").write_text("")
    except OSError as why:
        return why.errno == errno.EROFS
    return False


def every_pod_runs_unprivileged_on_a_read_only_root(live):
    for kind in ("node", "redis", "coturn"):
        for pod in live.pods(kind):
            user = USERS.get(kind, "65532")
            context = pod["spec"]["containers"][0]["securityContext"]
            asked = sum(CAPABILITY_BITS[one] for one in context["capabilities"].get("add", []))
            assert not asked or kind == "coturn", f"{kind} asks for capabilities"
            for process in processes(pod):
                has = status(process)
                assert has["Uid"] == [user] * 4 and has["Gid"] == [user] * 4, f"{kind}: {has['Uid']} {has['Gid']}"
                for key in ("CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"):
                    assert int(has[key][0], 16) & ~asked == 0, f"{kind}: {key} {has[key]}"
                assert has["NoNewPrivs"] == ["1"], f"{kind} may gain privileges"
                assert has["Seccomp"] == ["2"], f"{kind} has no seccomp filter"
                for path in ["", "etc", *MOUNTED.get(kind, [])]:
                    assert refuses_to_write(process, path), f"{kind}: /{path} is writable"


def helm_test_passes_an_offer_and_its_answer_between_two_pods(live):
    for version, helm in live.cluster.helms.items():
        output = live.cluster.helm(version, "test", NAME, "--namespace", NAMESPACE)
        assert "Succeeded" in output and "delivered and confirmed" in output, f"{version}: {output}"


def an_installed_release_passes_a_first_offer_within_seconds(live):
    took = []
    for _ in range(INSTALLS):
        with live.cluster.namespace(enforced=None) as namespace:
            secrets(live.cluster, namespace, "jwt", "ops", "turn")
            start = time.monotonic()
            # The helm test waits for the nodes itself.
            with live.cluster.release(namespace, [VALUES, {"coturn": {"enabled": False}}], name=NAME):
                live.cluster.helm("Helm 3", "test", NAME, "--namespace", namespace)
                took.append(time.monotonic() - start)
    return f"median of {INSTALLS} {statistics.median(took):.1f} s ({min(took):.1f} to {max(took):.1f})"


def a_call_is_relayed_with_the_credentials_of_a_node(live):
    secret = live.cluster.plane.folder / "jwt"
    secret.write_text("the-hs256-secret-that-only-this-test-knows")
    mint = [support.SWITCHBOARD, "token", "mint", "--peer", "ann", "--secret-file", secret, "--audience", "switchboard"]
    token = subprocess.run(mint, check=True, capture_output=True, text=True).stdout.strip()
    request = urllib.request.Request(f"http://{live.service()}/v1/ice", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        given = next(one for one in json.load(answer)["ice_servers"] if "credential" in one)
    assert f"turn:{FIRST}:3478?transport=udp" in given["urls"], given["urls"]
    echo = subprocess.Popen(["turnutils_peer", "-L", FIRST], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        output = relayed(given["username"], given["credential"])
        assert f"tot_recv_msgs={PACKETS}" in output and "Total lost packets 0 " in output, output[-600:]
        assert f"tot_recv_msgs={PACKETS}" not in relayed(given["username"], "guessed"), "coturn accepts any credential"
    finally:
        echo.kill()
        echo.wait()


def relayed(user, password):
    """The output of coturn's client for packets through a relay to an echo on the machine and back."""
    command = ["turnutils_uclient", "-u", user, "-w", password, "-e", FIRST, "-n", str(PACKETS), "-m", "1", "-c", FIRST]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as client:
        # With a wrong password the client runs for a long time.
        stop = threading.Timer(8, client.kill)
        stop.start()
        output = client.stdout.read()
        stop.cancel()
    return output


def network_policies_admit_clients_and_nodes_and_nobody_else(live):
    node, redis, public = live.pods()[0]["status"]["podIP"], live.service("-redis"), live.service()
    with live.cluster.namespace(enforced=None) as elsewhere, live.cluster.namespace(enforced=None, name="monitoring") as monitoring:
        cases = {
            (elsewhere, public, 80): True, (monitoring, node, 9090): True,
            (elsewhere, node, 9090): False, (elsewhere, redis, 6379): False, (monitoring, redis, 6379): False,
            # Pods of the namespace that are not of the release.
            (NAMESPACE, redis, 6379): False, (NAMESPACE, node, 9090): False,
        }
        with concurrent.futures.ThreadPoolExecutor(len(cases)) as pool:
            found = dict(zip(cases, pool.map(lambda case: live.connects(*case), cases)))
    wrong = {case: connects for case, connects in found.items() if connects != cases[case]}
    assert not wrong, f"from a namespace to an address and port: {wrong}"


CHECKS = [
    every_pod_runs_unprivileged_on_a_read_only_root,
    helm_test_passes_an_offer_and_its_answer_between_two_pods,
    an_installed_release_passes_a_first_offer_within_seconds,
    a_call_is_relayed_with_the_credentials_of_a_node,
    network_policies_admit_clients_and_nodes_and_nobody_else,
]
