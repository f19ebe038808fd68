"""Machines that are not there: kwok says that they are ready, that their pods run, and that Jobs complete.

Admission, defaults, scheduling, controllers and the lifetimes of pods are those of Kubernetes. No container runs.
"""

import json

import programs
from processes import until

READY_MS, COMPLETE_MS, STOP_MS = 500, 1000, 3000
MACHINES = 3
NOW = '{{ Now | Quote }}'
CONTAINER = '{image: {{ .image | Quote }}, name: {{ .name | Quote }}, restartCount: 0, ready: %s, state: %s}'
RUNNING = CONTAINER % ("true", "{running: {startedAt: %s}}" % NOW)
COMPLETED = CONTAINER % ("false", "{terminated: {exitCode: 0, reason: Completed, startedAt: %s, finishedAt: %s}}" % (NOW, NOW))


def condition(kind):
    """A condition that holds."""
    return '{type: %s, status: "True", reason: Kwok, lastHeartbeatTime: %s, lastTransitionTime: %s}' % (kind, NOW, NOW)


def each(text):
    """A template of a list with one entry for each container."""
    return "[{{ range .spec.containers }}%s,{{ end }}]" % text


NODE_STATUS = f"""
conditions: [{condition("Ready")}]
addresses: [{{address: 127.0.0.1, type: InternalIP}}]
allocatable: {{cpu: 64, memory: 256Gi, pods: 500}}
capacity: {{cpu: 64, memory: 256Gi, pods: 500}}
"""
POD_STATUS = f"""
conditions: [{condition("Initialized")}, {condition("Ready")}, {condition("ContainersReady")}]
containerStatuses: {each(RUNNING)}
hostIP: 127.0.0.1
podIP: {{{{ PodIPWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "") (or .metadata.name "") (or .metadata.namespace "") | Quote }}}}
phase: Running
startTime: {NOW}
"""
JOB_STATUS = f"""
containerStatuses: {each(COMPLETED)}
phase: Succeeded
"""
LIVES = {"key": ".metadata.deletionTimestamp", "operator": "DoesNotExist"}


def stage(name, kind, delay_ms, next_, *conditions):
    """What kwok does with objects for which all conditions hold, after a delay."""
    resource = {"apiGroup": "v1", "kind": kind}
    spec = {"resourceRef": resource, "selector": {"matchExpressions": conditions}, "delay": {"durationMilliseconds": delay_ms}}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec | {"next": next_}}


STAGES = [
    stage("node-ready", "Node", 0, {"statusTemplate": NODE_STATUS},
        {"key": '.status.conditions.[] | select( .type == "Ready" ) | .status', "operator": "NotIn", "values": ["True"]}),
    stage("pod-ready", "Pod", READY_MS, {"statusTemplate": POD_STATUS},
        LIVES, {"key": ".status.podIP", "operator": "DoesNotExist"}),
    stage("pod-complete", "Pod", COMPLETE_MS, {"statusTemplate": JOB_STATUS},
        LIVES, {"key": ".status.phase", "operator": "In", "values": ["Running"]},
        {"key": ".spec.restartPolicy", "operator": "In", "values": ["Never"]}),
    stage("pod-stop", "Pod", STOP_MS, {"finalizers": {"empty": True}, "delete": True},
        {"key": ".metadata.deletionTimestamp", "operator": "Exists"}),
]


def start(plane):
    """Starts kwok with its machines, and waits until pods can be scheduled."""
    file = plane.folder / "kwok.yaml"
    file.write_text("\n---\n".join(map(json.dumps, STAGES)))
    plane.processes.start("kwok", programs.path("kwok"), "--kubeconfig", plane.kubeconfig("kwok"), "--config", file,
        "--manage-all-nodes=true", "--node-ip=127.0.0.1", "--cidr=198.18.0.0/18", "--node-lease-duration-seconds=40")
    for at in range(MACHINES):
        name = f"machine-{at}"
        labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{at}", "kubernetes.io/os": "linux"}
        plane.api.create("Node", None, name, metadata={"labels": labels})
    until("the machines are ready", lambda: plane.processes.check() and all(map(is_ready, plane.api.list("Node"))), 60)


def is_ready(node):
    """Whether pods may be scheduled to it."""
    ready = [one for one in node.get("status", {}).get("conditions", []) if (one["type"], one["status"]) == ("Ready", "True")]
    return ready and not node["spec"].get("taints")
