"""The nodes' Deployment: its containers, start, stop and replacement."""

from support import check, config, node, objects, of_kind, pods, the, the_nodes, value_sets

RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "runAsNonRoot": True}


@check
def every_container_of_every_value_set_is_restricted():
    seen = 0
    for name in value_sets():
        for owner, _, spec in pods(name):
            assert spec["securityContext"]["runAsNonRoot"] is True, owner
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, owner
            for container in spec["containers"] + spec.get("initContainers", []):
                security = container["securityContext"]
                assert RESTRICTED.items() <= security.items(), (name, owner, container["name"])
                assert security["capabilities"]["drop"] == ["ALL"], (name, owner, container["name"])
                # The restricted standard allows this one capability. coturn's binary needs it.
                added = security["capabilities"].get("add", [])
                assert added == (["NET_BIND_SERVICE"] if container["name"] == "turnserver" else []), (name, owner)
                seen += 1
    assert seen > len(value_sets())


@check
def nodes_run_as_65532_and_files_belong_to_that_group():
    security = node("minimal")[0]["securityContext"]
    assert [security[key] for key in ("runAsUser", "runAsGroup", "fsGroup")] == [65532] * 3


@check
def only_coturn_as_a_daemonset_uses_the_host_network():
    for name in value_sets():
        for owner, _, spec in pods(name):
            on_host = spec.get("hostNetwork", False)
            assert on_host == (bool(of_kind(name, "DaemonSet")) and owner.endswith("-coturn")), (name, owner)
            assert not spec.get("hostPID") and not spec.get("hostIPC")
            assert not any("hostPath" in volume for volume in spec.get("volumes", [])), (name, owner)


@check
def no_pod_gets_a_service_account_token():
    for name in value_sets():
        for owner, _, spec in pods(name):
            assert spec["automountServiceAccountToken"] is False, (name, owner)
        for account in of_kind(name, "ServiceAccount"):
            assert account["automountServiceAccountToken"] is False, name


@check
def secrets_reach_pods_as_files_never_by_environment_or_argument():
    for name in value_sets():
        for owner, _, spec in pods(name):
            for container in spec["containers"] + spec.get("initContainers", []):
                assert not any("secretRef" in one for one in container.get("envFrom", [])), (name, owner)
                for variable in container.get("env", []):
                    assert "secretKeyRef" not in variable.get("valueFrom", {}), (name, owner, variable["name"])
        for one in of_kind(name, "ConfigMap"):
            text = str(one.get("data"))
            assert "hs256_secret =" not in text and "turn_secret =" not in text, name
            assert "for-a-trial-only" not in text and "the-trial-secret" not in text, name


@check
def mounted_secrets_are_readable_by_the_group_only():
    for volume in node("redis-password")[0]["volumes"]:
        mode = (volume.get("secret") or volume.get("configMap") or volume.get("projected"))["defaultMode"]
        assert mode == 0o440, volume["name"]


@check
def only_readiness_depends_on_redis():
    _, container = node("minimal")
    paths = {probe: container[f"{probe}Probe"]["httpGet"] for probe in ("startup", "liveness", "readiness")}
    assert paths["startup"] == paths["liveness"] == {"path": "/livez", "port": "ops"}
    assert paths["readiness"] == {"path": "/readyz", "port": "ops"}
    assert {"name": "ops", "containerPort": 9090} in container["ports"]


@check
def the_grace_period_covers_settle_drain_and_a_margin():
    for name in value_sets():
        drain = config(name)["drain"]
        needed = (drain["settle_ms"] + drain["deadline_ms"]) / 1000
        assert node(name)[0]["terminationGracePeriodSeconds"] > needed, name
    # 5 s + 25 s + 10 s; 15 s + 600.5 s, rounded up, + 20 s; and what was asked for.
    graces = [node(name)[0]["terminationGracePeriodSeconds"] for name in ("minimal", "slow-drain", "own-grace")]
    assert graces == [40, 636, 300], graces


@check
def a_rollout_never_removes_a_node_first():
    for name in value_sets():
        strategy = the_nodes(name)["spec"]["strategy"]
        if name == "one-node":
            assert strategy == {"type": "Recreate"}, "two nodes without a Redis would not know each other"
        else:
            assert strategy["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": "25%" if name == "everything" else 1}, name


@check
def a_changed_configuration_changes_the_pod():
    sums = [the_nodes(name)["spec"]["template"]["metadata"]["annotations"]["checksum/config"] for name in ("minimal", "slow-drain")]
    assert sums[0] != sums[1]


@check
def a_digest_replaces_the_tag_and_the_global_registry_is_used():
    for owner, _, spec in pods("digest"):
        image = spec["containers"][0]["image"]
        assert image.startswith("registry.example/calls/switchboard@sha256:0123"), (owner, image)
        assert spec["imagePullSecrets"] == [{"name": "own"}, {"name": "house"}], owner
    assert node("minimal")[1]["image"] == "ghcr.io/switchboard-signaling/switchboard:0.1.0"
    images = {container["name"]: container["image"] for _, _, spec in pods("everything") for container in spec["containers"]}
    assert images["node"] == "mirror.example/calls/calls/switchboard:0.1.0", "the registry is replaced"
    assert images["redis"].startswith("mirror.example/calls/library/redis:")
    assert images["turnserver"].startswith("mirror.example/calls/coturn/coturn:")


@check
def nodes_prefer_different_zones_and_machines():
    constraints = node("minimal")[0]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    labels = the_nodes("minimal")["spec"]["template"]["metadata"]["labels"]
    for one in constraints:
        assert one["whenUnsatisfiable"] == "ScheduleAnyway"
        assert one["labelSelector"]["matchLabels"].items() <= labels.items()
    assert "topologySpreadConstraints" not in node("placement")[0]


@check
def placement_and_labels_of_the_user_are_rendered():
    spec, _ = node("placement")
    assert spec["nodeSelector"] == {"pool": "calls"} and spec["priorityClassName"] == "calls"
    assert spec["tolerations"] and "nodeAffinity" in spec["affinity"]
    assert spec["serviceAccountName"] == "calls"
    metadata = the_nodes("placement")["spec"]["template"]["metadata"]
    assert metadata["labels"]["team"] == "calls" and metadata["annotations"]["example.com/a"] == "b"
    assert all(one["metadata"]["labels"]["cost-center"] == "42" for one in objects("placement"))


@check
def every_setting_of_a_pod_is_free_for_every_component():
    seen = set()
    for owner, labels, spec in pods("everything"):
        assert spec["nodeSelector"] == {"pool": "calls"} and spec["tolerations"], owner
        assert (spec["priorityClassName"], spec["runtimeClassName"], spec["schedulerName"]) == ("calls", "gvisor", "calls"), owner
        assert spec["hostAliases"] and spec["dnsConfig"]["nameservers"] and spec["dnsPolicy"] == "None", owner
        security = spec["securityContext"]
        assert (security["runAsUser"], security["supplementalGroups"]) == (1000680000, [1]), owner
        assert security["fsGroup"] in (65532, 999) and security["runAsNonRoot"], "the rest stays the chart's"
        for container in spec["containers"]:
            assert container["securityContext"]["seLinuxOptions"] == {"level": "s0:c123,c456"}, owner
        seen.add(labels["app.kubernetes.io/component"])
    assert seen == {"node", "redis", "coturn", "selftest", "loadtest"}
    spec, container = node("everything")
    assert [one["topologyKey"] for one in spec["topologySpreadConstraints"]] == ["rack"]
    assert container["envFrom"] == [{"configMapRef": {"name": "sb-more"}}]


@check
def extras_are_rendered_with_their_templates():
    spec, container = node("extras")
    assert container["env"][1] == {"name": "RELEASE", "value": "sb"}
    assert {"name": "scratch", "mountPath": "/scratch"} in container["volumeMounts"]
    assert {"name": "scratch", "emptyDir": {}} in spec["volumes"]
    assert spec["initContainers"][0]["name"] == "first"
    assert [one["name"] for one in spec["containers"]] == ["node", "sidecar"]
    assert the("extras", "ConfigMap", "-extra")["data"] == {"a": "b"}
    assert the("extras", "ConfigMap", "-text")


@check
def every_mount_of_every_pod_has_its_volume():
    for name in value_sets():
        for owner, _, spec in pods(name):
            volumes = [volume["name"] for volume in spec.get("volumes", [])]
            assert len(volumes) == len(set(volumes)), (name, owner)
            for container in spec["containers"] + spec.get("initContainers", []):
                for mount in container.get("volumeMounts", []):
                    assert mount["name"] in volumes, (name, owner, mount["name"])


@check
def selectors_choose_pods_of_one_component_only():
    for name in value_sets():
        labels_of = {owner: labels for owner, labels, _ in pods(name)}
        for one in objects(name):
            selector = one.get("spec", {}).get("selector", {})
            selector = selector.get("matchLabels", selector)
            if one["kind"] not in ("Service", "Deployment", "DaemonSet", "PodDisruptionBudget"):
                continue
            chosen = {
                labels["app.kubernetes.io/component"] for labels in labels_of.values() if selector.items() <= labels.items()
            }
            assert len(chosen) == 1, (name, one["kind"], one["metadata"]["name"], chosen)


@check
def no_two_objects_have_one_name_and_all_have_the_usual_labels():
    for name in value_sets():
        names = [(one["kind"], one["metadata"]["name"]) for one in objects(name)]
        assert len(names) == len(set(names)), name
        for one in objects(name):
            if name == "extras" and one["metadata"]["name"] in ("sb-switchboard-extra", "sb-text"):
                continue
            labels = one["metadata"]["labels"]
            assert labels["app.kubernetes.io/instance"] == "sb" and "helm.sh/chart" in labels, (name, one["kind"])


@check
def names_ports_and_addresses_can_be_chosen():
    settings = config("names")["server"]
    assert settings["listen"] == "[::]:8000" and settings["ops_listen"] == "[::]:8001"
    spec, container = node("names")
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {"http": 8000, "ops": 8001}
    assert spec["serviceAccountName"] == "shared" and not of_kind("names", "ServiceAccount")
    assert the_nodes("names")["metadata"]["name"] == "calls"
