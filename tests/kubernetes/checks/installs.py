"""Installing and uninstalling: value sets, names, text, and what Helm looks up in the cluster."""

import contextlib

import support
from processes import until
from releases import INSTANCE, KEYS

# A pod on the host network is for namespaces that allow it.
HOST_NETWORK = "coturn-daemonset", "coturn-tls", "coturn-metrics", "everything"
NAMES = ["1234", "0x1f", "true", "null", "a", "sb.v2", "1.2.3", "a" * 50, "1" * 53, "a." + "b" * 51]
COTURN = {"turn": {"inlineSecret": "the-trial-secret-of-turn"}, "coturn": {
    "enabled": True, "mode": "deployment", "host": "turn.example", "externalIp": "203.0.113.7"}}
# Text that YAML reads as something else where it is not quoted.
TEXTS = {
    "podAnnotations": {"number": "1234", "colon": "a: b #c", "nothing": "null", "yes": "true", "quote": "- 'a\""},
    "podLabels": {"number": "007", "float": "1e3", "yes": "yes"},
    "nodeSelector": {"pool": "1"},
    "commonLabels": {"cost-centre": "0815"},
    "serviceAccount": {"annotations": {"role": "arn:aws:iam::1234:role/x"}},
    "config": {"server": {"allowed_origins": ["http://[::1]:3000"]}},
    "auth": {"audience": "null", "issuer": "a: b"},
    "extraEnv": [{"name": "NUMBER", "value": "1234"}],
}


def secrets(cluster, namespace, *names):
    """Creates Secrets with every key that value sets name."""
    for name in names:
        data = {key: f"the-{key}-that-only-this-test-knows" for key in KEYS}
        with contextlib.suppress(Exception):
            cluster.api.create("Secret", namespace, name, stringData=data | {"url": "redis://redis.data:6379"})


def wanted_pods(release):
    """The number of pods that the release's owners of pods want."""
    owners = sum(one["spec"].get("replicas", 1) for kind in ("Deployment", "Job") for one in release.list(kind))
    return owners + sum(one["status"].get("desiredNumberScheduled", 0) for one in release.list("DaemonSet"))


def until_admitted(release):
    """Waits until all pods exist, which admission may refuse. Returns their number."""
    def exist():
        return len(release.list("Pod")) >= wanted_pods(release)
    try:
        until("the pods exist", exist, 20)
    except AssertionError as late:
        failures = [one["message"] for one in release.api.list("Event", release.namespace) if one["reason"] == "FailedCreate"]
        raise AssertionError(f"{late}: {failures[:1]}") from None
    return wanted_pods(release)


def until_gone(cluster, name, *more):
    """Waits until no object of a release is left, and none of more kinds."""
    def left():
        return [one for kind in ("Deployment", "Service", "ConfigMap", "Secret", "Job", *more)
                for one in cluster.api.list(kind, **{INSTANCE: name})]
    until("all objects are gone", lambda: not left(), 30)


def every_value_set_installs_and_uninstalls_where_only_restricted_pods_are_allowed(cluster):
    cluster.api.create("Namespace", None, "elsewhere", metadata={"labels": {"pod-security.kubernetes.io/enforce": "privileged"}})
    cluster.kubectl("create", "priorityclass", "calls", "--value=1000")
    cluster.kubectl("apply", "--filename=-", text="{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: gvisor}, handler: runsc}")
    pods = 0
    for number, name in enumerate(support.value_sets()):
        own = f"set-{number}"
        enforced = "privileged" if name in HOST_NETWORK else "restricted"
        with cluster.namespace(enforced) as namespace:
            secrets(cluster, namespace, "jwt", "turn", "test-tokens", "ops")
            try:
                # `names` names an account of the operator.
                cluster.api.create("ServiceAccount", namespace, "shared")
                with cluster.release(namespace, [name], name=own) as release:
                    if name == "everything":
                        release.namespace = "elsewhere"
                    pods += until_admitted(release)
                    release.namespace = namespace
            except Exception as why:
                raise AssertionError(f"{name}: {why}") from None
            until_gone(cluster, own)
    return f"{len(support.value_sets())} value sets, {pods} pods"


def a_namespace_that_allows_only_restricted_pods_refuses_the_host_network(cluster):
    with cluster.namespace("restricted") as namespace, cluster.release(namespace, ["coturn-tls"]) as release:
        def refused():
            events = cluster.api.list("Event", namespace)
            return any("hostNetwork" in one["message"] for one in events if one["reason"] == "FailedCreate")
        until("an event names the reason", refused, 20)
        assert not release.pods("coturn")


def any_name_of_a_release_is_accepted(cluster):
    for name in NAMES:
        with cluster.namespace() as namespace:
            try:
                with cluster.release(namespace, ["trial", COTURN, {"loadtest": {"enabled": True}}], name=name) as release:
                    assert until_admitted(release) == 5
            except Exception as why:
                raise AssertionError(f"{name}: {why}") from None
            until_gone(cluster, name)
    return f"{len(NAMES)} names"


def text_that_looks_like_a_number_or_has_colons_stays_text(cluster):
    with cluster.namespace() as namespace, cluster.release(namespace, ["trial", TEXTS]) as release:
        node = release.the("Deployment", "node")
        template = node["spec"]["template"]
        for part, texts in (("annotations", TEXTS["podAnnotations"]), ("labels", TEXTS["podLabels"])):
            assert texts.items() <= template["metadata"][part].items(), template["metadata"]
        assert template["spec"]["nodeSelector"] == TEXTS["nodeSelector"]
        assert template["spec"]["containers"][0]["env"] == TEXTS["extraEnv"]
        assert TEXTS["commonLabels"].items() <= node["metadata"]["labels"].items()


def each_machine_has_its_own_external_address(cluster):
    values = {"coturn": {"externalIp": "auto"}}
    cluster.api.merge("Node", None, "machine-0", {"metadata": {"annotations": {"switchboard/external-ip": "203.0.113.1"}}})
    status = {"status": {"addresses": [{"type": "InternalIP", "address": "127.0.0.1"}, {"type": "ExternalIP", "address": "203.0.113.2"}]}}
    path = cluster.api.path("Node", None, "machine-1") + "/status"
    cluster.api.call("PATCH", path, status, "application/merge-patch+json")
    with cluster.namespace("privileged") as namespace, cluster.release(namespace, ["coturn-daemonset", values]) as release:
        addresses = release.the("ConfigMap", "coturn")["data"]["external-ips"].split()
        assert addresses == ["machine-0", "203.0.113.1", "machine-1", "203.0.113.2"], addresses


CHECKS = [
    every_value_set_installs_and_uninstalls_where_only_restricted_pods_are_allowed,
    a_namespace_that_allows_only_restricted_pods_refuses_the_host_network,
    any_name_of_a_release_is_accepted,
    text_that_looks_like_a_number_or_has_colons_stays_text,
    each_machine_has_its_own_external_address,
]
