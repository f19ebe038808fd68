"""What an operator asks a pod by `kubectl exec`. Not here: the commands of the documentation (commands.py)."""

import json

from deployed import NODES
from documented import Block, Terminal
from reader import reader

STATUS = ["/switchboard", "status", "--json", "--config", "/etc/switchboard/config/switchboard.toml"]


def each_pod_says_the_state_of_all_nodes_by_kubectl_exec(live):
    for pod in live.pods():
        said = json.loads(live.kubectl("exec", "--namespace", live.release.namespace, pod["metadata"]["name"], "--", *STATUS))
        states = [(one["state"], one["bus"]) for one in said["nodes"]]
        assert states == [("serving", "up")] * NODES and not said["unreachable"], said
        assert [one["asked"] for one in said["nodes"]].count(True) == 1, said


def switchboard_top_draws_all_nodes_in_a_terminal_by_kubectl_exec(live):
    pod = live.pods()[0]["metadata"]["name"]
    command = f"kubectl --namespace {live.release.namespace} exec -it {pod} -- {' '.join(STATUS)}".replace("status --json", "top")
    with reader(live.cluster) as one:
        one.types(Block("this check", "top", 0, "sh", command), Terminal("serving", "q quits", f"{NODES} nodes"))


CHECKS = [
    each_pod_says_the_state_of_all_nodes_by_kubectl_exec,
    switchboard_top_draws_all_nodes_in_a_terminal_by_kubectl_exec,
]
