"""A release that is there already: what an upgrade keeps, what it replaces, and what Helm 3 makes of the objects."""

import json
import pathlib
import shutil
import subprocess
import tempfile

import live
from support import CHART, NAMESPACE, TIMEOUT_S, Skip, check, config, node, objects, render, tool, value_sets

SCALED = ("--set", "autoscaling.hpa.enabled=true")


def templates(made):
    """The pod template of every object that has one."""
    return {key: one["spec"]["template"] for key, one in made.items() if "template" in one.get("spec", {})}


def deployment(replicas, annotations):
    """A live Deployment of the nodes."""
    metadata = {"name": "sb-switchboard", "namespace": NAMESPACE, "annotations": annotations}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}}


def nodes_of(made):
    """The Deployment of the nodes."""
    return made["Deployment", "sb-switchboard"]


@check
def an_autoscaler_that_is_switched_on_keeps_the_live_number_of_nodes():
    before = nodes_of(live.render("minimal", [], "--set", "replicaCount=6"))
    assert before["spec"]["replicas"] == 6
    # As Helm leaves it, and as a chart without the annotation left it.
    for annotations in (before["metadata"]["annotations"], {}):
        after = nodes_of(live.render("minimal", [deployment(6, annotations)], *SCALED))
        assert after["spec"]["replicas"] == 6, "Helm would delete the field, and the API server set 1"
    # The autoscaler has changed it since.
    again = nodes_of(live.render("minimal", [deployment(9, after["metadata"]["annotations"])], *SCALED))
    assert again["spec"]["replicas"] == 9


@check
def a_release_that_began_with_an_autoscaler_never_sets_the_number():
    first = nodes_of(live.render("minimal", [], *SCALED))
    assert "replicas" not in first["spec"]
    later = nodes_of(live.render("minimal", [deployment(9, first["metadata"]["annotations"])], *SCALED))
    assert "replicas" not in later["spec"], "a rollback would set an old number"
    fixed = nodes_of(live.render("minimal", [deployment(9, first["metadata"]["annotations"])]))
    assert fixed["spec"]["replicas"] == 2


@check
def another_version_of_the_chart_replaces_no_pod_that_is_otherwise_the_same():
    with tempfile.TemporaryDirectory() as folder:
        newer = pathlib.Path(folder) / "switchboard"
        shutil.copytree(CHART, newer)
        text = (newer / "Chart.yaml").read_text()
        (newer / "Chart.yaml").write_text(text.replace("\nversion: 0.", "\nversion: 9.").replace('appVersion: "0.', 'appVersion: "9.'))
        for name in ("trial", "coturn-daemonset", "coturn-deployment"):
            pinned = ("--set", "image.tag=pinned")
            before, after = (templates(live.render(name, [], *pinned, chart=one)) for one in (CHART, newer))
            assert before == after, name


@check
def a_new_secret_replaces_no_pod_and_cuts_no_relayed_call():
    def pods(name, text):
        keys = {"jwt": ["hs256-secret"], "turn": ["turn-secret", "shared"], "turn-tls": ["tls.crt", "tls.key"], "ops": ["ops-token"]}
        return templates(live.render(name, [live.secret(one, **dict.fromkeys(names, text)) for one, names in keys.items()]))

    for name in ("coturn-daemonset", "coturn-tls", "turn-elsewhere", "minimal"):
        assert pods(name, "a") == pods(name, "b"), name


@check
def redis_at_another_host_replaces_the_nodes_and_another_password_does_not():
    def pods(url):
        return templates(live.render("redis-password", [live.secret("redis-url", address=url)]))

    first, second = pods("redis://:one@redis.data:6380/2"), pods("redis://sb:t@wo%/@redis.data:6380/2")
    assert first == second
    assert first != pods("redis://:one@other.data:6380/2")


@check
def helm_3_makes_of_any_value_set_what_the_chart_says():
    program = tool("helm-merge") or skip("helm-merge is not installed; scripts/setup builds it")
    last, pairs = {}, []
    # Each set is the upgrade of the one before, and of itself with other ports.
    for name in [*value_sets(), *reversed(value_sets())]:
        made = {(one["apiVersion"], one["kind"], one["metadata"]["name"]): one for one in objects(name)}
        # Custom resources are replaced as a whole.
        for key in made.keys() & last.keys():
            if "." not in key[0].split("/")[0] or key[0].split("/")[0].endswith(".k8s.io"):
                if not key[0].startswith(("gateway.", "keda.")):
                    pairs.append((name, last[key], made[key]))
        last |= made
    assert len(pairs) > 200, len(pairs)
    merge(program, pairs)


@check
def another_port_of_coturn_keeps_udp_and_tcp():
    program = tool("helm-merge") or skip("helm-merge is not installed; scripts/setup builds it")
    before = live.render("coturn-deployment", [])
    for sets in ("coturn.port=3480", "coturn.relayPorts.max=49259", "coturn.port=5000,coturn.metrics.enabled=true"):
        after = live.render("coturn-deployment", [], "--set", sets)
        merge(program, [(sets, before[key], after[key]) for key in before.keys() & after.keys()])
        service = next(one for (kind, name), one in after.items() if kind == "Service" and "coturn" in name)
        port = next(one["port"] for one in service["spec"]["ports"] if one["name"] == "turn-udp")
        assert {one["protocol"] for one in service["spec"]["ports"] if one["port"] == port} == {"UDP", "TCP"}
        if sets.startswith("coturn.port"):
            assert ("Service", service["metadata"]["name"]) not in before, "Helm 3 would merge UDP and TCP into one"


def merge(program, pairs):
    """Proves that for each (name, before, after) Helm 3 makes `after`."""
    lines = "\n".join(json.dumps({"from": before, "to": after}) for _, before, after in pairs)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    for (name, before, after), line in zip(pairs, done.stdout.splitlines(), strict=True):
        made, wanted = ordered(json.loads(line)), ordered(after)
        assert made == wanted, f"{name}: {after['kind']} {after['metadata']['name']}: {difference(made, wanted)}"


def ordered(value):
    """The value with its lists of objects in one order, as Helm 3 does not keep it; a null is no value."""
    if isinstance(value, dict):
        return {key: ordered(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        made = [ordered(one) for one in value]
        return sorted(made, key=lambda one: json.dumps(one, sort_keys=True)) if all(isinstance(one, dict) for one in made) else made
    return value


def difference(made, wanted, path=""):
    """The first place where they differ."""
    if isinstance(made, dict) and isinstance(wanted, dict):
        key = next(key for key in {**made, **wanted} if made.get(key) != wanted.get(key))
        return difference(made.get(key), wanted.get(key), f"{path}.{key}")
    if isinstance(made, list) and isinstance(wanted, list) and len(made) == len(wanted):
        at = next(at for at, (one, other) in enumerate(zip(made, wanted)) if one != other)
        return difference(made[at], wanted[at], f"{path}[{at}]")
    return f"{path} is {made}, and not {wanted}"


@check
def a_changed_load_test_is_another_job():
    names = {
        next(name for kind, name in live.render("loadtest", [], *sets) if kind == "Job")
        for sets in ((), ("--set", "loadtest.resources.limits.memory=2Gi"), ("--set", "loadtest.nodeSelector.pool=a"),
                     ("--set", "imagePullSecrets={own}"), ("--set", "auth.hs256.key=other"), ("--set", "serviceAccount.name=own"),
                     ("--set", "loadtest.args={--junit,/out/x}"), ("--set", "service.port=81"))
    }
    assert len(names) == 8, "a Job's template cannot be changed, so Helm would fail"


@check
def nodes_drain_one_after_the_other_in_a_rollout():
    for name in value_sets():
        spec = node_deployment(name)["spec"]
        drain = config(name)["drain"]
        if name == "everything":
            assert (spec["minReadySeconds"], spec["strategy"]["rollingUpdate"]["maxSurge"]) == (0, "25%")
            continue
        assert spec["minReadySeconds"] >= (drain["settle_ms"] + drain["deadline_ms"]) / 1000, name
        assert spec["minReadySeconds"] < node(name)[0]["terminationGracePeriodSeconds"], name
        # The API server refuses a deadline that is not above it.
        assert spec["progressDeadlineSeconds"] > spec["minReadySeconds"] + 300, name


def node_deployment(name):
    """The Deployment of the nodes in a value set."""
    return next(one for one in objects(name) if one["kind"] == "Deployment"
                and one["metadata"]["labels"]["app.kubernetes.io/component"] == "node")


@check
def the_pod_of_the_helm_test_is_deleted_and_its_output_shown():
    annotations = next(one for one in objects("minimal") if one["kind"] == "Pod")["metadata"]["annotations"]
    assert "hook-succeeded" in annotations["helm.sh/hook-delete-policy"]
    assert annotations["helm.sh/hook-output-log-policy"] == "hook-succeeded,hook-failed"
    assert "--logs" not in render("minimal")


@check
def on_openshift_the_platform_chooses_the_user():
    openshift = ("--api-versions", "security.openshift.io/v1")
    for made in (live.render("trial", [], *openshift), live.render("trial", [], "--set", "userIds=assigned")):
        for template in templates(made).values():
            security = template["spec"]["securityContext"]
            assert not security.keys() & {"runAsUser", "runAsGroup", "fsGroup"} and security["runAsNonRoot"]
    fixed = live.render("trial", [], "--set", "userIds=fixed", *openshift)
    assert nodes_of(fixed)["spec"]["template"]["spec"]["securityContext"]["runAsUser"] == 65532


@check
def each_machine_has_its_external_address():
    def machine(name, annotations=None, external=None):
        addresses = [{"type": "InternalIP", "address": "10.0.0.1"}]
        addresses += [{"type": "ExternalIP", "address": external}] if external else []
        metadata = {"name": name, "annotations": annotations or {}}
        return {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "status": {"addresses": addresses}}

    machines = [
        machine("edge-1", external="192.0.2.1"),
        machine("edge-2", {"switchboard/external-ip": "192.0.2.20"}, "192.0.2.2"),
        machine("edge-3", external="2001:db8::3"),
        machine("inside"),
    ]
    made = live.render("coturn-daemonset", machines, "--set", "coturn.externalIp=auto", "--set", "coturn.externalIps.edge-1=192.0.2.10")
    known = made["ConfigMap", "sb-switchboard-coturn"]["data"]["external-ips"].split("\n")
    assert [line for line in known if line] == ["edge-1 192.0.2.10", "edge-2 192.0.2.20", "edge-3 2001:db8::3"]
    alone = live.render("coturn-daemonset", machines[:1], "--set", "coturn.externalIp=auto")
    assert templates(made) == templates(alone), "a new machine restarts coturn on the others"


def skip(reason):
    """Ends a check that cannot run here."""
    raise Skip(reason)
